"""
Plans: applying them, showing what would change, and adopting a newer one for a rollout that is under way.

A rollout keeps the plan it left evaluation with. A newer plan reaches it only when somebody adopts it, on record.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit.errors import Conflict, Invalid, NotFound, Place
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain.phase import Phase
from rollout.domain.plan import Plan
from rollout.domain.plan_diff import Change, diff_plans
from rollout.domain.plan_yaml import dump_plan, load_plan, plan_from_data
from rollout.plans import queries
from rollout.plans.tables import PlanRevision
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.tables import PhaseChange, Rollout


class PlanWidens(Conflict):
    code = "plan-widens-share"
    title = "The plan would give more autonomy without evidence"


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of applying: the revision in force and whether it is new, with every difference to the one before."""

    revision: PlanRevision
    is_new: bool
    changes: tuple[Change, ...]


def read(agent: str, given: str | bytes | Any) -> tuple[Plan, str]:
    """A plan from YAML text or from data, and its source; refuses the plan of another agent."""
    if isinstance(given, str | bytes):
        plan = load_plan(given)
        source = given.decode() if isinstance(given, bytes) else given
    else:
        plan = plan_from_data(given)
        source = json.dumps(given, indent=2, ensure_ascii=False)
    if plan.agent != agent:
        place = Place("agent", f"it is a plan of {plan.agent}", f"write agent: {agent}, or apply it there")
        raise Invalid(f"agent: this is a plan of {plan.agent}, not of {agent}", places=[place])
    return plan, source


def preview(session: Session, agent: Agent, plan: Plan) -> list[Change]:
    """What would change if this plan were applied; nothing is stored."""
    present = queries.newest(session, agent.name)
    return diff_plans(Plan.from_body(present.body) if present is not None else None, plan)


def apply(session: Session, agent: Agent, given: str | bytes | Any, *, actor: Actor, now: datetime) -> Applied:
    """
    Make this the agent's plan. A plan that asks the same as the present one is no new revision.

    Versions that are still in evaluation follow it; those further on keep the plan they left evaluation with.
    """
    actor.require("configure", agent.name)
    plan, source = read(agent.name, given)
    lock_agent(session, agent.name)
    present = queries.newest(session, agent.name)
    if present is not None and Plan.from_body(present.body).digest == plan.digest:
        return Applied(present, is_new=False, changes=())
    changes = tuple(preview(session, agent, plan))
    row = PlanRevision(
        agent=agent.name,
        revision=present.revision + 1 if present is not None else 1,
        source=source,
        body=plan.body(),
        created_at=now,
        created_by=actor.name,
    )
    session.add(row)
    session.flush()  # gives the plan its id, which rollouts and the event name
    audit.record(
        session, actor, "plan.applied", row.id, now=now, agent=agent.name,
        revision=row.revision, digest=plan.digest, changes=[change.words for change in changes],
    )  # fmt: skip
    for rollout in version_queries.rollouts_under_way(session, agent.name):
        if rollout.plan_id is None or rollout.phase == Phase.EVALUATION:
            _take_over(session, rollout, row, plan, actor=actor, now=now, reason="still in evaluation")
    return Applied(row, is_new=True, changes=changes)


def adopt(session: Session, rollout: Rollout, *, actor: Actor, now: datetime, reason: str) -> PlanRevision:
    """
    Hold a rollout that is under way to the newest plan from now on.

    Nothing begins anew and nothing is widened: the share stays or shrinks, and evidence goes on counting. What was
    being signed was evidence under the old plan, so it cannot be signed any more.
    """
    actor.require("configure", rollout.agent)
    lock_agent(session, rollout.agent)
    steps.refuse_retired(rollout)
    row = get_plan(session, rollout.agent)
    if row.id == rollout.plan_id:
        return row
    if rollout.glass_until is not None:
        raise steps.GlassOpen(f"break-glass is open until {rollout.glass_until:%Y-%m-%d %H:%M} UTC; adopt it then")
    reason = steps.wanted_reason(reason)
    _take_over(session, rollout, row, Plan.from_body(row.body), actor=actor, now=now, reason=reason)
    return row


def get_plan(session: Session, agent: str, revision: int | None = None) -> PlanRevision:
    """The plan in force, or an earlier revision; NotFound where there is none."""
    if revision is not None:
        return queries.get_revision(session, agent, revision)
    row = queries.newest(session, agent)
    if row is None:
        raise NotFound(f"agent {agent} has no plan yet")
    return row


def export(row: PlanRevision) -> str:
    """The plan as YAML with every default written out."""
    return dump_plan(Plan.from_body(row.body))


def _take_over(
    session: Session, rollout: Rollout, row: PlanRevision, plan: Plan, *, actor: Actor, now: datetime, reason: str
) -> PhaseChange:
    before = rollout.plan_id
    rollout.ramp_step = _step_not_above(session, rollout, plan)
    rollout.plan_id, rollout.evidence_id, rollout.next_look_at = row.id, None, now
    why = f"plan revision {row.revision}: {reason}"
    change = steps.note(session, rollout, "adopted", actor=actor, now=now, reason=why)
    steps.write_policy(session, rollout, actor=actor, now=now, cause=why)
    audit.record(
        session, actor, "plan.adopted", rollout.id, now=now, agent=rollout.agent,
        version=rollout.version, plan=row.id, instead_of=before, reason=reason,
    )  # fmt: skip
    return change


def _step_not_above(session: Session, rollout: Rollout, plan: Plan) -> int:
    """The highest ramp step of the new plan whose share is not above the present one."""
    phase = Phase(rollout.phase)
    if phase < Phase.CONFIDENCE:
        return 0
    share = steps.share_of(steps.plan_of(session, rollout), phase, rollout.ramp_step)
    fitting = [at for at, step in enumerate(plan.phase(phase).steps) if step <= share]
    if not fitting:
        first = plan.phase(phase).steps[0]
        raise PlanWidens(
            f"the new plan's ramp in {phase} begins with a share of {first:g}, and version {rollout.version} "
            f"has {share:g}; begin the ramp lower, or demote the version first"
        )
    return fitting[-1]
