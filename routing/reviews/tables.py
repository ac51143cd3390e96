"""The review queue: items that wait for a person, and the rulings people gave."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.dialects import Json
from kit.ids import new_id
from kit.tables import Table


class ReviewItem(Table):
    """A queued output. Who holds it, until when, and how it ended."""

    __tablename__ = "review_items"
    __table_args__ = (
        Index("ix_review_items_decision_id_level_kind", "decision_id", "level", "kind", unique=True),
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
        Index(  # the same for who works one segment
            "ix_review_items_waiting_in_segment",
            "agent",
            "segment",
            "level",
            text("priority DESC"),
            "due_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(  # the same for who looks at one kind, and of which versions something waits
            "ix_review_items_waiting_of_kind",
            text("coalesce(shown_as, kind)"),
            "rollout_id",
            "level",
            text("priority DESC"),
            "due_at",
            "id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_review_items_waiting_case_id",
            "case_id",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(  # what the sweep for overdue cases looks through: the first line by this, the second by expires_at
            "ix_review_items_waiting_escalates_at",
            "escalates_at",
            postgresql_where=text("state = 'waiting' AND escalates_at IS NOT NULL"),
            sqlite_where=text("state = 'waiting' AND escalates_at IS NOT NULL"),
        ),
        Index(  # what a web process of a former release stored, until the sweep has given it its time
            "ix_review_items_waiting_without_end",
            "id",
            postgresql_where=text("state = 'waiting' AND escalates_at IS NULL AND expires_at IS NULL"),
            sqlite_where=text("state = 'waiting' AND escalates_at IS NULL AND expires_at IS NULL"),
        ),
        Index(
            "ix_review_items_waiting_expires_at",
            "expires_at",
            postgresql_where=text("state = 'waiting' AND expires_at IS NOT NULL"),
            sqlite_where=text("state = 'waiting' AND expires_at IS NOT NULL"),
        ),
        Index(  # what somebody holds; until when is in no index, so that to hold on writes none of them
            "ix_review_items_held",
            "claimed_by",
            postgresql_where=text("state = 'waiting' AND claimed_by IS NOT NULL"),
            sqlite_where=text("state = 'waiting' AND claimed_by IS NOT NULL"),
        ),
        Index(  # gold cases that somebody has
            "ix_review_items_gold",
            "agent",
            postgresql_where=text("kind = 'gold' AND state = 'waiting'"),
            sqlite_where=text("kind = 'gold' AND state = 'waiting'"),
        ),
        Index(
            "ix_review_items_concludes_at",
            "concludes_at",
            postgresql_where=text("concludes_at IS NOT NULL"),
            sqlite_where=text("concludes_at IS NOT NULL"),
        ),
        Index(
            "ix_review_items_ended_at",
            "ended_at",
            postgresql_where=text("ended_at IS NOT NULL"),
            sqlite_where=text("ended_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    decision_id: Mapped[UUID]
    agent: Mapped[str] = mapped_column(String(128))
    version: Mapped[str] = mapped_column(String(128))
    rollout_id: Mapped[UUID]
    case_id: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(16))  # review | audit, or what is `shown_as` one of them
    shown_as: Mapped[str | None] = mapped_column(String(16))  # the kind that its reviewer is told; None: its own
    level: Mapped[int] = mapped_column(Integer, default=1)  # 2: escalated to the second line
    segment: Mapped[str] = mapped_column(String(128), default="")
    priority: Mapped[int] = mapped_column(Integer, default=0)  # higher first, then the one that is due first
    fingerprint: Mapped[str] = mapped_column(String(64))  # of input and output as shown; a ruling names it
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    escalates_at: Mapped[datetime | None]  # in the first line: when it is passed on; a check: when its times begin anew
    expires_at: Mapped[datetime | None]  # in the second line, and of a check: when it ends without a ruling
    # waiting, or how it ended: approved edited rejected escalated expired cancelled superseded
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    claimed_by: Mapped[str | None] = mapped_column(String(128))
    claimed_at: Mapped[datetime | None]
    claimed_until: Mapped[datetime | None]
    # Held for who claimed it as one of their next, and not seen yet.
    ahead: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    concludes_at: Mapped[datetime | None]  # ruled, and can be undone until then; nothing came of it so far
    ended_at: Mapped[datetime | None]
    arm: Mapped[str] = mapped_column(String(16), default="assisted", server_default="assisted")  # or blind
    arm_probability: Mapped[float | None]  # of having become blind; None where nobody could be asked
    seconded: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # drawn for a second opinion
    second_probability: Mapped[float | None]  # of having been drawn
    not_for: Mapped[str | None] = mapped_column(String(128))  # who gave the first of two opinions; never dealt to them

    def ends_in_second_line(self, now: datetime) -> datetime:
        """When its time is over if it is passed on now; half of it is left there at least."""
        return max(self.due_at, now + (self.due_at - self.created_at) / 2)

    @property
    def shown_kind(self) -> str:
        """What kind a reviewer is told it is."""
        return self.shown_as or self.kind


class Ruling(Table):
    """What a person said of a queued output. One per item, but for those that were undone; never changed."""

    __tablename__ = "rulings"
    __table_args__ = (
        Index(None, "item_id"),
        Index(
            "ix_rulings_standing",
            "item_id",
            unique=True,
            postgresql_where=text("undone_at IS NULL"),
            sqlite_where=text("undone_at IS NULL"),
        ),
        Index(None, "login", "at"),
    )

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
    # What it says of the output, as worked out when it was given; None for an escalation and in older rows.
    verdict: Mapped[str | None] = mapped_column(String(16))
    severity: Mapped[str | None] = mapped_column(String(16))
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]  # taken back before anybody was told; nothing ever comes of it
    # Given to several cases of one signature at once: it ends the case and is no evidence of anything.
    bulk: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class Opened(Table):
    """That a person had a case before them with its output, and gave it back."""

    __tablename__ = "opened_cases"
    __table_args__ = (Index(None, "login", "at"),)

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(String(128), primary_key=True)
    at: Mapped[datetime]


class UnreadRuling(Table):
    """A ruling that was given sooner than anybody can have read its case. It counts as any other; a lead is told."""

    __tablename__ = "unread_rulings"
    __table_args__ = (Index(None, "agent", "at"), Index(None, "login", "at"))

    ruling_id: Mapped[UUID] = mapped_column(primary_key=True)
    agent: Mapped[str] = mapped_column(String(128))
    login: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]


class ReviewTrouble(Table):
    """What could not be done with an item, so that others go on; it is tried again later."""

    __tablename__ = "review_troubles"

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(String(16))  # conclude | pass_on | expire | cancel
    problem: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer)
    since: Mapped[datetime]
    next_at: Mapped[datetime]  # not tried before
