"""
The steps themselves: the one place where a phase, a share, a standing or a policy changes, with all that goes with it.

A step is never taken for its own sake: `service` has the verbs that people use, and `rollout.gates` those that need
evidence. Whoever takes one holds the agent's row first, so steps are taken in turn.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Forbidden, Invalid, Place
from kit.ids import new_id
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain import thresholds
from rollout.domain.phase import FreezeMode, Phase, Standing
from rollout.domain.plan import Plan
from rollout.domain.policy import GlassEnd, Policy, Rules
from rollout.plans import queries as plan_queries
from rollout.versions import queries
from rollout.versions.tables import PhaseChange, PolicyRevision, Rollout

POLICIES_CHANGED = "policies:changed"
FOLLOW_ROLLOUTS = "routing.follow_rollouts"
BROKE_GLASS = "broke_glass"
GLASS_ENDED = "glass_ended"
_VERBS = {BROKE_GLASS: "glass_broken"}  # of an event, where it is not the kind of the change


class Retired(Conflict):
    code = "version-retired"
    title = "The version is retired"


class NotTheOwner(Forbidden):
    """Being allowed such things in general is not enough: it is for the people this agent names."""

    code = "not-the-owner"
    title = "This is for the agent's owner"


class NoWayThere(Conflict):
    """The step asked for does not lead where it says: a demotion upwards, an advance past the end."""

    code = "no-way-there"
    title = "This step does not lead there"


class GlassOpen(Conflict):
    code = "glass-open"
    title = "Break-glass is open"


def write_policy(
    session: Session,
    rollout: Rollout,
    *,
    rules: Rules | None = None,
    actor: Actor,
    now: datetime,
    cause: str,
    widens: tuple[str, ...] = (),
) -> PolicyRevision:
    """The next policy revision: the rollout as it stands now, with these rules or the present ones."""
    if rules is None:
        rules = rules_of(session, rollout)
    rollout.policy_revision += 1
    session.flush()  # who changed the rollout in the same moment is told here, before anything else is written
    row = PolicyRevision(
        rollout_id=rollout.id,
        revision=rollout.policy_revision,
        sequence=queries.next_sequence(session),
        body=policy_of(session, rollout, rules).body(),
        cause=cause[:200],
        created_at=now,
        created_by=actor.name,
    )
    session.add(row)
    session.flush()  # so that another policy in this transaction sees the sequence
    audit.record(
        session, actor, "policy.written", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, revision=row.revision, cause=cause, widens=list(widens), body=row.body,
    )  # fmt: skip
    send_after_commit(session, POLICIES_CHANGED)
    return row


def rules_of(session: Session, rollout: Rollout) -> Rules:
    present = queries.get_policy(session, rollout.id, rollout.policy_revision)
    return Rules.model_validate(present.body["rules"])


def thresholds_of(session: Session, rollout: Rollout) -> thresholds.Thresholds:
    """The thresholds in force, since when, and which segments are closed."""
    return thresholds.thresholds_of(
        (row.created_at, Rules.model_validate(row.body["rules"])) for row in queries.policy_history(session, rollout.id)
    )


def policy_of(session: Session, rollout: Rollout, rules: Rules) -> Policy:
    """The rollout and its rules as one policy, with the share of the present ramp step."""
    plan = plan_of(session, rollout)
    return Policy(
        rollout_id=rollout.id,
        agent=rollout.agent,
        version=rollout.version,
        revision=rollout.policy_revision,
        standing=Standing(rollout.standing),
        phase=Phase(rollout.phase),
        epoch=rollout.epoch,
        frozen=FreezeMode(rollout.frozen) if rollout.frozen else None,
        ramp_share=share_of(plan, Phase(rollout.phase), rollout.ramp_step),
        rules=rules,
        glass=_glass_end(rollout, plan),
    )


def _glass_end(rollout: Rollout, plan: Plan | None) -> GlassEnd | None:
    if rollout.glass_until is None:
        return None
    phase, step = before_glass(rollout)
    return GlassEnd(rollout.glass_until, phase, share_of(plan, phase, step))


def before_glass(rollout: Rollout) -> tuple[Phase, int]:
    """The phase and ramp step that were earned: those of before the glass was broken, or else the present ones."""
    if rollout.glass_from_phase is None or rollout.glass_from_step is None:
        return Phase(rollout.phase), rollout.ramp_step
    return Phase(rollout.glass_from_phase), rollout.glass_from_step


def plan_of(session: Session, rollout: Rollout) -> Plan | None:
    """The plan this rollout is held to; None when none was applied before it started."""
    row = plan_queries.find_plan(session, rollout.plan_id) if rollout.plan_id is not None else None
    return Plan.from_body(row.body) if row is not None else None


def share_of(plan: Plan | None, phase: Phase, step: int) -> float:
    """The share of eligible cases at a ramp step. Without a plan nobody said how fast to grow, so none go alone."""
    if phase < Phase.CONFIDENCE:
        return 1.0
    if plan is None:
        return 0.0
    steps = plan.phase(phase).steps
    return steps[min(step, len(steps) - 1)]


def enter_phase(
    session: Session,
    rollout: Rollout,
    phase: Phase,
    kind: str,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    evidence_id: UUID | None = None,
    ramp_step: int = 0,
    glass_until: datetime | None = None,
) -> PhaseChange:
    """
    The version enters a phase: a new epoch begins, so nothing counted before speaks for or against it here.

    A candidate that enters a phase at or above the stable version's takes over, and the old one retires. Not so with
    `glass_until`: what break-glass lends until then retires nobody. Every other entry closes the glass.
    """
    lock_agent(session, rollout.agent)
    refuse_retired(rollout)
    left = Phase(rollout.phase)
    _set_glass(rollout, glass_until)
    rollout.phase, rollout.phase_since = phase.value, now
    rollout.ramp_step, rollout.ramp_since = ramp_step, now
    rollout.epoch += 1
    rollout.evidence_id, rollout.next_look_at = None, now
    change = note(
        session, rollout, kind, actor=actor, now=now, reason=reason, left=left, entered=phase, evidence_id=evidence_id
    )
    if ramp_step:
        change.share = share_of(plan_of(session, rollout), phase, ramp_step)
    change.glass_until = glass_until
    write_policy(session, rollout, actor=actor, now=now, cause=f"{kind} from {left} to {phase}")
    audit.record(
        session, actor, f"rollout.{_VERBS.get(kind, kind)}", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, left=left, entered=phase, ramp_step=ramp_step, epoch=rollout.epoch, reason=reason,
        evidence_id=evidence_id, glass_until=glass_until,
    )  # fmt: skip
    if phase > left and glass_until is None:
        promote_if_due(session, rollout, actor=actor, now=now)
    send_after_commit(session, FOLLOW_ROLLOUTS)
    return change


def end_glass(session: Session, rollout: Rollout, *, actor: Actor, now: datetime, reason: str) -> PhaseChange:
    """Back to where the version was before the glass was broken, which is never further up."""
    phase, step = before_glass(rollout)
    return enter_phase(session, rollout, phase, GLASS_ENDED, actor=actor, now=now, reason=reason, ramp_step=step)


def _set_glass(rollout: Rollout, until: datetime | None) -> None:
    came_from = before_glass(rollout) if until is not None else (None, None)
    rollout.glass_until = until
    rollout.glass_from_phase, rollout.glass_from_step = came_from


def ramp_up(
    session: Session, rollout: Rollout, *, actor: Actor, now: datetime, reason: str, evidence_id: UUID | None = None
) -> PhaseChange:
    """One ramp step inside the phase: more cases go alone, and the evidence goes on counting."""
    lock_agent(session, rollout.agent)
    refuse_retired(rollout)
    plan, phase = plan_of(session, rollout), Phase(rollout.phase)
    if plan is None or rollout.ramp_step + 1 >= len(plan.phase(phase).steps):
        raise NoWayThere(f"version {rollout.version} is at the last ramp step of {phase}")
    rollout.ramp_step += 1
    rollout.ramp_since, rollout.evidence_id, rollout.next_look_at = now, None, now
    change = note(session, rollout, "ramped", actor=actor, now=now, reason=reason, evidence_id=evidence_id)
    share = share_of(plan, phase, rollout.ramp_step)
    change.share = share
    write_policy(session, rollout, actor=actor, now=now, cause=f"ramped to a share of {share:g}")
    audit.record(
        session, actor, "rollout.ramped", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, phase=phase, share=share, reason=reason, evidence_id=evidence_id,
    )  # fmt: skip
    send_after_commit(session, FOLLOW_ROLLOUTS)
    return change


def refuse_retired(rollout: Rollout) -> None:
    if rollout.standing == Standing.RETIRED:
        raise Retired(f"version {rollout.version} of {rollout.agent} is retired")


def is_named(agent: Agent, actor: Actor) -> bool:
    """Whether this is the person who answers for the agent, or the second one."""
    return actor.kind == "person" and actor.name in {agent.owner, agent.second}


def refuse_widening(agent: Agent, widens: tuple[str, ...], phase: Phase, *, actor: Actor) -> None:
    """Where real work is done, more autonomy is given by those who answer for it, and by nobody else."""
    if widens and phase > Phase.SHADOW and not is_named(agent, actor):
        second = f" or {agent.second}" if agent.second else ""
        raise NotTheOwner(
            f"this gives the agent more autonomy in {phase}, which only {agent.owner}{second} may: {'; '.join(widens)}",
            widens=list(widens),
        )


def wanted_reason(reason: str) -> str:
    """A reason is not optional where autonomy is taken away or a person says no."""
    if not reason.strip():
        place = Place("reason", "it is empty", "say why, in a sentence that an auditor understands")
        raise Invalid("reason: it is empty", places=[place])
    return reason.strip()


def note(
    session: Session,
    rollout: Rollout,
    kind: str,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    left: Phase | None = None,
    entered: Phase | None = None,
    evidence_id: UUID | None = None,
) -> PhaseChange:
    """A line of the rollout's history."""
    change = PhaseChange(
        id=new_id(),
        rollout_id=rollout.id,
        agent=rollout.agent,
        version=rollout.version,
        kind=kind,
        left=left.value if left else None,
        entered=entered.value if entered else None,
        epoch=rollout.epoch,
        at=now,
        by=actor.name,
        reason=reason,
        evidence_id=evidence_id,
    )
    session.add(change)
    return change


def promote_if_due(session: Session, rollout: Rollout, *, actor: Actor, now: datetime) -> None:
    """A candidate that has come as far as the stable version takes its place."""
    stable = queries.of_standing(session, rollout.agent, Standing.STABLE)
    if rollout.standing != Standing.CANDIDATE or stable is None or Phase(rollout.phase) < Phase(stable.phase):
        return
    retire(session, stable, "retired", actor=actor, now=now, reason=f"replaced by version {rollout.version}")
    session.flush()  # at no moment are there two stable versions
    rollout.standing = Standing.STABLE
    reason = f"came as far as version {stable.version}"
    note(session, rollout, "promoted", actor=actor, now=now, reason=reason)
    write_policy(session, rollout, actor=actor, now=now, cause="became the stable version")
    audit.record(
        session, actor, "version.promoted", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, instead_of=stable.version,
    )  # fmt: skip


def retire(session: Session, rollout: Rollout, kind: str, *, actor: Actor, now: datetime, reason: str) -> None:
    """Take a version out of service. `kind` says how it went: retired, stopped or rolled_back."""
    rollout.standing = Standing.RETIRED
    rollout.evidence_id = rollout.next_look_at = None
    note(session, rollout, kind, actor=actor, now=now, reason=reason, left=Phase(rollout.phase))
    # Should it ever come back, then with what it had earned.
    phase, rollout.ramp_step = before_glass(rollout)
    rollout.phase = phase.value
    _set_glass(rollout, None)
    write_policy(session, rollout, actor=actor, now=now, cause=f"{kind}: {reason}")
    audit.record(
        session, actor, f"version.{kind}", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, reason=reason,
    )  # fmt: skip
    send_after_commit(session, FOLLOW_ROLLOUTS)
