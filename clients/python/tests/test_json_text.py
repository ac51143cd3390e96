import json
import math
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasegate_client.errors import MalformedAnswer, Unsendable
from phasegate_client.json_text import as_json, confidence_as_json, decode, encode

_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(st.characters(codec="utf-8"))
)
_ANYTHING = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
)


class Colour(Enum):
    RED = "red"


class LikeNumPy:
    """What NumPy's scalars and arrays look like from outside."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    def tolist(self) -> Any:
        return self.plain


@given(_ANYTHING)
def test_whatever_the_agent_holds_is_sent_as_valid_json(value: Any) -> None:
    text = encode({"input": as_json(value, "input")})

    json.loads(text, parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        pytest.param((1, 2), [1, 2], id="a tuple is a list"),
        pytest.param(Colour.RED, "red", id="an enum is its value"),
        pytest.param({0: 0.1, 1: 0.9}, {"0": 0.1, "1": 0.9}, id="class numbers become names"),
        pytest.param(LikeNumPy(7), 7, id="a NumPy scalar is its number"),
        pytest.param(LikeNumPy([[1, 2]]), [[1, 2]], id="a NumPy array is lists"),
        pytest.param(Decimal("10.10"), "10.10", id="a decimal keeps its digits"),
        pytest.param(UUID(int=1), str(UUID(int=1)), id="a UUID is text"),
        pytest.param(datetime(2026, 3, 2, tzinfo=timezone.utc), "2026-03-02T00:00:00+00:00", id="a time is text"),
        pytest.param([math.nan, math.inf, -math.inf], ["NaN", "Infinity", "-Infinity"], id="no number is a word"),
    ],
)
def test_common_python_values_have_a_json_form(value: Any, sent: Any) -> None:
    assert as_json(value, "input") == sent


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(object(), id="an object"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param({1, 2}, id="a set, which has no order"),
        pytest.param({1: "a", "1": "b"}, id="two keys that would be one"),
        pytest.param({(1, 2): "a"}, id="a key that is not text"),
        pytest.param(LikeNumPy(LikeNumPy(1)), id="something that never becomes plain"),
    ],
)
def test_a_value_without_a_json_form_is_refused_with_its_place(value: Any) -> None:
    with pytest.raises(Unsendable, match=r"^output\.lines\[0\]"):
        as_json({"lines": [value]}, "output")


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(Unsendable, match="contains itself"):
        as_json(value, "output")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(Unsendable):
        encode({"output": "\ud83d"})


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        pytest.param(0.97, 0.97, id="a number"),
        pytest.param(Decimal("0.5"), 0.5, id="a decimal"),
        pytest.param(math.nan, "NaN", id="NaN"),
        pytest.param(math.inf, "Infinity", id="infinity"),
        pytest.param(-math.inf, "-Infinity", id="minus infinity"),
        pytest.param(1.2, 1.2, id="out of range is the server's to judge"),
        pytest.param(True, True, id="a truth is not made a number"),
        pytest.param("0.9", "0.9", id="text is not made a number"),
        pytest.param(10**400, "not a number: int", id="a number beyond all floats"),
        pytest.param([0.9], "not a number: list", id="a list"),
        pytest.param(None, None, id="none"),
    ],
)
def test_an_odd_confidence_is_sent_so_that_it_is_stored_as_invalid(given: Any, sent: Any) -> None:
    assert confidence_as_json(given) == sent
    assert type(confidence_as_json(given)) is type(sent)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"<html>", id="not JSON"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"a": 1, "a": 2}', id="a key twice"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b"\xff\xfe\xfa", id="not text"),
        pytest.param(b"[" * 100_000, id="nested without end"),
    ],
)
def test_an_answer_that_is_not_clean_json_is_malformed(text: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        decode(text)
