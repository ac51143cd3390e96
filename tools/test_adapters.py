"""
Types and tests of the client's adapters and examples, in the environment that has their libraries.

Run by `.venv-adapters`; the service that the tests talk to runs in `.venv`. Arguments are handed to pytest.
"""

import subprocess
import sys
from pathlib import Path

_CLIENT = Path(__file__).resolve().parent.parent / "clients" / "python"
_EXAMPLES = sorted((_CLIENT / "examples").glob("*.py"))
_TYPES = ("mypy", "--strict", "--config-file=", "--python-version", "3.11")
_OF = (("-p", "phasegate_client.adapters"), _EXAMPLES)


def main() -> int:
    """All of it always runs, so one failure does not hide another."""
    command = [sys.executable, "-m", *_TYPES, "--cache-dir", _CLIENT / ".mypy_cache" / "adapters"]
    typed = [subprocess.run([*command, *of], cwd=_CLIENT / "src", check=False) for of in _OF]
    tests = _CLIENT / "tests_adapters"
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(tests / "pytest.ini"), str(tests), *sys.argv[1:]]
    passed = subprocess.run(command, check=False)
    return max(abs(one.returncode) for one in (*typed, passed))


if __name__ == "__main__":
    sys.exit(main())
