"""Which change of the rules gives more autonomy, and that no other does."""

from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollout.domain.phase import Phase, Route, Standing
from rollout.domain.policy import Policy, Rules, widenings
from routing.domain.decide import Case, decide

ROLLOUT = UUID(int=7)
NAMES = ("a", "b", "c")
SURE = {
    "ConditionType": "ModerationLabelConfidenceCheck",
    "ConditionParameters": {"ModerationLabelName": "*", "ConfidenceGreaterThan": 50},
}
DRAWN = {"ConditionType": "Sampling", "ConditionParameters": {"RandomSamplingPercentage": 50}}


def rules(**more: Any) -> Rules:
    return Rules.model_validate(more)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        pytest.param(
            {"threshold": 0.9}, {"threshold": 0.8}, "the threshold goes from 0.9 to 0.8", id="a lower threshold"
        ),
        pytest.param({}, {"threshold": 1.0}, "the threshold is 1, where no case went alone", id="a first threshold"),
        pytest.param(
            {"threshold": 0.9, "thresholds": {"a": 0.95}},
            {"threshold": 0.9, "thresholds": {"a": 0.94}},
            "the threshold of segment a goes from 0.95 to 0.94",
            id="a lower threshold of a segment",
        ),
        pytest.param(
            {"thresholds": {"a": None}},
            {"thresholds": {"a": 0.99}},
            "the threshold of segment a is 0.99, where no case went alone",
            id="a first threshold of a segment",
        ),
        pytest.param(
            {"threshold": 0.8, "thresholds": {"a": 0.9}},
            {"threshold": 0.8},
            "the threshold of segment a goes from 0.9 to 0.8",
            id="a segment that loses its own, stricter threshold",
        ),
        pytest.param(
            {"threshold": 0.8, "thresholds": {"a": None}},
            {"threshold": 0.8},
            "the threshold of segment a is 0.8, where no case went alone",
            id="a closed segment that is opened by forgetting it",
        ),
        pytest.param(
            {"threshold": 0.8},
            {"threshold": 0.8, "thresholds": {"a": 0.7}},
            "the threshold of segment a goes from 0.8 to 0.7",
            id="a segment that gets its own, laxer threshold",
        ),
        pytest.param(
            {"scope": {"segments": ["a"]}},
            {"scope": {"segments": ["a", "b"]}},
            "segment b comes into scope",
            id="a segment more",
        ),
        pytest.param(
            {"scope": {"segments": ["a"]}},
            {"scope": {"segments": ["b"]}},
            "segment b comes into scope",
            id="another segment",
        ),
        pytest.param(
            {"scope": {"segments": []}},
            {},
            "the scope is no longer limited to some segments",
            id="segments without a limit",
        ),
        pytest.param(
            {"scope": {"actions": []}}, {"scope": {"actions": ["a"]}}, "action a comes into scope", id="an action more"
        ),
        pytest.param(
            {"scope": {"actions": ["a"]}},
            {},
            "the scope is no longer limited to some actions",
            id="actions without a limit",
        ),
        pytest.param(
            {"scope": {"amount_at_most": 100}},
            {"scope": {"amount_at_most": 100.5}},
            "the amount goes from 100 to 100.5",
            id="a higher amount",
        ),
        pytest.param(
            {"scope": {"amount_at_most": 100}}, {}, "the amount has no limit any more", id="an amount without a limit"
        ),
        pytest.param(
            {"audit_rate": 0.05}, {"audit_rate": 0.04}, "the audit rate goes from 0.05 to 0.04", id="fewer audits"
        ),
        pytest.param({"blocked_actions": ["a"]}, {}, "action a is no longer blocked", id="an action unblocked"),
        pytest.param(
            {"review_risks": ["a"]},
            {"review_risks": ["b"]},
            "cases with the risk a are no longer always reviewed",
            id="a review risk removed",
        ),
        pytest.param(
            {"activation": {"Conditions": []}},
            {},
            "there are no activation conditions any more",
            id="activation conditions removed",
        ),
        pytest.param(
            {"activation": {"Conditions": [SURE]}},
            {"activation": {"Conditions": [DRAWN]}},
            "the activation conditions are not the same and more",
            id="other activation conditions",
        ),
        pytest.param(
            {"activation": {"Conditions": []}},
            {"activation": {"Conditions": [DRAWN]}},
            "the activation conditions are not the same and more",
            id="a first activation condition, where every case was reviewed",
        ),
    ],
)
def test_names_what_widens(old: dict[str, Any], new: dict[str, Any], words: str) -> None:
    assert widenings(rules(**old), rules(**new)) == (words,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"threshold": 0.8}, {"threshold": 0.8}, id="the same"),
        pytest.param({"threshold": 0.8}, {"threshold": 0.81}, id="a higher threshold"),
        pytest.param({"threshold": 0.8}, {}, id="no threshold"),
        pytest.param({"threshold": 0.8}, {"threshold": 0.8, "thresholds": {"a": None}}, id="a segment closed"),
        pytest.param({"threshold": 0.8}, {"threshold": 0.8, "thresholds": {"a": 0.8}}, id="the same for a segment"),
        pytest.param({}, {"scope": {"segments": ["a"], "actions": ["a"], "amount_at_most": 9}}, id="a first scope"),
        pytest.param({"scope": {"amount_at_most": 9}}, {"scope": {"amount_at_most": 9}}, id="the same amount"),
        pytest.param({"audit_rate": 0.05}, {"audit_rate": 0.06}, id="more audits"),
        pytest.param({}, {"blocked_actions": ["a"], "review_risks": ["a"]}, id="more brakes"),
        pytest.param({}, {"activation": {"Conditions": [SURE]}}, id="first activation conditions"),
        pytest.param(
            {"activation": {"Conditions": [SURE]}},
            {"activation": {"Conditions": [DRAWN, SURE]}},
            id="an activation condition more",
        ),
        pytest.param(
            {"activation": {"Conditions": [SURE]}}, {"activation": {"Conditions": []}}, id="every case is reviewed"
        ),
        pytest.param({"review_within_hours": 24}, {"review_within_hours": 48}, id="review hours"),
    ],
)
def test_what_narrows_or_changes_nothing_is_not_named(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert widenings(rules(**old), rules(**new)) == ()


def test_names_every_way_at_once() -> None:
    old = rules(
        threshold=0.9, scope={"segments": ["a"], "actions": ["a"], "amount_at_most": 1}, blocked_actions=["b"],
        review_risks=["a"], audit_rate=0.5,
    )  # fmt: skip

    assert len(widenings(old, rules(threshold=0.5, audit_rate=0.4))) == 7


_names = st.sampled_from(NAMES)
_some = st.frozensets(_names)
_mostly_none = st.none() | st.none() | _some
_levels = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
_parts = st.fixed_dictionaries({
    "segments": _mostly_none,
    "actions": _mostly_none,
    "amount_at_most": st.none() | st.sampled_from([0.0, 10.0, 100.0]),
    "threshold": st.none() | _levels,
    "thresholds": st.dictionaries(_names, st.none() | _levels, max_size=2),
    "audit_rate": st.sampled_from([0.01, 0.5, 1.0]),
    "blocked_actions": st.frozensets(_names, max_size=2),
    "review_risks": st.frozensets(_names, max_size=2),
    "activation": st.none() | st.none() | st.builds(
        lambda conditions: {"Conditions": conditions}, st.lists(st.sampled_from([SURE, DRAWN]), max_size=2)
    ),
})  # fmt: skip


def _rules_of(parts: dict[str, Any]) -> Rules:
    scope = {name: parts[name] for name in ("segments", "actions", "amount_at_most")}
    rest = {name: value for name, value in parts.items() if name not in scope}
    blocked = parts["blocked_actions"] - (parts["actions"] or frozenset())
    return Rules.model_validate(rest | {"scope": scope, "blocked_actions": blocked})


@st.composite
def _changed(draw: st.DrawFn) -> tuple[Rules, Rules]:
    """Rules, and the same with a part or two changed; two at random hardly ever only narrow."""
    old, other = draw(_parts), draw(_parts)
    parts = draw(st.sets(st.sampled_from(sorted(old)), min_size=1, max_size=2))
    return _rules_of(old), _rules_of(old | {name: other[name] for name in parts})


_LABELS = [{"ModerationLabels": [{"Name": "a", "Confidence": confidence}]} for confidence in (40.0, 60.0)]
_CASES = [
    Case(
        "1", confidence, "valid", None, segment=segment, action=action, amount=amount, risk=risk,
        output=_LABELS[n % 2], shown_input=n % 7,
    )
    for n, (confidence, segment, action, amount, risk) in enumerate(product(
        (0.25, 0.6, 1.0), ("", *NAMES), (None, *NAMES), (None, -100.0, 5.0, 11.0, float("nan")), (None, *NAMES)
    ))
]  # fmt: skip


@settings(max_examples=300)
@given(_changed(), st.sampled_from([Phase.CONFIDENCE, Phase.FULL]))
@example((Rules(threshold=0.5, thresholds={"a": None}), Rules(threshold=0.5)), Phase.FULL)
def test_a_change_that_widens_nothing_sends_no_case_alone_that_a_person_had(
    pair: tuple[Rules, Rules], phase: Phase
) -> None:
    old, new = pair
    if widenings(old, new):
        return
    before, after = (
        Policy(ROLLOUT, "reader", "v1", 3, Standing.STABLE, phase, 4, None, 1.0, given) for given in (old, new)
    )
    for case in _CASES:
        if decide(after, case, b"secret").route is Route.AUTO:
            assert decide(before, case, b"secret").route is Route.AUTO, case


@given(_parts)
def test_the_same_rules_widen_nothing(parts: dict[str, Any]) -> None:
    assert widenings(_rules_of(parts), _rules_of(parts)) == ()
