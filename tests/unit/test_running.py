from pathlib import Path

import pytest

from tests import running

ROOT = Path(running.__file__).resolve().parents[1]


def test_whatever_goes_first_is_there() -> None:
    assert [path for path in running.LONGEST_FIRST if not (ROOT / path).exists()] == []


def test_the_longest_come_first_and_the_others_stay_as_they_were() -> None:
    found = ["tests/unit/test_b.py::b", "tests/system/test_soak.py::s", "tests/unit/test_a.py::a"]

    assert sorted(found, key=running.place) == [found[1], found[0], found[2]]


@pytest.mark.parametrize("name", ["system", "browser"])
def test_what_neither_part_of_the_tests_would_run_is_refused(name: str, request: pytest.FixtureRequest) -> None:
    marked = pytest.Function.from_parent(request.node.parent, name="marked", callobj=lambda: None)
    marked.add_marker(name)

    with pytest.raises(pytest.UsageError, match="marked"):
        running.pytest_collection_modifyitems([marked])
