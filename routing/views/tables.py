"""Saved views of the queue."""

from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, Index, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class QueueView(Table):
    """A part of the queue under a name: a person's own, or shown to a team by one of its leads."""

    __tablename__ = "queue_views"
    __table_args__ = (
        Index(None, "login", "name", unique=True),
        Index(
            "ix_queue_views_team", "team", postgresql_where=text("team IS NOT NULL"),
            sqlite_where=text("team IS NOT NULL"),
        ),
    )  # fmt: skip

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(ForeignKey("people.login"))
    name: Mapped[str] = mapped_column(String(64))
    team: Mapped[str | None] = mapped_column(String(64))  # who else sees it; "*": everybody who reviews
    opens: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())  # what its owner sees first
    wanted: Mapped[dict[str, Any]]
