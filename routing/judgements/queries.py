"""Statements on judgements."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, and_, case, exists, func, literal_column, or_, select, update
from sqlalchemy.orm import Session, aliased

from routing.cases.tables import ComparisonRow, DecisionKey, HumanOutput
from routing.domain.judging import JUDGEMENT
from routing.domain.scope import Scope
from routing.judgements.tables import Judgement
from routing.reviews.tables import Opened, ReviewItem, Ruling

MOST_WAITING = 1000
"""Judgements that wait of one agent. Where there are more, people do not keep up, and no other one is asked for."""

_MOST_LOOKED_AT = 400
_CHUNK = 400
_WAITING: ColumnElement[bool] = ReviewItem.state == literal_column("'waiting'")


class Asked(NamedTuple):
    """
    How often a comparison was drawn like this, and what came of it: `open`, `judged`, or `unjudged` when its time was
    over.
    """

    differed: bool
    differing_share: float
    same_share: float
    person: str | None
    state: str
    agent_right: bool | None
    person_right: bool | None
    times: int


def of_decisions(session: Session, ids: Sequence[UUID]) -> dict[UUID, Judgement]:
    found: dict[UUID, Judgement] = {}
    for start in range(0, len(ids), _CHUNK):
        wanted = select(Judgement).where(Judgement.decision_id.in_(ids[start : start + _CHUNK]))
        found |= {row.decision_id: row for row in session.scalars(wanted)}
    return found


def was_wrong(row: Judgement | None, human: HumanOutput | None) -> bool:
    """Whether this very output of a person was judged, and wrong."""
    if row is None or human is None or row.counted_at is None:
        return False
    return row.human_output_id == human.id and not row.person_right


def of_item(session: Session, item_id: UUID) -> Judgement:
    return session.scalars(select(Judgement).where(Judgement.item_id == item_id)).one()


def human_output(session: Session, row: Judgement) -> HumanOutput:
    return session.scalars(select(HumanOutput).where(HumanOutput.id == row.human_output_id)).one()


def differences(session: Session, row: Judgement) -> list[Any]:
    """As the comparison stored them."""
    wanted = select(ComparisonRow.differences).where(ComparisonRow.id == row.comparison_id)
    return list(session.scalars(wanted).one())


def comparison_now(session: Session, decision_id: UUID) -> tuple[ComparisonRow, HumanOutput] | None:
    """Of a decision with what is now said that a person did; None where those two were not compared yet."""
    current = and_(HumanOutput.id == ComparisonRow.human_output_id, HumanOutput.superseded.is_(False))
    wanted = select(ComparisonRow, HumanOutput).join(HumanOutput, current)
    found = session.execute(wanted.where(ComparisonRow.decision_id == decision_id)).first()
    return None if found is None else (found[0], found[1])


def waiting(session: Session, agent: str) -> int:
    """Counted no further than `MOST_WAITING`."""
    kind = func.coalesce(ReviewItem.shown_as, ReviewItem.kind) == literal_column(f"'{JUDGEMENT}'")
    some = select(ReviewItem.id).where(_WAITING, kind, ReviewItem.agent == agent).limit(MOST_WAITING).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def waiting_items(session: Session, scope: Scope) -> Sequence[ReviewItem]:
    """The oldest of those that wait."""
    wanted = (
        select(ReviewItem)
        .join(Judgement, Judgement.item_id == ReviewItem.id)
        .where(_WAITING, Judgement.agent == scope.agent)
        .where(Judgement.decided_at >= scope.since, Judgement.decided_at < scope.until)
        .order_by(ReviewItem.id)
        .limit(_MOST_LOOKED_AT)
    )
    return session.scalars(wanted if scope.version is None else wanted.where(Judgement.version == scope.version)).all()


def who_knows(session: Session, ids: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    """By item, everybody of whom `knows` holds."""
    same_case = and_(HumanOutput.agent == ReviewItem.agent, HumanOutput.case_id == ReviewItem.case_id)
    did = select(ReviewItem.id, HumanOutput.person, HumanOutput.posted_by).join(HumanOutput, same_case)
    other = aliased(ReviewItem)
    of_case = and_(DecisionKey.agent == ReviewItem.agent, DecisionKey.case_id == ReviewItem.case_id)
    ruled = (
        select(ReviewItem.id, Ruling.login)
        .join(DecisionKey, of_case)
        .join(other, and_(other.decision_id == DecisionKey.decision_id, other.id != ReviewItem.id))
        .join(Ruling, and_(Ruling.item_id == other.id, Ruling.undone_at.is_(None)))
    )
    found: dict[UUID, set[str]] = {item_id: set() for item_id in ids}
    for statement in (did, ruled) if found else ():
        for item_id, *logins in session.execute(statement.where(ReviewItem.id.in_(found))):
            found[item_id].update(logins)
    return {item_id: frozenset(logins) for item_id, logins in found.items()}


def try_change(session: Session, item_id: UUID, values: Mapping[str, Any]) -> bool:
    """Change an item that nobody has ruled on; False where somebody has, or its time was over."""
    untouched = ReviewItem.id == item_id, ReviewItem.state.in_(("waiting", "superseded"))
    freed = {"claimed_by": None, "claimed_at": None, "claimed_until": None, "ahead": False}
    changed = update(ReviewItem).where(*untouched).values(**freed, **values).returning(ReviewItem.id)
    return session.scalar(changed.execution_options(synchronize_session=False)) is not None


def asked(session: Session, scope: Scope) -> Sequence[Asked]:
    row = Judgement
    counted = row.counted_at.is_not(None)
    state = case((counted, "judged"), (ReviewItem.state == "expired", "unjudged"), else_="open")
    asked_still = or_(counted, ReviewItem.state.not_in(("superseded", "cancelled")))
    right = [case((counted, one)) for one in (row.agent_right, row.person_right)]
    key = (row.differed, row.differing_share, row.same_share, row.person, state, *right)
    numbered: list[Any] = [column.label(f"k{number}") for number, column in enumerate(key)]
    wanted = (
        select(*numbered, func.count())
        .join(ReviewItem, ReviewItem.id == row.item_id)
        .where(row.agent == scope.agent, row.decided_at >= scope.since, row.decided_at < scope.until)
        .where(row.withdrawn_at.is_(None), asked_still)
    )
    if scope.version is not None:
        wanted = wanted.where(row.version == scope.version)
    names: list[Any] = [literal_column(f"k{number}") for number in range(len(key))]
    rows: Any = session.execute(wanted.group_by(*names).order_by(*names))
    return [Asked(*found) for found in rows]


def knows(login: str | BindParameter[str]) -> ColumnElement[bool]:
    """
    That this person did the case of an item, sent what was done, or has ruled on it in another item, of whichever
    version: they know which output is whose. For a few items only.
    """
    did = exists().where(
        HumanOutput.agent == ReviewItem.agent,
        HumanOutput.case_id == ReviewItem.case_id,
        or_(HumanOutput.person == login, HumanOutput.posted_by == login),
    )
    other = aliased(ReviewItem)
    ruled = exists().where(
        DecisionKey.agent == ReviewItem.agent,
        DecisionKey.case_id == ReviewItem.case_id,
        other.decision_id == DecisionKey.decision_id,
        other.id != ReviewItem.id,
        and_(Ruling.item_id == other.id, Ruling.login == login, Ruling.undone_at.is_(None)),
    )
    return or_(did.correlate(ReviewItem), ruled.correlate(ReviewItem))


def has_seen(login: str | BindParameter[str]) -> ColumnElement[bool]:
    """
    That this person looks at another item of the same case, of whichever version, or has looked at it and given it
    back: they may tell by it which output is whose. For a few items only. It keeps a judgement from somebody and opens
    nothing to them, since who gives a case back at once has not looked at it.
    """
    held, read = aliased(ReviewItem), aliased(ReviewItem)
    holds = exists().where(
        and_(held.state == literal_column("'waiting'"), held.claimed_by == login, held.ahead.is_(False)),
        and_(held.agent == ReviewItem.agent, held.case_id == ReviewItem.case_id, held.id != ReviewItem.id),
    )
    opened = exists().where(
        DecisionKey.agent == ReviewItem.agent,
        DecisionKey.case_id == ReviewItem.case_id,
        read.decision_id == DecisionKey.decision_id,
        read.id != ReviewItem.id,
        and_(Opened.item_id == read.id, Opened.login == login),
    )
    return or_(holds.correlate(ReviewItem), opened.correlate(ReviewItem))


def to_judge(session: Session, agent: str, case_ids: Collection[str], login: str) -> set[str]:
    """Those of these cases of which a judgement waits, or can still be undone, that may be this person's to give."""
    cases, found = sorted(case_ids), set[str]()
    still_open = or_(_WAITING, ReviewItem.concludes_at.is_not(None))
    for start in range(0, len(cases), _CHUNK):
        of_cases = DecisionKey.agent == agent, DecisionKey.case_id.in_(cases[start : start + _CHUNK])
        ids = session.scalars(select(DecisionKey.decision_id).where(*of_cases)).all()
        mine = select(ReviewItem.case_id).where(ReviewItem.decision_id.in_(ids), ReviewItem.kind == JUDGEMENT)
        found.update(session.scalars(mine.where(still_open, ~knows(login))))
    return found
