"""Timers, catching up and approvals of a ramp, against our steps, looks and signatures."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rollout.domain.approval import (
    Capacity,
    Evidence,
    Request,
    Ruling,
    Signature,
    State,
    approval_state,
    ask,
    needed,
)
from rollout.domain.judge import entry, judge, step_up
from rollout.domain.phase import FreezeMode, Lane, Phase, Standing
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from rollout.domain.totals import Totals
from rollout.domain.verdict import Conclusion
from tests.field.rollout.mapping import Case, Divergence, Unmapped
from tests.field.rollout.ramps import (
    BEGIN,
    SECONDS_A_DAY,
    at,
    days,
    earliest,
    goes_by_itself,
    is_signed,
    plan_at,
    seconds,
    steps_of,
)
from tests.unit.rollout.making import plan, plan_data, situation

SIGNED = {"interval": None, "approval": True}


def hold(case: Case) -> Divergence | None:
    held = KINDS.get(case["fn"])
    if held is None:
        raise Unmapped(case)
    return held(case)


def next_step_at(case: Case) -> None:
    """Times add up, a signature takes none of its own, and where one is waited for no time can be told."""
    steps, wanted = steps_of(case), case["index"]
    if not steps:
        assert case["expected_s"] is None
        with pytest.raises(PlanInvalid, match="the ramp has no step"):
            plan_from_data(_with_ramp([]))
        return
    now = BEGIN
    for position in range(wanted + 1):
        now = earliest(steps[position], position, len(steps) + 1, now)
    last = judge(plan_at(steps[wanted], len(steps) + 1), at(wanted, now - days(steps[wanted]["interval"] or 0), now))
    if case["expected_s"] is None:
        assert steps[wanted]["interval"] is None
        assert not goes_by_itself(last)
        return
    assert seconds(now - BEGIN) == case["expected_s"] - case["phase_start"]


def auto_advance_target(case: Case) -> Divergence | None:
    """After downtime: ours goes one step, never further than theirs, and stays wherever theirs stays."""
    steps, index = steps_of(case), case["current_index"]
    position, positions = index + 1, len(steps) + 2  # before the first step, the steps, and completion
    leaving = steps[index] if index >= 0 else {"interval": 0}
    now = BEGIN + days(case["now_s"])
    due = case["current_step_cleared"] if case["next_step_at_s"] is None else case["now_s"] >= case["next_step_at_s"]
    interval = days(leaving.get("interval") or SECONDS_A_DAY)
    since = now - interval if due else now - interval + timedelta(days=1)
    asked = plan_at({**leaving, "interval": seconds(interval), "side_effect": False}, positions)
    shown = not leaving.get("monitored") or case["current_step_cleared"]
    judgement = judge(asked, at(position, since, now, shown=shown))

    ours = judgement.target.ramp_step - 1 if judgement.target and goes_by_itself(judgement) else index
    assert ours in {index, index + 1}
    assert ours <= case["expected_index"]
    assert (ours == index) is (case["expected_index"] == index)
    if ours == case["expected_index"]:
        return None
    assert _has_its_own_interval(position + 1, now)
    return Divergence.ONE_STEP


def _has_its_own_interval(position: int, now: datetime) -> bool:
    """Whether a step just entered waits out its whole interval, however late it was entered."""
    step = {"interval": 5 * SECONDS_A_DAY}
    judgement = judge(plan_at(step, position + 2), at(position, now, now))
    return judgement.verdict is Conclusion.HOLD and {reason.code for reason in judgement.reasons} == {
        "ramp_minimum_time"
    }


def phase_start_after_approval(case: Case) -> None:
    steps, following = steps_of(case), case["next_index"]
    signed_at = BEGIN + days(case["now_s"])

    left = earliest(steps[following], following, len(steps) + 1, signed_at)

    assert seconds(left - BEGIN) == case["then_next_step_at_s"]


def late_approval(case: Case) -> None:
    steps = steps_of(case)
    entered, now = BEGIN, BEGIN + days(case["entered_ago_s"])
    waiting = judge(plan_at(steps[0], len(steps) + 1), at(0, entered, now))
    assert waiting.verdict is Conclusion.ADVANCE
    assert not waiting.without_signature

    left = earliest(steps[1], 1, len(steps) + 1, now)

    low, high = case["expected_next_in_s"]
    assert low <= seconds(left - now) <= high


def resolve_start_approval(case: Case) -> Divergence | None:
    """Entering a phase is signed for, and no plan can say otherwise."""
    theirs = case["base"] if case["action"] == "undefined" else case["action"]
    assert (theirs is True) is case["expected"]
    for phase in list(Phase)[1:]:
        assert Capacity.OWNER in needed(plan(), phase, entry(plan(), phase), without_signature=False)
    with pytest.raises(PlanInvalid, match="the named owner always signs"):
        plan_from_data(plan_data(approvals={"owner": False}))
    return None if case["expected"] else Divergence.ALWAYS_SIGNED


def ready_for_approval(case: Case) -> None:
    """Asking is possible exactly when the evidence and the time are there, and somebody has to sign."""
    step = case["step"]
    interval = days(step["interval"] or 0)
    passed = days(case["entered_ago_s"]) if "entered_ago_s" in case else interval
    if case.get("timer") == "pending":
        passed = interval - timedelta(days=1)
    now = BEGIN + timedelta(days=60) + passed
    judgement = judge(plan_at(step, 2), at(0, now - passed, now))
    if judgement.verdict is not Conclusion.ADVANCE:
        with pytest.raises(ValueError, match="only a judgement that says advance"):
            ask(plan(), "8c41", judgement, asked_by="maria", owner="maria")
        ready = False
    else:
        ready = bool(ask(plan_at(step, 2), "8c41", judgement, asked_by="maria", owner="maria").needs)
    assert ready is case["expected"]


def awaiting_approval(case: Case) -> None:
    """A signature counts for the evidence of its own step, and a frozen version waits for nobody."""
    step = SIGNED if case.get("requires", True) else {"interval": 0}
    position = case["index"]
    now = BEGIN + timedelta(days=90)
    asked = plan_at(step, 3)
    request, present = _asked(asked, position, now)
    if case["status"] == "paused":
        frozen = judge(asked, at(position, now, now, frozen=FreezeMode.ADVANCING))
        present = Evidence.of("later", frozen)
    given = case.get("approval_for")
    signatures = [] if given is None else [Signature(f"step {given}", "maria", Ruling.SIGNED, now)]

    state = approval_state(request, signatures, present, now).state

    assert (state is State.WAITING) is case["expected"]


def _asked(asked: Plan, position: int, now: datetime) -> tuple[Request, Evidence]:
    judgement = judge(asked, at(position, now, now))
    request = ask(asked, f"step {position}", judgement, asked_by="maria", owner="maria")
    return request, Evidence.of("later", judgement)


def awaiting_start_approval(case: Case) -> Divergence | None:
    """The way into a phase: signed for always, once, and not any more when it has begun."""
    now = BEGIN + timedelta(days=90)
    made = plan()
    judgement = judge(made, situation(Phase.SUPERVISED, now=now, phase_since=BEGIN, totals=_reviewed(now)))
    assert judgement.target == step_up(made, situation(Phase.SUPERVISED))
    request = ask(made, "8c41", judgement, asked_by="maria", owner="maria")
    signatures = [Signature("8c41", "maria", Ruling.SIGNED, now)] if case["approved"] else []
    if case["status"] == "running" or case["index"] >= 0:
        request = replace(request, used_at=now)

    waits = approval_state(request, signatures, Evidence.of("later", judgement), now).state is State.WAITING

    if waits is case["expected"]:
        return None
    assert waits
    assert not case["required"]
    return Divergence.ALWAYS_SIGNED


def _reviewed(now: datetime) -> Totals:
    return {cohort._replace(lane=Lane.REVIEW): seen for cohort, seen in at(0, BEGIN, now).totals.items()}


def next_process_at(case: Case) -> Divergence | None:
    """Ours looks at every version that is not retired, at the latest at the next midnight (UTC) or `look_every`."""
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    if case["status"] == "rolled-back":
        assert case["expected"] is None
        over = judge(plan(), at(0, now, now, standing=Standing.RETIRED))
        assert (over.verdict, over.target) == (Conclusion.HOLD, None)
        return None
    states = {
        "running": {},
        "ready": {"ramp_since": now},
        "paused": {"frozen": FreezeMode.ADVANCING},
        "completed": {"ramp_step": 3, "phase": Phase.FULL},
    }
    if case["status"] not in states:
        raise Unmapped(case)
    looked = judge(plan(), at(0, now, now, **states[case["status"]]))
    assert now < looked.next_look_at <= now + timedelta(days=1)
    if case["expected"] is not None:
        assert looked.next_look_at <= datetime.fromisoformat(case["expected"]).replace(tzinfo=UTC)
    return Divergence.LOOKS_GO_ON


KINDS: dict[str, Callable[[Case], Divergence | None]] = {
    "next_step_at": next_step_at,
    "auto_advance_target": auto_advance_target,
    "phase_start_after_approval": phase_start_after_approval,
    "late approval keeps the next interval whole": late_approval,
    "resolve_start_approval": resolve_start_approval,
    "ready_for_approval": ready_for_approval,
    "awaiting_approval": awaiting_approval,
    "awaiting_start_approval": awaiting_start_approval,
    "next_process_at": next_process_at,
}


def _with_ramp(ramp: list[float]) -> Case:
    data = plan_data()
    data["phases"]["confidence"]["ramp"] = ramp
    return data


def test_every_case_has_our_answer(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("growthbook.ramp_timing"):
        hold(case)


def test_catching_up_never_passes_a_step_that_is_signed_for(cases: Callable[[str], list[Case]]) -> None:
    """However late, one look after the other: each signed step is stopped at, in the steps of every case."""
    for case in cases("growthbook.ramp_timing"):
        if "steps" not in case or not any(is_signed(step) for step in steps_of(case)):
            continue
        steps = steps_of(case)
        first = next(position for position, step in enumerate(steps) if is_signed(step))
        position, since, now = 0, BEGIN, BEGIN + timedelta(days=300)
        for _ in range(40):
            judgement = judge(plan_at(steps[position], len(steps) + 1), at(position, since, now))
            if goes_by_itself(judgement):
                position, since = position + 1, now
            now += timedelta(days=30)
        assert position == first
