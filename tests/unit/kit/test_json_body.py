import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit import json_body
from kit.errors import Invalid, Place

_NO_NUL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _NO_NUL,
    lambda inner: st.lists(inner) | st.dictionaries(_NO_NUL, inner),
    max_leaves=20,
)


@given(_VALUES, st.booleans())
def test_every_ordinary_value_comes_back_as_it_was_sent(value: Any, escaped: bool) -> None:
    raw = json.dumps(value, ensure_ascii=escaped).encode()

    assert json_body.parse(raw) == value


@given(st.binary(max_size=60))
def test_whatever_comes_it_is_a_value_or_an_invalid_with_a_place(raw: bytes) -> None:
    places: tuple[Place, ...] | None = None
    try:
        json_body.parse(raw)
    except Invalid as refused:
        places = refused.places

    assert places is None or all(place.place and place.problem and place.mend for place in places)


@pytest.mark.parametrize(
    ("raw", "place", "problem"),
    [
        pytest.param(b'{"a": \xff}', "body", "byte 6 is not UTF-8", id="not UTF-8"),
        pytest.param(b'{"a": "\x00"}', "body", "NUL", id="a NUL byte"),
        pytest.param(rb'{"a": "\u0000"}', "a", "NUL", id="an escaped NUL"),
        pytest.param(rb'{"a": {"b\u0000": 1}}', "a.b␀", "NUL", id="an escaped NUL in a key"),
        pytest.param(rb'["C:\\\u0000"]', "0", "NUL", id="an escaped NUL behind a backslash"),
        pytest.param(rb'"\u0000"', "body", "NUL", id="an escaped NUL alone"),
        pytest.param(b'{"a": 1,\n "b": }', "line 2, column 7", "expecting value", id="broken syntax"),
        pytest.param(b"", "line 1, column 1", "expecting value", id="nothing at all"),
        pytest.param(b'{"a": 1} x', "line 1, column 10", "extra data", id="something behind the end"),
        pytest.param(b'{"a": 1, "b": 2, "a": 3}', "a", "stands twice", id="a doubled key"),
        pytest.param(b'{"a": [1, NaN]}', "a.1", "not finite", id="NaN"),
        pytest.param(b'{"a": {"b": -Infinity}}', "a.b", "not finite", id="minus infinity"),
        pytest.param(b'{"a": 1e999}', "a", "not finite", id="an exponent too large for a float"),
        pytest.param(b'{"a": ' + b"9" * 400 + b".0}", "a", "not finite", id="digits too many for a float"),
        pytest.param(b'{"a": 18446744073709551616}', "a", "64 bits", id="an integer of 65 bits"),
        pytest.param(b'{"a": -9223372036854775809}', "a", "64 bits", id="a negative one too large"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "body", "limit", id="an integer of 5,000 digits"),
        pytest.param(rb'{"a": ["\ud800"]}', "a.0", "surrogate", id="half a surrogate pair"),
        pytest.param(rb'{"\udfff": 1}', "?", "surrogate", id="half a surrogate pair as a key"),
        pytest.param(b"[" * 65 + b"]" * 65, "body", "nested more than 64", id="65 levels deep"),
        pytest.param(b"[" * 100_000, "body", "nested more than 64", id="a hundred thousand levels deep"),
    ],
)
def test_refuses_with_the_place(raw: bytes, place: str, problem: str) -> None:
    with pytest.raises(Invalid) as refused:
        json_body.parse(raw)

    (found,) = refused.value.places
    assert found.place == place
    assert problem in found.problem


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[" * 64 + b"]" * 64, id="64 levels deep"),
        pytest.param(b"[18446744073709551615, -9223372036854775808]", id="integers of 64 bits"),
        pytest.param(b"1.7976931348623157e308", id="the largest float"),
        pytest.param(b"1e-400", id="a number too small to be told from zero"),
        pytest.param(rb'"\ud83d\ude00"', id="a whole surrogate pair"),
        pytest.param(rb'{"C:\\u0000": "C:\\u0000"}', id="a backslash before u0000"),
        pytest.param(b'{"a": {"k": 1}, "b": {"k": 2}}', id="the same key in two objects"),
    ],
)
def test_accepts_what_is_only_just_right(raw: bytes) -> None:
    assert json_body.parse(raw) == json.loads(raw)


def test_nan_is_let_through_where_it_is_an_answer() -> None:
    value = json_body.parse(b'{"confidence": NaN}', nan_allowed_at=("confidence",))

    assert math.isnan(value["confidence"])


def test_nan_elsewhere_is_refused_also_when_one_place_may_have_it() -> None:
    with pytest.raises(Invalid, match="output: the number is not finite"):
        json_body.parse(b'{"confidence": NaN, "output": NaN}', nan_allowed_at=("confidence",))
