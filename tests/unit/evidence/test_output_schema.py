import math
from typing import Any

import pytest

from evidence.comparing import OutputSchema, OutputSchemaError

LABEL = {
    "type": "object",
    "properties": {"label": {"enum": list(range(10))}, "note": {"type": "string"}},
    "required": ["label"],
    "additionalProperties": False,
}
TREE = {"type": ["array", "integer", "object"], "items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}}


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


class TestOutput:
    def test_that_fits_has_no_problems(self) -> None:
        assert OutputSchema(LABEL).fits({"label": 7})
        assert OutputSchema(True).fits("anything")

    def test_that_does_not_fit_is_told_where(self) -> None:
        problems = OutputSchema(LABEL).problems({"label": 11, "note": 5})

        assert {problem.path for problem in problems} == {"/label", "/note"}
        assert problems[0].to_dict().keys() == {"path", "words"}
        assert not OutputSchema(LABEL).fits({})

    def test_with_many_problems_names_the_first_few(self) -> None:
        schema = OutputSchema({"items": {"type": "string"}})

        assert len(schema.problems([1] * 1_000)) == 5
        assert len(schema.problems([1] * 1_000, most=2)) == 2

    @pytest.mark.parametrize(
        "output",
        [
            pytest.param(nested(100_000), id="100,000 levels"),
            pytest.param("\ud800", id="a lone surrogate"),
            pytest.param({1: 2}, id="a key that is no text"),
            pytest.param(math.nan, id="not a number"),
            pytest.param(object(), id="no JSON at all"),
        ],
    )
    def test_that_no_json_parser_would_give_does_not_fit_and_breaks_nothing(self, output: Any) -> None:
        assert not OutputSchema(TREE).fits(output)

    def test_of_any_size_gives_words_of_bounded_size(self) -> None:
        (problem,) = OutputSchema({"type": "integer"}).problems("x" * 5_000_000)

        assert len(problem.words) < 400

    def test_with_a_nul_is_judged_like_any_other(self) -> None:
        assert OutputSchema({"type": "string"}).fits("a\0b")


class TestSchema:
    @pytest.mark.parametrize(
        ("schema", "place"),
        [
            ({"type": "nope"}, "/type"),
            ({"properties": {"a/b": {"minimum": "x"}}}, "/properties/a~1b/minimum"),
            ({"pattern": "("}, "/pattern"),
            ({"$ref": "https://example.com/schema"}, ""),
            (5, ""),
            (None, ""),
            ({"const": "\ud800"}, ""),
            (nested(5_000), ""),
            ({"not": {"const": nested(5_000)}}, ""),
        ],
    )
    def test_that_cannot_be_used_is_refused_with_the_place(self, schema: Any, place: str) -> None:
        with pytest.raises(OutputSchemaError) as refused:
            OutputSchema(schema)

        assert refused.value.place == place
        assert isinstance(refused.value, ValueError)
