import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.comparing import ComparisonConfig, Kind, compare, walk
from tests.unit.evidence.outputs import JSON, holds_nan

NUMBERS = st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)

RULES: list[Any] = [
    "exact",
    "json",
    "text",
    "date",
    "set",
    "list",
    {"compare": "number", "strings": True},
    {"compare": "fuzzy", "threshold": 0.8},
    {"compare": "list", "order": "any"},
    {"compare": "list", "by": "id"},
    {"compare": "list", "order": "any", "items": {"compare": "number", "relative": 0.1}},
]


def kind(rule: Any, output: Any, human_output: Any) -> Kind:
    return compare(output, human_output, ComparisonConfig.parse({"default": rule})).kind


class TestEveryComparator:
    @pytest.mark.parametrize("rule", RULES, ids=str)
    @given(value=JSON)
    def test_finds_a_value_equal_to_itself_unless_it_holds_a_nan(self, rule: Any, value: Any) -> None:
        if not holds_nan(value):
            assert kind(rule, value, value) is Kind.EQUAL

    @pytest.mark.parametrize("rule", RULES, ids=str)
    @given(one=JSON, other=JSON)
    def test_finds_the_same_whichever_side_is_the_humans(self, rule: Any, one: Any, other: Any) -> None:
        assert kind(rule, one, other) is kind(rule, other, one)

    @pytest.mark.parametrize("rule", ["exact", "json", {"compare": "number"}, "set", "list"], ids=str)
    def test_never_finds_nan_equal(self, rule: Any) -> None:
        nan = math.nan  # the same object twice, which lists and dicts would call equal

        assert kind(rule, nan, nan) is Kind.DIFFERENT
        assert kind(rule, [nan], [nan]) is Kind.DIFFERENT


class TestExact:
    @pytest.mark.parametrize(
        ("one", "other", "found"),
        [
            (1, 1.0, Kind.EQUAL),
            (True, 1, Kind.DIFFERENT),
            (False, 0, Kind.DIFFERENT),
            (None, 0, Kind.DIFFERENT),
            ("1", 1, Kind.DIFFERENT),
            ("", None, Kind.DIFFERENT),
            ([1, 2], [2, 1], Kind.DIFFERENT),
            ({"a": [1, {"b": None}]}, {"a": [1.0, {"b": None}]}, Kind.EQUAL),
            ({"a": 1}, {"a": True}, Kind.DIFFERENT),
            (10**400, 10**400, Kind.EQUAL),
            (10**400, 1e308, Kind.DIFFERENT),
            ([], {}, Kind.DIFFERENT),
        ],
    )
    def test_means_the_same_json_value(self, one: Any, other: Any, found: Kind) -> None:
        assert kind("exact", one, other) is found

    @given(JSON)
    def test_agrees_with_json_field_by_field(self, value: Any) -> None:
        assert kind("exact", value, value) is kind("json", value, value)


class TestText:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("ACME  Ltd", " acme\tltd\n"),
            ("\ufb01nance", "finance"),
            ("STRASSE", "straße"),
            ("Cafe\u0301", "café"),
            ("\uff11\uff12", "12"),
        ],
    )
    def test_passes_over_form_case_and_white_space(self, one: str, other: str) -> None:
        assert kind("text", one, other) is Kind.EQUAL

    def test_keeps_punctuation_unless_told_otherwise(self) -> None:
        assert kind("text", "A.C.M.E., Ltd", "A C M E Ltd") is Kind.DIFFERENT
        assert kind({"compare": "text", "ignore_punctuation": True}, "A.C.M.E., Ltd", "A C M E Ltd") is Kind.EQUAL

    def test_minds_case_and_white_space_when_told_to(self) -> None:
        assert kind({"compare": "text", "ignore_case": False}, "a", "A") is Kind.DIFFERENT
        assert kind({"compare": "text", "ignore_whitespace": False}, "a b", "a  b") is Kind.DIFFERENT

    def test_is_not_a_number(self) -> None:
        assert kind("text", "12", 12) is Kind.DIFFERENT


class TestNumber:
    @pytest.mark.parametrize(
        ("options", "one", "other", "found"),
        [
            pytest.param({}, 1, 1.0, Kind.EQUAL, id="whole and float"),
            pytest.param({"absolute": 0.1}, 10.3, 10.2, Kind.EQUAL, id="at the edge, as written in decimals"),
            pytest.param({"absolute": 0.1}, 10.31, 10.2, Kind.DIFFERENT, id="beyond the edge"),
            pytest.param({"relative": 0.01}, 100, 99, Kind.EQUAL, id="one percent of the larger"),
            pytest.param({"relative": 0.01}, 99, 98, Kind.DIFFERENT, id="more than one percent"),
            pytest.param({"absolute": 1}, True, 1, Kind.DIFFERENT, id="truth is no number"),
            pytest.param({"absolute": 1e9}, None, 1, Kind.DIFFERENT, id="nothing is no number"),
            pytest.param({"absolute": 1}, math.inf, math.inf, Kind.EQUAL, id="infinite both"),
            pytest.param({"relative": 0.5}, math.inf, 1.0, Kind.DIFFERENT, id="infinite one"),
            pytest.param({}, "1", 1, Kind.DIFFERENT, id="text is no number unasked"),
        ],
    )
    def test_keeps_to_its_tolerance(self, options: Any, one: Any, other: Any, found: Kind) -> None:
        assert kind({"compare": "number", **options}, one, other) is found

    def test_keeps_to_it_beyond_any_float(self) -> None:
        huge = 10**5000  # in no parameter list: its digits are too many to print

        assert kind({"compare": "number", "absolute": 1}, huge, huge + 1) is Kind.EQUAL
        assert kind({"compare": "number", "absolute": 1}, huge, huge * 2) is Kind.DIFFERENT
        assert kind({"compare": "number", "relative": 0.5}, huge, 1) is Kind.DIFFERENT

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            ("10,487.60", 10487.6),
            (" 10 487.6 ", 10487.6),
            ("1'234'567", 1234567),
            ("-.5", -0.5),
            ("\u22125.", -5),
            ("1e3", 1000),
            ("RM 9.00", 9),
            ("9.00 $", 9),
        ],
    )
    def test_reads_numbers_in_text(self, text: str, number: float) -> None:
        assert kind({"compare": "number", "strings": True, "symbols": ["RM", "$"]}, text, number) is Kind.EQUAL

    @pytest.mark.parametrize(
        "text", ["1,2,3", "1,000 000", "12.3.4", ".", "", "e5", "ten", "١٢", "1_000", "0x10", "9" * 500]
    )
    def test_reads_no_number_into_other_text(self, text: str) -> None:
        assert kind({"compare": "number", "strings": True, "absolute": 1e9}, text, 1) is Kind.DIFFERENT

    def test_reads_the_decimal_comma_when_told_to(self) -> None:
        rule = {"compare": "number", "strings": True, "decimal": ","}

        assert kind(rule, "10.487,60", 10487.6) is Kind.EQUAL
        assert kind(rule, "10,487.60", 10487.6) is Kind.DIFFERENT

    def test_the_text_nan_is_not_even_itself(self) -> None:
        assert kind({"compare": "number", "strings": True}, "NaN", "NaN") is Kind.DIFFERENT
        assert kind({"compare": "number", "strings": True}, "n/a", "n/a") is Kind.EQUAL

    @given(NUMBERS, NUMBERS, st.floats(0, 1e6), st.floats(0, 1e6))
    def test_a_wider_tolerance_never_finds_a_new_difference(
        self, one: float, other: float, narrow: float, wide: float
    ) -> None:
        narrow, wide = sorted((narrow, wide))

        if kind({"compare": "number", "absolute": narrow}, one, other) is Kind.EQUAL:
            assert kind({"compare": "number", "absolute": wide}, one, other) is Kind.EQUAL


class TestDate:
    @pytest.mark.parametrize(
        ("options", "one", "other", "found"),
        [
            pytest.param({}, "2026-03-01", "20260301", Kind.EQUAL, id="two forms of ISO"),
            pytest.param({}, "2026-03-01", "2026-03-01T23:59:59Z", Kind.EQUAL, id="the hour does not count"),
            pytest.param({}, "2026-03-01T23:30:00-05:00", "2026-03-02T04:30:00Z", Kind.EQUAL, id="one moment"),
            pytest.param({"formats": ["%d/%m/%Y"]}, "02/03/2026", "2026-03-02", Kind.EQUAL, id="own form"),
            pytest.param({"formats": ["%d %b %y"]}, "2 Mar 26", "2026-03-02", Kind.EQUAL, id="month by name"),
            pytest.param({}, "02/03/2026", "2026-03-02", Kind.DIFFERENT, id="unknown form"),
            pytest.param({"days": 2}, "2026-03-01", "2026-03-03", Kind.EQUAL, id="at the tolerance"),
            pytest.param({"days": 2}, "2026-03-01", "2026-03-04", Kind.DIFFERENT, id="beyond it"),
            pytest.param(
                {"timezone": "Asia/Tokyo"}, "2026-03-01T16:00:00Z", "2026-03-02", Kind.EQUAL, id="the day in Tokyo"
            ),
            pytest.param(
                {"precision": "moment"}, "2026-03-01T12:00", "2026-03-01T13:00+01:00", Kind.EQUAL, id="moments"
            ),
            pytest.param(
                {"precision": "moment"}, "2026-03-01T12:00", "2026-03-01T12:00:01", Kind.DIFFERENT, id="a second"
            ),
            pytest.param({}, "n/a", "n/a", Kind.EQUAL, id="the same text"),
            pytest.param({"days": 9}, None, "2026-03-01", Kind.DIFFERENT, id="no date"),
            pytest.param({}, "0001-01-01T00:00+14:00", "2026-03-01", Kind.DIFFERENT, id="before the calendar"),
            pytest.param({}, "2026-03-01\0", "2026-03-01", Kind.DIFFERENT, id="a NUL"),
        ],
    )
    def test_counts_days(self, options: Any, one: Any, other: Any, found: Kind) -> None:
        assert kind({"compare": "date", **options}, one, other) is found


class TestFuzzy:
    def test_is_equal_from_its_threshold_on(self) -> None:
        # "abcd" against "abce": 2 * 3 shared characters of 8
        assert kind({"compare": "fuzzy", "threshold": 0.75}, "abcd", "abce") is Kind.EQUAL
        assert kind({"compare": "fuzzy", "threshold": 0.7501}, "abcd", "abce") is Kind.DIFFERENT

    def test_compares_forms_before_likeness(self) -> None:
        assert kind({"compare": "fuzzy", "threshold": 1.0}, "ACME  Ltd", "acme ltd") is Kind.EQUAL
        assert kind({"compare": "fuzzy", "threshold": 0.0}, "12", 12) is Kind.DIFFERENT
        assert kind({"compare": "list", "items": {"compare": "fuzzy", "threshold": 1.0}}, ["a"], ["a"]) is Kind.EQUAL

    def test_can_pass_over_the_order_of_words(self) -> None:
        one, other = "Nguyen Van A", "A, Nguyen Van"

        assert kind({"compare": "fuzzy", "threshold": 0.9}, one, other) is Kind.DIFFERENT
        assert kind({"compare": "fuzzy", "threshold": 0.9, "method": "token_sort"}, one, other) is Kind.EQUAL

    def test_does_not_begin_what_would_take_minutes(self) -> None:
        rule = {"compare": "fuzzy", "threshold": 0.5}

        assert kind(rule, "a" * 10_000_000, "b" * 10_000_000) is Kind.ERROR
        assert kind(rule, "a" * 10_000_000, "A" * 10_000_000) is Kind.EQUAL

    @pytest.mark.parametrize("punctuation", [False, True], ids=["as it is", "without punctuation"])
    @pytest.mark.parametrize("letters", [20_000, 50_001])
    def test_nor_a_list_that_would_in_any_order(self, letters: int, punctuation: bool) -> None:
        items = {"compare": "fuzzy", "threshold": 0.9, "ignore_punctuation": punctuation}
        rule = {"compare": "list", "order": "any", "items": items}
        one, other = ([f"{side}{n} " * (letters // 5) for n in range(100)] for side in "ab")

        result = compare(one, other, ComparisonConfig.parse({"default": rule}))

        assert result.kind is Kind.ERROR
        assert result.differences[0].kind == "error"

    def test_nor_lists_in_lists_in_any_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walk, "MOST_EFFORT", 1_000_000_000)
        inner = {"compare": "list", "order": "any", "items": "number"}
        rule = {"compare": "list", "order": "any", "items": inner}
        one, other = ([[n * 1000.0 + m + shift for m in range(60)] for n in range(60)] for shift in (0.0, 0.5))

        assert kind(rule, one, other) is Kind.ERROR

    def test_a_hundred_ordinary_lines_are_compared_in_any_order(self) -> None:
        rule = {"compare": "list", "order": "any", "items": {"compare": "fuzzy", "threshold": 0.99}}
        one = [f"line {n} {'of some length ' * 10}{n}" for n in range(100)]

        assert kind(rule, one, one[::-1]) is Kind.EQUAL
        assert kind(rule, one, [*one[:0:-1], "x"]) is Kind.DIFFERENT


class TestSet:
    def test_passes_over_order_and_repetition(self) -> None:
        assert kind("set", ["b", "a", "a"], ["a", "b"]) is Kind.EQUAL
        assert kind("set", [1, True], [1]) is Kind.DIFFERENT
        assert kind("set", [{"x": 1}, [2]], [[2.0], {"x": 1.0}]) is Kind.EQUAL

    def test_can_compare_members_as_text(self) -> None:
        assert kind({"compare": "set", "items": "text"}, ["Red ", 1], ["red", 1]) is Kind.EQUAL

    def test_can_forgive_one_side(self) -> None:
        assert kind({"compare": "set", "extra": "ignore"}, ["a", "b"], ["a"]) is Kind.EQUAL
        assert kind({"compare": "set", "extra": "ignore"}, ["b"], ["a"]) is Kind.DIFFERENT
        assert kind({"compare": "set", "missing": "ignore"}, ["a"], ["a", "b"]) is Kind.EQUAL


class TestList:
    def test_minds_order_unless_told_otherwise(self) -> None:
        assert kind("list", [1, 2], [2, 1]) is Kind.DIFFERENT
        assert kind({"compare": "list", "order": "any"}, [1, 2, 2], [2, 1, 2]) is Kind.EQUAL
        assert kind({"compare": "list", "order": "any"}, [1, 1, 2], [1, 2, 2]) is Kind.DIFFERENT

    def test_finds_partners_for_all_where_the_first_fit_would_not(self) -> None:
        rule = {"compare": "list", "order": "any", "items": {"compare": "number", "absolute": 0.5}}

        assert kind(rule, [1.0, 1.5], [1.5, 2.0]) is Kind.EQUAL
        assert kind(rule, [1.0, 1.4], [1.5, 2.0]) is Kind.DIFFERENT

    def test_wants_a_key_for_what_is_too_long_to_match(self) -> None:
        rule = {"compare": "list", "order": "any", "items": {"compare": "number", "absolute": 0.5}}

        assert kind(rule, list(range(300)), list(range(300))) is Kind.ERROR
        assert kind({"compare": "list", "order": "any"}, list(range(50_000)), list(range(50_000))[::-1]) is Kind.EQUAL

    @given(st.lists(JSON, max_size=6), st.randoms())
    def test_any_order_is_any_order(self, items: list[Any], random: Any) -> None:
        shuffled = [*items]
        random.shuffle(shuffled)

        if not holds_nan(items):
            assert kind({"compare": "list", "order": "any"}, items, shuffled) is Kind.EQUAL
