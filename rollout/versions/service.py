"""
Versions: registering them, their rules, and every way back. None of the ways back asks for evidence or waits.

Whether a version may go *up* is judged in `rollout.gates`. The ways back are open in every state that is not
terminal, also while people are being asked to sign.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict
from kit.ids import new_id
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain.phase import FreezeMode, Phase, Standing
from rollout.domain.plan import Plan
from rollout.domain.policy import Rules, widenings
from rollout.plans import queries as plan_queries
from rollout.plans.tables import PlanRevision
from rollout.versions import queries, steps
from rollout.versions.steps import NoWayThere
from rollout.versions.tables import PhaseChange, PolicyRevision, Rollout, Version


class VersionExists(Conflict):
    code = "version-exists"
    title = "There is already a version of this name"


class CandidateOnItsWay(Conflict):
    code = "candidate-on-its-way"
    title = "Another version is on its way up"


class NothingToRollBackTo(Conflict):
    code = "nothing-to-roll-back-to"
    title = "There is no earlier stable version"


class AlreadySo(Conflict):
    code = "already-so"
    title = "It already is as you ask"


def register(
    session: Session,
    agent: Agent,
    label: str,
    *,
    digest: str | None = None,
    about: str = "",
    rules: Rules | None = None,
    small_change: bool = False,
    version_id: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> Rollout:
    """
    A new version and the rollout that it begins. The first one is stable, the next is the candidate.

    A version declared as a small change starts where the plan lets small changes start, though never above the
    stable version, and with that version's rules unless it brings its own. `version_id` is for replays, whose
    draws hang on it.
    """
    actor.require("configure", agent.name)
    lock_agent(session, agent.name)
    if queries.find_rollout(session, agent.name, label) is not None:
        raise VersionExists(f"agent {agent.name} already has a version {label}; versions never change")
    stable = queries.of_standing(session, agent.name, Standing.STABLE)
    _refuse_second_candidate(session, agent.name)
    plan = plan_queries.newest(session, agent.name)
    phase = _first_phase(plan, stable, small_change=small_change)
    inherited = steps.rules_of(session, stable) if small_change and stable is not None else Rules()
    rules = rules.resting_on(inherited) if rules is not None else None
    widens = widenings(inherited, rules) if rules is not None and phase > Phase.EVALUATION else ()
    steps.refuse_widening(agent, widens, phase, actor=actor)
    version = Version(
        id=version_id or new_id(), agent=agent.name, label=label, digest=digest, about=about,
        created_at=now, created_by=actor.name,
    )  # fmt: skip
    rollout = _add(session, version, phase, plan, Standing.STABLE if stable is None else Standing.CANDIDATE)
    steps.note(session, rollout, "started", actor=actor, now=now, reason=about[:200], entered=phase)
    steps.write_policy(
        session, rollout, rules=rules if rules is not None else inherited, actor=actor, now=now,
        cause="version registered", widens=widens,
    )  # fmt: skip
    audit.record(
        session, actor, "version.registered", rollout.id, now=now, agent=agent.name,
        version=label, digest=digest, phase=phase, standing=rollout.standing, small_change=small_change,
    )  # fmt: skip
    if phase > Phase.EVALUATION:
        steps.promote_if_due(session, rollout, actor=actor, now=now)
    send_after_commit(session, steps.FOLLOW_ROLLOUTS)
    return rollout


def _add(session: Session, version: Version, phase: Phase, plan: PlanRevision | None, standing: Standing) -> Rollout:
    """The rows of a version and of the rollout that begins with it."""
    session.add(version)
    session.flush()  # the rollout's key refers to the version's row
    now = version.created_at
    rollout = Rollout(
        id=version.id,
        agent=version.agent,
        version=version.label,
        standing=standing,
        phase=phase.value,
        phase_since=now,
        epoch=1,
        ramp_step=0,
        ramp_since=now,
        plan_id=plan.id if plan is not None else None,
        policy_revision=0,
        started_at=now,
        next_look_at=now,
    )
    session.add(rollout)
    session.flush()  # policy and history refer to the rollout's row
    return rollout


def change_rules(session: Session, rollout: Rollout, rules: Rules, *, actor: Actor, now: datetime) -> PolicyRevision:
    """
    New rules for a version, written by a person. The same rules again are no new revision.

    Narrowing is free to whoever may configure. Past shadow, rules that widen are for the named owner or second.
    """
    agent = lock_agent(session, rollout.agent)
    if not (steps.is_named(agent, actor) and actor.allows("advance")):
        actor.require("configure", rollout.agent)
    steps.refuse_retired(rollout)
    present = steps.rules_of(session, rollout)
    rules = rules.resting_on(present)
    if rules == present:
        return queries.get_policy(session, rollout.id, rollout.policy_revision)
    widens = widenings(present, rules)
    steps.refuse_widening(agent, widens, Phase(rollout.phase), actor=actor)
    cause = f"rules changed: {'; '.join(widens)}" if widens else "rules changed"
    return steps.write_policy(session, rollout, rules=rules, actor=actor, now=now, cause=cause, widens=widens)


def demote(
    session: Session,
    rollout: Rollout,
    *,
    actor: Actor,
    now: datetime,
    reason: str,
    to: Phase | None = None,
    seen: Phase | None = None,
    evidence_id: UUID | None = None,
) -> PhaseChange:
    """One phase back, or to a named lower phase, at once. With `seen`, only from that phase: a button pressed twice."""
    actor.require("demote", rollout.agent)
    steps.refuse_retired(rollout)
    phase = Phase(rollout.phase)
    if seen is not None and seen is not phase:
        raise AlreadySo(
            f"version {rollout.version} is in {phase} and not in {seen} any more; look again", phase=phase.value
        )
    target = to or phase.previous
    if target is None:
        raise NoWayThere(f"version {rollout.version} is in {phase}, and there is no phase below")
    if target >= phase:
        raise NoWayThere(f"version {rollout.version} is in {phase}; {target} is not below it")
    reason = steps.wanted_reason(reason)
    return steps.enter_phase(
        session, rollout, target, "demoted", actor=actor, now=now, reason=reason, evidence_id=evidence_id
    )


def freeze(
    session: Session, rollout: Rollout, mode: FreezeMode, *, actor: Actor, now: datetime, reason: str
) -> PhaseChange:
    """`routing`: every case goes to a person from now on. `advancing`: only the way up is closed."""
    return _set_freeze(session, rollout, mode, "frozen", actor=actor, now=now, reason=reason)


def unfreeze(session: Session, rollout: Rollout, *, actor: Actor, now: datetime, reason: str) -> PhaseChange:
    """Back to what the phase allows; the phase itself was not touched by the freeze."""
    return _set_freeze(session, rollout, None, "unfrozen", actor=actor, now=now, reason=reason)


def _set_freeze(
    session: Session, rollout: Rollout, mode: FreezeMode | None, kind: str, *, actor: Actor, now: datetime, reason: str
) -> PhaseChange:
    actor.require("demote", rollout.agent)
    lock_agent(session, rollout.agent)
    steps.refuse_retired(rollout)
    reason = steps.wanted_reason(reason)
    if rollout.frozen == (mode.value if mode else None):
        state = f"frozen ({mode})" if mode else "not frozen"
        raise AlreadySo(f"version {rollout.version} is already {state}")
    if mode is not None and rollout.glass_until is not None:
        steps.end_glass(session, rollout, actor=actor, now=now, reason=f"frozen: {reason}")
    rollout.frozen = mode.value if mode else None
    rollout.next_look_at = now
    change = steps.note(session, rollout, kind, actor=actor, now=now, reason=reason)
    cause = f"frozen ({mode})" if mode else "unfrozen"
    steps.write_policy(session, rollout, actor=actor, now=now, cause=f"{cause}: {reason}")
    audit.record(
        session, actor, f"rollout.{kind}", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, mode=mode, reason=reason,
    )  # fmt: skip
    send_after_commit(session, steps.FOLLOW_ROLLOUTS)
    return change


def stop_candidate(session: Session, rollout: Rollout, *, actor: Actor, now: datetime, reason: str) -> Rollout:
    """A candidate goes no further. The stable version is not touched."""
    actor.require("demote", rollout.agent)
    lock_agent(session, rollout.agent)
    steps.refuse_retired(rollout)
    if rollout.standing != Standing.CANDIDATE:
        raise NoWayThere(f"version {rollout.version} is not a candidate; demote it, freeze it, or roll back")
    steps.retire(session, rollout, "stopped", actor=actor, now=now, reason=steps.wanted_reason(reason))
    return rollout


def rollback(session: Session, agent: Agent, *, actor: Actor, now: datetime, reason: str) -> Rollout:
    """
    The version in charge goes, and the one before comes back with the phase and share it had, at once.

    It begins a new epoch there. A candidate on its way up is left alone.
    """
    actor.require("demote", agent.name)
    lock_agent(session, agent.name)
    reason = steps.wanted_reason(reason)
    stable = queries.of_standing(session, agent.name, Standing.STABLE)
    earlier = queries.last_retired_stable(session, agent.name)
    if stable is None or earlier is None:
        raise NothingToRollBackTo(f"agent {agent.name} has no earlier stable version to go back to; demote instead")
    steps.retire(session, stable, "rolled_back", actor=actor, now=now, reason=reason)
    session.flush()  # at no moment are there two stable versions
    earlier.standing = Standing.STABLE
    earlier.epoch += 1
    earlier.phase_since = earlier.ramp_since = earlier.next_look_at = now
    phase = Phase(earlier.phase)
    why = f"version {stable.version} was rolled back: {reason}"
    change = steps.note(session, earlier, "restored", actor=actor, now=now, reason=why)
    change.entered = phase.value
    steps.write_policy(session, earlier, actor=actor, now=now, cause=why)
    audit.record(
        session, actor, "version.restored", earlier.id, now=now, agent=agent.name,
        version=earlier.version, phase=phase, instead_of=stable.version, reason=reason,
    )  # fmt: skip
    send_after_commit(session, steps.FOLLOW_ROLLOUTS)
    return earlier


def _first_phase(plan: PlanRevision | None, stable: Rollout | None, *, small_change: bool) -> Phase:
    if not small_change:
        return Phase.EVALUATION
    allowed = Plan.from_body(plan.body).small_change_may_start_in if plan is not None else None
    if stable is None:
        raise NoWayThere("there is no stable version of which this could be a small change")
    if allowed is None:
        raise NoWayThere("the plan does not say where a small change may start; register it as a new version")
    return min(allowed, steps.before_glass(stable)[0])


def _refuse_second_candidate(session: Session, agent: str) -> None:
    candidate = queries.of_standing(session, agent, Standing.CANDIDATE)
    if candidate is not None:
        raise CandidateOnItsWay(
            f"version {candidate.version} of {agent} is on its way up, in {candidate.phase}; "
            "let it become stable or stop it first",
            candidate=candidate.version,
        )
