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


@given(st.recursive(_VALUES, lambda inner: st.dictionaries(st.sampled_from(["a", "b:", '":']), inner), max_leaves=8))
def test_the_quick_parser_and_the_thorough_one_read_the_same(value: Any) -> None:
    raw = json.dumps(value, ensure_ascii=False).encode()
    behind = raw + b" " * 3  # what makes it look closer must not matter

    quickly, thorough = json_body._quickly(raw), json_body._Thorough(behind).value

    assert quickly is json_body._LOOK_CLOSER or (quickly, repr(quickly)) == (thorough, repr(thorough))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b'{"a" :1,"a"\n:2,"b":":::"}', id="with spaces before the colons"),
        pytest.param(rb'{"a":1,"a":2,"b":"\u003a"}', id="with an escaped colon that would make up for it"),
        pytest.param(rb'{"a":1,"\u0061":2}', id="written in two ways"),
        pytest.param(b'[{"a":{"a":1,"a":2},"a":3}]', id="inside of what is gone"),
    ],
)
def test_no_doubled_key_is_overlooked(raw: bytes) -> None:
    with pytest.raises(Invalid, match="a: the key stands twice"):
        json_body.parse(raw)


class TestList:
    """Documents side by side: what is wrong in one is no matter of the others."""

    @pytest.mark.parametrize(
        ("item", "problem"),
        [
            pytest.param(b'{"a": 1, "a": 2}', "a: the key stands twice", id="a doubled key"),
            pytest.param(rb'{"a": ["\u0000"]}', "a.0: it contains a NUL", id="a NUL"),
            pytest.param(b'{"a": NaN}', "a: the number is not finite", id="NaN"),
            pytest.param(b'{"a": 1e999}', "a: the number is not finite", id="infinity"),
            pytest.param(b'{"a": 18446744073709551616}', "a: the integer has more", id="an integer of 65 bits"),
            pytest.param(rb'{"a": "\ud800"}', "a: it contains half", id="half a surrogate pair"),
            pytest.param(b"[" * 65 + b"]" * 65, "body: it is nested", id="65 levels"),
        ],
    )
    def test_a_bad_one_is_told_by_its_number(self, item: bytes, problem: str) -> None:
        good = b"[" * 64 + b"]" * 64
        body, wrong = json_body.parse_list(b'{"items": [' + good + b", " + item + b', {"a": 2}], "b": 3}', "items")

        assert list(wrong) == [1]
        assert wrong[1].detail.startswith(problem)
        assert (body["items"][2], body["b"]) == ({"a": 2}, 3)

    def test_nan_is_let_through_where_it_is_an_answer(self) -> None:
        body, wrong = json_body.parse_list(b'{"items": [{"a": NaN}, {"b": NaN}]}', "items", nan_allowed_at=("a",))

        assert math.isnan(body["items"][0]["a"])
        assert list(wrong) == [1]

    @pytest.mark.parametrize(
        "raw",
        [
            pytest.param(b'{"items": [], "items": [1]}', id="a doubled key"),
            pytest.param(b'{"items": [1], "a": {"b": 1, "b": 2}}', id="a doubled key beside it"),
            pytest.param(b'{"items": [1], "a": NaN}', id="NaN beside it"),
            pytest.param(b'{"items": [1, ]}', id="broken syntax"),
            pytest.param(b'{"items": [1], "a": ' + b"[" * 65 + b"]" * 65 + b"}", id="65 levels beside it"),
            pytest.param(b'{"items": {"a": 1, "a": 2}}', id="no list"),
        ],
    )
    def test_what_is_wrong_beside_the_list_is_raised(self, raw: bytes) -> None:
        with pytest.raises(Invalid):
            json_body.parse_list(raw, "items")

    @pytest.mark.parametrize("raw", [b"[1]", b"3", b'{"items": 3}', b"{}"])
    def test_without_a_list_the_value_is_given_back(self, raw: bytes) -> None:
        assert json_body.parse_list(raw, "items") == (json.loads(raw), {})

    def test_an_object_that_is_gone_from_one_item_blames_no_other(self) -> None:
        raw = b'{"items": [{"x": {"a": 1, "a": 2}, "x": 0}, {"a": 1}]}'

        assert list(json_body.parse_list(raw, "items")[1]) == [0]
