"""What goes over the wire about where a version stands, on what evidence, and what is asked of whom."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from evidence.multiplicity import Standing
from kit.wire import Out, Strict
from rollout.domain.phase import FreezeMode, Phase
from rollout.processes.schemas import InForceOut
from rollout.versions.schemas import ChangeOut

ReasonText = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
OptionalReason = Annotated[str, StringConstraints(max_length=2000)]


class AdvanceIn(Strict):
    """The evidence that was read; a signature is for this snapshot and no other."""

    evidence_id: UUID
    reason: OptionalReason = ""


class RefuseIn(Strict):
    evidence_id: UUID
    reason: ReasonText


class DemoteIn(Strict):
    """
    `to` names a lower phase; without it, one phase back.

    `from` is the phase that whoever presses has seen: a second press of the same button then changes nothing.
    """

    reason: ReasonText
    to: Phase | None = None
    seen: Phase | None = Field(default=None, alias="from")


class BreakGlassIn(Strict):
    """`to`: the next phase, or in a phase with a ramp its last step. It ends by itself after `hours`."""

    reason: ReasonText
    hours: Annotated[float, Field(gt=0, le=24, allow_inf_nan=False)]
    to: Literal["next_phase", "last_ramp_step"] = "next_phase"


class FreezeIn(Strict):
    reason: ReasonText
    mode: FreezeMode = FreezeMode.ROUTING


class ReasonIn(Strict):
    reason: ReasonText


class StepOut(Out):
    phase: str
    ramp_step: int
    share: float


class ReasonOut(Out):
    code: str
    words: str
    what_would_change: str
    about: str | None


class SpanOut(Out):
    """One in ten is over at `early`, every second at `median`, nine in ten at `late`; null: not within the horizon."""

    early: int | None
    median: int | None
    late: int | None


class ForecastOut(Out):
    """
    When a gate that is inconclusive could pass, if it stays as good as so far, at the present volume.

    `chance` is how probable it is that it passes within `horizon` further cases; what has not by then may later, or
    never. `days` is null without a volume.
    """

    words: str
    cases: SpanOut
    days: SpanOut | None
    chance: float
    horizon: int
    per_day: float


class GateOut(Out):
    """One gate with all it was judged on; see the guide on gates for each number."""

    name: str
    metric: str
    verdict: str
    words: str
    what_would_change: str
    kind: str | None
    direction: str | None
    limit: float | None
    confidence: float | None
    minimum_cases: int | None
    bad: int
    cases: int
    pending: int
    unsettled: int
    seen: float | None
    bound: float | None
    other_bound: float | None
    log_e: float | None
    log_e_against: float | None
    cases_needed: int | None
    value: float | None
    suite: str | None
    segment: str | None
    segments: list["GateOut"]
    weights: tuple[float, float, float] | None = None  # this and what follows is not in records of before
    days: list[tuple[date, int, int, int, int, int]] = Field(default_factory=list)
    seeded: tuple[int, int, int, int] | None = None
    corrected_limit: float | None = None
    shown: Standing | None = None
    forecast: ForecastOut | None = None  # computed when it is shown, for the newest evidence only


class GuardrailOut(Out):
    name: str
    metric: str
    verdict: str
    words: str
    limit: float | None
    breached: bool
    what_would_change: str
    kind: str | None
    bad: int
    cases: int
    pending: int
    seen: float | None
    bound: float | None
    log_harm: float | None
    alarm_at: float | None
    false_alarm_days: float | None
    nearness: float
    since: date | None
    value: float | None
    days: list[tuple[date, int, int]]
    calibrated: tuple[int, int] | None = None
    segment: str | None = None
    closes: tuple[str, ...] = ()
    segments: tuple["GuardrailOut", ...] = ()


class ReadinessOut(Out):
    key: str
    category: str
    question: str
    answer: str
    done: bool
    words: str
    link: str
    owner: str
    due: date | None


class EvidenceOut(Out):
    """The numbers a version was judged on, with the verdict, as they are kept for ever."""

    id: UUID
    version: str
    epoch: int
    phase: str
    ramp_step: int
    share: float
    verdict: Literal["advance", "hold", "demote"]
    reasons: list[ReasonOut]
    gates: list[GateOut]
    guardrails: list[GuardrailOut]
    readiness: list[ReadinessOut]
    target: StepOut | None
    without_signature: bool
    days_in_phase: int
    settle_days: int
    plan_id: UUID | None
    plan_digest: str
    rules_digest: str
    engine: str | None  # None: before it was noted
    digest: str
    at: datetime
    seen_again_at: datetime


class EvidenceRecord(EvidenceOut):
    """Found by its id alone, so it says whose it is."""

    agent: str


class EvidencePage(Out):
    items: list[EvidenceOut]
    next_cursor: str | None


class SignatureOut(Out):
    login: str
    capacity: str
    answer: str
    reason: str
    at: datetime


class ApprovalOut(Out):
    """
    Whose signatures a step wants and has.

    `state`: not_asked, waiting, approved, refused, aged, changed or used.
    """

    evidence_id: UUID
    state: str
    words: str
    target: StepOut
    needs: list[str]
    missing: list[str]
    asked_by: str | None
    owner: str
    second: str | None
    valid_until: datetime
    signatures: list[SignatureOut]


class ChangeMade(ChangeOut):
    """A step that takes autonomy away. `in_force` is null where the caller did not wait."""

    in_force: InForceOut | None


class AnsweredOut(Out):
    """What came of pressing the button: where the request stands, and the step if it was taken thereby."""

    approval: ApprovalOut
    step: ChangeOut | None


class GlassOut(Out):
    """Break-glass that is open: until when, by whom and why, and where the version goes back to then."""

    until: datetime
    by: str
    reason: str
    since: datetime
    back_to: StepOut


class ClosedSegmentOut(Out):
    """A segment of which no case goes alone, and since when. Only the owner opens it again."""

    segment: str
    since: datetime
    words: str


class RolloutStatus(Out):
    """Where a version stands, why it is not further, and who is waited for."""

    agent: str
    version: str
    standing: str
    phase: str
    phase_since: datetime
    days_in_phase: int
    epoch: int
    ramp_step: int
    ramp_steps: list[float]
    ramp_share: float
    ramp_since: datetime
    frozen: str | None
    glass: GlassOut | None
    plan_revision: int | None
    newest_plan_revision: int | None
    policy_revision: int
    verdict: str | None
    reasons: list[ReasonOut]
    gates: list[GateOut]
    guardrails: list[GuardrailOut]
    readiness: list[ReadinessOut]
    target: StepOut | None
    evidence_id: UUID | None
    evidence_at: datetime | None
    looked_at: datetime | None
    next_look_at: datetime | None
    approval: ApprovalOut | None
    next_review_due: date | None
    open_failures: dict[str, int]
    closed_segments: list[ClosedSegmentOut]
    cases_in_all: int
    history: list[ChangeOut]


class RolledBack(RolloutStatus):
    """Where the version that came back stands. `in_force` is null where the caller did not wait."""

    in_force: InForceOut | None


class StreamOut(Out):
    agent: str
    version: str
    phase: str
    guardrail: str
    false_alarm_days: float


class FalseAlarmsOut(Out):
    """
    What all guardrails together may raise by mistake. `days_needed` is the `false_alarm_days` of each that keeps it
    to what is allowed.
    """

    per_year: float
    allowed_per_year: float
    within: bool
    days_needed: float | None
    words: str
    streams: list[StreamOut]


def evidence_fields(body: dict[str, Any]) -> dict[str, Any]:
    """The judged parts of a stored snapshot."""
    names = ("reasons", "gates", "guardrails", "readiness", "target")
    return {name: body[name] for name in names}
