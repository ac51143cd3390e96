"""What goes over the wire about rulings on several cases at once."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from kit.wire import Out, Strict


class AlikeIn(Strict):
    """A case, and the fingerprint of what was shown of it."""

    id: UUID
    fingerprint: Annotated[str, Field(min_length=64, max_length=64)]


class BulkRulingIn(Strict):
    """For cases of one signature, as `GET /v1/reviews:alike` names it. What is wrong is rejected by itself."""

    agent: Annotated[str, Field(min_length=1, max_length=128)]
    signature: Annotated[str, Field(min_length=64, max_length=64)]
    ruling: Literal["approve"]
    note: Annotated[str, Field(max_length=4000)] = ""
    items: Annotated[list[AlikeIn], Field(min_length=1, max_length=100)]


class RefusedOut(Out):
    """Why this one is left out; the others are not touched by it."""

    code: str
    title: str
    detail: str


class BulkItemOut(Out):
    """`status`: ruled, unchanged (it was ruled so before) or refused. It can be undone until `undo_until`."""

    id: UUID
    status: str
    undo_until: datetime | None
    problem: RefusedOut | None


class BulkRulingOut(Out):
    items: list[BulkItemOut]
    ruled: int


class AlikeItemOut(Out):
    id: UUID
    case_id: str
    fingerprint: str
    due_at: datetime


class GroupOut(Out):
    """Cases of one signature that you opened and gave back; `most` of them can be ruled on at once."""

    signature: str
    agent: str
    version: str
    output: Any
    action: str | None
    reasons: list[dict[str, str]]
    most: int
    items: list[AlikeItemOut]


class GroupsOut(Out):
    items: list[GroupOut]
