"""Whom to tell of waiting cases, what there is to tell, and what was told."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class NotificationSettings(Table):
    """How one person wants to be told, by one way only. Who has no row, or the way `none`, is told nothing."""

    __tablename__ = "notification_settings"

    login: Mapped[str] = mapped_column(ForeignKey("people.login"), primary_key=True)
    way: Mapped[str] = mapped_column(String(16))  # none | email | slack | webhook
    address: Mapped[str] = mapped_column(Text, default="")
    secret: Mapped[str | None] = mapped_column(String(128))  # signs what goes to a webhook
    confirmed_at: Mapped[datetime | None]  # when a link sent there was opened and confirmed
    about: Mapped[list[str]]  # urgent | due | escalated
    agents: Mapped[list[str]]  # none: all agents
    pace: Mapped[str] = mapped_column(String(16))  # soon | hourly | daily
    daily_at: Mapped[str] = mapped_column(String(5))  # these three by the clock of `zone`, as 07:30
    quiet_from: Mapped[str | None] = mapped_column(String(5))
    quiet_until: Mapped[str | None] = mapped_column(String(5))
    zone: Mapped[str] = mapped_column(String(64))
    told_through: Mapped[int] = mapped_column(BigInteger, default=0)  # the last notice a message brought to them
    told_at: Mapped[datetime | None]  # when a message to them was last tried
    next_at: Mapped[datetime]  # not before
    problem: Mapped[str | None] = mapped_column(Text)  # why the last message did not arrive


class Notice(Table):
    """Something worth telling of a waiting case, once. Numbered in the order in which they become visible."""

    __tablename__ = "notices"
    __table_args__ = (Index(None, "item_id", "kind", unique=True), Index(None, "at"))

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    item_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(String(16))  # urgent | due | escalated
    at: Mapped[datetime]  # since when the case waits in its line; of `due`, when it was noted


class HeldNotice(Table):
    """Somebody held the case when it was new. It becomes a notice when it is given back, and is forgotten otherwise."""

    __tablename__ = "held_notices"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)  # urgent | escalated
    at: Mapped[datetime]  # since when the case waits in its line


class Notification(Table):
    """One message to one person. What it says is fixed when it is written; a repeat has the same id."""

    __tablename__ = "notifications"
    __table_args__ = (
        Index(
            "ix_notifications_due",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(None, "login"),
        Index(None, "created_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)  # also the Message-ID or webhook-id
    login: Mapped[str] = mapped_column(ForeignKey("people.login"))
    kind: Mapped[str] = mapped_column(String(16))  # news | confirm
    facts: Mapped[list[Any]]
    through: Mapped[int | None] = mapped_column(BigInteger)  # of news: heard of up to here, once it is delivered
    state: Mapped[str] = mapped_column(String(16))  # waiting | delivered | nobody | dead
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime]
    created_at: Mapped[datetime]
    delivered_at: Mapped[datetime | None]


class NotificationLink(Table):
    """A link of a message. It does one thing, for one person, once; its signature is computed, not stored."""

    __tablename__ = "notification_links"
    __table_args__ = (Index(None, "notification_id"), Index(None, "login"), Index(None, "expires_at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    notification_id: Mapped[UUID]
    login: Mapped[str] = mapped_column(ForeignKey("people.login"))
    does: Mapped[str] = mapped_column(String(16))  # take | confirm | off
    item_id: Mapped[UUID | None]  # the case to take
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
