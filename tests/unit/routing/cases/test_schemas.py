import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Invalid
from routing.cases.schemas import confidence_of
from routing.hot import read_case


class TestConfidence:
    @pytest.mark.parametrize("given_one", [0, 0.0, -0.0, 0.5, 1, 1.0, 5e-324])
    def test_a_number_from_zero_to_one_is_usable(self, given_one: float) -> None:
        assert confidence_of(given_one) == (float(given_one), None)

    @pytest.mark.parametrize(
        "given_one",
        [
            pytest.param(math.nan, id="not a number"),
            pytest.param(math.inf, id="endless"),
            pytest.param(-math.inf, id="endless below"),
            pytest.param(1.0000000000000002, id="the next number above one"),
            pytest.param(-5e-324, id="the next number below zero"),
            pytest.param(10**400, id="longer than any float"),
            pytest.param(-(10**400), id="longer than any float, below zero"),
            pytest.param(97, id="percent"),
            pytest.param(True, id="a truth value"),
            pytest.param(False, id="a lie"),
            pytest.param("0.9", id="a number as text"),
            pytest.param("high", id="a word"),
            pytest.param("", id="an empty text"),
            pytest.param([0.9], id="a list"),
            pytest.param({"p": 0.9}, id="an object"),
        ],
    )
    def test_anything_else_is_kept_as_what_was_given(self, given_one: Any) -> None:
        usable, instead = confidence_of(given_one)

        assert usable is None
        assert instead
        assert instead == repr(given_one)[:64]

    def test_none_is_missing_and_not_invalid(self) -> None:
        assert confidence_of(None) == (None, None)

    @given(st.one_of(st.floats(), st.integers(), st.text(), st.booleans(), st.none()))
    def test_whatever_comes_the_usable_one_is_a_share(self, anything: Any) -> None:
        usable, instead = confidence_of(anything)

        assert usable is None or (0.0 <= usable <= 1.0 and instead is None)


class TestReadCase:
    BODY = b'{"case_id": "c-1", "version": "v1", "output": %s, "confidence": %s}'

    def test_a_confidence_that_is_no_number_is_let_in_to_be_stored(self) -> None:
        assert math.isnan(read_case(self.BODY % (b'"a"', b"NaN")).confidence)

    @pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "1e999"])
    def test_so_is_an_amount(self, amount: str) -> None:
        read = read_case(f'{{"case_id": "c", "version": "v", "output": 1, "amount": {amount}}}'.encode())

        assert read.amount is not None
        assert not math.isfinite(read.amount)

    @pytest.mark.parametrize("amount", ['"12"', "true", "[]", "{}"])
    def test_an_amount_that_is_no_number_at_all_is_refused_with_its_place(self, amount: str) -> None:
        with pytest.raises(Invalid) as refused:
            read_case(f'{{"case_id": "c", "version": "v", "output": 1, "amount": {amount}}}'.encode())

        assert [place.place for place in refused.value.places] == ["amount"]

    def test_an_output_that_is_no_number_is_refused(self) -> None:
        with pytest.raises(Invalid, match="output"):
            read_case(self.BODY % (b"NaN", b"0.5"))

    @pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"', b"[{}]"])
    def test_a_body_that_is_no_object_is_refused(self, body: bytes) -> None:
        with pytest.raises(Invalid):
            read_case(body)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("case_id", '""'),
            ("case_id", '"' + "x" * 201 + '"'),
            ("case_id", "7"),
            ("version", '""'),
            ("version", "null"),
            ("attempt", "0"),
            ("attempt", "1001"),
            ("attempt", '"first"'),
            ("attempt", "1.5"),
            ("segment", "null"),
            ("segment", '"' + "x" * 129 + '"'),
            ("action", '""'),
            ("risk", '"' + "x" * 33 + '"'),
            ("attributes", "[]"),
            ("signals", "1"),
            ("trace", "{}"),
            ("usage", "[]"),
            ("occurred_at", '"2026-01-05T09:00:00"'),
            ("occurred_at", '"yesterday"'),
            ("surprise", "1"),
        ],
    )
    def test_a_field_that_is_wrong_is_named(self, field: str, value: str) -> None:
        body = '{"case_id": "c", "version": "v", "output": 1}'.replace("}", f', "{field}": {value}}}')
        if field in {"case_id", "version"}:
            body = f'{{"output": 1, "{"version" if field == "case_id" else "case_id"}": "v", "{field}": {value}}}'

        with pytest.raises(Invalid) as refused:
            read_case(body.encode())

        assert {place.place.split(".")[0] for place in refused.value.places} == {field}

    def test_an_unknown_field_comes_with_its_mend(self) -> None:
        with pytest.raises(Invalid) as refused:
            read_case(b'{"case_id": "c", "version": "v", "output": 1, "confidense": 0.5}')

        assert "spelling" in refused.value.places[0].mend

    def test_an_output_is_needed_and_may_be_null(self) -> None:
        assert read_case(b'{"case_id": "c", "version": "v", "output": null}').output is None
        with pytest.raises(Invalid, match="output"):
            read_case(b'{"case_id": "c", "version": "v"}')
