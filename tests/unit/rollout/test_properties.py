"""What must hold of every gate and guardrail, whatever was counted."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.gate import judge_gate
from rollout.domain.guardrail import judge_guardrail
from rollout.domain.judge import judge
from rollout.domain.metrics import Direction, Rate
from rollout.domain.phase import Lane, Phase, Standing
from rollout.domain.rate_gate import Asked, weigh
from rollout.domain.recheck import recheck, recheck_guardrail
from rollout.domain.situation import Situation
from rollout.domain.totals import Cohort, Counts, Totals
from rollout.domain.verdict import WORST_FIRST, Conclusion, Verdict
from tests.unit.rollout.making import LANES, NOW, TODAY, gate, guardrail, plan, situation, suite_run

LIMITS = st.floats(0.001, 0.6)
CONFIDENCES = st.sampled_from([0.6, 0.9, 0.95, 0.99, 0.999])


@st.composite
def sound_counts(draw: st.DrawFn) -> Counts:
    cases = draw(st.integers(0, 400))
    overridden = draw(st.integers(0, cases))
    void = draw(st.integers(0, cases - overridden))
    agreed = draw(st.integers(0, cases - overridden - void))
    return Counts(cases, agreed, overridden, draw(st.integers(0, overridden)), void, draw(st.integers(0, cases)))


def cohorts(lane: Lane) -> st.SearchStrategy[Cohort]:
    days = st.integers(0, 20).map(lambda days: TODAY - timedelta(days=days))
    return st.builds(Cohort, st.just(lane), st.sampled_from(["", "a", "b"]), days)


def seen(lane: Lane) -> st.SearchStrategy[dict[Cohort, Counts]]:
    return st.dictionaries(cohorts(lane), sound_counts(), max_size=8)


@given(st.integers(1, 2000), st.data(), LIMITS, CONFIDENCES, st.sampled_from(Direction))
def test_fewer_overrides_never_make_a_verdict_worse(
    cases: int, data: st.DataObject, limit: float, confidence: float, direction: Direction
) -> None:
    more = data.draw(st.integers(0, cases))
    fewer = data.draw(st.integers(0, more))
    asked = Asked(direction, limit if direction is Direction.AT_MOST else 1 - limit, confidence, 30)

    worse, better = weigh(Rate(more, cases), asked), weigh(Rate(fewer, cases), asked)

    assert WORST_FIRST.index(better.verdict) >= WORST_FIRST.index(worse.verdict)
    assert better.log_e >= worse.log_e - 1e-9


@given(seen(Lane.REVIEW), st.randoms(use_true_random=False))
def test_the_order_of_counting_does_not_matter(counted: dict[Cohort, Counts], random: Any) -> None:
    rows = list(counted.items())
    random.shuffle(rows)
    first, second = situation(totals=counted), situation(totals=dict(rows))

    assert judge(plan(), first) == judge(plan(), second)
    asked = gate(segments="each")
    assert judge_gate(asked, plan(), first) == judge_gate(asked, plan(), second)


@given(seen(Lane.REVIEW))
def test_a_pass_always_rests_on_settled_cases_and_a_bound_inside_the_limit(counted: Totals) -> None:
    result = judge_gate(gate(minimum_cases=30), plan(), situation(totals=counted))

    settled = sum(counts.cases for cohort, counts in counted.items() if (TODAY - cohort.day).days > 7)
    assert result.cases <= settled
    if result.verdict is Verdict.PASS:
        assert result.cases >= 30
        assert result.bound is not None
        assert result.bound < 0.05


@given(seen(Lane.REVIEW))
def test_verdicts_that_are_still_missing_never_help(counted: Totals) -> None:
    """Whatever people say of the pending cases, a gate that passes without their word passes with it."""
    now = judge_gate(gate(at_most=0.2), plan(), situation(totals=counted))
    agreed = {
        cohort: Counts(c.cases, c.agreed + c.pending, c.overridden, c.severe, c.void, c.invalid_output)
        for cohort, c in counted.items()
    }

    later = judge_gate(gate(at_most=0.2), plan(), situation(totals=agreed))

    assert WORST_FIRST.index(later.verdict) >= WORST_FIRST.index(now.verdict)


@given(st.sampled_from(Phase), st.data())
def test_no_evidence_never_advances_and_every_verdict_can_be_recomputed(phase: Phase, data: st.DataObject) -> None:
    counted = data.draw(seen(LANES[phase]))
    runs = data.draw(st.sampled_from([(), (suite_run(),), (suite_run(score=0.2),)]))

    judgement = judge(plan(), situation(phase, totals=counted, suite_runs=runs))

    if judgement.verdict is Conclusion.ADVANCE:
        assert judgement.gates
        assert all(result.verdict is Verdict.PASS for result in judgement.gates)
        assert not any(result.breached for result in judgement.guardrails)
    if judgement.verdict is Conclusion.DEMOTE:
        assert any(result.breached for result in judgement.guardrails)
    assert all(recheck(result.to_dict()) for result in judgement.gates)
    assert all(recheck_guardrail(result.to_dict()) for result in judgement.guardrails)


@given(seen(Lane.REVIEW), st.integers(0, 20), sound_counts())
def test_more_harm_never_stills_a_guardrail(counted: dict[Cohort, Counts], days: int, more: Counts) -> None:
    cohort = Cohort(Lane.REVIEW, "", TODAY - timedelta(days=days))
    bad = Counts(cases=more.cases, overridden=more.cases)
    worse = {**counted, cohort: counted.get(cohort, Counts()) + bad}

    before = judge_guardrail(guardrail(), situation(totals=counted))
    after = judge_guardrail(guardrail(), situation(totals=worse))

    assert after.breached or not before.breached


@given(st.builds(Situation, version=st.just("v1"), phase=st.sampled_from(Phase), phase_since=st.just(NOW),
                 now=st.just(NOW), standing=st.sampled_from(Standing), ramp_step=st.integers(-2, 9)))  # fmt: skip
def test_knowing_nothing_holds(known: Situation) -> None:
    assert judge(plan(), known).verdict is Conclusion.HOLD
