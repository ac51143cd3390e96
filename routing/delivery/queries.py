"""Statements on webhooks and the outbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from kit import dialects
from kit.dialects import skip_locked
from routing.delivery.tables import OutboxMessage, Webhook


def active_webhooks(session: Session, agent: str) -> Sequence[Webhook]:
    return session.scalars(
        select(Webhook).where(Webhook.agent == agent, Webhook.active.is_(True)).order_by(Webhook.id)
    ).all()


def known_messages(session: Session, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these ids that are in the outbox."""
    return set(session.scalars(select(OutboxMessage.id).where(OutboxMessage.id.in_(ids)))) if ids else set()


def add_message(session: Session, message: dict[str, Any]) -> bool:
    """Insert it unless there is one of its id; whether it is new."""
    table = OutboxMessage.__table__
    statement = dialects.insert_new(session.get_bind().dialect.name, table).values(**message).returning(table.c.id)
    return session.scalar(statement) is not None


def next_due(session: Session, now: datetime) -> OutboxMessage | None:
    """The message whose time came first, none that another worker holds."""
    statement = (
        select(OutboxMessage)
        .where(OutboxMessage.state == "waiting", OutboxMessage.due_at <= now)
        .order_by(OutboxMessage.due_at, OutboxMessage.id)
        .limit(1)
    )
    return session.scalars(skip_locked(statement, session.get_bind().dialect.name)).first()


def postpone(session: Session, webhook_id: UUID, *, now: datetime, until: datetime) -> None:
    """Put what is due for this webhook behind what is due for others. What another worker holds is not due."""
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.subject == str(webhook_id), OutboxMessage.state == "waiting", OutboxMessage.due_at <= now)
        .values(due_at=until)
    )
