"""When a milestone would begin, against the earliest moment at which our phases could be entered: minutes are days."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from rollout.domain.judge import judge
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from rollout.domain.situation import Situation
from rollout.domain.totals import Cohort, Totals
from rollout.domain.verdict import Conclusion
from tests.field.rollout.mapping import Case, Divergence
from tests.unit.rollout.making import LANES, counts, plan, plan_data, plan_with, situation, suite_run

PHASES = tuple(Phase)
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
_BASE = plan()


def hold(case: Case) -> Divergence | None:
    milestones = case["milestones"]
    names = [milestone["id"] for milestone in milestones]
    assert len(names) <= len(PHASES)
    if case["target"] not in names:
        assert case["expected"] is None
        unknown_phase(case["target"])
        return None
    wanted = names.index(case["target"])
    current = present(case, names)
    if current is None:  # it has not begun, so nothing is known yet; here too
        assert case["expected"] is None
        return None
    if wanted <= current:
        assert case["expected"] == milestones[wanted]["started"]
        return None
    at = moment(milestones[current]["started"])
    gap = False
    for place in range(current, wanted):
        minutes = milestones[place]["interval_min"]
        gap = gap or minutes is None
        asked = plan_with(PHASES[place], of=_BASE, minimum_days=_minimum_days(minutes))
        at = earliest(asked, PHASES[place], at)
    if gap:
        assert case["expected"] is None
        assert at > moment(milestones[current]["started"])
        return Divergence.CHAIN_HOLDS
    assert at == moment(case["expected"])
    return None


def present(case: Case, names: list[str]) -> int | None:
    """Where it stands: the phase said to be the active one, or else the last one that was entered."""
    if "active" in case:
        return names.index(case["active"])
    entered = [place for place, milestone in enumerate(case["milestones"]) if milestone["started"]]
    return max(entered, default=None)


def _minimum_days(minutes: int | None) -> int:
    """What the plan says, or what it says by itself when its author left it out."""
    if minutes is not None:
        return minutes
    shadow: int = plan_from_data(plan_data()).phase(Phase.SHADOW).minimum_days
    assert shadow > 0
    return shadow


def moment(clock: str) -> datetime:
    at = time.fromisoformat(clock)
    return MIDNIGHT + timedelta(days=at.hour * 60 + at.minute)


def earliest(asked: Plan, phase: Phase, since: datetime) -> datetime:
    """When the phase could be left, with all evidence there and everybody ready to sign."""
    now = since
    ramp_ends = len(asked.phase(phase).steps) - 1
    long_ago = since - timedelta(days=400)
    while True:
        standing = replace(standing_in(phase, since, now), ramp_step=ramp_ends, ramp_since=long_ago)
        judgement = judge(asked, standing)
        if judgement.verdict is Conclusion.ADVANCE:
            assert judgement.target is not None
            assert not judgement.without_signature
            return now
        assert {reason.code for reason in judgement.reasons} == {"minimum_time"}
        now = judgement.next_look_at


def standing_in(phase: Phase, since: datetime, now: datetime) -> Situation:
    return situation(
        phase,
        now=now,
        phase_since=since,
        totals=_seen(LANES[phase], now),
        suite_runs=(suite_run(at=now),),
        first_phase_at=since,
        reviews_held=(now,),
    )


def _seen(lane: Lane, now: datetime) -> Totals:
    return {Cohort(lane, "", now.date() - timedelta(days=30)): counts(300), Cohort(lane, "", now.date()): counts(1)}


def unknown_phase(name: str) -> None:
    data: dict[str, Any] = plan_data()
    data["phases"][name] = data["phases"]["shadow"]
    with pytest.raises(PlanInvalid, match=f'there is no field "{name}"'):
        plan_from_data(data)


def test_every_case_has_our_answer(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("unleash.milestone_times"):
        hold(case)


def test_the_earliest_moment_is_no_promise() -> None:
    """Their milestones begin when the time has come. Ours begin on evidence, however long that takes."""
    for phase in PHASES:
        asked = plan_with(phase, of=_BASE, minimum_days=1)
        silent = replace(
            standing_in(phase, MIDNIGHT, MIDNIGHT + timedelta(days=300)), totals={}, suite_runs=(), ramp_step=3
        )

        assert judge(asked, silent).verdict is Conclusion.HOLD
