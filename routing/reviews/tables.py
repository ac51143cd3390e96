"""The review queue: items that wait for a person, and the rulings people gave."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table


class ReviewItem(Table):
    """A queued output. Who holds it, until when, and how it ended."""

    __tablename__ = "review_items"
    __table_args__ = (
        Index("ix_review_items_decision_id_level", "decision_id", "level", unique=True),
        Index(
            "ix_review_items_waiting",
            "level",
            "agent",
            text("priority DESC"),
            "due_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(  # the same for those who work for all agents
            "ix_review_items_waiting_anywhere",
            "level",
            text("priority DESC"),
            "due_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_review_items_waiting_of_rollout",
            "rollout_id",
            postgresql_where=text("state = 'waiting' AND kind = 'review'"),
            sqlite_where=text("state = 'waiting' AND kind = 'review'"),
        ),
        Index(  # what the sweep for overdue cases looks through: the first line by due_at, the second by expires_at
            "ix_review_items_waiting_due_at",
            "level",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_review_items_waiting_expires_at",
            "expires_at",
            postgresql_where=text("state = 'waiting' AND expires_at IS NOT NULL"),
            sqlite_where=text("state = 'waiting' AND expires_at IS NOT NULL"),
        ),
        Index(
            "ix_review_items_claimed_until",
            "claimed_until",
            postgresql_where=text("state = 'waiting' AND claimed_until IS NOT NULL"),
            sqlite_where=text("state = 'waiting' AND claimed_until IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[UUID]
    agent: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    rollout_id: Mapped[UUID]
    case_id: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))  # review | audit
    level: Mapped[int] = mapped_column(Integer, default=1)  # 2: escalated to the second line
    segment: Mapped[str] = mapped_column(String(128), default="")
    priority: Mapped[int] = mapped_column(Integer, default=0)  # higher first, then the one that is due first
    fingerprint: Mapped[str] = mapped_column(String(64))  # of input and output as shown; a ruling names it
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]  # in the second line: when it ends without a ruling
    # waiting, or how it ended: approved edited rejected escalated expired cancelled superseded
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    claimed_by: Mapped[str | None] = mapped_column(String(128))
    claimed_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Ruling(Table):
    """What a person said of a queued output. One per item; never changed."""

    __tablename__ = "rulings"
    __table_args__ = (Index(None, "item_id", unique=True), Index(None, "login", "at"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    item_id: Mapped[UUID]
    decision_id: Mapped[UUID]
    login: Mapped[str] = mapped_column(String(128))
    ruling: Mapped[str] = mapped_column(String(16))  # approve | edit | reject | escalate
    output: Mapped[Any] = mapped_column(Json, nullable=True)  # the edited output
    reason_code: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, default="")
    fingerprint: Mapped[str] = mapped_column(String(64))
    held_seconds: Mapped[float]  # from claim to ruling
    at: Mapped[datetime]
