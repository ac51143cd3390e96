"""What goes over the wire about people and keys. No password and no digest ever goes out."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from governance.actors import Role
from kit.wire import Out, Strict

Name = Annotated[str, Field(min_length=1, max_length=128)]


class MeOut(Out):
    name: str
    kind: Literal["person", "agent", "system"]
    roles: list[Role]
    agent: str | None


class NewPerson(Strict):
    login: Annotated[str, Field(min_length=1, max_length=128, description="Lower case; stands in every record.")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    roles: list[Role]
    password: Annotated[str | None, Field(min_length=8, max_length=1024)] = None


class PersonOut(Out):
    login: str
    name: str
    roles: list[Role]
    created_at: datetime
    disabled_at: datetime | None


class PeopleOut(Out):
    items: list[PersonOut]
    next_cursor: str | None


class NewKey(Strict):
    """For an agent or for a person; exactly one of both."""

    name: Annotated[Name, Field(description="What it is for, so that it is recognised when it must go.")]
    agent: Name | None = None
    login: Name | None = None


class KeyOut(Out):
    id: UUID
    name: str
    hint: str
    agent: str | None
    login: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class KeyCreated(KeyOut):
    secret: Annotated[str, Field(description="The key itself. It is shown this once.")]


class KeysOut(Out):
    items: list[KeyOut]
    next_cursor: str | None
