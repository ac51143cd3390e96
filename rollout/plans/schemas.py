"""What goes over the wire about plans."""

from datetime import datetime
from typing import Any
from uuid import UUID

from kit.wire import Out, Strict


class ChangeOut(Out):
    """One difference between two plans; `before` is null for what is added, `after` for what is removed."""

    place: str
    before: Any
    after: Any
    words: str


class PlanOut(Out):
    id: UUID
    agent: str
    revision: int
    plan: dict[str, Any]
    yaml: str
    created_at: datetime
    created_by: str


class PlansOut(Out):
    items: list[PlanOut]
    next_cursor: str | None


class AppliedOut(Out):
    """`stored` is false for a dry run and for a plan that asks the same as the present one."""

    stored: bool
    revision: int
    changes: list[ChangeOut]
    plan: dict[str, Any]


class ValidOut(Out):
    """The plan as it was understood, with every default written out."""

    valid: bool
    agent: str
    plan: dict[str, Any]
    yaml: str


class AdoptIn(Strict):
    reason: str
