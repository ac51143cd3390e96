"""Resolves requirements.lock anew: every version with hashes, for every platform, no index addresses."""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

_COMMAND = (
    "pip", "compile", "pyproject.toml", "--extra", "demo", "--extra", "dev", "--universal",
    "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header", "--quiet",
    "--output-file", "requirements.lock",
)  # fmt: skip


def main() -> int:
    """`uv` resolves; it is needed only here, so it gets an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        return subprocess.run([python, "-m", "uv", *_COMMAND, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
