"""
Finds thresholds at the looks that the plan declared, and puts one in force when the owner says so.

A look is taken once, at a number of settled labels fixed before the first of them was in; nobody can take it again on
a few more cases because the answer did not please. What it found is a proposal: a threshold is lowered by the named
owner alone, as a policy revision that names the calibration. Raising it, by changing the rules, is free at any time.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from evidence import thresholds
from governance.actors import SYSTEM, Actor
from governance.audit import service as audit
from kit.errors import Conflict
from kit.ids import new_id
from rollout.agents.queries import get_agent, lock_agent
from rollout.domain.phase import Phase
from rollout.domain.policy import Rules, widenings
from rollout.domain.threshold_plan import ThresholdPlan
from rollout.versions import steps
from rollout.versions.steps import NotTheOwner
from rollout.versions.tables import PolicyRevision, Rollout
from routing.thresholds import queries, records, sample
from routing.thresholds.tables import Calibration


class NotTheNewest(Conflict):
    code = "calibration-superseded"
    title = "There is a newer calibration"


class AppliedAlready(Conflict):
    code = "calibration-applied"
    title = "This calibration is in force already"


class Outlook(NamedTuple):
    """At how many settled labels the next look of all cases is (None: no more), and how many there may be now."""

    next_labels: int | None
    settled_labels: int


def outlook(session: Session, rollout: Rollout, *, now: datetime) -> Outlook:
    """`settled_labels` counts what can be labels at most; where only a sample is audited, fewer are."""
    plan = steps.plan_of(session, rollout)
    if plan is None or plan.threshold is None:
        return Outlook(None, 0)
    taken = max((row.labels for row in queries.calibrations(session, rollout.id, "")), default=0)
    coming = next((labels for labels in plan.threshold.looks if labels > taken), None)
    return Outlook(coming, queries.most_labels(session, rollout.id, _settled_before(now, plan.settle_days)))


def take_due(session: Session, rollout: Rollout, *, secret: bytes, now: datetime) -> list[Calibration]:
    """Take every declared look for which the settled labels are in. Usually none."""
    plan = steps.plan_of(session, rollout)
    if plan is None or plan.threshold is None or Phase(rollout.phase) is Phase.EVALUATION:
        return []
    before = _settled_before(now, plan.settle_days)
    done = {row.segment for row in queries.calibrations(session, rollout.id) if row.look == 0}
    waiting = [segment for segment in ("", *plan.threshold.segments) if segment not in done]
    if not waiting or queries.most_labels(session, rollout.id, before) < plan.threshold.first_labels:
        return []
    lock_agent(session, rollout.agent)
    taken = [_first_look(session, rollout, plan.threshold, one, before, secret=secret, now=now) for one in waiting]
    return [row for row in taken if row is not None]


def _settled_before(now: datetime, settle_days: int) -> datetime:
    """The start of the first day that is too young, as the gates have it."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=settle_days)


def _first_look(
    session: Session,
    rollout: Rollout,
    plan: ThresholdPlan,
    segment: str,
    before: datetime,
    *,
    secret: bytes,
    now: datetime,
) -> Calibration | None:
    rows = queries.labelled(session, rollout.id, before)
    rates = queries.audit_rates(session, rollout.id)
    found = sample.first(sample.uniform(rows, rates, secret, rollout.id), plan.first_labels, segment)
    if found is None:
        return None
    groups = thresholds.group([row.confidence for row in found], [int(sample.is_wrong(row)) for row in found])
    declared = {**plan.model_dump(mode="json"), "delta": plan.go_live_delta}
    data = {
        "groups": records.groups_record(groups),
        "first_decided_at": found[0].decided_at.isoformat(),
        "last_decided_at": found[-1].decided_at.isoformat(),
        "pending": sum(row.counted_as not in {"agree", "override", "severe", "minor"} for row in found),
    }
    return _keep(session, rollout, segment, 0, declared, data, records.again(declared, data), None, now)


def _keep(
    session: Session,
    rollout: Rollout,
    segment: str,
    look: int,
    declared: dict[str, Any],
    data: dict[str, Any],
    answer: dict[str, Any],
    state: dict[str, Any] | None,
    now: datetime,
) -> Calibration:
    row = Calibration(
        id=new_id(), rollout_id=rollout.id, agent=rollout.agent, version=rollout.version, segment=segment, look=look,
        labels=answer["labels"], threshold=answer["threshold"], declared=declared, data=data, answer=answer,
        state=state, digest=records.digest_of(declared, data, answer, state), at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()  # the next look finds it
    audit.record(
        session, SYSTEM, "threshold.calibrated", row.id, now=now, agent=rollout.agent, version=rollout.version,
        segment=segment, look=look, labels=row.labels, threshold=row.threshold, digest=row.digest,
    )  # fmt: skip
    return row


def apply(
    session: Session, rollout: Rollout, calibration: Calibration, *, actor: Actor, now: datetime
) -> PolicyRevision:
    """
    Put the threshold of a calibration in force. Only the newest one of its segment, and only by the named owner.

    One that found no threshold closes: no case goes alone.
    """
    agent = lock_agent(session, rollout.agent)
    session.refresh(rollout)
    steps.refuse_retired(rollout)
    if not (steps.is_named(get_agent(session, agent.name), actor) and actor.allows("advance")):
        raise NotTheOwner(f"a threshold is put in force by {agent.owner}, who answers for {agent.name}")
    newest = queries.calibrations(session, rollout.id, calibration.segment)[0]
    if newest.id != calibration.id:
        raise NotTheNewest(
            f"a newer look, at {newest.labels:,} labels, has found another answer; read that one", newest=str(newest.id)
        )
    present = steps.rules_of(session, rollout)
    rules = _with(present, calibration)
    if calibration.applied_revision is not None and rules == present:
        raise AppliedAlready(f"revision {calibration.applied_revision} has put this threshold in force already")
    where = f" of segment {calibration.segment}" if calibration.segment else ""
    found = f"{calibration.threshold:g}" if calibration.threshold is not None else "none"
    row = steps.write_policy(
        session, rollout, rules=rules, actor=actor, now=now, widens=widenings(present, rules),
        cause=f"threshold{where}: {found}, by calibration {calibration.id}",
    )  # fmt: skip
    calibration.applied_revision, calibration.applied_at, calibration.applied_by = row.revision, now, actor.name
    return row


def _with(rules: Rules, calibration: Calibration) -> Rules:
    if not calibration.segment:
        return rules.model_copy(update={"threshold": calibration.threshold})
    return rules.model_copy(update={"thresholds": {**rules.thresholds, calibration.segment: calibration.threshold}})


def agrees_with_itself(calibration: Calibration) -> bool:
    """Whether the answer follows from the record, and the record is the one that was stored."""
    row = calibration
    if records.digest_of(row.declared, row.data, row.answer, row.state) != row.digest:
        return False
    return records.same_answer(records.again(row.declared, row.data), row.answer)
