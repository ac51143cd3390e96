"""
Break-glass: for a few hours a version has more autonomy than its evidence carries.

It goes round missing evidence, never round measured harm. It asks for a reason, ends by itself, tells everyone, and
leaves a failure that somebody has to review. What is counted meanwhile is an epoch of its own and advances nothing.
"""

from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import SYSTEM, Actor
from kit.errors import Conflict, Invalid, Place
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain.phase import FreezeMode, Phase, Severity
from rollout.failures import queries as failure_queries
from rollout.failures import service as failures
from rollout.gates import judging
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.steps import GlassOpen, NotTheOwner, NoWayThere
from rollout.versions.tables import PhaseChange, Rollout

Way = Literal["next_phase", "last_ramp_step"]
_LONGEST = 24.0


class GlassRefused(Conflict):
    code = "glass-refused"
    title = "Break-glass is not for this"


def break_glass(
    session: Session,
    rollout: Rollout,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    hours: float,
    to: Way = "next_phase",
) -> PhaseChange:
    """One phase further, or the whole ramp of this one, for so many hours; everybody is told."""
    agent = lock_agent(session, rollout.agent)
    session.refresh(rollout)  # somebody may have moved it while we waited for our turn
    _refuse_others(agent, actor)
    steps.refuse_retired(rollout)
    reason, until = steps.wanted_reason(reason), now + _lasting(hours)
    end_if_over(session, rollout, now=now)
    _refuse_in_this_state(rollout)
    _refuse_on_harm(session, rollout, now)
    phase, step = _target(session, rollout, to)
    change = steps.enter_phase(
        session, rollout, phase, steps.BROKE_GLASS, actor=actor, now=now, reason=reason, ramp_step=step,
        glass_until=until,
    )  # fmt: skip
    failures.report(
        session, agent=rollout.agent, version=rollout.version, rollout_id=rollout.id, severity=Severity.MAJOR,
        description=f"Break-glass used by {actor.name}: {reason.rstrip('.')}. Review whether it was right.",
        actor=actor, now=now,
    )  # fmt: skip
    return change


def end_if_over(session: Session, rollout: Rollout, *, now: datetime) -> PhaseChange | None:
    """Back to where the version was, once its hours are over. The caller holds the agent."""
    if rollout.glass_until is None or now < rollout.glass_until:
        return None
    return steps.end_glass(session, rollout, actor=SYSTEM, now=now, reason="its time was over")


def end_one(session: Session, rollout_id: UUID, *, now: datetime) -> bool:
    """The same for the sweep, which knows only the id; whether anything was left to end."""
    rollout = version_queries.rollout_by_id(session, rollout_id)
    if rollout is None:
        return False
    lock_agent(session, rollout.agent)
    session.refresh(rollout)
    return end_if_over(session, rollout, now=now) is not None


def _refuse_others(agent: Agent, actor: Actor) -> None:
    named = steps.is_named(agent, actor) and actor.allows("advance")
    if not named and not (actor.kind == "person" and actor.allows("administer")):
        second = f", {agent.second}" if agent.second else ""
        raise NotTheOwner(f"break-glass is for {agent.owner}{second} or an admin, in person and by name")


def _lasting(hours: float) -> timedelta:
    if not 0 < hours <= _LONGEST:
        place = Place(
            "hours", "it is not above 0 and at most 24", "say for how long; it can be done again with a reason"
        )
        raise Invalid("hours: it is not above 0 and at most 24", places=[place])
    return timedelta(hours=hours)


def _refuse_in_this_state(rollout: Rollout) -> None:
    if rollout.glass_until is not None:
        raise GlassOpen(
            f"break-glass is open for version {rollout.version} until {rollout.glass_until:%Y-%m-%d %H:%M} UTC"
        )
    if rollout.phase == Phase.EVALUATION:
        raise GlassRefused(f"version {rollout.version} is in evaluation: nothing is known about it yet")
    if rollout.frozen == FreezeMode.ROUTING:
        raise GlassRefused(f"routing of version {rollout.version} is frozen; lift the freeze first")


def _refuse_on_harm(session: Session, rollout: Rollout, now: datetime) -> None:
    """Missing evidence can be gone round for a while; what is known to be wrong cannot."""
    breached = [result for result in judging.judge_now(session, rollout, now).guardrails if result.breached]
    if breached:
        raise GlassRefused(f"a guardrail is breached, and break-glass does not go round harm: {breached[0].words}")
    critical = failure_queries.open_by_severity(session, rollout.id).get(Severity.CRITICAL, 0)
    if critical:
        raise GlassRefused(f"critical failures are open: {critical}; break-glass does not go round harm")


def _target(session: Session, rollout: Rollout, to: Way) -> tuple[Phase, int]:
    """Where it leads: the next phase at the first step of its ramp, or the last step of this one."""
    phase = Phase(rollout.phase)
    if to == "next_phase":
        if phase.next is None:
            raise NoWayThere(f"version {rollout.version} is in {phase}, the last phase; ask for the last ramp step")
        return phase.next, 0
    plan = steps.plan_of(session, rollout)
    last = len(plan.phase(phase).steps) - 1 if plan is not None else 0
    if rollout.ramp_step >= last:
        raise NoWayThere(f"version {rollout.version} is at the last ramp step of {phase}")
    return phase, last
