"""Holding an answer against activation conditions: what is met, what is reported, what a person is shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.activation import parse
from routing.domain import inference
from routing.domain.activation import Evaluation, evaluate
from routing.domain.sampling import input_position


def block(place: str, kind: str, confidence: Any = 99.0, **more: Any) -> dict[str, Any]:
    return {"Id": place, "BlockType": kind, "Confidence": confidence} | more


def pair(key: str, value: str = "x", *, confidence: Any = 99.0, word: Any = 99.0) -> list[dict[str, Any]]:
    """A key of as many words as its text has, and a value of one."""
    words = [block(f"{key}/{n}", "WORD", word, Text=text) for n, text in enumerate(key.split())]
    children = {"Type": "CHILD", "Ids": [one["Id"] for one in words]}
    to_value = {"Type": "VALUE", "Ids": [f"{key}=v"]}
    inside = [{"Type": "CHILD", "Ids": [f"{key}=w"]}]
    return [
        block(f"{key}=k", "KEY_VALUE_SET", confidence, EntityTypes=["KEY"], Relationships=[to_value, children]),
        block(f"{key}=v", "KEY_VALUE_SET", confidence, EntityTypes=["VALUE"], Relationships=inside),
        *words,
        block(f"{key}=w", "WORD", 99.0, Text=value),
    ]


def form(*pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Blocks": [one for blocks in pairs for one in blocks], "DocumentMetadata": {"Pages": 1}}


def image(**labels: Any) -> dict[str, Any]:
    found = [{"Name": name, "Confidence": confidence, "ParentName": ""} for name, confidence in labels.items()]
    return {"ModerationLabels": found, "ModerationModelVersion": "3.0"}


def key_check(key: str = "Pay Date", **more: Any) -> dict[str, Any]:
    parameters = {"ImportantFormKey": key} | more
    return {"ConditionType": "ImportantFormKeyConfidenceCheck", "ConditionParameters": parameters}


def missing(key: str, *aliases: str) -> dict[str, Any]:
    parameters = {"ImportantFormKey": key, "ImportantFormKeyAliases": list(aliases)}
    return {"ConditionType": "MissingImportantFormKey", "ConditionParameters": parameters}


def label_check(name: str = "*", **more: Any) -> dict[str, Any]:
    parameters = {"ModerationLabelName": name} | more
    return {"ConditionType": "ModerationLabelConfidenceCheck", "ConditionParameters": parameters}


def sample(percentage: float = 5) -> dict[str, Any]:
    return {"ConditionType": "Sampling", "ConditionParameters": {"RandomSamplingPercentage": percentage}}


def judge(output: Any, *conditions: Any, at: float = 0.5) -> Evaluation:
    return evaluate(parse({"Conditions": list(conditions)}), output, lambda: at)


UNSURE = key_check(KeyValueBlockConfidenceLessThan=65, WordBlockConfidenceLessThan=85)


@pytest.mark.parametrize(
    ("output", "condition", "met"),
    [
        pytest.param(form(pair("Pay Date", confidence=60, word=80)), UNSURE, True, id="block and words are unsure"),
        pytest.param(form(pair("Pay Date", confidence=65, word=80)), UNSURE, False, id="the block is sure enough"),
        pytest.param(form(pair("Pay Date", confidence=60, word=85)), UNSURE, False, id="the words are sure enough"),
        pytest.param(form(pair("Name", confidence=60, word=80)), UNSURE, False, id="another key"),
        pytest.param(form(pair("pay date", confidence=60, word=80)), UNSURE, False, id="another spelling"),
        pytest.param(
            form(pair("pay  date")), key_check(ImportantFormKeyAliases=["x", " pay date "]), True, id="an alias"
        ),
        pytest.param(form(pair("Name")), key_check("*"), True, id="any key that was found"),
        pytest.param(form(), key_check("*"), False, id="no key was found"),
        pytest.param(
            form(pair("Name", confidence=60)), key_check("*", KeyValueBlockConfidenceEquals=60), True, id="equal"
        ),
        pytest.param(form(pair("Name:")), missing("Name", "Name:"), False, id="an alias is there"),
        pytest.param(form(pair("Phone")), missing("Name", "Name:"), True, id="neither key nor alias is there"),
        pytest.param(image(Suggestive=97.9), label_check("Suggestive", ConfidenceLessThan=98), True, id="below"),
        pytest.param(image(Suggestive=98), label_check("Suggestive", ConfidenceLessThan=98), False, id="at the limit"),
        pytest.param(
            image(Suggestive=98), label_check("Suggestive", ConfidenceLessThanOrEqual=98), True, id="at or below"
        ),
        pytest.param(image(suggestive=1), label_check("Suggestive", ConfidenceLessThan=98), False, id="another label"),
        pytest.param(image(a=10, b=75), label_check(ConfidenceGreaterThanEquals=75), True, id="any label"),
        pytest.param(image(), label_check(), False, id="no label"),
        pytest.param(inference.lowered(image(a=75)), label_check("a"), True, id="as output.json spells it"),
        pytest.param({}, sample(50.1), True, id="drawn"),
        pytest.param({}, sample(50), False, id="not drawn"),
    ],
)
def test_a_condition_is_met_as_their_manual_says(output: Any, condition: dict[str, Any], *, met: bool) -> None:
    found = judge(output, condition)

    assert found.activated is met
    assert found.report == {"Conditions": [condition | {"EvaluationResult": met}]}
    assert found.unread == ()


def test_without_conditions_every_answer_goes_to_a_person() -> None:
    output = image(a=1)

    found = judge(output)

    assert found.activated
    assert found.report == {"Conditions": []}
    assert found.selected == output


def test_every_node_of_the_tree_is_reported_with_its_result_also_where_others_decide() -> None:
    low, high = label_check("a", ConfidenceLessThan=60), label_check("a", ConfidenceGreaterThan=90)

    found = judge(image(a=50), {"Or": [low, {"And": [sample(), high]}]}, at=0.01)

    assert found.report == {
        "Conditions": [
            {
                "Or": [
                    low | {"EvaluationResult": True},
                    {
                        "And": [sample() | {"EvaluationResult": True}, high | {"EvaluationResult": False}],
                        "EvaluationResult": False,
                    },
                ],
                "EvaluationResult": True,
            }
        ]
    }
    assert found.met == ("ModerationLabelConfidenceCheck",)


class TestWhatAPersonIsShown:
    def test_only_the_pairs_that_met_a_condition(self) -> None:
        wanted = pair("Pay Date", confidence=10, word=10)

        found = judge(form(pair("Name"), wanted), UNSURE, missing("Phone"))

        assert found.selected == {"Blocks": wanted}

    def test_only_the_labels_that_met_a_condition_with_the_version_of_the_model(self) -> None:
        found = judge(image(a=10, b=90), label_check(ConfidenceGreaterThan=50))

        assert found.selected == image(b=90)

    def test_everything_when_it_was_drawn(self) -> None:
        output = image(a=10, b=90)

        assert judge(output, {"Or": [sample(), label_check("b")]}, at=0.01).selected == output

    def test_only_what_else_was_asked_for_when_it_was_drawn_together_with_that(self) -> None:
        assert judge(image(a=10, b=90), {"And": [sample(), label_check("b")]}, at=0.01).selected == image(b=90)

    def test_nothing_of_the_form_when_a_key_is_missing(self) -> None:
        assert judge(form(pair("Name")), missing("Phone")).selected == {"Blocks": []}


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(
        ("output", "condition"),
        [
            pytest.param("yes", UNSURE, id="an answer of another kind"),
            pytest.param({"Blocks": None}, missing("Name"), id="no blocks"),
            pytest.param(form(pair("Pay Date", confidence="high", word=10)), UNSURE, id="a confidence in words"),
            pytest.param(form(pair("Pay Date", confidence=0.1, word=1e9)), UNSURE, id="a confidence above 100"),
            pytest.param({"Blocks": [7]}, UNSURE, id="a block that is none"),
            pytest.param({"Blocks": pair("Pay Date", confidence=1, word=1)[:1]}, UNSURE, id="words that are not there"),
            pytest.param({"ModerationLabels": [{"Name": "a"}]}, label_check("a", ConfidenceLessThan=1), id="no number"),
            pytest.param({"ModerationLabels": [{"Confidence": 5}]}, label_check("a"), id="no name"),
            pytest.param(form(), label_check("a"), id="a form where labels were expected"),
        ],
    )
    def test_counts_as_met_and_is_said(self, output: Any, condition: dict[str, Any]) -> None:
        found = judge(output, condition)

        assert found.activated
        assert found.unread

    def test_is_what_is_left_of_a_form_that_was_made_to_take_long(self) -> None:
        values = [f"v{n}" for n in range(100)]
        related = [{"Type": "VALUE", "Ids": values}, {"Type": "CHILD", "Ids": ["w"]}]
        keys = [block(f"k{n}", "KEY_VALUE_SET", EntityTypes=["KEY"], Relationships=related) for n in range(100)]
        output = {"Blocks": [*keys, *(block(one, "KEY_VALUE_SET") for one in values), block("w", "WORD", Text="a")]}

        found = judge(output, key_check("b"))

        assert found.activated
        assert "Blocks: they name each other more often than those of a form do" in found.unread

    def test_does_not_count_where_another_condition_of_an_and_is_not_met(self) -> None:
        assert not judge("yes", {"And": [UNSURE, sample(1)]}).activated


_values = st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.integers()
_leaves = st.sampled_from([UNSURE, key_check("*"), missing("Name"), sample(1), sample(50), sample(100)])
_trees = _leaves | st.builds(
    lambda word, members: {word: members}, st.sampled_from(["And", "Or"]), st.lists(_leaves, min_size=1, max_size=3)
)
_numbers = st.sampled_from([0, 60, 64.9, 65, 84, 85, 100, None, "x"])
_pairs = st.builds(
    lambda key, confidence, word: pair(key, confidence=confidence, word=word),
    st.sampled_from(["Pay Date", "Name", "Phone"]),
    _numbers,
    _numbers,
)
_positions = st.sampled_from([0.0, 0.005, 0.3, 0.7, 0.999])


def _says(report: dict[str, Any]) -> bool:
    """What And and Or make of the results below."""
    for word, choose in (("And", all), ("Or", any)):
        if word in report:
            return choose(_says(one) for one in report[word])
    return bool(report["EvaluationResult"])


@given(st.lists(_trees, max_size=3), st.lists(_pairs, max_size=2, unique_by=lambda one: one[0]["Id"]), _positions)
def test_the_report_agrees_with_itself_and_with_what_was_decided(
    conditions: list[Any], pairs: list[Any], at: float
) -> None:
    found = judge(form(*pairs), *conditions, at=at)

    results = found.report["Conditions"]
    assert all(one["EvaluationResult"] is _says(one) for one in results)
    assert found.activated is (not conditions or any(one["EvaluationResult"] for one in results))
    assert bool(found.met) is (found.activated and bool(conditions))


@given(st.lists(_trees, min_size=1, max_size=3), _trees, st.lists(_pairs, max_size=2), _positions)
def test_a_condition_more_never_takes_a_case_from_a_person(
    conditions: list[Any], more: Any, pairs: list[Any], at: float
) -> None:
    if judge(form(*pairs), *conditions, at=at).activated:
        assert judge(form(*pairs), *conditions, more, at=at).activated


@given(st.lists(_trees, max_size=2), st.recursive(_values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["Blocks", "ModerationLabels", "Id", "BlockType", "Relationships", "Type", "Ids", "EntityTypes"]),
    inner, max_size=4,
)))  # fmt: skip
def test_no_answer_breaks_it(conditions: list[Any], output: Any) -> None:
    judge(output, *conditions)


class TestTheDraw:
    def test_is_of_the_input_and_not_of_its_name(self) -> None:
        one = input_position(b"key", "claims", {"a": 1, "b": 2}, "c-1")

        assert input_position(b"key", "claims", {"b": 2, "a": 1}, "c-2") == one
        assert input_position(b"key", "claims", {"b": 2, "a": 2}, "c-1") != one
        assert input_position(b"other", "claims", {"a": 1, "b": 2}, "c-1") != one

    def test_is_of_the_case_where_there_is_no_input(self) -> None:
        assert input_position(b"key", "claims", None, "c-1") != input_position(b"key", "claims", None, "c-2")

    def test_keeps_its_share(self) -> None:
        drawn = sum(input_position(b"key", "claims", n, "c") < 0.25 for n in range(4000))

        assert 900 < drawn < 1100
