"""Which activation conditions are taken, and with which words the others are refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from rollout.domain.activation import LONGEST, Refused, parse
from rollout.domain.policy import Rules


def leaf(kind: str = "Sampling", **parameters: Any) -> dict[str, Any]:
    return {"ConditionType": kind, "ConditionParameters": parameters or {"RandomSamplingPercentage": 5}}


def form_key(**more: Any) -> dict[str, Any]:
    return leaf("ImportantFormKeyConfidenceCheck", **({"ImportantFormKey": "Pay Date"} | more))


def label(**more: Any) -> dict[str, Any]:
    return leaf("ModerationLabelConfidenceCheck", **({"ModerationLabelName": "*"} | more))


def document(*conditions: Any) -> dict[str, Any]:
    return {"Conditions": list(conditions)}


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(document(), id="none at all"),
        pytest.param(document(leaf(), form_key(WordBlockConfidenceLessThan=85)), id="a sample and a key"),
        pytest.param(document({"Or": [{"And": [leaf(), form_key()]}, form_key()]}), id="two levels"),
        pytest.param(document({"Or": [leaf()]}), id="Or with a single member"),
        pytest.param(document(form_key(ImportantFormKey="*", ImportantFormKeyAliases=["*"])), id="any key"),
        pytest.param(document(label(ConfidenceLessThanEquals=99)), id="as their list spells it"),
        pytest.param(document(label(ConfidenceLessThanOrEqual=99)), id="as their examples spell it"),
        pytest.param(document(label(ConfidenceGreaterThan=50, ConfidenceLessThan=60)), id="between two"),
        pytest.param(document(leaf("MissingImportantFormKey", ImportantFormKey="Name")), id="a missing key"),
    ],
)
def test_takes_a_document_as_an_object_and_as_its_text_and_keeps_it_as_it_was(given: dict[str, Any]) -> None:
    assert parse(given).document == parse(json.dumps(given)).document == given
    kept = Rules(activation=given).model_dump(mode="json")
    assert kept["activation"] == given
    assert Rules.model_validate(kept).model_dump(mode="json") == kept


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param([], "send an object", id="a list"),
        pytest.param("{", "no strict JSON", id="no JSON"),
        pytest.param('{"Conditions": [], "Conditions": []}', "no strict JSON", id="a doubled key"),
        pytest.param({}, "Conditions: send a list", id="without the list"),
        pytest.param(leaf(), "put it into the list Conditions", id="a condition alone"),
        pytest.param({"Conditions": [], "Or": []}, "Or is unknown here", id="something beside the list"),
        pytest.param(document(7), "Conditions.0: send an object", id="a number as a condition"),
        pytest.param(document({}), "ConditionType: say one of", id="without a type"),
        pytest.param(document(leaf("sampling")), "ConditionType: say one of", id="a misspelt type"),
        pytest.param(document({"ConditionType": ["Sampling"]}), "ConditionType: say one of", id="a list as type"),
        pytest.param(
            document({"ConditionType": "Sampling"}), "ConditionParameters: send an object", id="no parameters"
        ),
        pytest.param(document({"Not": [leaf()]}), "Not is unknown here", id="Not"),
        pytest.param(document({"Or": []}), "Or: send a list of conditions", id="an empty Or"),
        pytest.param(document({"Or": [leaf()], "And": [leaf()]}), "say one of", id="And beside Or"),
        pytest.param(document({"Or": [leaf()], **leaf()}), "say one of", id="Or beside a type"),
        pytest.param(document({"Or": [{"And": [{"Or": [leaf()]}]}]}), "Or.0.And.0: And and Or", id="three levels"),
        pytest.param(document(form_key(KeyValueBlockConfidenceLess=9)), "Less is unknown", id="a misspelt comparison"),
        pytest.param(document(form_key(WordBlockConfidenceLessThan="9")), "send a number", id="a text as number"),
        pytest.param(document(form_key(WordBlockConfidenceLessThan=True)), "send a number", id="true as number"),
        pytest.param(document(label(ConfidenceLessThan=101)), "from 0 to 100", id="more than 100"),
        pytest.param(document(label(ConfidenceLessThan=0)), "no confidence could meet", id="less than 0"),
        pytest.param(
            document(label(ConfidenceLessThan=50, ConfidenceGreaterThan=50)), "no confidence could meet", id="nothing"
        ),
        pytest.param(document(form_key(ImportantFormKey=" ")), "not empty", id="an empty key"),
        pytest.param(
            document(form_key(ImportantFormKeyAliases="Name")), "send a list of texts", id="a text as aliases"
        ),
        pytest.param(document(form_key(ImportantFormKeyAliases=["*"])), "only as", id="any key as an alias"),
        pytest.param(
            document(leaf("MissingImportantFormKey", ImportantFormKey="*")), "only as", id="any key is missing"
        ),
        pytest.param(document(leaf(RandomSamplingPercentage=0)), "send 0.01 to 100", id="a sample of none"),
        pytest.param(
            document(leaf(RandomSamplingPercentage=100.5)), "send 0.01 to 100", id="a sample of more than all"
        ),
        pytest.param(document(form_key(), label()), "are mixed", id="a form and an image"),
        pytest.param(document(*[form_key()] * 200), "characters and may have 10240", id="too long"),
        pytest.param(json.dumps(document()) + " " * LONGEST, "characters and may have 10240", id="too long a text"),
    ],
)
def test_refuses_what_would_never_be_met_or_can_be_read_in_two_ways(given: Any, words: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(given)

    assert words in str(refused.value)


def test_rules_with_such_a_document_are_refused_with_its_place() -> None:
    with pytest.raises(ValidationError, match=r"Conditions\.0\.ConditionType: say one of ImportantFormKey"):
        Rules.model_validate({"activation": document(leaf("Sampel"))})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["*", "And", "Sampling", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Conditions", "And", "Or", "ConditionType", "ConditionParameters", "ImportantFormKey"]),
        inner,
        max_size=3,
    ),
)  # fmt: skip


@example({"Conditions": [2**64]})
@given(_json | st.text(max_size=40) | _json.map(lambda inner: {"Conditions": [inner]}))
def test_anything_else_is_refused_and_never_breaks(given: Any) -> None:
    try:
        found = parse(given)
    except Refused:
        return
    assert parse(found.document) == found
