"""
A ramp of another tool on our judge: their seconds are our days (a minute there is a day here), their index one less.

Their steps each have their own interval, ours share one; so each of them is judged under a plan with its interval.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rollout.domain.judge import Judgement, judge
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Plan, RampApproval
from rollout.domain.situation import Situation
from rollout.domain.totals import Cohort, Totals
from rollout.domain.verdict import Conclusion
from tests.unit.rollout.making import counts, plan, plan_with, situation

BEGIN: Final = datetime(2026, 1, 5, tzinfo=UTC)
SECONDS_A_DAY: Final = 60
MOST_LOOKS: Final = 1000
_PLAN: Final = plan()

Step = Mapping[str, Any]


def steps_of(case: Mapping[str, Any]) -> list[Step]:
    """A bare number is a step that is left by itself after so many seconds."""
    return [step if isinstance(step, dict) else {"interval": step} for step in case["steps"]]


def days(seconds: float) -> timedelta:
    return timedelta(days=seconds / SECONDS_A_DAY)


def seconds(passed: timedelta) -> float:
    return passed / timedelta(days=1) * SECONDS_A_DAY


def is_signed(step: Step) -> bool:
    """Where something outside follows from a step, ours has it signed for, as where they ask for approval."""
    return bool(step.get("approval") or step.get("side_effect"))


def plan_at(step: Step, positions: int, *, look_every: float = 24) -> Plan:
    """A plan whose ramp has so many steps, each of them with the interval and approval of this one."""
    interval = days(step.get("interval") or 0)
    assert interval == timedelta(days=interval.days), "a whole number of days here"
    made = plan_with(
        Phase.CONFIDENCE,
        of=_PLAN,
        minimum_days=0,
        ramp=tuple((at + 1) / positions for at in range(positions)),
        ramp_minimum_days=interval.days,
        look_every=look_every,
    )
    by = RampApproval.OWNER if is_signed(step) else RampApproval.AUTOMATIC
    return made.model_copy(update={"approvals": made.approvals.model_copy(update={"ramp_approval": by})})


def evidence(now: datetime) -> Totals:
    """Enough good cases, and work still coming in."""
    settled = now.date() - timedelta(days=30)
    return {Cohort(Lane.AUDIT, "", settled): counts(300), Cohort(Lane.AUDIT, "", now.date()): counts(1)}


def at(position: int, since: datetime, now: datetime, *, shown: bool = True, **more: Any) -> Situation:
    ready = situation(
        Phase.CONFIDENCE,
        now=now,
        phase_since=BEGIN,
        ramp_step=position,
        ramp_since=since,
        totals=evidence(now) if shown else {},
        first_phase_at=BEGIN,
        reviews_held=(now,),
    )
    return replace(ready, **more)


def earliest(step: Step, position: int, positions: int, since: datetime) -> datetime:
    """When the step can first be left, looking only when the judge wants to look, with all evidence there."""
    now, asked = since, plan_at(step, positions)
    for _ in range(MOST_LOOKS):
        judgement = judge(asked, at(position, since, now))
        if judgement.verdict is Conclusion.ADVANCE:
            return now
        now = judgement.next_look_at
    raise AssertionError(f"never, within {MOST_LOOKS} looks")


def goes_by_itself(judgement: Judgement) -> bool:
    return judgement.verdict is Conclusion.ADVANCE and judgement.without_signature
