"""The audit log: events as they happen, and their sealed places in a Merkle tree."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table

_BIG = BigInteger().with_variant(Integer, "sqlite")


class AuditEvent(Table):
    """Something that was done: who, what, to which thing, when. Never changed but for its place."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index(None, "subject", "at"),
        Index(None, "agent", "at"),
        Index(None, "place", unique=True),
        Index(
            "ix_audit_events_unsealed",
            "id",
            postgresql_where=text("place IS NULL"),
            sqlite_where=text("place IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(128))
    verb: Mapped[str] = mapped_column(String(64))  # e.g. rollout.advanced
    subject: Mapped[str] = mapped_column(String(200))  # id of the thing it was done to
    agent: Mapped[str | None] = mapped_column(String(128))
    detail: Mapped[dict[str, Any]]
    place: Mapped[int | None] = mapped_column(_BIG)  # leaf index, given by the sealer
    leaf: Mapped[str | None] = mapped_column(String(64))  # RFC 6962 leaf hash, hex


class AuditCheckpoint(Table):
    """The root over the first `size` leaves, signed; with it any later change of an event can be shown."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=False)
    # The size it went on from. Unique, so of two sealers that start at the same place one cannot end.
    start: Mapped[int] = mapped_column(_BIG, unique=True)
    root: Mapped[str] = mapped_column(String(64))
    frontier: Mapped[list[Any]]  # roots of the full subtrees, so that sealing goes on without reading back
    signature: Mapped[str] = mapped_column(String(128))
    at: Mapped[datetime]
