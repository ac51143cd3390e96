"""What left the database for files, and what of it is counted."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class Archive(Table):
    """
    A file with decisions of one agent, stored in one month, and all that hangs on them. Entered only after it was
    read back; its rows are dropped after that. What could not go with the month goes later, in a further part.
    """

    __tablename__ = "archives"
    __table_args__ = (Index(None, "agent", "month", "part", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    agent: Mapped[str] = mapped_column(String(128))
    month: Mapped[date]  # of the ids in it, its first day
    part: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))  # of the file, in the folder for archives
    decisions: Mapped[int]
    rows: Mapped[dict[str, Any]]  # how many of each table
    size: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"))  # bytes of the file
    sha256: Mapped[str] = mapped_column(String(64))  # of the file, hex
    first_id: Mapped[UUID]
    last_id: Mapped[UUID]
    created_at: Mapped[datetime]
    dropped_at: Mapped[datetime | None]  # None: its rows are still to be dropped, all or some of them
    kept: Mapped[int] = mapped_column(Integer, default=0)  # decisions that changed meanwhile, and so stayed


class ArchivedTotal(Table):
    """Of the totals, what rests on decisions that were archived: totals are these and the rows."""

    __tablename__ = "archived_totals"

    rollout_id: Mapped[UUID] = mapped_column(ForeignKey("rollouts.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(primary_key=True)
    lane: Mapped[str] = mapped_column(String(16), primary_key=True)
    segment: Mapped[str] = mapped_column(String(128), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    cases: Mapped[int]
    agreed: Mapped[int]
    overridden: Mapped[int]
    severe: Mapped[int]
    void: Mapped[int]
    invalid_output: Mapped[int]
    invalid_confidence: Mapped[int]
    minor: Mapped[int]
    low_confidence: Mapped[int]
    first_attempts: Mapped[int]  # counted by attribute too
