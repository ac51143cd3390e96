import copy
from typing import Any

import pytest

from evidence.comparing import ComparisonConfig, ComparisonConfigError, clean, compare
from evidence.comparing.config import comparison_schema
from evidence.comparing.result import Kind

FULL: dict[str, Any] = {
    "default": {"compare": "json", "leaves": "text", "severity": "minor", "null_is_missing": True},
    "fields": {
        "/total": {"compare": "number", "absolute": 0.01, "relative": 0, "strings": True, "weight": 2},
        "/date": {"compare": "date", "formats": ["%d/%m/%Y"], "timezone": "Europe/Berlin", "days": 1},
        "/tags": {"compare": "set", "items": "text"},
        "/lines": {"compare": "list", "order": "any", "items": {"compare": "json", "leaves": "exact"}},
        "/name": {"compare": "fuzzy", "threshold": 0.9},
        "/address": {"compare": "custom", "name": "address", "options": {"country": "de"}},
    },
    "ignore": ["/trace_id", {"path": "/note", "when": "both_empty"}],
    "clean": [{"path": "/iban", "redact": True}, {"path": "/lines/*/price", "round": 2}],
}

OUTPUT: dict[str, Any] = {"iban": "DE1", "name": " A ", "p": 1.239, "lines": [{"price": 1.239, "iban": 1}, 7]}


class TestParsing:
    def test_says_back_what_it_understood_so_that_it_can_be_read_again(self) -> None:
        config = ComparisonConfig.parse(FULL)

        assert ComparisonConfig.parse(config.written).written == config.written
        assert config.written["fields"]["/tags"] == {"compare": "set", "items": "text"}

    @pytest.mark.parametrize("nothing", [None, {}])
    def test_nothing_means_field_by_field_exactly(self, nothing: Any) -> None:
        config = ComparisonConfig.parse(nothing)

        assert compare({"a": [1]}, {"a": [1.0]}, config).kind is Kind.EQUAL
        assert compare({"a": "x"}, {"a": "X"}, config).kind is Kind.DIFFERENT

    def test_leaves_what_it_was_given_alone(self) -> None:
        given = copy.deepcopy(FULL)

        ComparisonConfig.parse(given)

        assert given == FULL

    @pytest.mark.parametrize(
        ("written", "place", "words"),
        [
            ({"default": "nope"}, ("default",), "compare must be one of custom, date, exact"),
            ("nope", ("default",), "compare must be one of"),
            ({"defualt": "exact"}, ("defualt",), "no such option"),
            ({"fields": {"/a": {"compare": "number", "absolut": 1}}}, ("fields", "/a", "absolut"), "no such option"),
            ({"fields": {"/a": {"compare": "number", "absolute": -1}}}, ("fields", "/a", "absolute"), "greater"),
            ({"fields": {"/a": {"compare": "number", "absolute": "1"}}}, ("fields", "/a", "absolute"), "number"),
            ({"fields": {"/a": {"compare": "exact", "weight": 0}}}, ("fields", "/a", "weight"), "greater than 0"),
            ({"fields": {"/a": {"compare": "exact", "severity": "bad"}}}, ("fields", "/a", "severity"), "minor"),
            ({"fields": {"/a": {"absolute": 1}}}, ("fields", "/a"), "say how to compare"),
            ({"fields": {"/a": {"compare": "fuzzy"}}}, ("fields", "/a", "threshold"), "is needed"),
            ({"fields": {"a": "exact"}}, ("fields", "a"), "a path starts with a slash, like /a"),
            ({"fields": {"": "exact"}}, ("fields", ""), "by default"),
            ({"fields": {"/" + "/".join("a" * 99): "exact"}}, ("fields", "/" + "/".join("a" * 99)), "at most 64"),
            ({"ignore": ["/a", {"path": "b"}]}, ("ignore", 1, "path"), "a path starts with a slash"),
            ({"ignore": [{"path": "/a", "when": "never"}]}, ("ignore", 0, "when"), "both_empty"),
            ({"ignore": "/a"}, ("ignore",), "list"),
            ({"clean": [{"path": "/a"}]}, ("clean", 0), "exactly one of redact, round, strip, remove"),
            ({"clean": [{"path": "/a", "redact": True, "strip": True}]}, ("clean", 0), "exactly one"),
            (
                {"default": "exact", "fields": {"/a": "text"}},
                ("fields", "/a"),
                "the output is compared whole, by exact",
            ),
            ({"fields": {"/a": "exact"}, "ignore": ["/a/b"]}, ("ignore", 0, "path"), "/a is compared whole, by exact"),
            (
                {"fields": {"/l": {"compare": "list", "items": "text"}, "/l/*/x": "exact"}},
                ("fields", "/l/*/x"),
                "/l/* is compared whole, by text",
            ),
            ({"default": {"compare": "date", "timezone": "Mars"}}, ("default", "timezone"), "no time zone"),
            ({"default": {"compare": "date", "timezone": "../etc"}}, ("default", "timezone"), "no time zone"),
            ({"default": {"compare": "date", "formats": ["%d"]}}, ("default", "formats"), "year, month and day"),
            ({"default": {"compare": "date", "formats": ["%Q"]}}, ("default", "formats"), "not a date format"),
            ([], (), "object"),
            (5, (), "object"),
        ],
    )
    def test_names_the_place_of_what_is_wrong(self, written: Any, place: tuple[Any, ...], words: str) -> None:
        with pytest.raises(ComparisonConfigError) as refused:
            ComparisonConfig.parse(written)

        (problem,) = refused.value.problems
        assert problem.place == place
        assert words in problem.words
        assert words in str(refused.value)

    def test_names_every_place_at_once(self) -> None:
        with pytest.raises(ComparisonConfigError) as refused:
            ComparisonConfig.parse({"fields": {"/a": {"compare": "x"}, "/b": {"compare": "exact", "y": 1}}})

        assert [problem.place for problem in refused.value.problems] == [("fields", "/a"), ("fields", "/b", "y")]

    def test_has_a_schema_for_editors(self) -> None:
        assert set(comparison_schema()["properties"]) == {"default", "fields", "ignore", "clean"}


class TestCleaning:
    @pytest.mark.parametrize(
        ("rule", "expected"),
        [
            ({"path": "/iban", "redact": True}, {"iban": "[redacted]"}),
            ({"path": "/iban", "redact": "…"}, {"iban": "…"}),
            ({"path": "/name", "strip": True}, {"name": "A"}),
            ({"path": "/p", "round": 1}, {"p": 1.2}),
            ({"path": "/name", "round": 1}, {}),
            ({"path": "/lines/*/price", "round": 2}, {"lines": [{"price": 1.24, "iban": 1}, 7]}),
            ({"path": "/lines/0/iban", "redact": True}, {"lines": [{"price": 1.239, "iban": "[redacted]"}, 7]}),
            ({"path": "/lines/1", "remove": True}, {"lines": [{"price": 1.239, "iban": 1}]}),
            ({"path": "/nowhere/at/all", "redact": True}, {}),
            ({"path": "/iban/deeper", "redact": True}, {}),
        ],
    )
    def test_changes_what_its_path_leads_to(self, rule: Any, expected: dict[str, Any]) -> None:
        before = copy.deepcopy(OUTPUT)

        cleaned = clean(OUTPUT, ComparisonConfig.parse({"clean": [rule]}))

        assert cleaned == before | expected
        assert before == OUTPUT

    def test_can_remove_a_field_or_the_whole(self) -> None:
        assert clean({"a": 1, "b": 2}, ComparisonConfig.parse({"clean": [{"path": "/a", "remove": True}]})) == {"b": 2}
        assert clean({"a": 1}, ComparisonConfig.parse({"clean": [{"path": "", "remove": True}]})) is None
        assert clean("secret", ComparisonConfig.parse({"clean": [{"path": "", "redact": True}]})) == "[redacted]"

    def test_does_not_touch_what_is_compared(self) -> None:
        config = ComparisonConfig.parse({"clean": [{"path": "/iban", "redact": True}]})

        assert compare({"iban": 1}, {"iban": 2}, config).kind is Kind.DIFFERENT

    def test_is_not_led_astray_by_depth(self) -> None:
        deep: Any = {"iban": 1}
        for _ in range(10_000):
            deep = {"a": deep, "iban": 1}

        cleaned = clean(deep, ComparisonConfig.parse({"clean": [{"path": "/a/iban", "redact": True}]}))

        assert cleaned["a"]["iban"] == "[redacted]"
