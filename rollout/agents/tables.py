"""Agents: named AI systems, each with an owner and the settings of its work."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kit.tables import Table


class Agent(Table):
    """A named AI system that does one class of work."""

    __tablename__ = "agents"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)  # lower-case slug, stands in URLs
    title: Mapped[str] = mapped_column(String(200))
    about: Mapped[str] = mapped_column(Text, default="")
    owner: Mapped[str] = mapped_column(ForeignKey("people.login"))
    second: Mapped[str | None] = mapped_column(ForeignKey("people.login"))  # who signs beside the owner
    # JSON Schema of outputs, comparison rules, how fields are shown, reject reasons: see schemas.AgentSettings.
    settings: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy's way
