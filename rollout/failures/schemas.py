"""What goes over the wire about failures."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import StringConstraints

from kit.wire import Out, Strict

State = Literal["open", "investigating", "closed"]


class CauseIn(Strict):
    """What was found out; it becomes part of the record."""

    cause: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]


class FailureOut(Out):
    id: UUID
    agent: str
    version: str
    rollout_id: UUID | None
    decision_id: UUID | None
    case_id: str | None
    severity: str
    description: str
    input: Any
    correct_output: Any
    state: str
    cause: str
    suite: str | None
    reported_at: datetime
    reported_by: str
    closed_at: datetime | None


class FailuresOut(Out):
    items: list[FailureOut]
    next_cursor: str | None
