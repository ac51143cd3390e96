"""Statements of the audit log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, column, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from governance.audit.tables import AuditCheckpoint, AuditEvent
from kit.tables import described

_EVENTS = described(AuditEvent)
ADD = insert(_EVENTS)
_OF_A_PLACE = _EVENTS.c.id.type, _EVENTS.c.place.type, _EVENTS.c.leaf.type


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    session.connection().execute(ADD, rows)


def last_checkpoint(session: Session) -> AuditCheckpoint | None:
    return session.scalar(select(AuditCheckpoint).order_by(AuditCheckpoint.size.desc()).limit(1))


class Unsealed(NamedTuple):
    """What an event's leaf is made of; an object that follows its changes would cost several times as much."""

    id: UUID
    at: datetime
    actor: str
    verb: str
    subject: str
    agent: str | None
    detail: dict[str, Any]


def unsealed(session: Session, limit: int) -> Sequence[Unsealed]:
    columns = [getattr(AuditEvent, name) for name in Unsealed._fields]
    wanted = select(*columns).where(AuditEvent.place.is_(None)).order_by(AuditEvent.id).limit(limit)
    return [Unsealed(*row) for row in session.execute(wanted)]


def count_unsealed(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AuditEvent).where(AuditEvent.place.is_(None))) or 0


def give_places(session: Session, places: Sequence[tuple[UUID, int, str]]) -> None:
    """Write the place and leaf of each event."""
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        given = [list(column) for column in zip(*places, strict=True)]
        rows = [bindparam(None, some, type_=ARRAY(kind)) for some, kind in zip(given, _OF_A_PLACE, strict=True)]
        listed = (
            func.unnest(*rows).table_valued(*(column(name) for name in ("event", "place", "leaf"))).render_derived()
        )
        new = {"place": listed.c.place, "leaf": listed.c.leaf}
        connection.execute(update(_EVENTS).where(_EVENTS.c.id == listed.c.event).values(new))
        return
    connection.execute(
        update(_EVENTS)
        .where(_EVENTS.c.id == bindparam("event"))
        .values(place=bindparam("at_place"), leaf=bindparam("its_leaf")),
        [{"event": event, "at_place": place, "its_leaf": leaf} for event, place, leaf in places],
    )


def extent(session: Session) -> tuple[int, int]:
    """How many leaves the newest checkpoint covers, and the highest place plus one, seen in one moment."""
    size = select(func.coalesce(func.max(AuditCheckpoint.size), 0)).scalar_subquery()
    places = select(func.coalesce(func.max(AuditEvent.place) + 1, 0)).scalar_subquery()
    row = session.execute(select(size, places)).one()
    return row[0], row[1]


def sealed(session: Session, start: int, limit: int) -> Sequence[AuditEvent]:
    """Sealed events from a place on, in order."""
    return session.scalars(
        select(AuditEvent).where(AuditEvent.place >= start).order_by(AuditEvent.place).limit(limit)
    ).all()


def checkpoints_between(session: Session, above: int, upto: int) -> Sequence[AuditCheckpoint]:
    return session.scalars(
        select(AuditCheckpoint)
        .where(AuditCheckpoint.size > above, AuditCheckpoint.size <= upto)
        .order_by(AuditCheckpoint.size)
    ).all()


def leaves(session: Session, start: int, stop: int) -> Sequence[str]:
    return session.scalars(
        select(AuditEvent.leaf)
        .where(AuditEvent.place >= start, AuditEvent.place < stop, AuditEvent.leaf.is_not(None))
        .order_by(AuditEvent.place)
    ).all()  # type: ignore[return-value]  # the filter leaves no None


def events_of(
    session: Session,
    *,
    subject: str | None = None,
    agent: str | None = None,
    before: UUID | None = None,
    limit: int,
) -> Sequence[AuditEvent]:
    """The newest events first, by subject or agent."""
    wanted = select(AuditEvent).order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(limit)
    if subject is not None:
        wanted = wanted.where(AuditEvent.subject == subject)
    if agent is not None:
        wanted = wanted.where(AuditEvent.agent == agent)
    if before is not None:
        wanted = wanted.where(AuditEvent.id < before)
    return session.scalars(wanted).all()


def details_since(
    session: Session, subject: str, verb: str, since: datetime, *, limit: int
) -> Sequence[dict[str, Any]]:
    """What was noted with the newest events of this kind on a subject."""
    return session.scalars(
        select(AuditEvent.detail)
        .where(AuditEvent.subject == subject, AuditEvent.verb == verb, AuditEvent.at > since)
        .order_by(AuditEvent.at.desc())
        .limit(limit)
    ).all()
