"""What goes over the wire about versions, their policies and their history."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from kit.wire import Out, Strict
from rollout.domain.policy import Rules
from rollout.processes.schemas import InForceOut

Label = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+@-]*$", max_length=128)]


class NewVersion(Strict):
    """
    One immutable build. `small_change` asks for the start that the plan gives to small changes.

    Without rules of its own a version has none, and goes alone in no case.
    """

    label: Label
    digest: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    about: Annotated[str, StringConstraints(max_length=4000)] = ""
    rules: Rules | None = None
    small_change: bool = False


class VersionOut(Out):
    id: UUID
    agent: str
    label: str
    digest: str | None
    about: str
    standing: str
    phase: str
    created_at: datetime
    created_by: str


class VersionsOut(Out):
    items: list[VersionOut]
    next_cursor: str | None


class GlassEndOut(Out):
    until: datetime
    phase: str
    ramp_share: float


class PolicyOut(Out):
    """The routing rules of a version at one time, with everything else that decides a case."""

    version: str
    revision: int
    standing: str
    phase: str
    epoch: int
    frozen: str | None
    ramp_share: float
    rules: Rules
    glass: GlassEndOut | None = Field(description="Break-glass: from `until` on, phase and ramp share are these.")
    cause: str
    created_at: datetime
    created_by: str


class PolicyChanged(PolicyOut):
    """The policy as it is now. `in_force` is null where the caller did not wait."""

    in_force: InForceOut | None


class PoliciesOut(Out):
    items: list[PolicyOut]
    next_cursor: str | None


class ChangeOut(Out):
    """One line of a rollout's history."""

    id: UUID
    version: str
    kind: str
    left: str | None
    entered: str | None
    epoch: int
    share: float | None
    glass_until: datetime | None
    at: datetime
    by: str
    reason: str
    evidence_id: UUID | None


class HistoryOut(Out):
    items: list[ChangeOut]
    next_cursor: str | None
