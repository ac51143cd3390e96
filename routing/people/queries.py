"""Statements on verdicts as what people said: who said what of which output, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from rollout.gates.tables import Total
from rollout.versions.tables import Rollout
from routing.cases.tables import Decision, Label
from routing.domain.sampling import ASSISTED
from routing.reviews.tables import ReviewItem, Ruling
from routing.supervision.tables import BlindAnswer

RULED = ("review", "audit")
"""The sources in which a reviewer saw the output and said what they think of it."""
_SAID = ("agree", "override")
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Scope:
    """Which decisions are looked at: of an agent, of one version or all, made from `since` to before `until`."""

    agent: str
    version: str | None
    since: datetime
    until: datetime


class Given(NamedTuple):
    """One verdict on one decision; `person` is None where nobody said who it was."""

    decision_id: UUID
    verdict: str
    source: str
    person: str | None


class Ruled(NamedTuple):
    """How often a reviewer said this of outputs that came to them in this way."""

    person: str
    source: str
    verdict: str
    times: int


class LaneTotal(NamedTuple):
    """What the outputs of a version came to in one lane."""

    version: str
    lane: str
    agreed: int
    overridden: int


class ArmTotal(NamedTuple):
    """
    How often cases of a version got this verdict, by the arm they were drawn for and with which probability.

    `equal`: whether the answer given before seeing the output was the same; None in the assisted arm.
    """

    version: str
    kind: str
    probability: float | None
    arm: str
    equal: bool | None
    verdict: str
    times: int


def several_verdicts(session: Session, scope: Scope) -> tuple[list[Given], bool]:
    """
    All verdicts on those decisions that have more than one, in the order given, decision by decision.

    Of the newest 20,000 such decisions; the second value tells that there are more.
    """
    chosen = (
        select(Label.decision_id)
        .join(Decision, Decision.id == Label.decision_id)
        .where(*_decided(scope), Label.verdict.in_(_SAID))
        .group_by(Label.decision_id)
        .having(func.count() > 1)
        .order_by(Label.decision_id.desc())
        .limit(_MOST + 1)
        .subquery()
    )
    wanted = (
        select(Label.decision_id, Label.verdict, Label.source, Label.person)
        .join(chosen, chosen.c.decision_id == Label.decision_id)
        .where(Label.verdict.in_(_SAID))
        .order_by(Label.decision_id.desc(), Label.at, Label.id)
    )
    found = [Given(*row) for row in session.execute(wanted)]
    decisions = {given.decision_id for given in found}
    if len(decisions) <= _MOST:
        return found, False
    oldest = min(decisions)
    return [given for given in found if given.decision_id != oldest], True


def rulings(session: Session, scope: Scope) -> Sequence[Ruled]:
    """How often each reviewer agreed and overrode, in reviews and in audits, by name."""
    wanted = (
        select(Label.person, Label.source, Label.verdict, func.count())
        .join(Decision, Decision.id == Label.decision_id)
        .where(*_decided(scope), Label.source.in_(RULED), Label.verdict.in_(_SAID), Label.person.is_not(None))
        .group_by(Label.person, Label.source, Label.verdict)
        .order_by(Label.person, Label.source, Label.verdict)
    )
    return [Ruled(str(person), source, verdict, times) for person, source, verdict, times in session.execute(wanted)]


def lanes(session: Session, scope: Scope) -> Sequence[LaneTotal]:
    """
    Agreed and overridden in shadow and in review, by version; whole days, from the totals.

    Not from stays in which the agent went alone too: there people see only what it was not sure of, and those cases
    cannot be compared with all of them.
    """
    other = aliased(Total)
    alone = select(other.rollout_id).where(
        other.rollout_id == Total.rollout_id, other.epoch == Total.epoch, other.lane.in_(("auto", "audit"))
    )
    wanted = (
        select(Rollout.version, Total.lane, func.sum(Total.agreed), func.sum(Total.overridden))
        .join(Rollout, Rollout.id == Total.rollout_id)
        .where(Rollout.agent == scope.agent, Total.lane.in_(("shadow", "review")))
        .where(Total.day >= scope.since.date(), Total.day <= scope.until.date())
        .where(~alone.correlate(Total).exists())
        .group_by(Rollout.version, Total.lane)
        .order_by(Rollout.version, Total.lane)
    )
    if scope.version is not None:
        wanted = wanted.where(Rollout.version == scope.version)
    return [
        LaneTotal(version, lane, int(agreed), int(overridden))
        for version, lane, agreed, overridden in session.execute(wanted)
    ]


def arms(session: Session, scope: Scope) -> Sequence[ArmTotal]:
    """
    What came of the cases that were drawn for either arm. Where a case of the blind arm was ruled without an answer
    of that person (recorded work), it belongs to neither.
    """
    answered = and_(BlindAnswer.decision_id == ReviewItem.decision_id, BlindAnswer.login == Ruling.login)
    columns = (
        ReviewItem.version,
        ReviewItem.kind,
        ReviewItem.arm_probability,
        ReviewItem.arm,
        BlindAnswer.equal,
        Label.verdict,
    )
    wanted = (
        select(*columns, func.count())
        .select_from(Label)
        .join(Decision, Decision.id == Label.decision_id)
        .join(Ruling, Ruling.id == Label.source_id)
        .join(ReviewItem, ReviewItem.id == Ruling.item_id)
        .outerjoin(BlindAnswer, answered)
        .where(*_decided(scope), Label.source.in_(RULED), Label.verdict.in_(_SAID))
        .where(ReviewItem.arm_probability > 0.0, ReviewItem.arm_probability < 1.0)
        .where(or_(ReviewItem.arm == ASSISTED, BlindAnswer.id.is_not(None)))
        .group_by(*columns)
        .order_by(*columns[:3])
    )
    return [ArmTotal(*row) for row in session.execute(wanted)]


def _decided(scope: Scope) -> list[ColumnElement[Any]]:
    found: list[ColumnElement[Any]] = [
        Decision.agent == scope.agent,
        Decision.decided_at >= scope.since,
        Decision.decided_at < scope.until,
    ]
    return found if scope.version is None else [*found, Decision.version == scope.version]
