"""How the tests are run: in which order, and that none falls between the two parts of `make test`."""

import gc
from pathlib import PurePosixPath

import pytest

LONGEST_FIRST = (
    "tests/integration/api/test_schemathesis.py",
    "tests/field/replay/test_banking77.py",
    "tests/system/faults/test_processes_killed.py",
    "tests/system/test_stack.py",
    "tests/system/test_in_force.py",
    "tests/system/faults/test_postgresql_away.py",
    "tests/system/test_bench.py",
    "tests/system/faults/test_disk_full.py",
    "tests/system/faults/test_valkey_killed.py",
    "tests/system/test_soak.py",
    "tests/system/faults/",
    "tests/system/",
)
"""Files, or folders of them, that take a minute or so. One that came last would leave the other processors idle."""

_SLOW = {"system", "browser"}
_AS_IN_PRODUCTION = (10_000, 20, 50)


def place(path: str) -> int:
    """Where a file stands in the order; all that are not named come last, as they were found."""
    return next((at for at, begin in enumerate(LONGEST_FIRST) if path.startswith(begin)), len(LONGEST_FIRST))


@pytest.hookimpl(tryfirst=True)  # before any is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    stray = [item.nodeid for item in items if _marked(item) and not _in_the_folder_of_its_mark(item)]
    if stray:
        raise pytest.UsageError(f"marked, and not in tests/system or tests/browser, so never run: {', '.join(stray)}")
    items.sort(key=lambda item: place(item.nodeid))


@pytest.hookimpl
def pytest_collection_finish() -> None:
    """
    What was imported and collected stays to the end: looking through it for garbage again and again takes longer than
    many a test.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_AS_IN_PRODUCTION)


def _marked(item: pytest.Item) -> set[str]:
    return _SLOW & {mark.name for mark in item.iter_markers()}


def _in_the_folder_of_its_mark(item: pytest.Item) -> bool:
    return bool(_marked(item) & set(PurePosixPath(item.nodeid.split("::")[0]).parts))
