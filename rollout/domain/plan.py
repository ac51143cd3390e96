"""
What a rollout must show before an agent gets more autonomy, and what takes autonomy away.

A plan is copied and frozen when a rollout starts, so everything in it is explicit: what its author left out
is filled in when it is read. These models know the shape only; `plan_rules` knows which plans make no sense,
and `plan_yaml` reads and writes the file. Use `load_plan`: it is the one door through which new plans come.
"""

import hashlib
import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from rollout.domain.metrics import METRICS, Direction, Kind
from rollout.domain.phase import Phase
from rollout.domain.threshold_plan import ThresholdPlan

CONFIDENCE: Final = 0.95
MINIMUM_CASES: Final = 100
FALSE_ALARM_DAYS: Final = 1000
RAMP: Final = (0.05, 0.25, 0.5, 1.0)

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=128)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Segment = Annotated[str, StringConstraints(max_length=128)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Time = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
MetricName = Annotated[str, Field(json_schema_extra={"enum": [*METRICS]})]
Number = Annotated[float, Field(allow_inf_nan=False)]
Days = Annotated[int, Field(ge=0, le=365)]


class Category(StrEnum):
    """The six categories of the readiness checklist."""

    EVALUATION = "evaluation"
    OPERATIONS = "operations"
    DATA = "data"
    SECURITY = "security"
    PERFORMANCE = "performance"
    GOVERNANCE = "governance"


class RampApproval(StrEnum):
    """Who takes a ramp step inside a phase whose gates pass."""

    OWNER = "owner"
    AUTOMATIC = "automatic"


class Weekday(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)


_GATE_DEFAULTS: dict[Kind, dict[str, float]] = {
    Kind.RATE: {"confidence": CONFIDENCE, "minimum_cases": MINIMUM_CASES},
    Kind.LOSS: {"confidence": CONFIDENCE, "minimum_cases": MINIMUM_CASES},
    Kind.SUITE: {"minimum_cases": 1},
}


class SeverityWeights(_Part):
    """What a difference counts in a mean loss: 0 nothing, 1 as much as a case can lose."""

    minor: Number = 0.1
    major: Number = 0.5
    severe: Number = 1.0

    @property
    def in_order(self) -> tuple[float, float, float]:
        return self.minor, self.major, self.severe


class Gate(_Part):
    """A condition to leave a phase upwards, or to take the next ramp step."""

    name: Label | None = None
    metric: MetricName
    at_most: Number | None = None
    at_least: Number | None = None
    confidence: Number | None = Field(None, description=f"how sure, for rates and losses; {CONFIDENCE} if left out")
    minimum_cases: int | None = Field(
        None, description=f"{MINIMUM_CASES} for rates and losses if left out, 1 for suites"
    )
    segments: Literal["each"] | tuple[Segment, ...] | None = Field(
        None, description="judge every segment for itself: each one seen, or those listed; the worst decides"
    )
    suite: Slug | None = None
    weights: SeverityWeights | None = Field(None, description="what a difference counts, for losses")
    corrected_for_reviewers: bool | None = Field(
        None, description="hold a rate against what gold cases say that reviewers overlook"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, gate: Any) -> Any:
        if not isinstance(gate, dict):
            return gate
        if isinstance(gate.get("segments"), list):  # after this step, a list is no tuple any more to a strict reader
            gate = {**gate, "segments": tuple(gate["segments"])}
        metric = METRICS.get(str(gate.get("metric")))
        if metric is not None and metric.kind is Kind.LOSS and gate.get("weights") is None:
            gate = {**gate, "weights": SeverityWeights()}
        if gate.get("corrected_for_reviewers") is False:  # the same as not saying so, and as plans of before
            gate = {**gate, "corrected_for_reviewers": None}
        defaults = _GATE_DEFAULTS.get(metric.kind, {}) if metric else {}
        return {**gate, **{key: value for key, value in defaults.items() if gate.get(key) is None}}

    @property
    def label(self) -> str:
        """What the gate is called in records and on pages; unique in its phase."""
        return self.name or (f"{self.metric} of {self.suite}" if self.suite else self.metric)

    @property
    def direction(self) -> Direction:
        return Direction.AT_MOST if self.at_most is not None else Direction.AT_LEAST

    @property
    def limit(self) -> float:
        limit = self.at_most if self.at_most is not None else self.at_least
        if limit is None:
            raise ValueError(f"gate {self.label} has no limit")
        return limit


class Guardrail(_Part):
    """A condition whose breach takes autonomy away."""

    name: Label | None = None
    metric: MetricName
    at_most: Number | None = Field(
        None, description="may be left out for low_confidence_rate and high_confidence_rate: then as it was calibrated"
    )
    false_alarm_days: Number | None = Field(
        None, description=f"mean days to a false alarm, for rates; {FALSE_ALARM_DAYS} if left out"
    )
    segments: Literal["each"] | None = Field(
        None, description="judge every segment for itself; a breach closes the segment and demotes nothing"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, guardrail: Any) -> Any:
        metric = METRICS.get(str(guardrail.get("metric"))) if isinstance(guardrail, dict) else None
        if metric is None or metric.kind is not Kind.RATE or guardrail.get("false_alarm_days") is not None:
            return guardrail
        return {**guardrail, "false_alarm_days": FALSE_ALARM_DAYS}

    @property
    def label(self) -> str:
        return self.name or self.metric


class ReadinessItem(_Part):
    """One question of the checklist; anything but a yes with a link to its evidence is a no."""

    key: Slug
    category: Category
    question: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class PhasePlan(_Part):
    """What holds in one phase; `minimum_days` in whole days, `look_every` in hours."""

    minimum_days: Days = 7
    look_every: Annotated[float, Field(ge=0.01, le=168, allow_inf_nan=False)] = 24
    gates: tuple[Gate, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    readiness: tuple[ReadinessItem, ...] = ()

    @property
    def steps(self) -> tuple[float, ...]:
        """Shares of the eligible cases, one after the other; without a ramp, all of them at once."""
        return (1.0,)

    @property
    def days_per_step(self) -> int:
        return 0


class EvaluationPlan(PhasePlan):
    minimum_days: Days = 0


class RampedPlan(PhasePlan):
    """A phase in which the share of cases that go alone grows in steps."""

    ramp: tuple[Number, ...] = RAMP
    ramp_minimum_days: Days = 7

    @property
    def steps(self) -> tuple[float, ...]:
        return self.ramp

    @property
    def days_per_step(self) -> int:
        return self.ramp_minimum_days


class Phases(_Part):
    evaluation: EvaluationPlan
    shadow: PhasePlan
    supervised: PhasePlan
    confidence: RampedPlan
    full: RampedPlan


class Approvals(_Part):
    """Who signs. The named owner always does, so `owner` may only be true."""

    owner: Literal[True] = True
    second_person_for: tuple[Phase, ...] = Field((), description="phases whose entry a second person signs too")
    ramp_approval: RampApproval = RampApproval.OWNER


class Window(_Part):
    """When advancing is allowed: from `opens` up to but not including `closes`, in the time of `timezone`."""

    days: tuple[Weekday, ...] = tuple(Weekday)
    opens: Time = Field(alias="from")
    closes: Time = Field(alias="to")
    timezone: str = "UTC"


class Oversight(_Part):
    """Reviews are held at least weekly for so many days from the start, and monthly afterwards."""

    weekly_days: Annotated[int, Field(ge=0, le=3650)] = 90


class Plan(_Part):
    """
    `settle_days`: a case counts in a gate when it is that old. `evidence_valid_days`: how long a sign-off's
    evidence holds. `stale_after_days`: when the newest case is older, a gate has no evidence.
    """

    agent: AgentName
    name: Label = "plan"
    about: Text = ""
    settle_days: Annotated[int, Field(ge=0, le=180)] = 14
    evidence_valid_days: Annotated[int, Field(ge=1, le=30)] = 2
    stale_after_days: Annotated[int, Field(ge=1, le=365)] = 14
    small_change_may_start_in: Phase | None = None
    approvals: Approvals = Approvals()
    oversight: Oversight = Oversight()
    threshold: ThresholdPlan | None = None
    windows: tuple[Window, ...] = ()
    phases: Phases

    def phase(self, phase: Phase) -> PhasePlan:
        plan: PhasePlan = getattr(self.phases, phase.value)
        return plan

    def readiness(self) -> Iterator[tuple[Phase, ReadinessItem]]:
        """The whole checklist, with the phase that each item must be answered in."""
        return ((phase, item) for phase in Phase for item in self.phase(phase).readiness)

    def body(self) -> dict[str, Any]:
        """The stored form, complete; `from_body` reads it back without judging it again."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        return cls.model_validate_json(json.dumps(body), strict=True)

    @property
    def digest(self) -> str:
        """The same for two plans exactly if they ask the same."""
        canonical = json.dumps(self.body(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
