"""Statements on webhooks and the outbox."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
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


def due_messages(session: Session, now: datetime, limit: int) -> list[OutboxMessage]:
    """Messages whose time has come, oldest first, none that another worker holds."""
    statement = (
        select(OutboxMessage)
        .where(OutboxMessage.state == "waiting", OutboxMessage.due_at <= now)
        .order_by(OutboxMessage.due_at, OutboxMessage.id)
        .limit(limit)
    )
    return list(session.scalars(skip_locked(statement, session.get_bind().dialect.name)))
