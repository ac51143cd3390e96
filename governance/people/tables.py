"""People, the keys of programs, and sign-ins."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from kit.ids import new_id
from kit.tables import Table


class Person(Table):
    """A human being who signs in. The login is the name that stands in every record of what they did."""

    __tablename__ = "people"

    login: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    roles: Mapped[list[str]]
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class Key(Table):
    """A bearer key: of an agent (bound to it), or of a person (acting with that person's roles)."""

    __tablename__ = "keys"
    __table_args__ = (Index(None, "digest", unique=True),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(128))
    digest: Mapped[str] = mapped_column(String(64))  # sha-256 of the key; the key itself is shown once
    hint: Mapped[str] = mapped_column(String(16))
    agent: Mapped[str | None] = mapped_column(String(128))
    login: Mapped[str | None] = mapped_column(ForeignKey("people.login"))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(128))
    revoked_at: Mapped[datetime | None]


class SignIn(Table):
    """A browser session; the cookie holds a random token, the row its digest."""

    __tablename__ = "sign_ins"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    login: Mapped[str] = mapped_column(ForeignKey("people.login"))
    form_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    preferences: Mapped[dict[str, Any]]
