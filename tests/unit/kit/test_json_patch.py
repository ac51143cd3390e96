"""A patch makes of the one value the other, whatever both are; checked by applying it as RFC 6902 says."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.json_patch import diff, equal

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "a", "b"]),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["a", "b", "/", "~", ""]), inner),
    max_leaves=12,
)


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    """The three operations we write, by the letter of RFC 6902 and 6901."""
    document = copy.deepcopy({"": document})
    for operation in patch:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in ("", *operation["path"].split("/")[1:])]
        here = document
        for part in parts[:-1]:
            here = here[int(part)] if isinstance(here, list) else here[part]
        _apply(here, parts[-1], operation)
    return document[""]


def _apply(here: Any, last: str, operation: dict[str, Any]) -> None:
    place: Any = int(last) if isinstance(here, list) else last
    if isinstance(here, list) and operation["op"] == "add":
        assert place <= len(here)
        here.insert(place, operation["value"])
        return
    assert operation["op"] == "add" or (place < len(here) if isinstance(here, list) else place in here)
    if operation["op"] == "remove":
        del here[place]
    else:
        here[place] = operation["value"]


@given(_VALUES, _VALUES)
def test_a_patch_makes_of_the_one_value_the_other(before: Any, after: Any) -> None:
    assert equal(applied(before, diff(before, after)), after)


@given(_VALUES)
def test_what_is_equal_needs_no_operation(value: Any) -> None:
    assert diff(value, copy.deepcopy(value)) == []


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        pytest.param({"a": 1}, {"a": 2}, [{"op": "replace", "path": "/a", "value": 2}], id="a field changed"),
        pytest.param({"a": 1}, {}, [{"op": "remove", "path": "/a"}], id="a field gone"),
        pytest.param({}, {"a": None}, [{"op": "add", "path": "/a", "value": None}], id="a field that is null"),
        pytest.param("yes", "no", [{"op": "replace", "path": "", "value": "no"}], id="the whole value"),
        pytest.param([1, 2, 3], [1, 3], [{"op": "remove", "path": "/1"}], id="an element taken out"),
        pytest.param([1, 3], [1, 2, 3], [{"op": "add", "path": "/1", "value": 2}], id="an element put in"),
        pytest.param([1, 2, 3], [], [{"op": "remove", "path": f"/{n}"} for n in (2, 1, 0)], id="from the end"),
        pytest.param(
            {"a/b": {"m~n": [{"x": 1}]}},
            {"a/b": {"m~n": [{"x": 2}]}},
            [{"op": "replace", "path": "/a~1b/m~0n/0/x", "value": 2}],
            id="deep inside, with what a pointer escapes",
        ),
        pytest.param({"a": True}, {"a": 1}, [{"op": "replace", "path": "/a", "value": 1}], id="true is no number"),
        pytest.param({"a": 1}, {"a": 1.0}, [], id="one number, written twice"),
    ],
)
def test_a_small_change_is_a_small_patch(before: Any, after: Any, patch: list[dict[str, Any]]) -> None:
    assert diff(before, after) == patch
