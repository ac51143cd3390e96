"""
Resolves anew what is installed: every version with hashes, for every platform, no index addresses.

`requirements.lock` is our own environment, `clients/python/requirements-adapters.txt` the one with the libraries that
the client has adapters for: they want versions of their own, and the service wants none of them.
`clients/python/requirements-oldest.txt` is what the client is tested with on the oldest Python it promises.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

_HOW = ("--universal", "--generate-hashes", "--no-emit-index-url", "--no-header", "--quiet")
_CLIENT = "clients/python"
_FILES = (
    ("3.11", "pyproject.toml", "--extra", "demo", "--extra", "dev", "--output-file", "requirements.lock"),
    ("3.11", f"{_CLIENT}/pyproject.toml", "--all-extras", "--output-file", f"{_CLIENT}/requirements-adapters.txt"),
    ("3.10", f"{_CLIENT}/pyproject.toml", "--extra", "tests", "--output-file", f"{_CLIENT}/requirements-oldest.txt"),
)


def main() -> int:
    """`uv` resolves; it is needed only here, so it gets an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "install", "--quiet", "uv"], check=True)
        for version, *what in _FILES:
            command = [python, "-m", "uv", "pip", "compile", "--python-version", version, *what, *_HOW, *sys.argv[1:]]
            if status := subprocess.run(command, check=False).returncode:
                return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
