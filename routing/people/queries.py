"""Statements on verdicts as what people said: who said what of which output, and how often."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, aliased

from kit.dialects import among, marked
from rollout.gates.tables import Total
from rollout.versions.tables import Rollout
from routing.cases.tables import SAID, Decision, Label
from routing.domain.scope import Scope
from routing.reviews.tables import UnreadRuling
from routing.tallies.queries import RULED
from routing.tallies.tables import VerdictTotal

_MOST = 5_000


class Given(NamedTuple):
    """One verdict on one decision; `person` is None where nobody said who it was."""

    decision_id: UUID
    verdict: str
    source: str
    person: str | None


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

    Of the newest 5,000 such decisions; the second value tells that there are more.
    """
    chosen = select(Decision.id).where(
        marked(Decision.several_verdicts),
        Decision.agent == scope.agent,
        Decision.decided_at >= scope.since,
        Decision.decided_at < scope.until,
    )
    if scope.version is not None:
        chosen = chosen.where(Decision.version == scope.version)
    newest = chosen.order_by(Decision.decided_at.desc(), Decision.id.desc()).limit(_MOST + 1)
    ids = session.scalars(newest).all()
    of_these = among(Label.decision_id, ids[:_MOST], session.get_bind().dialect.name)
    wanted = (
        select(Label.decision_id, Label.verdict, Label.source, Label.person)
        .where(of_these, Label.verdict.in_(SAID))
        .order_by(Label.decision_id.desc(), Label.at, Label.id)
    )
    return [Given(*row) for row in session.execute(wanted)], len(ids) > _MOST


def unread(
    session: Session, since: datetime, until: datetime, *, agent: str | None = None, login: str | None = None
) -> dict[str, int]:
    """How many rulings each person gave then sooner than anybody can have read the case; who gave none is left out."""
    row = UnreadRuling
    wanted = select(row.login, func.count()).where(row.at >= since, row.at < until).group_by(row.login)
    wanted = wanted if agent is None else wanted.where(row.agent == agent)
    wanted = wanted if login is None else wanted.where(row.login == login)
    return dict(session.execute(wanted).all())


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
        .where(Total.day >= scope.first, Total.day < scope.end)
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
    """What came of the cases that were drawn for either arm."""
    key = (
        Rollout.version,
        VerdictTotal.source,
        VerdictTotal.arm_probability,
        VerdictTotal.arm,
        VerdictTotal.answered,
        VerdictTotal.verdict,
    )
    times = func.sum(VerdictTotal.verdicts)
    wanted = select(*key, times).join(Rollout, Rollout.id == VerdictTotal.rollout_id)
    rows = session.execute(
        wanted.where(*_counted(scope), VerdictTotal.arm != "").group_by(*key).having(times > 0).order_by(*key)
    )
    return [
        ArmTotal(version, kind, probability, arm, _EQUAL[answered], verdict, int(count))
        for version, kind, probability, arm, answered, verdict, count in rows
    ]


_EQUAL = {"equal": True, "different": False, "": None}


def _counted(scope: Scope) -> list[ColumnElement[bool]]:
    """Verdicts of reviewers on the decisions that are looked at."""
    mine = select(Rollout.id).where(Rollout.agent == scope.agent)
    mine = mine if scope.version is None else mine.where(Rollout.version == scope.version)
    return [
        VerdictTotal.rollout_id.in_(mine),
        VerdictTotal.day >= scope.first,
        VerdictTotal.day < scope.end,
        VerdictTotal.source.in_(RULED),
        VerdictTotal.verdict.in_(SAID),
    ]
