"""What the desk sends and gets."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from kit.http import Out, Strict


class ClaimIn(Strict):
    agent: Annotated[str, Field(min_length=1, max_length=128)] | None = None


class RulingIn(Strict):
    """A ruling names the fingerprint of what was shown; an edit brings the output, a reject its reason."""

    ruling: Literal["approve", "edit", "reject", "escalate"]
    fingerprint: Annotated[str, Field(min_length=64, max_length=64)]
    output: Any = None
    reason_code: Annotated[str, Field(max_length=64)] | None = None
    note: Annotated[str, Field(max_length=4000)] = ""


class ItemOut(Out):
    """One line of the queue."""

    id: UUID
    decision_id: UUID
    agent: str
    version: str
    case_id: str
    kind: str
    level: int
    segment: str
    priority: int
    state: str
    created_at: datetime
    due_at: datetime
    claimed_by: str | None
    claimed_until: datetime | None


class QueueOut(Out):
    items: list[ItemOut]
    waiting: dict[str, int]
    next_cursor: str | None


class HeldOut(ItemOut):
    """A claimed item with what there is to look at."""

    fingerprint: str
    input: Any
    output: Any
    action: str | None
    amount: float | None
    confidence: float | None
    reasons: list[dict[str, str]]
    trace: list[Any] | None


class RulingOut(Out):
    id: UUID
    item_id: UUID
    decision_id: UUID
    login: str
    ruling: str
    reason_code: str | None
    note: str
    at: datetime
