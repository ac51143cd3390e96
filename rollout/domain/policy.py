"""
The routing policy of a version: an immutable, numbered set of rules that holds everything a decision needs.

People write the `Rules`; phase, epoch, standing, freeze and ramp share come from the rollout. Both together
make a `Policy`, and every change of either makes a new revision, so that any decision ever taken can be
explained from the revision that its row names.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rollout.domain.phase import FreezeMode, Phase, Standing

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=128)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Frozen):
    """The class of work the agent may touch; what is not named here is a person's. None: no limit."""

    segments: frozenset[Name] | None = None
    actions: frozenset[Name] | None = None
    amount_at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Rules(_Frozen):
    """What people decide about a version's routing."""

    scope: Scope = Scope()
    threshold: Share | None = None  # a case goes alone at this confidence or above; None: no case does
    thresholds: dict[Name, Share | None] = {}  # by segment, instead of the general one; None closes the segment
    audit_rate: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = 0.05
    blocked_actions: frozenset[Name] = frozenset()
    review_risks: frozenset[Name] = frozenset()  # a case with such a risk is always reviewed
    review_within_hours: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0

    @model_validator(mode="after")
    def _blocked_is_not_in_scope(self) -> Self:
        both = self.blocked_actions & (self.scope.actions or frozenset())
        if both:
            raise ValueError(f"{min(both)} is both in scope and blocked; remove it from one of them")
        return self


@dataclass(frozen=True, slots=True)
class Policy:
    """One revision: rules and the state of the rollout, all that `decide` looks at."""

    rollout_id: UUID
    agent: str
    version: str
    revision: int
    standing: Standing
    phase: Phase
    epoch: int
    frozen: FreezeMode | None
    ramp_share: float  # of the eligible cases, 0..1
    rules: Rules

    def body(self) -> dict[str, Any]:
        """The stored form, complete but for the keys of its row."""
        return {
            "agent": self.agent,
            "version": self.version,
            "standing": self.standing.value,
            "phase": self.phase.value,
            "epoch": self.epoch,
            "frozen": self.frozen,
            "ramp_share": self.ramp_share,
            "rules": self.rules.model_dump(mode="json"),
        }

    @classmethod
    def from_body(cls, rollout_id: UUID, revision: int, body: dict[str, Any]) -> Self:
        return cls(
            rollout_id=rollout_id,
            agent=body["agent"],
            version=body["version"],
            revision=revision,
            standing=Standing(body["standing"]),
            phase=Phase(body["phase"]),
            epoch=body["epoch"],
            frozen=FreezeMode(body["frozen"]) if body["frozen"] else None,
            ramp_share=body["ramp_share"],
            rules=Rules.model_validate(body["rules"]),
        )
