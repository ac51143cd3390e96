"""
The routing policy of a version: an immutable, numbered set of rules that holds everything a decision needs.

People write the `Rules`; phase, epoch, standing, freeze and ramp share come from the rollout. Both together
make a `Policy`, and every change of either makes a new revision, so that any decision ever taken can be
explained from the revision that its row names.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from rollout.domain.activation import Conditions
from rollout.domain.phase import FreezeMode, Phase, Standing

Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=128)]
SegmentName = Annotated[str, Field(max_length=128)]
Hours = Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scope(_Frozen):
    """The class of work the agent may touch; what is not named here is a person's. None: no limit."""

    segments: frozenset[Name] | None = None
    actions: frozenset[Name] | None = None
    amount_at_most: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class Calibrated(_Frozen):
    """
    What the general threshold rests on: `below` of `labels` cases lay below it when it was calibrated.

    Written when a calibration is put in force. A threshold that is changed by hand rests on none any more.
    """

    calibration: UUID
    threshold: Share
    below: Annotated[int, Field(ge=0)]
    labels: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _below_is_a_part(self) -> Self:
        if self.below > self.labels:
            raise ValueError(f"below must not exceed labels, but {self.below} > {self.labels}")
        return self


class Rules(_Frozen):
    """What people decide about a version's routing."""

    scope: Scope = Scope()
    threshold: Share | None = None  # a case goes alone at this confidence or above; None: no case does
    # By segment, instead of the general one; None closes the segment. Empty name: cases without a segment.
    thresholds: dict[SegmentName, Share | None] = {}
    audit_rate: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = 0.05
    blocked_actions: frozenset[Name] = frozenset()
    review_risks: frozenset[Name] = frozenset()  # a case with such a risk is always reviewed
    activation: Conditions | None = None  # a case whose output meets them is always reviewed
    review_within_hours: Hours = 24.0
    review_within_hours_by_segment: dict[SegmentName, Hours] = {}  # instead of the general one
    calibrated: Calibrated | None = Field(
        None, description="written by putting a calibration in force; what is sent here is not looked at"
    )

    @property
    def closed(self) -> frozenset[str]:
        """Segments of which no case goes alone although cases of others may."""
        return frozenset(segment for segment, threshold in self.thresholds.items() if threshold is None)

    def review_within(self, segment: str) -> timedelta:
        """How long people have for a case of this segment."""
        return timedelta(hours=self.review_within_hours_by_segment.get(segment, self.review_within_hours))

    def resting_on(self, present: "Rules") -> "Rules":
        """These rules, written by a person: they rest on a calibration if the threshold in force does and stays."""
        calibrated = present.calibrated if self.threshold == present.threshold else None
        return self.model_copy(update={"calibrated": calibrated})

    @model_validator(mode="after")
    def _blocked_is_not_in_scope(self) -> Self:
        both = self.blocked_actions & (self.scope.actions or frozenset())
        if both:
            raise ValueError(f"{min(both)} is both in scope and blocked; remove it from one of them")
        return self


@dataclass(frozen=True, slots=True)
class GlassEnd:
    """What a policy that was written by break-glass becomes from `until` on."""

    until: datetime
    phase: Phase
    ramp_share: float

    def body(self) -> dict[str, Any]:
        return {"until": self.until.isoformat(), "phase": self.phase.value, "ramp_share": self.ramp_share}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        return cls(datetime.fromisoformat(body["until"]), Phase(body["phase"]), body["ramp_share"])


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
    glass: GlassEnd | None = None

    def at(self, now: datetime) -> "Policy":
        """The policy as it holds now: break-glass that is over is over, even while no worker is there to end it."""
        if self.glass is None or now < self.glass.until:
            return self
        return replace(self, phase=self.glass.phase, ramp_share=self.glass.ramp_share)

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
            "glass": self.glass.body() if self.glass is not None else None,
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
            glass=GlassEnd.from_body(body["glass"]) if body.get("glass") else None,
        )


def widenings(old: Rules, new: Rules) -> tuple[str, ...]:
    """
    Each way in which the new rules leave more to the agent than the old ones, in words. Nothing: they only narrow.

    A change that is not named here never turns a case that a person had into one that goes alone.
    """
    return (
        *_lower_thresholds(old, new),
        *_wider_scope("segment", old.scope.segments, new.scope.segments),
        *_wider_scope("action", old.scope.actions, new.scope.actions),
        *_higher_amount(old.scope.amount_at_most, new.scope.amount_at_most),
        *_fewer_brakes(old, new),
    )


def _lower_thresholds(old: Rules, new: Rules) -> Iterator[str]:
    if (words := _lower(old.threshold, new.threshold)) is not None:
        yield f"the threshold {words}"
    # A segment that loses its own threshold falls under the general one, which may be lower.
    for segment in sorted({*old.thresholds, *new.thresholds}):
        before = old.thresholds.get(segment, old.threshold)
        after = new.thresholds.get(segment, new.threshold)
        if (words := _lower(before, after)) is not None:
            yield f"the threshold of segment {segment} {words}"


def _lower(old: float | None, new: float | None) -> str | None:
    if new is None or (old is not None and new >= old):
        return None
    return f"goes from {old:g} to {new:g}" if old is not None else f"is {new:g}, where no case went alone"


def _wider_scope(what: str, old: frozenset[str] | None, new: frozenset[str] | None) -> Iterator[str]:
    if old is None:
        return
    if new is None:
        yield f"the scope is no longer limited to some {what}s"
        return
    for name in sorted(new - old):
        yield f"{what} {name} comes into scope"


def _higher_amount(old: float | None, new: float | None) -> Iterator[str]:
    if old is None or (new is not None and new <= old):
        return
    yield f"the amount goes from {old:g} to {new:g}" if new is not None else "the amount has no limit any more"


def _fewer_brakes(old: Rules, new: Rules) -> Iterator[str]:
    if new.audit_rate < old.audit_rate:
        yield f"the audit rate goes from {old.audit_rate:g} to {new.audit_rate:g}"
    for action in sorted(old.blocked_actions - new.blocked_actions):
        yield f"action {action} is no longer blocked"
    for risk in sorted(old.review_risks - new.review_risks):
        yield f"cases with the risk {risk} are no longer always reviewed"
    if old.activation is not None and old.activation != new.activation:
        if new.activation is None:
            yield "there are no activation conditions any more"
        elif not new.activation.narrows(old.activation):
            yield "the activation conditions are not the same and more"
