"""Plans, situations and counts for tests, all in order unless a test says otherwise."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Gate, Guardrail, Plan
from rollout.domain.plan_yaml import plan_from_data
from rollout.domain.situation import Answer, Answered, Situation, SuiteRun
from rollout.domain.totals import Cohort, Counts, Totals

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # a Monday
TODAY = NOW.date()

LANES = {
    Phase.EVALUATION: Lane.HUMAN,
    Phase.SHADOW: Lane.SHADOW,
    Phase.SUPERVISED: Lane.REVIEW,
    Phase.CONFIDENCE: Lane.AUDIT,
    Phase.FULL: Lane.AUDIT,
}
RATES = {
    Phase.SHADOW: "disagreement_rate",
    Phase.SUPERVISED: "override_rate",
    Phase.CONFIDENCE: "error_rate",
    Phase.FULL: "error_rate",
}


def plan_data(**more: Any) -> dict[str, Any]:
    """A small plan without windows or readiness, as data."""
    phases: dict[str, Any] = {
        "evaluation": {"gates": [{"metric": "suite_score", "suite": "forms", "at_least": 0.9}]},
    }
    for phase, metric in RATES.items():
        phases[phase.value] = {
            "gates": [{"metric": metric, "at_most": 0.05}],
            "guardrails": [{"metric": metric, "at_most": 0.10}, {"metric": "open_critical_failures", "at_most": 0}],
        }
    phases["evaluation"]["guardrails"] = [{"metric": "open_critical_failures", "at_most": 0}]
    return {"agent": "reader", "settle_days": 7, "phases": phases, **more}


def plan(**more: Any) -> Plan:
    return plan_from_data(plan_data(**more))


def plan_with(phase: Phase, *, of: Plan | None = None, **parts: Any) -> Plan:
    """A plan with other parts in one phase, past the rules that would refuse it."""
    made = of or plan()
    other = made.phase(phase).model_copy(update=parts)
    return made.model_copy(update={"phases": made.phases.model_copy(update={phase.value: other})})


def gate(metric: str = "override_rate", **more: Any) -> Gate:
    limit = {} if {"at_most", "at_least"} & set(more) else {"at_most": 0.05}
    return Gate.model_validate({"metric": metric, **limit, **more})


def guardrail(metric: str = "override_rate", **more: Any) -> Guardrail:
    return Guardrail.model_validate({"metric": metric, "at_most": 0.1, **more})


def counts(cases: int = 0, overridden: int = 0, *, pending: int = 0, **more: int) -> Counts:
    """All other cases agreed."""
    agreed = cases - overridden - pending - more.get("void", 0)
    return Counts(cases=cases, agreed=agreed, overridden=overridden, **more)


def totals(
    lane: Lane = Lane.REVIEW,
    cases: int = 300,
    overridden: int = 0,
    *,
    day: date | None = None,
    segment: str = "",
    pending: int = 0,
    **more: int,
) -> Totals:
    """One settled cohort, and one case of today, so that nothing is stale."""
    settled_day = day or TODAY - timedelta(days=20)
    made = counts(cases, overridden, pending=pending, **more)
    return {Cohort(lane, segment, settled_day): made, Cohort(lane, segment, TODAY): counts(1)}


def harm(lane: Lane) -> Totals:
    """A day on which every second of a hundred cases went wrong."""
    return totals(lane, 100, 50, day=TODAY - timedelta(days=1))


def suite_run(**more: Any) -> SuiteRun:
    return replace(SuiteRun("forms", "v1", 0.95, 300, NOW - timedelta(days=1), baseline=0.95), **more)


def situation(phase: Phase = Phase.SUPERVISED, **more: Any) -> Situation:
    """A version that has earned its next step: enough good cases, everything answered and held."""
    ready = Situation(
        version="v1",
        phase=phase,
        phase_since=NOW - timedelta(days=60),
        now=NOW,
        totals=totals(LANES[phase]),
        suite_runs=(suite_run(),),
        reviews_held=(NOW - timedelta(days=3),),
        first_phase_at=NOW - timedelta(days=60),
    )
    return replace(ready, **more)


YES = Answered(Answer.YES, link="https://wiki.example/run")
