"""Everything known about a rollout when it is judged, handed in whole, so that a verdict can be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from evidence.reviewers import Seeded
from rollout.domain.phase import FreezeMode, Phase, Severity, Standing
from rollout.domain.thresholds import NO_THRESHOLDS, Thresholds
from rollout.domain.totals import Totals


class Source(StrEnum):
    """Where evidence comes from. One that is broken holds the rollout and is told; it never demotes."""

    TOTALS = "totals"
    SUITES = "suites"
    FAILURES = "failures"


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's answer to a readiness item. A yes without a link to its evidence is not yet a yes."""

    answer: Answer
    link: str = ""
    owner: str = ""
    due: date | None = None


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """
    The newest run of a version on a suite; score and baseline from 0 to 1.

    `current` is False when the suite has changed since, `finished` when the run was stopped before its end.
    """

    suite: str
    version: str
    score: float
    cases: int
    at: datetime
    baseline: float | None = None
    minimum: float | None = None
    finished: bool = True
    current: bool = True


NO_GOLD = Seeded(0, 0)


@dataclass(frozen=True, slots=True)
class Situation:
    """
    One rollout at one moment. `totals` are those of the present epoch only; `ramp_step` counts from 0.

    `reviews_held` and `first_phase_at` (when the agent first left evaluation; None: never) are the agent's,
    `open_failures` those of this version. `thresholds` are told only where a guardrail asks for them.
    `glass_until` is set while break-glass is open. `broken` says what is
    wrong with a source that did not answer. `seeded`: what the agent's reviewers said of cases with a known answer.
    """

    version: str
    phase: Phase
    phase_since: datetime
    now: datetime
    epoch: int = 1
    standing: Standing = Standing.CANDIDATE
    ramp_step: int = 0
    ramp_since: datetime | None = None
    totals: Totals = field(default_factory=dict)
    suite_runs: tuple[SuiteRun, ...] = ()
    open_failures: Mapping[Severity, int] = field(default_factory=dict)
    readiness: Mapping[str, Answered] = field(default_factory=dict)
    reviews_held: tuple[datetime, ...] = ()
    first_phase_at: datetime | None = None
    frozen: FreezeMode | None = None
    glass_until: datetime | None = None
    thresholds: Thresholds = NO_THRESHOLDS
    broken: Mapping[Source, str] = field(default_factory=dict)
    seeded: Seeded = NO_GOLD

    @property
    def today(self) -> date:
        """The UTC day, as cohorts have it."""
        return self.now.date()

    @property
    def step_since(self) -> datetime:
        return self.ramp_since or self.phase_since

    def days_since(self, moment: datetime) -> int:
        """Whole days; a clock that went back counts as none."""
        return max((self.now - moment) // timedelta(days=1), 0)
