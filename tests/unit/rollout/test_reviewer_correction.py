"""Gates on rates that are corrected for reviewers who overlook errors."""

from typing import Any

import pytest

from evidence.reviewers import Seeded, corrected_limit, shown_below
from rollout.domain.gate import judge_gate
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from rollout.domain.recheck import recheck
from rollout.domain.totals import Totals
from rollout.domain.verdict import GateResult, Verdict
from tests.unit.rollout.making import gate, plan, plan_data, situation, totals

GOOD = Seeded(95, 100, 48, 50)
HALF = Seeded(50, 100)


def on(seeded: Seeded, seen: Totals | None = None, **more: Any) -> GateResult:
    asked = gate(corrected_for_reviewers=True, **more)
    return judge_gate(asked, plan(), situation(totals=totals() if seen is None else seen, seeded=seeded))


def test_what_passes_uncorrected_does_not_pass_when_reviewers_overlook_half() -> None:
    seen = totals(cases=600, overridden=12)

    assert judge_gate(gate(), plan(), situation(totals=seen)).verdict is Verdict.PASS
    assert on(HALF, seen).verdict is Verdict.INCONCLUSIVE
    assert on(GOOD, totals(cases=3000, overridden=30)).verdict is Verdict.PASS


@pytest.mark.parametrize("seeded", [Seeded(0, 0), Seeded(0, 60), Seeded(2, 60, 1, 60)])
def test_without_knowing_what_reviewers_overlook_nothing_passes(seeded: Seeded) -> None:
    result = on(seeded, totals(cases=100_000))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.bound == 1.0 or result.corrected_limit is not None
    assert result.what_would_change
    assert recheck(result.to_dict())


def test_without_gold_cases_it_says_what_would_change() -> None:
    result = on(Seeded(0, 0), totals(cases=100_000))

    assert result.words.startswith("Nothing is known of how many errors reviewers overlook")
    assert "gold cases" in result.what_would_change
    assert result.corrected_limit is None
    assert result.cases_needed is None


def test_it_passes_exactly_when_the_engine_says_so_and_the_bound_lies_below_the_limit() -> None:
    corrected = corrected_limit(0.05, GOOD, 0.95)
    for bad in range(0, 120, 5):
        result = on(GOOD, totals(cases=2000, overridden=bad))

        assert (result.verdict is Verdict.PASS) is shown_below(bad, 2000, corrected)
        assert result.bound is not None
        assert (result.bound < 0.05) is (result.verdict is Verdict.PASS)
        assert result.corrected_limit == corrected.limit
        assert result.seeded == (95, 100, 48, 50)
        assert recheck(result.to_dict())


def test_few_gold_errors_are_warned_of() -> None:
    result = on(Seeded(20, 20), totals(cases=300, overridden=12))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "More gold cases with an error" in result.what_would_change


def test_it_says_how_many_cases_it_takes() -> None:
    result = on(GOOD, totals(cases=300, overridden=5))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.cases_needed is not None
    later = totals(cases=301 + result.cases_needed, overridden=5 + result.cases_needed // 60)
    assert on(GOOD, later).verdict is Verdict.PASS


def test_many_overrides_fail_as_they_do_uncorrected() -> None:
    result = on(HALF, totals(cases=600, overridden=120))

    assert result.verdict is Verdict.FAIL
    assert recheck(result.to_dict())


def test_more_caught_errors_never_turn_a_pass_into_anything_else() -> None:
    seen = totals(cases=3000, overridden=40)
    verdicts = [on(Seeded(caught, 200), seen).verdict for caught in range(0, 201, 10)]

    first = verdicts.index(Verdict.PASS)
    assert set(verdicts[first:]) == {Verdict.PASS}


def test_no_case_is_no_evidence_however_good_reviewers_are() -> None:
    assert on(GOOD, {}).verdict is Verdict.NO_EVIDENCE


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"seeded": [96, 100, 48, 50]}, id="what reviewers said"),
        pytest.param({"corrected_limit": 0.05}, id="the corrected limit"),
        pytest.param({"bound": 0.01}, id="the bound"),
        pytest.param({"bad": 29}, id="the counts"),
    ],
)
def test_an_altered_record_does_not_agree_with_itself(change: dict[str, Any]) -> None:
    assert not recheck(on(GOOD, totals(cases=3000, overridden=30)).to_dict() | change)


@pytest.mark.parametrize(
    ("phase", "metric", "fits"),
    [
        (Phase.SUPERVISED, "override_rate", True),
        (Phase.CONFIDENCE, "error_rate", True),
        (Phase.SUPERVISED, "severe_override_rate", False),
        (Phase.SHADOW, "disagreement_rate", False),
        (Phase.SHADOW, "invalid_output_rate", False),
    ],
)
def test_only_what_gold_cases_speak_of_is_corrected(phase: Phase, metric: str, fits: bool) -> None:
    data = plan_data()
    data["phases"][phase.value]["gates"].append(
        {"name": "corrected", "metric": metric, "at_most": 0.1, "corrected_for_reviewers": True}
    )

    if fits:
        assert plan_from_data(data).phase(phase).gates[1].corrected_for_reviewers
        return
    with pytest.raises(PlanInvalid) as refused:
        plan_from_data(data)
    problem = refused.value.problems[0]
    assert problem.place == f"phases.{phase.value}.gates[1].corrected_for_reviewers"
    assert "override_rate" in problem.mend


def test_not_corrected_is_the_same_as_saying_nothing_so_that_plans_of_before_keep_their_digest() -> None:
    data = plan_data()
    before = plan_from_data(data).digest
    data["phases"]["supervised"]["gates"][0]["corrected_for_reviewers"] = False

    assert plan_from_data(data).digest == before
    assert "corrected_for_reviewers" not in str(plan_from_data(data).body())


def test_a_gate_on_audits_is_corrected_like_one_on_reviews() -> None:
    asked = gate("error_rate", corrected_for_reviewers=True)
    seen = situation(Phase.CONFIDENCE, totals=totals(Lane.AUDIT, 3000, 30), seeded=GOOD)

    assert judge_gate(asked, plan(), seen).verdict is Verdict.PASS
