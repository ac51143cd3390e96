"""
Finds thresholds at the looks that the plan declared, and puts one in force when the owner says so.

A look is taken once, at a number of settled labels fixed before the first of them was in; nobody can take it again on
a few more cases because the answer did not please. What it found is a proposal: a threshold is lowered by the named
owner alone, as a policy revision that names the calibration. Raising it, by changing the rules, is free at any time.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from evidence.thresholds import Answer
from governance.actors import SYSTEM, Actor
from governance.audit import service as audit
from kit.errors import Conflict
from kit.ids import new_id
from rollout.agents.queries import lock_agent
from rollout.domain.phase import Phase
from rollout.domain.policy import Calibrated, Rules, widenings
from rollout.domain.threshold_plan import ThresholdPlan
from rollout.versions import steps
from rollout.versions.steps import NotTheOwner
from rollout.versions.tables import PolicyRevision, Rollout
from routing.thresholds import looks, queries, records
from routing.thresholds.sample import Labels
from routing.thresholds.tables import Calibration


class NotTheNewest(Conflict):
    code = "calibration-superseded"
    title = "There is a newer calibration"


class AppliedAlready(Conflict):
    code = "calibration-applied"
    title = "This calibration is in force already"


_PACE_DAYS = 28


class Outlook(NamedTuple):
    """
    At how many settled labels the next look is (None: no more), how many there may be now, and how many come a day.

    `per_day` is that of the last four weeks, or of all days so far where they are fewer.
    """

    next_labels: int | None
    settled_labels: int
    per_day: float = 0.0


def declared(session: Session, rollout: Rollout) -> ThresholdPlan | None:
    """
    What was declared for this version: by its plan, until the first look is taken; from then on as it was then.

    A plan that is adopted later changes nothing, or whoever does not like the answer could declare another question.
    """
    first = queries.first_declared(session, rollout.id)
    if first is not None:
        return ThresholdPlan.model_validate({name: first[name] for name in ThresholdPlan.model_fields})
    plan = steps.plan_of(session, rollout)
    return plan.threshold if plan is not None else None


def outlook(session: Session, rollout: Rollout, *, now: datetime, segment: str = "") -> Outlook:
    """`settled_labels` counts what can be labels at most; where only a sample is audited, fewer are."""
    plan, wanted = steps.plan_of(session, rollout), declared(session, rollout)
    if plan is None or wanted is None:
        return Outlook(None, 0)
    coming = _coming(wanted, segment, queries.labels_taken(session, rollout.id).get(segment, 0))
    before = _settled_before(now, plan.settle_days)
    settled = queries.most_labels(session, rollout.id, before, segment)
    return Outlook(coming, settled, _pace(session, rollout, before, segment))


def _coming(wanted: ThresholdPlan, segment: str, taken: int) -> int | None:
    """The labels at the next look; a segment has only one."""
    looks = wanted.looks if not segment else wanted.looks[:1]
    return next((labels for labels in looks if labels > taken), None)


def _pace(session: Session, rollout: Rollout, before: datetime, segment: str) -> float:
    since = (before - timedelta(days=_PACE_DAYS)).date()
    labels, first_day = queries.recent_labels(session, rollout.id, since, before, segment)
    return labels / (before.date() - max(since, first_day)).days if first_day is not None else 0.0


def take_due(session: Session, rollout: Rollout, *, secret: bytes, now: datetime) -> list[Calibration]:
    """Take every declared look for which the settled labels are in. Usually none."""
    plan, wanted = steps.plan_of(session, rollout), declared(session, rollout)
    if plan is None or wanted is None or not is_due(session, rollout, now):
        return []
    before = _settled_before(now, plan.settle_days)
    lock_agent(session, rollout.agent)
    labels = Labels(session, rollout.id, before, secret, queries.audit_rates(session, rollout.id))
    taken: list[Calibration] = []
    while (row := _take_one(session, rollout, wanted, labels, now)) is not None:
        taken.append(row)
    return taken


def is_due(session: Session, rollout: Rollout, now: datetime) -> bool:
    """Whether the settled labels of a declared look may be in, by the totals; writes nothing."""
    plan, wanted = steps.plan_of(session, rollout), declared(session, rollout)
    if plan is None or wanted is None or Phase(rollout.phase) is Phase.EVALUATION:
        return False
    before = _settled_before(now, plan.settle_days)
    return any(_may_be_due(session, rollout, before, *coming) for coming in _open_looks(session, rollout, wanted))


def looks_to_come(session: Session, rollout: Rollout) -> bool:
    """Whether a declared look is still to be taken, and with it decisions of this version are still to be read."""
    wanted = declared(session, rollout)
    return wanted is not None and any(True for _ in _open_looks(session, rollout, wanted))


def _open_looks(session: Session, rollout: Rollout, plan: ThresholdPlan) -> Iterator[tuple[str, int]]:
    """The next look of all cases together, and the only one of each segment that has not had it; with its labels."""
    taken = queries.labels_taken(session, rollout.id)
    for segment in ("", *plan.segments):
        if (coming := _coming(plan, segment, taken.get(segment, 0))) is not None:
            yield segment, coming


def _may_be_due(session: Session, rollout: Rollout, before: datetime, segment: str, labels: int) -> bool:
    """Asks the totals, which is cheap, before anybody reads decisions."""
    return queries.most_labels(session, rollout.id, before, segment) >= labels


def _take_one(
    session: Session, rollout: Rollout, plan: ThresholdPlan, labels: Labels, now: datetime
) -> Calibration | None:
    for segment, wanted in _open_looks(session, rollout, plan):
        if not _may_be_due(session, rollout, labels.before, segment, wanted):
            continue
        before = queries.calibrations(session, rollout.id, segment)
        found = looks.next_look(before[0], labels, wanted) if before else looks.first_look(plan, labels, segment)
        if found is not None:
            return _keep(session, rollout, segment, found, now)
    return None


def _settled_before(now: datetime, settle_days: int) -> datetime:
    """The start of the first day that is too young, as the gates have it."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=settle_days)


def _keep(session: Session, rollout: Rollout, segment: str, found: looks.Look, now: datetime) -> Calibration:
    row = Calibration(
        id=new_id(), rollout_id=rollout.id, agent=rollout.agent, version=rollout.version, segment=segment,
        look=len(found.data["looks"]), labels=found.answer["labels"], threshold=found.answer["threshold"],
        declared=found.declared, data=found.data, answer=found.answer,
        digest=records.digest_of(found.declared, found.data, found.answer), at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()  # the next look finds it
    audit.record(
        session, SYSTEM, "threshold.calibrated", row.id, now=now, agent=rollout.agent, version=rollout.version,
        segment=segment, look=row.look, labels=row.labels, threshold=row.threshold, digest=row.digest,
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
    if not (steps.is_named(agent, actor) and actor.allows("advance")):
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
        update = {"threshold": calibration.threshold, "calibrated": _calibrated(calibration)}
        return rules.model_copy(update=update)
    return rules.model_copy(update={"thresholds": {**rules.thresholds, calibration.segment: calibration.threshold}})


def _calibrated(calibration: Calibration) -> Calibrated | None:
    """What the policy says of the threshold it takes up, so that guardrails can tell when the shares have moved."""
    if calibration.threshold is None:
        return None
    below, labels = records.below(calibration.data, calibration.declared, calibration.threshold)
    return Calibrated(calibration=calibration.id, threshold=calibration.threshold, below=below, labels=labels)


def agrees_with_itself(calibration: Calibration, first: Answer | None = None) -> bool:
    """
    Whether the answer follows from the record, and the record is the one that was stored. `first`: what the record's
    first look finds, where that was just computed.
    """
    names = ("declared", "data", "answer", "digest", "threshold", "labels")
    return records.follows({name: getattr(calibration, name) for name in names}, first)
