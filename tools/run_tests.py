"""
Runs every test: the quick ones first, then those that start real processes and browsers, which mostly wait.

Arguments are handed to pytest, e.g. `make test ARGS="-k claims"`. PHASEGATE_TEST_SECONDS_AWAY says how long PostgreSQL
is away in the test of that, 8 here and 30 where pytest is called by itself; PHASEGATE_TEST_SOAK_SECONDS how long the
short soak is, 20; PHASEGATE_TEST_EXAMPLES how many made-up inputs a property is tried on, 50 where it names no number.
"""

import os
import subprocess
import sys

_PARALLEL = ["-n", os.environ.get("PHASEGATE_TEST_PROCESSES", "2"), "--dist", "loadfile"]
_NO_TESTS = 5  # pytest's status when a selection matches nothing


def _run(*arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *sys.argv[1:]]
    status = subprocess.run(command, check=False).returncode
    return 0 if status == _NO_TESTS and sys.argv[1:] else status


def main() -> int:
    """Both parts always run, so one failure does not hide another."""
    os.environ.setdefault("PHASEGATE_TEST_SECONDS_AWAY", "8")
    quick = _run(*_PARALLEL, "--durations=25", "-m", "not system and not browser")
    slow = _run(*_PARALLEL, "--no-loadscope-reorder", "--durations=25", "-m", "system or browser")
    return quick or slow


if __name__ == "__main__":
    sys.exit(main())
