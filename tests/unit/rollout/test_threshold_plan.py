from typing import Any

import pytest

from rollout.domain.plan import Plan
from rollout.domain.plan_diff import diff_plans
from rollout.domain.plan_yaml import PlanInvalid, dump_plan, load_plan, plan_from_data
from rollout.domain.threshold_plan import ThresholdPlan
from tests.unit.rollout.making import plan_data


def plan(**threshold: Any) -> Plan:
    return plan_from_data(plan_data(threshold=threshold))


def flaws(**threshold: Any) -> list[tuple[str, str]]:
    with pytest.raises(PlanInvalid) as refused:
        plan(**threshold)
    return [(problem.place, problem.mend) for problem in refused.value.problems]


def test_a_plan_without_a_threshold_section_finds_none() -> None:
    assert plan_from_data(plan_data()).threshold is None


def test_what_is_left_out_is_filled_in() -> None:
    found = plan(risk=0.02, first_labels=500).threshold

    assert found is not None
    assert (found.risk, found.confidence, found.assumes, found.looks) == (0.02, 0.95, "higher_is_safer", (500,))


def test_looks_are_declared_by_labels() -> None:
    found = plan(first_labels=300, every=100, until=650).threshold

    assert found is not None
    assert found.looks == (300, 400, 500, 600)


def test_all_looks_together_spend_what_the_confidence_leaves() -> None:
    once, more = ThresholdPlan(), ThresholdPlan(every=100, until=3000)

    assert once.go_live_delta == 0.05
    assert more.go_live_delta + more.schedule_delta == pytest.approx(0.05)


def test_segments_share_the_doubt() -> None:
    assert ThresholdPlan(segments=("a", "b", "c"), first_labels=1000).go_live_delta == pytest.approx(0.0125)


@pytest.mark.parametrize(
    ("threshold", "place", "mend"),
    [
        ({"risk": 5}, "threshold.risk", "write 5 % as 0.05"),
        ({"risk": 0}, "threshold.risk", "write 0.05 or so"),
        ({"confidence": 0.5}, "threshold.confidence", "write 0.95 or 0.99"),
        ({"confidence": 95}, "threshold.confidence", "write 95 % as 0.95"),
        ({"first_labels": 58}, "threshold.first_labels", "write 59 or more; five times as many are usual"),
        ({"every": 100}, "threshold.every", "add until, or remove every"),
        ({"until": 3000}, "threshold.until", "add every, or remove until"),
        ({"every": 100, "until": 350}, "threshold.until", "write 400 or more, or remove every and until"),
        ({"every": 1, "until": 3000}, "threshold.every", "look less often"),
        ({"segments": ["a"]}, "threshold.first_labels", "write 400 or more, or remove segments"),
        ({"segments": ["a", "a"], "first_labels": 900}, "threshold.segments[1]", "list it once"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused_with_its_place(
    threshold: dict[str, Any], place: str, mend: str
) -> None:
    assert (place, mend) in flaws(**threshold)


def test_a_misspelt_field_is_told() -> None:
    text = dump_plan(plan_from_data(plan_data())) + "threshold: {rsk: 0.05}\n"

    with pytest.raises(PlanInvalid) as refused:
        load_plan(text)

    assert [(one.place, one.mend) for one in refused.value.problems] == [("threshold.rsk", "did you mean risk?")]


def test_a_change_of_the_threshold_section_is_told() -> None:
    words = [change.words for change in diff_plans(plan(risk=0.05), plan(risk=0.02))]

    assert words == ["threshold.risk was 0.05, becomes 0.02"]
