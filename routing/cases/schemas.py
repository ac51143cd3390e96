"""What agents send and get: cases, decisions, human outputs, failures."""

import math
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field, WrapValidator, field_validator

from kit.wire import Moment, Out, Strict
from routing.cases.tables import Decision

CaseId = Annotated[str, Field(min_length=1, max_length=200)]
GIVEN_LENGTH = 64
"""Characters that are kept of what was given instead of a confidence."""
NAN_ALLOWED_AT = ("confidence", "amount")
"""Where a NaN is an answer of the agent that must be stored, and means a person."""
ShortName = Annotated[str, Field(min_length=1, max_length=128)]


class CaseIn(Strict):
    """One output of an agent for one case. Only a number from 0 to 1 is a valid confidence."""

    case_id: CaseId
    version: ShortName
    output: Any
    input: Any = None
    confidence: Any = None
    segment: Annotated[str, Field(max_length=128)] = ""
    action: ShortName | None = None
    amount: float | None = None
    risk: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    attributes: dict[str, Any] | None = None
    signals: dict[str, Any] | None = None
    trace: list[Any] | None = None
    usage: dict[str, Any] | None = None
    attempt: Annotated[int, Field(ge=1, le=1000)] = 1
    occurred_at: Moment | None = None
    handed_over: bool = False
    """The agent has given the case to a person already, because no certain answer reached it in time."""
    human_loop: ClassVar[bool] = False

    @field_validator("amount", mode="before")
    @classmethod
    def _amount_is_a_number(cls, value: Any) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise ValueError("send the amount as a number")
        return value


class HumanLoopIn(CaseIn):
    """A case of which the agent itself asks for a person's ruling. No field: it is the way in that says so."""

    human_loop: ClassVar[bool] = True


class ReasonOut(Out):
    code: str
    words: str


class AuditOut(Out):
    probability: float


class OutcomeOut(Out):
    """How it ended. `output` is what may be used downstream; null where nothing may."""

    state: Literal["approved", "edited", "rejected", "escalated", "expired", "cancelled", "superseded"]
    output: Any
    edited: bool
    reason_code: str | None
    note: str
    decided_by: str | None
    at: datetime


class DecisionOut(Out):
    """The stored decision; `status` is `waiting` while a person must still rule."""

    id: UUID
    agent: str
    case_id: str
    version: str
    attempt: int
    route: Literal["shadow", "review", "auto", "human", "block"]
    reasons: list[ReasonOut]
    policy_revision: int | None
    phase: str | None
    threshold: float | None
    ramp_share: float | None
    audit: AuditOut | None
    status: Literal["final", "waiting"]
    outcome: OutcomeOut | None
    decided_at: datetime


class DecisionPage(Out):
    items: list[DecisionOut]
    next_cursor: str | None


class HumanOutputIn(Strict):
    """What a person did for a case, before or after the agent's output, in any order."""

    case_id: CaseId
    output: Any
    person: ShortName | None = None
    occurred_at: Moment | None = None


class HumanOutputsIn(Strict):
    items: Annotated[list[HumanOutputIn], Field(min_length=1, max_length=1000)]


def _as_one_or_as_many(given: Any, _try_both: Any) -> HumanOutputIn | HumanOutputsIn:
    """Whoever sends `items` means many. Tried as both, every fault would be told twice, once of a form not meant."""
    many = isinstance(given, dict) and "items" in given
    return HumanOutputsIn.model_validate(given) if many else HumanOutputIn.model_validate(given)


HumanOutputsBody = Annotated[HumanOutputIn | HumanOutputsIn, WrapValidator(_as_one_or_as_many)]


class HumanOutputStored(Out):
    id: UUID
    case_id: str
    revision: int
    status: Literal["created", "unchanged", "corrected"]


class HumanOutputsOut(Out):
    items: list[HumanOutputStored]


class FailureIn(Strict):
    """A production error, reported for a decision; it is investigated and becomes an evaluation case."""

    severity: Literal["minor", "major", "severe", "critical"]
    description: Annotated[str, Field(min_length=1, max_length=10_000)]
    correct_output: Any = None


def confidence_of(given: Any) -> tuple[float | None, str | None]:
    """The usable confidence, and what was given instead when it is not one (a NaN, a text, 1.2, true)."""
    if given is None:
        return None, None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        number = float(given) if abs(given) < 1e300 else math.inf  # noqa: PLR2004 - beyond a float's comfort
        if 0.0 <= number <= 1.0:
            return number, None
    return None, repr(given)[:GIVEN_LENGTH]


WITHHELD = ReasonOut(code="answer_first", words="shown to you when your own answer to this case is stored")


def decision_out(row: Decision, outcome: OutcomeOut | None, *, veiled: bool = False) -> DecisionOut:
    """
    A row as its answer; the same for the first answer and for every later look. `veiled`: without what tells how sure
    the agent was, or what became of its output.
    """
    shown = _decision_out(row, outcome)
    if veiled:
        shown = shown.model_copy(
            update={"reasons": [WITHHELD], "threshold": None, "ramp_share": None, "audit": None, "outcome": None}
        )
    return shown


def _decision_out(row: Decision, outcome: OutcomeOut | None) -> DecisionOut:
    return DecisionOut(
        id=row.id,
        agent=row.agent,
        case_id=row.case_id,
        version=row.version,
        attempt=row.attempt,
        route=row.route,
        reasons=[ReasonOut(**reason) for reason in row.reasons],
        policy_revision=row.policy_revision,
        phase=row.phase,
        threshold=row.threshold,
        ramp_share=row.ramp_share,
        audit=AuditOut(probability=row.audit_probability or 0.0) if row.lane == "audit" else None,
        status="waiting" if row.route == "review" and row.outcome is None else "final",
        outcome=outcome,
        decided_at=row.decided_at,
    )
