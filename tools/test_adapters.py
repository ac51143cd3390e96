"""
Types and tests of the client's adapters and examples, in the environment that has their libraries.

Run by `.venv-adapters`; the service that the tests talk to runs in `.venv`. Arguments are handed to pytest.
"""

import os
import subprocess
import sys
from pathlib import Path

_CLIENT = Path(__file__).resolve().parent.parent / "clients" / "python"
_EXAMPLES = _CLIENT / "examples"
_TYPES = ("mypy", "--strict", "--config-file=", "--python-version", "3.11", "-p", "phasegate_client.adapters")


def main() -> int:
    """Both always run, so one failure does not hide another."""
    cache = _CLIENT / ".mypy_cache" / "adapters"
    examples = [word for path in sorted(_EXAMPLES.glob("*.py")) for word in ("-m", path.stem)]
    types = subprocess.run(
        [sys.executable, "-m", *_TYPES, *examples, "--cache-dir", cache],
        cwd=_CLIENT / "src",
        env=os.environ | {"MYPYPATH": str(_EXAMPLES)},
        check=False,
    )
    tests = _CLIENT / "tests_adapters"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(tests / "pytest.ini"), str(tests), *sys.argv[1:]]
    passed = subprocess.run(command, check=False)
    return types.returncode or passed.returncode


if __name__ == "__main__":
    sys.exit(main())
