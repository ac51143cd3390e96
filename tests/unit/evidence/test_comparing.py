import json
import math
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.comparing import Comparison, ComparisonConfig, Kind, Severity, compare, custom
from tests.unit.evidence.outputs import JSON, holds_nan

INVOICE = {
    "default": {"compare": "json", "leaves": "text"},
    "fields": {
        "/total": {"compare": "number", "absolute": 0.01, "weight": 3, "severity": "severe", "strings": True},
        "/lines": {"compare": "list", "by": "sku"},
        "/lines/*/amount": "number",
        "/note": {"compare": "text", "severity": "minor"},
    },
    "ignore": ["/trace_id", {"path": "/memo", "when": "both_empty"}],
}
HUMAN = {
    "total": 10487.6,
    "name": "acme LTD",
    "note": "urgent",
    "lines": [{"sku": "a", "amount": 1}, {"sku": "b", "amount": 3}],
}


def compared(config: Any, output: Any, human_output: Any) -> Comparison:
    return compare(output, human_output, ComparisonConfig.parse(config))


def found(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [(d.path, d.kind, d.severity.value) for d in comparison.differences]


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


class TestFields:
    def test_each_by_its_own_rule(self) -> None:
        output = {
            "total": "10,487.60",
            "name": " ACME  Ltd",
            "note": "Urgent",
            "lines": [{"sku": "b", "amount": 3.0}, {"sku": "a", "amount": 1}],
            "trace_id": "x-1",
        }

        assert compared(INVOICE, output, HUMAN) == Comparison(Kind.EQUAL, score=1.0)

    def test_a_list_by_key_tells_which_member_differs_and_where(self) -> None:
        lines = [{"sku": "b", "amount": 4}, {"sku": "c", "amount": 9}]

        result = compared(INVOICE, HUMAN | {"lines": lines}, HUMAN)

        assert found(result) == [
            ("/lines/0/amount", "value", "major"),
            ("/lines/1", "extra", "major"),
            ("/lines/0", "missing", "major"),
        ]
        # Of the lines 1/2 of one of three; total counts 3, name, note and lines 1 each.
        assert result.score == pytest.approx((3 + 1 + 1 + 1 / 6) / 6)

    def test_what_one_side_lacks_is_a_difference_of_its_own_kind(self) -> None:
        result = compared(None, {"a": 1, "c": None}, {"a": 1, "b": None})

        assert found(result) == [("/b", "missing", "major"), ("/c", "extra", "major")]
        assert result.score == pytest.approx(1 / 3)

    def test_null_is_missing_only_when_told_so(self) -> None:
        assert compared("json", {"a": None}, {}).kind is Kind.DIFFERENT
        assert compared({"default": {"compare": "json", "null_is_missing": True}}, {"a": None}, {}).kind is Kind.EQUAL
        assert (
            compared(
                {"default": {"compare": "json", "null_is_missing": True}}, {"a": None, "b": 1}, {"b": 1, "a": None}
            ).score
            == 1.0
        )

    def test_lacking_and_extra_fields_can_be_forgiven_or_weighed(self) -> None:
        config = {"default": {"compare": "json", "extra": "ignore", "missing": "severe"}}

        assert compared(config, {"a": 1, "b": 2}, {"a": 1}).kind is Kind.EQUAL
        assert compared(config, {}, {"a": 1}).severity is Severity.SEVERE

    def test_a_field_with_its_own_rule_is_not_forgiven(self) -> None:
        config = {"default": {"compare": "json", "extra": "ignore"}, "fields": {"/b": "exact"}}

        assert found(compared(config, {"a": 1, "b": 2}, {"a": 1})) == [("/b", "extra", "major")]

    def test_the_severity_of_leaves_is_theirs_alone(self) -> None:
        config = {"default": {"compare": "json", "leaves": {"compare": "text", "severity": "minor"}}}

        assert compared(config, {"a": "x"}, {"a": "y"}).severity is Severity.MINOR
        assert compared(config, {"a": "x"}, {}).severity is Severity.MAJOR

    def test_kinds_that_cannot_match_are_a_difference_of_type(self) -> None:
        assert found(compared(None, {"a": [1]}, {"a": {"0": 1}})) == [("/a", "type", "major")]
        assert found(compared({"fields": {"/a": "list"}}, {"a": "x"}, {"a": ["x"]})) == [("/a", "type", "major")]

    def test_the_more_literal_path_wins(self) -> None:
        config = {"fields": {"/*/x": {"compare": "exact", "severity": "minor"}, "/a/x": {"compare": "text"}}}

        assert compared(config, {"a": {"x": "Q"}}, {"a": {"x": "q"}}).kind is Kind.EQUAL
        assert compared(config, {"b": {"x": "Q"}}, {"b": {"x": "q"}}).severity is Severity.MINOR

    def test_names_with_slashes_and_tildes_are_escaped_as_in_json_pointers(self) -> None:
        config = {"fields": {"/a~1b/c~0d": "text"}}

        assert compared(config, {"a/b": {"c~d": "X"}}, {"a/b": {"c~d": "x"}}).kind is Kind.EQUAL
        assert found(compared(config, {"a/b": {"c~d": "X"}}, {"a/b": {"c~d": "y"}}))[0][0] == "/a~1b/c~0d"

    @given(
        st.dictionaries(st.text(max_size=4), JSON, max_size=5), st.dictionaries(st.text(max_size=4), JSON, max_size=5)
    )
    def test_the_order_of_keys_shows_nowhere(self, one: dict[str, Any], other: dict[str, Any]) -> None:
        turned = dict(reversed(one.items()))

        assert compared(None, one, other).to_dict() == compared(None, turned, other).to_dict()

    @given(JSON, JSON)
    def test_the_score_is_a_share_and_full_only_when_equal(self, one: Any, other: Any) -> None:
        result = compared(None, one, other)

        assert 0.0 <= result.score <= 1.0
        assert (result.kind is Kind.EQUAL) == (result.score == 1.0) == (not result.differences)
        assert (result.severity is None) == (result.kind is Kind.EQUAL)


class TestSeverity:
    def test_of_a_comparison_is_that_of_its_worst_difference(self) -> None:
        assert compared(INVOICE, HUMAN | {"note": "later"}, HUMAN).severity is Severity.MINOR
        assert compared(INVOICE, HUMAN | {"note": "later", "name": "B"}, HUMAN).severity is Severity.MAJOR
        assert compared(INVOICE, HUMAN | {"note": "later", "total": 1}, HUMAN).severity is Severity.SEVERE

    def test_comes_from_the_nearest_rule_above(self) -> None:
        config = {
            "default": {"compare": "json", "severity": "minor"},
            "fields": {"/a": {"compare": "json", "severity": "severe"}},
        }

        assert found(compared(config, {"a": {"b": 1}, "c": 1}, {"a": {"b": 2}, "c": 2})) == [
            ("/a/b", "value", "severe"),
            ("/c", "value", "minor"),
        ]

    def test_counts_also_what_is_not_listed(self) -> None:
        config = {
            "default": {"compare": "json", "severity": "minor"},
            "fields": {"/last": {"compare": "exact", "severity": "severe"}},
        }
        output = {f"a{n:03}": 1 for n in range(150)} | {"last": 1}
        human = {f"a{n:03}": 2 for n in range(150)} | {"last": 2}

        result = compared(config, output, human)

        assert (len(result.differences), result.left_out, result.severity) == (100, 51, Severity.SEVERE)


class TestIgnoring:
    def test_leaves_both_numerator_and_denominator(self) -> None:
        config = {"ignore": ["/b"]}

        assert compared(config, {"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 2}).score == 0.5

    def test_of_everything_makes_the_case_void(self) -> None:
        assert compared({"ignore": ["/a", "/b"]}, {"a": 1}, {"b": 2}).kind is Kind.IGNORED
        assert compared({"ignore": [""]}, 1, 2).kind is Kind.IGNORED
        assert compared({"ignore": [""]}, 1, 1).kind is Kind.IGNORED
        assert compared({"ignore": ["/a/*"]}, {"a": [1]}, {"a": [2]}).kind is Kind.IGNORED

    def test_of_nothing_does_not(self) -> None:
        assert compared({"ignore": ["/a"]}, {}, {}).kind is Kind.EQUAL

    @pytest.mark.parametrize(
        ("when", "output", "human", "kind"),
        [
            ("both_empty", "", None, Kind.IGNORED),
            ("both_empty", "x", None, Kind.DIFFERENT),
            ("human_empty", "x", [], Kind.IGNORED),
            ("human_empty", None, "x", Kind.DIFFERENT),
            ("agent_empty", {}, "x", Kind.IGNORED),
            ("agent_empty", "x", "", Kind.DIFFERENT),
            ("both_empty", 0, False, Kind.DIFFERENT),
        ],
    )
    def test_can_have_a_condition(self, when: str, output: Any, human: Any, kind: Kind) -> None:
        config = {"ignore": [{"path": "/a", "when": when}]}

        assert compared(config, {"a": output}, {"a": human}).kind is kind

    def test_missing_is_empty(self) -> None:
        config = {"ignore": [{"path": "/a", "when": "both_empty"}]}

        assert compared(config, {"b": 1}, {"a": "", "b": 1}).kind is Kind.EQUAL

    def test_reaches_into_members_of_unordered_lists(self) -> None:
        config = {"fields": {"/l": {"compare": "list", "order": "any"}}, "ignore": ["/l/*/id"]}

        output, human = {"l": [{"id": 1, "v": 1}, {"id": 2, "v": 2}]}, {"l": [{"id": 8, "v": 2}, {"id": 9, "v": 1}]}

        assert compared(config, output, human).kind is Kind.EQUAL

    @given(JSON, JSON)
    def test_never_makes_a_difference(self, one: Any, other: Any) -> None:
        if compared(None, one, other).kind is Kind.EQUAL:
            assert compared({"ignore": ["/a", "/*/b"]}, one, other).kind in {Kind.EQUAL, Kind.IGNORED}


class TestInvalidOutput:
    def test_is_its_own_kind_even_when_it_equals_the_humans(self) -> None:
        result = compare("7", "7", ComparisonConfig.parse(), schema_valid=False)

        assert result == Comparison(Kind.INVALID_OUTPUT)

    @pytest.mark.parametrize("schema_valid", [True, None])
    def test_is_not_presumed(self, schema_valid: bool | None) -> None:
        assert compare("7", "1", ComparisonConfig.parse(), schema_valid).kind is Kind.DIFFERENT


class TestWhatWouldBreakOthers:
    def test_nesting_beyond_all_sense_is_an_error(self) -> None:
        for config in ("json", "exact", {"default": {"compare": "list", "order": "any"}}):
            for output, human in ((nested(10_000), nested(10_000)), (1, nested(10_000)), (nested(100_000), "x")):
                assert compared(config, output, human).kind is Kind.ERROR

    def test_nesting_within_bounds_is_compared(self) -> None:
        assert compared(None, nested(64), nested(64)).kind is Kind.EQUAL

    def test_huge_text_is_compared_and_shown_short(self) -> None:
        result = compared("text", "x" * 5_000_000, "x" * 5_000_000 + "y")

        assert result.kind is Kind.DIFFERENT
        assert len(json.dumps(result.to_dict())) < 3_000

    def test_words_begin_where_long_texts_part(self) -> None:
        result = compared("exact", "a" * 1_000 + " seven", "a" * 1_000 + " eight")

        assert "seven" in result.differences[0].words
        assert "eight" in result.differences[0].words

    def test_a_result_is_small_valid_json_whatever_was_compared(self) -> None:
        wide = dict.fromkeys(map(str, range(500)), "x" * 900)
        values = ["a\0b", "\ud800", math.nan, math.inf, 10**5_000, {"\0": "\udfff"}, nested(20), [1] * 99, wide]
        for value in values:
            for comparator in ("exact", "text", "number", "date", "set", "list", "json"):
                result = compared(comparator, value, "other").to_dict()
                stored = json.dumps(result, allow_nan=False, ensure_ascii=False)

                assert "\0" not in stored
                assert len(stored.encode("utf-8")) < 30_000

    @given(JSON, JSON)
    def test_a_result_can_always_be_stored(self, one: Any, other: Any) -> None:
        stored = json.dumps(compared(None, one, other).to_dict(), allow_nan=False, ensure_ascii=False)

        assert b"\0" not in stored.encode("utf-8")


class TestCustom:
    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        points = [
            EntryPoint("even", "tests.unit.evidence.outputs:both_even", custom.GROUP),
            EntryPoint("gone", "no_such_module_here:compare", custom.GROUP),
        ]
        monkeypatch.setattr(custom, "entry_points", lambda group: points if group == custom.GROUP else [])
        custom.installed.cache_clear()
        yield
        custom.installed.cache_clear()

    def test_decides_by_what_was_installed(self) -> None:
        assert compared({"default": {"compare": "custom", "name": "even"}}, 4, 6).kind is Kind.EQUAL
        assert compared({"default": {"compare": "custom", "name": "even"}}, 4, 5).kind is Kind.DIFFERENT

    def test_may_say_why_in_words(self) -> None:
        rule = {"compare": "custom", "name": "even", "options": {"answer": "another street"}}

        assert compared({"default": rule}, 4, 4).differences[0].words == "another street"

    @pytest.mark.parametrize(
        "rule",
        [
            pytest.param({"name": "even", "options": {"answer": 1}}, id="answers something else"),
            pytest.param({"name": "even", "options": {"answer": None}}, id="answers nothing"),
            pytest.param({"name": "even"}, id="raises"),
            pytest.param({"name": "gone"}, id="cannot be imported"),
            pytest.param({"name": "unknown"}, id="is not installed"),
        ],
    )
    def test_never_agrees_by_breaking(self, rule: dict[str, Any]) -> None:
        whole = {"default": {"compare": "custom", **rule}}
        field = {"fields": {"/a": {"compare": "custom", **rule}}}
        member = {"default": {"compare": "list", "order": "any", "items": {"compare": "custom", **rule}}}

        assert compared(whole, "x", "x").kind is Kind.ERROR
        assert compared(field, {"a": "x"}, {"a": "x"}).kind is Kind.ERROR
        assert compared(member, ["x"], ["x"]).kind is Kind.ERROR
        assert compared(whole, "x", "x").score == 0.0


class TestReflexiveShortcut:
    @given(JSON)
    def test_agrees_with_the_long_way(self, value: Any) -> None:
        if not holds_nan(value):
            assert (
                compared(None, value, value)
                == compared({"ignore": ["/nowhere"]}, value, value)
                == Comparison(Kind.EQUAL, score=1.0)
            )
