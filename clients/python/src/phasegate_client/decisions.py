"""
The answers an agent works with: a decision, why it was taken, and what the reviewer made of it.

Ask `decision.may_proceed` before acting. It is true in two cases only, and false whenever there is any doubt. Of
`may_proceed`, `is_waiting`, `is_for_a_person` and `is_blocked` exactly one is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from phasegate_client.errors import PhasegateError


class Route(str, Enum):
    """Who answers the case."""

    SHADOW = "shadow"
    """Recorded only; people work as before."""
    REVIEW = "review"
    """A person must rule before anything happens downstream."""
    AUTO = "auto"
    """Proceed."""
    HUMAN = "human"
    """The output is not used, a person does the case."""
    BLOCK = "block"
    """Must not happen at all, whoever does it."""


class State(str, Enum):
    """How a review ended."""

    APPROVED = "approved"
    EDITED = "edited"
    REJECTED = "rejected"
    ESCALATED = "escalated"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code for programs, a sentence for people."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a review. `output` is the final one: the agent's, or the reviewer's edit of it."""

    state: State
    output: Any = None
    reason_code: str | None = None
    note: str | None = None
    decided_by: str | None = None
    at: datetime | None = None
    edited: bool = False

    @property
    def is_cleared(self) -> bool:
        """Whether a person let the output pass."""
        return self.state in {State.APPROVED, State.EDITED}


@dataclass(frozen=True, slots=True)
class Decision:
    """
    The stored answer of the router for one output.

    `certain` is False when this is not the server's own word but the SDK's answer to some doubt; `error` then
    says which, and `spooled` whether the server is told later that a person has the case. `audit_probability` is set
    when the case was drawn to be reviewed afterwards.
    """

    id: str | None
    agent: str | None
    case_id: str | None
    version: str | None
    attempt: int
    route: Route
    reasons: tuple[Reason, ...]
    certain: bool = True
    error: PhasegateError | None = None
    spooled: bool = False
    is_final: bool = True
    outcome: Outcome | None = None
    policy_revision: int | None = None
    phase: str | None = None
    threshold: float | None = None
    audit_probability: float | None = None
    ramp_share: float | None = None
    decided_at: datetime | None = None

    @property
    def may_proceed(self) -> bool:
        """Whether the output, or `outcome.output` when a person ruled, may be acted upon."""
        if self.outcome is not None:
            return self.certain and self.route in {Route.AUTO, Route.REVIEW} and self.outcome.is_cleared
        return self.certain and self.route is Route.AUTO

    @property
    def is_waiting(self) -> bool:
        """Whether a person has still to rule: `client.wait(decision)` is worth calling."""
        return self.route is Route.REVIEW and not self.is_final and self.outcome is None

    @property
    def is_for_a_person(self) -> bool:
        """Whether a person has to do the case: it is not blocked, the agent may not, and nobody has still to rule."""
        return not (self.may_proceed or self.is_waiting or self.is_blocked)

    @property
    def is_blocked(self) -> bool:
        """Whether nobody may do it, neither the agent nor a person in its place."""
        return self.route is Route.BLOCK

    @property
    def why(self) -> str:
        return "; ".join(reason.words for reason in self.reasons)


def hand_to_a_person(
    error: PhasegateError,
    *,
    decision_id: str | None = None,
    agent: str | None = None,
    case_id: str | None = None,
    version: str | None = None,
    attempt: int = 1,
) -> Decision:
    """The one law of the SDK: any doubt means a person."""
    return Decision(
        id=decision_id,
        agent=agent,
        case_id=case_id,
        version=version,
        attempt=attempt,
        route=Route.HUMAN,
        reasons=(Reason(error.code, str(error)),),
        certain=False,
        error=error,
    )
