"""Statements on webhooks and the outbox."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from kit.dialects import skip_locked
from routing.delivery.tables import OutboxMessage, Webhook


def active_webhooks(session: Session, agent: str) -> Sequence[Webhook]:
    return session.scalars(
        select(Webhook).where(Webhook.agent == agent, Webhook.active.is_(True)).order_by(Webhook.id)
    ).all()


def due_messages(session: Session, now: datetime, limit: int) -> list[OutboxMessage]:
    """Messages whose time has come, oldest first, none that another worker holds."""
    statement = (
        select(OutboxMessage)
        .where(OutboxMessage.state == "waiting", OutboxMessage.due_at <= now)
        .order_by(OutboxMessage.due_at, OutboxMessage.id)
        .limit(limit)
    )
    return list(session.scalars(skip_locked(statement, session.get_bind().dialect.name)))
