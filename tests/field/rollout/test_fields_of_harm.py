"""What went wrong elsewhere: a regression that was missed, and metrics that returned nothing."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rollout.domain.judge import Judgement, judge
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from rollout.domain.situation import Situation, Source
from rollout.domain.totals import Cohort, Counts, Totals
from rollout.domain.verdict import Conclusion, Verdict
from tests.field.rollout.mapping import Case, Divergence, Unmapped
from tests.unit.rollout.making import (
    LANES,
    NOW,
    TODAY,
    counts,
    gate,
    guardrail,
    plan,
    plan_data,
    plan_with,
    situation,
    suite_run,
)

_BASE = plan()
CASES_AN_INTERVAL = 1000
PARTS = (0.1, 0.3, 0.6)  # of the rate seen, as limits


def hold_missed_regression(case: Case) -> Divergence | None:
    """
    Rates of the candidate as a thousand cases each, an interval a day. Whether nothing was measured in an interval
    or nothing went wrong in it, none of the limits passes that the sparse errors are above.
    """
    if case["direction"] != "Increase" or "not return Pass" not in case["target"]:
        raise Unmapped(case)
    replaced = [float(rate) for rate in case["experiment"]]
    raw = [math.nan if rate == "NaN" else float(rate) for rate in case.get("raw_experiment", replaced)]
    for rates in (replaced, raw):
        measured = [rate for rate in rates if not math.isnan(rate)]
        for part in PARTS:
            limit = part * sum(measured) / len(measured)
            judgement = judge(_guarded(limit), situation(totals=_counted(rates)))
            assert judgement.gates[0].verdict is Verdict.FAIL
            assert judgement.guardrails[0].breached
            assert judgement.verdict is Conclusion.DEMOTE
    control = [float(rate) for rate in case["control"]]
    healthy = judge(_guarded(max(0.02, 2 * sum(control) / len(control))), situation(totals=_counted(control)))
    assert healthy.gates[0].verdict is Verdict.PASS
    assert healthy.verdict is Conclusion.ADVANCE
    return None


def _guarded(limit: float) -> Plan:
    """Quick to settle, so that all of the days count."""
    quick = _BASE.model_copy(update={"settle_days": 0})
    parts = {"gates": (gate(at_most=limit),), "guardrails": (guardrail(at_most=limit),)}
    return plan_with(Phase.SUPERVISED, of=quick, **parts)


def _counted(rates: list[float]) -> Totals:
    """An interval in which nothing was measured has no cases; it is not one without errors."""
    first = TODAY - timedelta(days=len(rates))
    return {
        Cohort(Lane.REVIEW, "", first + timedelta(days=day)): counts(CASES_AN_INTERVAL, round(rate * CASES_AN_INTERVAL))
        for day, rate in enumerate(rates)
        if not math.isnan(rate)
    }


def hold_no_data(case: Case) -> Divergence | None:
    for word, held in KINDS.items():
        if word in case["target"]:
            return held()
    raise Unmapped(case)


def _held(phase: Phase, judgement: Judgement, verdict: Verdict) -> None:
    assert judgement.verdict is Conclusion.HOLD, phase
    assert {result.verdict for result in judgement.gates} == {verdict}, phase
    assert not any(result.breached for result in judgement.guardrails), phase


def always_held() -> Divergence:
    """Without data it holds in every phase, and is never taken back; no field of a plan says otherwise."""
    for phase in Phase:
        _held(phase, judge(_BASE, situation(phase, totals={}, suite_runs=())), Verdict.NO_EVIDENCE)
    for field in ("noData", "no_data"):
        data = plan_data()
        data["phases"]["supervised"]["gates"][0][field] = "pass"
        with pytest.raises(PlanInvalid, match="there is no field"):
            plan_from_data(data)
    return Divergence.NO_POLICY


def nothing_is_not_zero() -> None:
    """No case is below no limit, however wide, and not above one either."""
    for limit in (0.01, 0.5, 0.99):
        for empty in ({}, {Cohort(Lane.REVIEW, "", TODAY - timedelta(days=9)): Counts()}):
            judgement = judge(_guarded(limit), situation(totals=empty))
            _held(Phase.SUPERVISED, judgement, Verdict.NO_EVIDENCE)
            assert judgement.gates[0].seen is None
            assert judgement.guardrails[0].verdict is Verdict.NO_EVIDENCE


def evidence_is_fresh() -> None:
    """What was counted before a ramp step does not carry the next one, even when it is not old yet."""
    for phase in (Phase.CONFIDENCE, Phase.FULL):
        for days in range(1, _BASE.stale_after_days):
            before = {Cohort(LANES[phase], "", TODAY - timedelta(days=days)): counts(5000)}
            step = situation(phase, totals=before, ramp_step=1, ramp_since=NOW - timedelta(days=days - 1))
            _held(phase, judge(_BASE.model_copy(update={"settle_days": 0}), step), Verdict.NO_EVIDENCE)
    for phase in list(Phase)[1:]:
        long_ago = {Cohort(LANES[phase], "", TODAY - timedelta(days=_BASE.stale_after_days + 1)): counts(5000)}
        _held(phase, judge(_BASE, situation(phase, totals=long_ago)), Verdict.NO_EVIDENCE)


def unknown_metric_is_refused() -> None:
    data = plan_data()
    data["phases"]["supervised"]["gates"].append({"metric": "overide_rate", "at_most": 0.05})
    with pytest.raises(PlanInvalid, match="did you mean override_rate") as refused:
        plan_from_data(data)
    assert "phases.supervised.gates[1]" in refused.value.problems[0].place
    around = plan_with(Phase.SUPERVISED, of=_BASE, gates=(gate(), gate("overide_rate")))
    judgement = judge(around, situation())
    assert (judgement.verdict, judgement.gates[1].verdict) == (Conclusion.HOLD, Verdict.ERROR)


def broken_source_is_its_own_outcome() -> None:
    """An error, told as such, for as long as it lasts; neither a fail nor a breach, and nothing is taken back."""
    for phase in list(Phase)[1:]:
        good = situation(phase, totals={Cohort(LANES[phase], "", TODAY): counts(10_000, 9_000)})
        judgement = judge(_BASE, replace(good, broken={Source.TOTALS: "no answer"}))
        _held(phase, judgement, Verdict.ERROR)
        assert {reason.code for reason in judgement.reasons} >= {"gate_error", "guardrail_error"}
    unread: Situation = situation(Phase.EVALUATION, suite_runs=(suite_run(),), broken={Source.SUITES: "no answer"})
    _held(Phase.EVALUATION, judge(_BASE, unread), Verdict.ERROR)


KINDS: dict[str, Callable[[], Divergence | None]] = {
    "policy noData": always_held,
    "no-data is not 0": nothing_is_not_zero,
    "freshness": evidence_is_fresh,
    "unknown metric": unknown_metric_is_refused,
    "provider error": broken_source_is_its_own_outcome,
}


def test_no_regression_like_those_is_missed(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("field.missed_regression"):
        hold_missed_regression(case)


def test_metrics_that_return_nothing_pass_nothing(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("field.no_data"):
        hold_no_data(case)
