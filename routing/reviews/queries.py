"""Statements on review items that somebody holds, and on how they end; who is dealt what is in `dealing`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from governance.audit import queries as audit
from kit.db import execute_core
from kit.dialects import among, insert_new, skip_locked
from kit.errors import NotFound
from kit.tables import as_read, described
from rollout.versions.tables import Rollout
from routing.cases.tables import Decision, Label
from routing.domain.reach import Reach
from routing.gold import queries as gold
from routing.reviews.dealing.lines import HELD, WAITING, free, shown_kind, worked
from routing.reviews.dealing.queries import rollouts_of_kind, waiting_in
from routing.reviews.tables import Opened, ReviewItem, ReviewTrouble, Ruling

# Made once: what the ORM does for each call of its own takes longer than the statements.
_ITEMS = described(ReviewItem)
_LOOKED_AT = ReviewItem.id == bindparam("item"), WAITING, ReviewItem.claimed_by == bindparam("login"), ~ReviewItem.ahead
_ITEM = select(_ITEMS).where(ReviewItem.id == bindparam("item"))
_RENEWING = update(_ITEMS).where(*_LOOKED_AT).values(claimed_until=bindparam("until")).returning(*_ITEMS.c)
_ENDING = (
    update(_ITEMS)
    .where(*_LOOKED_AT)
    .values(state=bindparam("ends"), ended_at=bindparam("now"), concludes_at=bindparam("until"))
    .returning(*_ITEMS.c)
)
_RULED = insert(described(Ruling))
_GIVEN = [column for column in described(Ruling).columns if column.name != "undone_at"]
_RULED_AND_NOTED = audit.ADD.add_cte(
    insert(described(Ruling))
    .values({column.name: bindparam(f"ruling_{column.name}", type_=column.type) for column in _GIVEN})
    .cte("ruled")
)
_OUTPUTS = select(
    Decision.id, Decision.input, Decision.output, Decision.action, Decision.amount, Decision.confidence,
    Decision.trace, Decision.reasons,
).where(Decision.id.in_(bindparam("ids", expanding=True)))  # fmt: skip


def _first(session: Session, statement: Executable, given: dict[str, Any]) -> ReviewItem | None:
    return next(iter(as_read(ReviewItem, execute_core(session, statement, given))), None)


def get_item(session: Session, item_id: UUID) -> ReviewItem:
    """As it is stored now; to be read, see `as_read`."""
    row = _first(session, _ITEM, {"item": item_id})
    if row is None:
        raise NotFound(f"there is no review item {item_id}")
    return row


def get_decision(session: Session, decision_id: UUID) -> Decision:
    row = session.get(Decision, decision_id)
    if row is None:
        raise NotFound(f"there is no decision {decision_id}")
    return row


def decisions_by_hand(session: Session, items: Sequence[ReviewItem]) -> Sequence[Decision]:
    """The decisions of several items, read at once: while they are held on to, `get_decision` asks for none of them."""
    wanted = select(Decision).where(Decision.id.in_([item.decision_id for item in items if item.kind != gold.GOLD]))
    return session.scalars(wanted).all()


def outputs_of(session: Session, items: Sequence[ReviewItem]) -> dict[UUID, Any]:
    """What there is to look at of each item's decision, by its id; of gold cases nothing."""
    ids = [item.decision_id for item in items if item.kind != gold.GOLD]
    return {row.id: row for row in execute_core(session, _OUTPUTS, {"ids": ids})} if ids else {}


def decision_of(session: Session, item: ReviewItem) -> Decision:
    """What the item is about; of a gold case what it seems to be about."""
    return gold.decision_of(session, item.id) if item.kind == gold.GOLD else get_decision(session, item.decision_id)


_FREED: dict[str, Any] = {"claimed_by": None, "claimed_at": None, "claimed_until": None, "ahead": False}


def try_renew(session: Session, item_id: UUID, login: str, *, until: datetime) -> ReviewItem | None:
    """Hold on to an item; also when the lease ran out and nobody took it meanwhile."""
    return _first(session, _RENEWING, {"item": item_id, "login": login, "until": until})


def try_release(session: Session, item_id: UUID, login: str) -> bool:
    released = session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, WAITING, ReviewItem.claimed_by == login)
        .values(**_FREED)
        .returning(ReviewItem.id)
        .execution_options(synchronize_session=False)
    )
    return released is not None


def note_opened(session: Session, item_id: UUID, login: str, now: datetime) -> None:
    """Who had a case before them and gave it back; the last time counts."""
    again = update(Opened).where(Opened.item_id == item_id, Opened.login == login).values(at=now)
    if session.scalar(again.returning(Opened.at).execution_options(synchronize_session=False)) is None:
        row = {"item_id": item_id, "login": login, "at": now}
        session.execute(insert_new(session.get_bind().dialect.name, Opened).values(**row))


def release_all(session: Session, login: str, *, everything: bool) -> int:
    """Put back what a person holds ahead, or everything they hold."""
    mine = update(ReviewItem).where(WAITING, ReviewItem.claimed_by == login, ReviewItem.claimed_until.is_not(None))
    mine = mine if everything else mine.where(ReviewItem.ahead.is_(True))
    released = mine.values(**_FREED).returning(ReviewItem.id).execution_options(synchronize_session=False)
    return len(session.scalars(released).all())


def try_end(
    session: Session, item_id: UUID, login: str, *, state: str, now: datetime, concludes_at: datetime | None = None
) -> ReviewItem | None:
    """End an item that this person looks at; None when it is not theirs any more."""
    given = {"item": item_id, "login": login, "ends": state, "now": now, "until": concludes_at}
    return _first(session, _ENDING, given)


def insert_ruling(session: Session, row: dict[str, Any]) -> None:
    execute_core(session, _RULED, row)


def insert_ruling_with_event(session: Session, row: dict[str, Any], event: dict[str, Any]) -> None:
    """Both on one way there and back, where the database can."""
    if session.get_bind().dialect.name != "postgresql":
        insert_ruling(session, row)
        audit.add(session, [event])
        return
    execute_core(session, _RULED_AND_NOTED, event | {f"ruling_{name}": value for name, value in row.items()})


def try_undo(session: Session, item_id: UUID, login: str, *, now: datetime, until: datetime) -> ReviewItem | None:
    """Give an item back to who ruled on it a moment ago; None when it is too late, or was not them."""
    return session.scalar(
        update(ReviewItem)
        .where(ReviewItem.id == item_id, ReviewItem.claimed_by == login, ReviewItem.concludes_at > now)
        .values(state="waiting", ended_at=None, concludes_at=None, claimed_until=until)
        .returning(ReviewItem)
        .execution_options(synchronize_session=False, populate_existing=True)
    )


def mark_undone(session: Session, item_id: UUID, now: datetime) -> Ruling:
    """The ruling on this item that stood until now."""
    return session.scalars(
        update(Ruling)
        .where(Ruling.item_id == item_id, Ruling.undone_at.is_(None))
        .values(undone_at=now)
        .returning(Ruling)
        .execution_options(synchronize_session=False)
    ).one()


def ruled_before(session: Session, ruling: Ruling) -> datetime | None:
    """When this person ruled last before that, on whatever."""
    earlier = select(func.max(Ruling.at)).where(Ruling.login == ruling.login, Ruling.at < ruling.at)
    with session.no_autoflush:  # rulings are stored; what follows from the others of a round is written together
        return session.scalar(earlier)


def last_ruling(session: Session, item_id: UUID) -> Ruling | None:
    """The newest, also one that was undone."""
    statement = select(Ruling).where(Ruling.item_id == item_id).order_by(Ruling.at.desc(), Ruling.id.desc())
    return session.scalar(statement.limit(1))


def undone_by(session: Session, item_id: UUID, login: str) -> Ruling | None:
    """The ruling on this item that this person took back last."""
    theirs = select(Ruling).where(Ruling.item_id == item_id, Ruling.login == login, Ruling.undone_at.is_not(None))
    return session.scalar(theirs.order_by(Ruling.at.desc(), Ruling.id.desc()).limit(1))


def may_undo(session: Session, login: str, now: datetime) -> ReviewItem | None:
    """What this person ruled on last, if they can still undo it."""
    statement = select(ReviewItem).where(ReviewItem.concludes_at > now, ReviewItem.claimed_by == login)
    return session.scalar(statement.order_by(ReviewItem.ended_at.desc(), ReviewItem.id.desc()).limit(1))


def _untroubled(now: datetime, step: str) -> ColumnElement[bool]:
    """Not that with which this step failed before and is tried later: it must not stand in the way of others."""
    same = ReviewTrouble.item_id == ReviewItem.id, ReviewTrouble.step == step
    return ~exists().where(*same, ReviewTrouble.next_at > now)


def troubles_with(session: Session, ids: Sequence[UUID]) -> dict[UUID, ReviewTrouble]:
    return {row.item_id: row for row in session.scalars(select(ReviewTrouble).where(ReviewTrouble.item_id.in_(ids)))}


def forget_troubles(session: Session, ids: Sequence[UUID]) -> None:
    session.execute(delete(ReviewTrouble).where(ReviewTrouble.item_id.in_(ids)))


def forget_troubles_of_the_past(session: Session) -> None:
    """Those of items that ended in another way."""
    still = ReviewItem.id == ReviewTrouble.item_id, or_(WAITING, ReviewItem.concludes_at.is_not(None))
    session.execute(delete(ReviewTrouble).where(~exists().where(*still)))


def to_conclude(session: Session, now: datetime, limit: int) -> Sequence[ReviewItem]:
    """Items whose ruling can no longer be undone, the oldest first, none that another worker holds; locked."""
    wanted = select(ReviewItem).where(ReviewItem.concludes_at <= now, _untroubled(now, "conclude"))
    wanted = wanted.order_by(ReviewItem.concludes_at).limit(limit)
    return session.scalars(skip_locked(wanted, session.get_bind().dialect.name)).all()


def standing_rulings(session: Session, item_ids: Sequence[UUID]) -> dict[UUID, Ruling]:
    """The rulings on these items that were not undone, by item."""
    standing = select(Ruling).where(Ruling.item_id.in_(item_ids), Ruling.undone_at.is_(None))
    return {ruling.item_id: ruling for ruling in session.scalars(standing)} if item_ids else {}


def release_expired(session: Session, now: datetime) -> int:
    """Put items back in the queue whose reviewer walked away."""
    return _change_free(session, _FREED, HELD, ReviewItem.claimed_until < now)


def end_gold(session: Session, now: datetime) -> int:
    """Gold cases that nobody looks at and whose time is over: they are asked no more."""
    over = ReviewItem.id.in_(gold.out_of_time(now)), free(now)
    return _change_free(session, {"state": "cancelled", "ended_at": now}, *over)


def _change_free(session: Session, values: dict[str, Any], *wanted: ColumnElement[bool]) -> int:
    """Of these items all that no other transaction holds; the next sweep finds the rest. How many there were."""
    those = skip_locked(select(ReviewItem.id).where(*wanted), session.get_bind().dialect.name)
    ids = session.scalars(those).all()
    if ids:
        these = among(ReviewItem.id, ids, session.get_bind().dialect.name)
        changed = update(ReviewItem).where(these).values(**values)
        session.execute(changed.execution_options(synchronize_session=False))
    return len(ids)


def with_free_cases(session: Session, items: Sequence[ReviewItem]) -> Sequence[ReviewItem]:
    """
    Of these items, which a sweep has locked, those whose decision nobody else holds; it is locked from now on. Whoever
    holds one may be about to wait for its items (`cases.queries.lock_decision`): those are for the next sweep.
    """
    ids = {item.decision_id for item in items if item.kind != gold.GOLD}
    if not ids or session.get_bind().dialect.name != "postgresql":
        return items
    there = select(Decision.id).where(among(Decision.id, ids, "postgresql"))
    held = ids.difference(session.scalars(there.with_for_update(key_share=True, skip_locked=True)))
    if held:  # or not there at all
        held.intersection_update(session.scalars(there))
    return [item for item in items if item.decision_id not in held]


def waiting_counts(session: Session, reach: Reach) -> dict[str, int]:
    """How many wait for this person, by agent; counted no further than `COUNTED_UP_TO`."""
    found = waiting_in(session, reach)
    return {agent: waiting for agent, waiting in found.items() if waiting}


def ruled_since(session: Session, login: str, since: datetime, *, one_by_one: bool = False) -> dict[str, int]:
    """How often a person ruled in which way since then; `one_by_one`: without those on several at once."""
    statement = (
        select(Ruling.ruling, func.count())
        .where(Ruling.login == login, Ruling.at >= since, Ruling.undone_at.is_(None))
        .group_by(Ruling.ruling)
    )
    if one_by_one:
        statement = statement.where(Ruling.bulk.is_(False))
    return dict(session.execute(statement).all())


def items_nobody_may_rule(session: Session, now: datetime, limit: int) -> Sequence[ReviewItem]:
    """
    Open review items whose version no longer drafts for people: demoted to shadow or evaluation, or retired.

    Not those of a frozen one: what it drafted before stays evidence, and whoever freezes it must not be able to
    erase that. Audits of what already happened stay too. Found from the few versions of which something waits, neither
    from all that waits nor from all versions that ever were.
    """
    gone = or_(Rollout.phase.in_(("evaluation", "shadow")), Rollout.standing == "retired")
    found: list[ReviewItem] = []
    waiting = rollouts_of_kind("review")
    for rollout_id in session.scalars(select(Rollout.id).join(waiting, waiting.c.rollout_id == Rollout.id).where(gone)):
        wanted = select(ReviewItem).where(
            WAITING,
            shown_kind == "review",
            ReviewItem.kind == "review",
            ReviewItem.rollout_id == rollout_id,
            _untroubled(now, "cancel"),
        )
        wanted = skip_locked(wanted.limit(limit - len(found)), session.get_bind().dialect.name)
        found += session.scalars(wanted)
        if len(found) >= limit:
            break
    return found


def overdue_in_the_first_line(session: Session, now: datetime, limit: int) -> list[ReviewItem]:
    """What is to be passed on by now and nobody looks at, the oldest first; locked."""
    over = ReviewItem.escalates_at.is_not(None), ReviewItem.escalates_at < now
    wanted = select(ReviewItem).where(free(now), *over, _untroubled(now, "pass_on"))
    wanted = wanted.order_by(ReviewItem.escalates_at).limit(limit)
    return list(session.scalars(skip_locked(wanted, session.get_bind().dialect.name)))


def without_end(session: Session, limit: int) -> list[ReviewItem]:
    """Of the first line, what does not know when it is passed on: stored by a web process of a former release."""
    unknown = ReviewItem.escalates_at.is_(None), ReviewItem.expires_at.is_(None)
    work = ReviewItem.level == literal_column("1"), ReviewItem.kind.in_(("review", "audit"))
    wanted = select(ReviewItem).where(WAITING, *unknown, *work).order_by(ReviewItem.id).limit(limit)
    return list(session.scalars(skip_locked(wanted, session.get_bind().dialect.name)))


def expired_in_the_second_line(session: Session, now: datetime, limit: int) -> list[ReviewItem]:
    """What nobody ruled on there either and nobody looks at now, the oldest first, no gold case; locked."""
    over = ReviewItem.expires_at.is_not(None), ReviewItem.expires_at < now, ReviewItem.kind != gold.GOLD
    wanted = select(ReviewItem).where(free(now), *over, _untroubled(now, "expire"))
    wanted = wanted.order_by(ReviewItem.expires_at).limit(limit)
    return list(session.scalars(skip_locked(wanted, session.get_bind().dialect.name)))


def was_escalated_by_a_person(session: Session, item: ReviewItem) -> bool:
    """Whether somebody passed this case of the second line on; else it is there because its time was over."""
    passed_on = (
        select(Ruling.id)
        .join(ReviewItem, ReviewItem.id == Ruling.item_id)
        .where(ReviewItem.decision_id == item.decision_id, ReviewItem.level == item.level - 1)
        .where(Ruling.ruling == "escalate", Ruling.undone_at.is_(None))
    )
    return session.scalar(passed_on) is not None


def end_items(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Bulk update by primary key: items nobody holds, ended with what recorded work says of them."""
    if rows:
        session.execute(update(ReviewItem), list(rows))


def insert_rulings(session: Session, rulings: Sequence[dict[str, Any]], labels: Sequence[dict[str, Any]]) -> None:
    if rulings:
        session.execute(insert(Ruling), list(rulings))
        session.execute(insert(Label), list(labels))


def set_outcomes(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Bulk update by primary key of how decisions ended; they go to settling."""
    if rows:
        session.execute(update(Decision), [{**row, "unsettled": True} for row in rows])


def held_now(session: Session, reach: Reach, now: datetime, limit: int) -> Sequence[tuple[UUID, str, datetime]]:
    """Which cases within somebody's reach are held, by whom, and until when."""
    wanted = select(ReviewItem.id, ReviewItem.claimed_by, ReviewItem.claimed_until)
    held = wanted.where(HELD, ReviewItem.claimed_until >= now, worked(reach))
    found = session.execute(held.order_by(ReviewItem.id).limit(limit))
    return [(item, login or "", until or now) for item, login, until in found]
