"""
Runs every test: the quick ones first, then those that start real processes and browsers, which mostly wait.

Arguments are handed to pytest, e.g. `make test ARGS="-k claims"`. PHASEGATE_TEST_SECONDS_AWAY says how long PostgreSQL
is away in the test of that, 8 here and 30 where pytest is called by itself; PHASEGATE_TEST_SOAK_SECONDS how long the
short soak is, 20; PHASEGATE_TEST_EXAMPLES how many made-up inputs a property is tried on, 50 where it names no number.
"""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

# By files, in the order of tests/running.py. That of xdist ends with files of few tests, which are the long ones.
_PARALLEL = ["-n", os.environ.get("PHASEGATE_TEST_PROCESSES", "2"), "--dist", "loadfile", "--no-loadscope-reorder"]
_SLOW = ["tests/system", "tests/browser"]  # whatever is marked stands there; tests/running.py sees to that
_NO_TESTS = 5  # pytest's status when a selection matches nothing


def _run(report: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *_PARALLEL, "--durations=25"]
    command += [*arguments, *sys.argv[1:]]
    status = subprocess.run(command, check=False).returncode
    return 0 if status == _NO_TESTS and sys.argv[1:] else status


def main() -> int:
    """Both parts always run, so one failure does not hide another."""
    os.environ.setdefault("PHASEGATE_TEST_SECONDS_AWAY", "8")
    with TemporaryDirectory() as folder:
        reports = [Path(folder) / "quick.xml", Path(folder) / "slow.xml"]
        quick = _run(reports[0], "-m", "not system and not browser")
        slow = _run(reports[1], "-m", "system or browser", *([] if sys.argv[1:] else _SLOW))
        print(*not_run(reports), sep="\n", flush=True)
    return quick or slow


def not_run(reports: Iterable[Path]) -> list[str]:
    """The last lines, so that nobody takes what was left out for what passed: how many tests, and why."""
    why, unknown = Counter[str](), []
    for report in reports:
        if not report.exists():
            unknown.append(f"NOT RUN: unknown, the {report.stem} tests left no report")
            continue
        skipped = ET.parse(report).iter("skipped")  # noqa: S314  our own pytest wrote it
        why.update(found.get("message", "") for found in skipped if found.get("type") == "pytest.skip")
    told = [f"NOT RUN: {times} of the tests: {reason}" for reason, times in why.most_common()]
    return [*told, *unknown] or ["NOT RUN: nothing, every selected test was."]


if __name__ == "__main__":
    sys.exit(main())
