"""Statements on second opinions. By decision they are unique; figures are counted by what was said, not row by row."""

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from routing.cases.tables import DecisionKey
from routing.domain.opinions import ADJUDICATION, SECOND
from routing.domain.scope import Scope
from routing.opinions.tables import SecondOpinion
from routing.reviews.tables import ReviewItem, Ruling

MOST_OPEN = 500
"""How many waiting items are looked at for somebody who may rule on them, the oldest first."""
_CHUNK = 400  # cases in one IN list
_OPEN: ColumnElement[bool] = or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))


class Counted(NamedTuple):
    """How often two people said this of an output, and what came of it. None: nobody said, or not yet."""

    first: str
    second: str | None
    first_verdict: str
    second_verdict: str | None
    same: bool | None
    verdict: str | None
    first_right: bool | None
    second_right: bool | None
    times: int


def of_decision(session: Session, decision_id: UUID) -> SecondOpinion | None:
    return session.scalar(select(SecondOpinion).where(SecondOpinion.decision_id == decision_id))


def first_line_of(session: Session, item: ReviewItem) -> ReviewItem:
    """The same item as it waited in the first line: there its times are those that it was given."""
    if item.level == 1:
        return item
    same = ReviewItem.decision_id == item.decision_id, ReviewItem.kind == item.kind, ReviewItem.level == literal(1)
    return session.scalars(select(ReviewItem).where(*same)).one_or_none() or item


def rulings(session: Session, ids: Collection[UUID]) -> dict[UUID, Ruling]:
    return {row.id: row for row in session.scalars(select(Ruling).where(Ruling.id.in_(ids)))}


def counted(session: Session, scope: Scope) -> Sequence[Counted]:
    row = SecondOpinion
    given, settled = row.second_ruling_id.is_not(None), row.ruling_id.is_not(None)
    nothing = None
    columns = (
        row.first_login, row.second_login, row.first_verdict, row.second_verdict, row.verdict,
    )  # fmt: skip
    marks = row.same, row.first_right, row.second_right
    wanted = (
        select(*columns, *marks, given, settled, func.count())
        .where(row.agent == scope.agent, row.decided_at >= scope.since, row.decided_at < scope.until)
        .group_by(*columns, *marks, given, settled)
        .order_by(row.first_login, row.second_login)
    )
    if scope.version is not None:
        wanted = wanted.where(row.version == scope.version)
    return [
        Counted(
            first, second, first_verdict, second_verdict, same if is_given else nothing,
            verdict, first_right if is_settled else nothing, second_right if is_settled else nothing, times,
        )
        for first, second, first_verdict, second_verdict, verdict, same, first_right, second_right, is_given,
        is_settled, times in session.execute(wanted)
    ]  # fmt: skip


def open_items(session: Session, scope: Scope) -> Sequence[ReviewItem]:
    """What waits for a second person or for somebody who rules between two, the oldest first."""
    wanted = (
        select(ReviewItem)
        .join(SecondOpinion, SecondOpinion.decision_id == ReviewItem.decision_id)
        .where(ReviewItem.kind.in_((SECOND, ADJUDICATION)), _OPEN)
        .where(SecondOpinion.agent == scope.agent)
        .where(SecondOpinion.decided_at >= scope.since, SecondOpinion.decided_at < scope.until)
        .order_by(ReviewItem.id)
        .limit(MOST_OPEN)
    )
    if scope.version is not None:
        wanted = wanted.where(SecondOpinion.version == scope.version)
    return session.scalars(wanted).all()


def ruled_by(session: Session, decision_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """Who has ruled on these outputs, in whichever item, and did not undo it."""
    found: dict[UUID, set[str]] = {one: set() for one in decision_ids}
    theirs = (
        select(ReviewItem.decision_id, Ruling.login)
        .join(Ruling, Ruling.item_id == ReviewItem.id)
        .where(ReviewItem.decision_id.in_(found), Ruling.undone_at.is_(None))
    )
    for decision_id, login in session.execute(theirs) if found else ():
        found[decision_id].add(login)
    return found


def untold(session: Session, agent: str, case_ids: Collection[str], login: str) -> set[UUID]:
    """
    Those decisions on these cases that wait for a second person or for somebody who rules between two, and on which
    this person has not ruled: they may be the one.
    """
    theirs = exists().where(Ruling.item_id == ReviewItem.id, Ruling.login == login, Ruling.undone_at.is_(None))
    cases, found = sorted(case_ids), set[UUID]()
    for start in range(0, len(cases), _CHUNK):
        of_cases = DecisionKey.agent == agent, DecisionKey.case_id.in_(cases[start : start + _CHUNK])
        ids = session.scalars(select(DecisionKey.decision_id).where(*of_cases)).all()
        waits = select(ReviewItem.decision_id).where(ReviewItem.kind.in_((SECOND, ADJUDICATION)), _OPEN)
        waiting = set(session.scalars(waits.where(ReviewItem.decision_id.in_(ids))))
        ruled = select(ReviewItem.decision_id).where(ReviewItem.decision_id.in_(waiting), theirs)
        found |= waiting - set(session.scalars(ruled)) if waiting else set()
    return found
