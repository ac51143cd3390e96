"""Statements on notices, messages and their links."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, delete, exists, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session

from governance.people.tables import Person
from routing.domain.judging import JUDGEMENT
from routing.domain.opinions import ADJUDICATION
from routing.domain.reach import Reach
from routing.notifications.tables import HeldNotice, Notice, Notification, NotificationLink, NotificationSettings
from routing.reviews.dealing.lines import WAITING, worked
from routing.reviews.dealing.queries import seen_by
from routing.reviews.tables import ReviewItem

_TURN = 0x6E6F7465  # any number will do, as long as nobody else locks the same
_LATE_ROWS = timedelta(minutes=10)  # a case may become visible so long after the time written on it, at most
_TOLD_OF = ("review", "audit", ADJUDICATION, JUDGEMENT)  # on others it would tell that somebody is being checked

ENDS = func.coalesce(ReviewItem.expires_at, ReviewItem.escalates_at, ReviewItem.due_at)
"""When the time of a case is over in the line in which it waits: then it is passed on, or expires in the second."""


def settings_of(session: Session, login: str, *, lock: bool = False) -> NotificationSettings | None:
    return session.get(NotificationSettings, login, with_for_update=True if lock else None, populate_existing=lock)


def anybody_listens(session: Session) -> bool:
    return bool(session.scalar(select(exists().where(_listens()))))


def _listens() -> ColumnElement[bool]:
    return and_(NotificationSettings.way != "none", NotificationSettings.confirmed_at.is_not(None))


def newest_notice(session: Session) -> int:
    return session.scalar(select(func.max(Notice.number))) or 0


def newest_in_turn(session: Session) -> int:
    """
    The last number, held until the transaction ends: writers take turns, so a higher number is never visible before a
    lower one, and who has heard of the highest has heard of all.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_TURN)))
    return newest_notice(session)


def _waits() -> ColumnElement[bool]:
    return and_(WAITING, ReviewItem.kind.in_(_TOLD_OF))


def _unheld(now: datetime) -> ColumnElement[bool]:
    return or_(ReviewItem.claimed_by.is_(None), ReviewItem.claimed_until < now)


def _free(now: datetime) -> ColumnElement[bool]:
    return and_(_waits(), _unheld(now))


def _unknown(kind: str) -> ColumnElement[bool]:
    return ~exists().where(Notice.item_id == ReviewItem.id, Notice.kind == kind)


class Fresh(NamedTuple):
    """A case that nobody noted yet; `created_at`: since when it waits in its line."""

    id: UUID
    created_at: datetime
    free: bool


def fresh(session: Session, kind: str, now: datetime, limit: int) -> list[Fresh]:
    """
    Urgent cases of the first line, or cases of the second, that nobody noted yet, also those that somebody holds; the
    oldest first. Looked for from the newest that was noted, so that an outage loses none.
    """
    second = ReviewItem.level > 1
    which = second if kind == "escalated" else and_(ReviewItem.level == literal(1), ReviewItem.priority > 0)
    seen = [session.scalar(select(func.max(table.at)).where(table.kind == kind)) for table in (Notice, HeldNotice)]
    since = max(filter(None, seen), default=None)
    since = since or session.scalar(select(func.min(NotificationSettings.confirmed_at)).where(_listens())) or now
    wanted = select(ReviewItem.id, ReviewItem.created_at, _unheld(now)).where(
        _waits(), which, _unknown(kind), ~exists().where(HeldNotice.item_id == ReviewItem.id, HeldNotice.kind == kind)
    )
    wanted = wanted.where(ReviewItem.created_at >= since - _LATE_ROWS).order_by(ReviewItem.created_at).limit(limit)
    return [Fresh(*row) for row in session.execute(wanted).all()]


def hold(session: Session, kind: str, items: Sequence[tuple[UUID, datetime]]) -> None:
    """Remember what somebody holds, for when it is given back."""
    if items:
        session.execute(insert(HeldNotice), [{"item_id": item, "kind": kind, "at": at} for item, at in items])


def given_back(session: Session, kind: str, now: datetime, limit: int) -> list[tuple[UUID, datetime]]:
    """What was held when it was new and is free by now; forgotten here, as is what has ended."""
    ended = exists().where(ReviewItem.id == HeldNotice.item_id, ~_waits())
    session.execute(delete(HeldNotice).where(HeldNotice.kind == kind, ended))
    wanted = select(HeldNotice.item_id, HeldNotice.at).join(ReviewItem, ReviewItem.id == HeldNotice.item_id)
    free = session.execute(wanted.where(HeldNotice.kind == kind, _free(now), _unknown(kind)).limit(limit)).all()
    if free:
        ids = [item for item, _ in free]
        session.execute(delete(HeldNotice).where(HeldNotice.kind == kind, HeldNotice.item_id.in_(ids)))
    return [(item, at) for item, at in free]


def nearly_late(session: Session, now: datetime, until: datetime, limit: int) -> list[tuple[UUID, datetime]]:
    """Free cases whose time in their line ends before `until`, that nobody noted as such; the first to end first."""
    found: list[tuple[UUID, datetime]] = []
    for end in (ReviewItem.expires_at, ReviewItem.escalates_at):  # each has an index over what waits
        soon = select(ReviewItem.id).where(_free(now), end > now, end <= until, _unknown("due"))
        found += [(item, now) for item in session.scalars(soon.order_by(end).limit(limit - len(found)))]
    return found


def add_notices(session: Session, kind: str, items: Sequence[tuple[UUID, datetime]], *, after: int) -> int:
    """Number them on; returns the last number."""
    rows = [
        {"number": number, "item_id": item, "kind": kind, "at": at}
        for number, (item, at) in enumerate(items, start=after + 1)
    ]
    if rows:
        session.execute(insert(Notice), rows)
    return after + len(rows)


def listeners_due(session: Session, now: datetime, newest: int) -> Sequence[str]:
    """Who may be told now, of something they have not heard of, and is not being told already."""
    on_the_way = exists().where(Notification.login == NotificationSettings.login, Notification.state == "waiting")
    wanted = select(NotificationSettings.login).where(
        _listens(), NotificationSettings.next_at <= now, NotificationSettings.told_through < newest, ~on_the_way
    )
    return session.scalars(wanted.order_by(NotificationSettings.login)).all()


def try_listener(session: Session, login: str) -> tuple[NotificationSettings, Person] | None:
    """The settings, locked, and their person; None while another worker holds them."""
    statement = select(NotificationSettings, Person).join(Person).where(NotificationSettings.login == login)
    dialect = session.get_bind().dialect.name
    if dialect == "postgresql":
        statement = statement.with_for_update(skip_locked=True, of=NotificationSettings)
    row = session.execute(statement.execution_options(populate_existing=True)).one_or_none()
    return (row[0], row[1]) if row is not None else None


def confirmation_on_the_way(session: Session, login: str) -> Notification | None:
    """The message to confirm the address that has still to be sent."""
    theirs = Notification.login == login, Notification.kind == "confirm", Notification.state == "waiting"
    return session.scalar(select(Notification).where(*theirs).limit(1))


def confirmations_sent(session: Session, login: str, since: datetime) -> int:
    """How many messages to confirm an address went out, or were tried, since then."""
    theirs = Notification.login == login, Notification.kind == "confirm", Notification.attempts > 0
    return session.scalar(select(func.count()).where(*theirs, Notification.created_at >= since)) or 0


def is_on_the_way(session: Session, login: str) -> bool:
    """Whether a message to them has still to be sent."""
    return bool(session.scalar(select(exists().where(Notification.login == login, Notification.state == "waiting"))))


def news(
    session: Session,
    settings: NotificationSettings,
    *,
    reach: Reach,
    through: int,
    now: datetime,
    limit: int,
) -> Sequence[Any]:
    """What is new to them and still free: the kind and what a message says of the case, the most pressing first."""
    rank = case((Notice.kind == "due", 0), (Notice.kind == "escalated", 1), else_=2)
    wanted = (
        select(
            Notice.kind, ReviewItem.id, ReviewItem.case_id, ReviewItem.agent, ReviewItem.segment, ENDS.label("ends_at")
        )
        .join(ReviewItem, ReviewItem.id == Notice.item_id)
        .where(
            Notice.number > settings.told_through,
            Notice.number <= through,
            Notice.kind.in_(settings.about),
            worked(reach),
            _free(now),
            *seen_by(settings.login),
        )
    )
    if settings.agents:
        wanted = wanted.where(ReviewItem.agent.in_(settings.agents))
    return session.execute(wanted.order_by(rank, ENDS, ReviewItem.id).limit(limit)).all()


def next_due(session: Session, now: datetime) -> tuple[Notification, NotificationSettings, Person] | None:
    """The message whose time came first, with whom it is for, none that another worker holds."""
    statement = (
        select(Notification, NotificationSettings, Person)
        .join(NotificationSettings, NotificationSettings.login == Notification.login)
        .join(Person, Person.login == Notification.login)
        .where(Notification.state == "waiting", Notification.due_at <= now)
        .order_by(Notification.due_at, Notification.id)
        .limit(1)
        .execution_options(populate_existing=True)
    )
    if session.get_bind().dialect.name == "postgresql":
        statement = statement.with_for_update(skip_locked=True, of=(Notification, NotificationSettings))
    row = session.execute(statement).one_or_none()
    return (row[0], row[1], row[2]) if row is not None else None


def links_of(session: Session, notification_id: UUID) -> Sequence[NotificationLink]:
    return session.scalars(select(NotificationLink).where(NotificationLink.notification_id == notification_id)).all()


def find_link(session: Session, link_id: UUID) -> NotificationLink | None:
    return session.get(NotificationLink, link_id)


def try_use(session: Session, link_id: UUID, now: datetime) -> bool:
    """Use a link up. One conditional UPDATE, so it works once however often it is pressed."""
    used = session.scalar(
        update(NotificationLink)
        .where(NotificationLink.id == link_id, NotificationLink.used_at.is_(None), NotificationLink.expires_at > now)
        .values(used_at=now)
        .returning(NotificationLink.id)
        .execution_options(synchronize_session=False)
    )
    return used is not None


def give_up_on(session: Session, login: str, now: datetime) -> None:
    """Nothing that waits is sent to them any more, and what their links did for an address they do no more."""
    session.execute(
        update(Notification).where(Notification.login == login, Notification.state == "waiting").values(state="nobody")
    )
    session.execute(
        update(NotificationLink)
        .where(
            NotificationLink.login == login,
            NotificationLink.does.in_(("confirm", "off")),
            NotificationLink.used_at.is_(None),
        )
        .values(used_at=now)
    )


def forget(session: Session, before: datetime, now: datetime) -> None:
    """What was told long ago, and links that work no more."""
    session.execute(delete(Notice).where(Notice.at < before, Notice.number < newest_notice(session)))
    session.execute(delete(Notification).where(Notification.created_at < before, Notification.state != "waiting"))
    session.execute(delete(NotificationLink).where(NotificationLink.expires_at < now))
