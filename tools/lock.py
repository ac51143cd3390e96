"""
Resolves anew what is installed: every version with hashes, for every platform, no index addresses.

`requirements.lock` is our own environment, `clients/python/requirements-adapters.txt` the one with the libraries that
the client has adapters for: they want versions of their own, and the service wants none of them.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

_HOW = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url", "--no-header", "--quiet")
_FILES = (
    ("pyproject.toml", "--extra", "demo", "--extra", "dev", "--output-file", "requirements.lock"),
    ("clients/python/pyproject.toml", "--all-extras", "--output-file", "clients/python/requirements-adapters.txt"),
)


def main() -> int:
    """`uv` resolves; it is needed only here, so it gets an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        for what in _FILES:
            command = [python, "-m", "uv", "pip", "compile", *what, *_HOW, *sys.argv[1:]]
            if status := subprocess.run(command, check=False).returncode:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
