"""
What can be measured, by the names that plans use: unit, what counts in numerator and denominator, which way
is better, and in which phases there is anything to measure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from kit.errors import Invalid
from rollout.domain.phase import Lane, Phase
from rollout.domain.totals import Counts, Totals, counted


class UnknownMetric(Invalid):
    code = "unknown-metric"
    title = "There is no such metric"


class Kind(StrEnum):
    """Where a value comes from: cases counted or weighed, a run of a suite, a number of things, the calendar."""

    RATE = "rate"
    LOSS = "loss"
    SUITE = "suite"
    COUNT = "count"
    DAYS = "days"


class Direction(StrEnum):
    """Which side of the limit is the good one. Written in every gate, so nobody has to guess."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ")

    @property
    def other(self) -> "Direction":
        return Direction.AT_LEAST if self is Direction.AT_MOST else Direction.AT_MOST

    def holds(self, value: float, limit: float) -> bool:
        """The one comparator. A value on the limit is good; NaN is not."""
        return value <= limit if self is Direction.AT_MOST else value >= limit


class Use(StrEnum):
    """What a plan may do with a metric."""

    GATE = "gate"
    GUARDRAIL = "guardrail"


@dataclass(frozen=True, slots=True)
class Metric:
    """
    One measurable thing.

    `bad` names the field of `Counts` that speaks against the version; for a metric where more is better
    (agreement) the rate shown is one minus the bad one. `ruled` says that a person's verdict decides: void
    cases then leave the denominator, and settled cases without verdict count as bad.
    """

    name: str
    kind: Kind
    unit: str
    words: str
    about: str
    better: Direction = Direction.AT_MOST
    phases: frozenset[Phase] = frozenset(Phase)
    lanes: frozenset[Lane] = frozenset(Lane)
    bad: str = ""
    ruled: bool = True
    uses: frozenset[Use] = frozenset(Use)

    ALL: ClassVar[str] = "all decisions"

    @property
    def corrects(self) -> bool:
        """Whether gold cases say how much of it reviewers overlook: they were asked, and said right or wrong."""
        asked = self.lanes <= {Lane.REVIEW, Lane.AUDIT}
        return self.kind is Kind.RATE and asked and self.bad == "overridden"

    @property
    def counted_lanes(self) -> str:
        """For pages: which decisions are in the denominator."""
        if self.lanes == frozenset(Lane):
            return self.ALL
        lanes = sorted(self.lanes)
        return f"decisions of the {' and '.join(lanes)} lane{'s' if len(lanes) > 1 else ''}"

    @property
    def calibrated(self) -> bool:
        """Whether a guardrail without a limit takes it from the calibration of the threshold."""
        return self.bad in {"low_confidence", "high_confidence"}


@dataclass(frozen=True, slots=True)
class Rate:
    """Bad of cases. `pending` is the part of `bad` that nobody has ruled on."""

    bad: int
    cases: int
    pending: int = 0


_LABELLED = frozenset({Phase.SUPERVISED, Phase.CONFIDENCE, Phase.FULL})
_AUTOMATED = frozenset({Phase.CONFIDENCE, Phase.FULL})
_THRESHOLDED = frozenset({Lane.REVIEW, Lane.AUTO, Lane.AUDIT})


def _rate(name: str, words: str, lane: Lane, phases: Iterable[Phase], bad: str, about: str) -> Metric:
    return Metric(name, Kind.RATE, "share", words, about, phases=frozenset(phases), lanes=frozenset({lane}), bad=bad)


def _loss(name: str, words: str, lane: Lane, phases: Iterable[Phase], about: str) -> Metric:
    about = f"{about} Each counts by its severity, with the weights of the gate; no case loses more than 1."
    lanes, uses = frozenset({lane}), frozenset({Use.GATE})
    return Metric(
        name, Kind.LOSS, "loss", words, about, phases=frozenset(phases), lanes=lanes, bad="overridden", uses=uses
    )


_ALL = (
    _rate("disagreement_rate", "different from people", Lane.SHADOW, {Phase.SHADOW}, "overridden",
          "Shadow outputs that differ from what people did, of all that could be compared."),
    _rate("severe_disagreement_rate", "severely different from people", Lane.SHADOW, {Phase.SHADOW}, "severe",
          "Shadow outputs whose difference is severe, of all that could be compared."),
    Metric("agreement_rate", Kind.RATE, "share", "equal to people",
           "Shadow outputs equal to what people did, of all that could be compared.",
           better=Direction.AT_LEAST, phases=frozenset({Phase.SHADOW}), lanes=frozenset({Lane.SHADOW}),
           bad="overridden", uses=frozenset({Use.GATE})),
    _rate("override_rate", "overridden", Lane.REVIEW, _LABELLED, "overridden",
          "Reviewed outputs that a person rejected or changed, of all reviewed."),
    _rate("severe_override_rate", "severely overridden", Lane.REVIEW, _LABELLED, "severe",
          "Reviewed outputs that a person changed in a severe way, of all reviewed."),
    _rate("error_rate", "wrong without a person", Lane.AUDIT, _AUTOMATED, "overridden",
          "Automated outputs found wrong in the audit sample, of all audited."),
    _rate("severe_error_rate", "severely wrong without a person", Lane.AUDIT, _AUTOMATED, "severe",
          "Automated outputs found severely wrong in the audit sample, of all audited."),
    _loss("disagreement_loss", "loss per compared case", Lane.SHADOW, {Phase.SHADOW},
          "Mean loss per shadow output that could be compared."),
    _loss("override_loss", "loss per reviewed case", Lane.REVIEW, _LABELLED,
          "Mean loss per reviewed output."),
    _loss("error_loss", "loss per audited case", Lane.AUDIT, _AUTOMATED,
          "Mean loss per automated output in the audit sample."),
    Metric("invalid_output_rate", Kind.RATE, "share", "not fitting the schema",
           "Outputs that do not fit the agent's schema, of all decisions.",
           bad="invalid_output", ruled=False),
    Metric("invalid_confidence_rate", Kind.RATE, "share", "without a usable confidence",
           "Outputs whose confidence is missing or not a number from 0 to 1, of all decisions.",
           bad="invalid_confidence", ruled=False),
    Metric("low_confidence_rate", Kind.RATE, "share", "below the threshold",
           "Cases whose confidence lies below the threshold, of those held against one. It grows when the agent "
           "meets work it does not know, before any verdict is in.",
           phases=_AUTOMATED, lanes=_THRESHOLDED, bad="low_confidence", ruled=False,
           uses=frozenset({Use.GUARDRAIL})),
    Metric("high_confidence_rate", Kind.RATE, "share", "at or above the threshold",
           "Cases whose confidence lies at or above the threshold, of those held against one. It grows when the "
           "agent has become sure of everything.",
           phases=_AUTOMATED, lanes=_THRESHOLDED, bad="high_confidence", ruled=False,
           uses=frozenset({Use.GUARDRAIL})),
    Metric("automation_rate", Kind.RATE, "share", "done without a person",
           "Cases that went through without a person, of all decisions. Shown only: it says how much is "
           "automated, not how well.", better=Direction.AT_LEAST, uses=frozenset()),
    Metric("suite_score", Kind.SUITE, "score", "right on the suite",
           "Score of this version on an evaluation suite, from 0 to 1.", better=Direction.AT_LEAST,
           uses=frozenset({Use.GATE})),
    Metric("suite_regression", Kind.SUITE, "score", "below the baseline of the suite",
           "How far this version scores below the stored baseline of a suite.", uses=frozenset({Use.GATE})),
    Metric("open_critical_failures", Kind.COUNT, "failures", "open critical failures",
           "Reported failures of severity critical that are not closed."),
    Metric("days_in_phase", Kind.DAYS, "days", "days in the phase",
           "Whole days since the version entered its phase.", better=Direction.AT_LEAST,
           uses=frozenset({Use.GATE})),
)  # fmt: skip

METRICS = MappingProxyType({metric.name: metric for metric in _ALL})


def get_metric(name: str) -> Metric:
    try:
        return METRICS[name]
    except KeyError:
        near = closest(name)
        raise UnknownMetric(f'there is no metric "{name}"{near and f"; did you mean {near}?"}') from None


def closest(name: str) -> str:
    """The names most like this one, for a hint; empty if none is like it."""
    return " or ".join(get_close_matches(name, METRICS, n=2, cutoff=0.6))


def settled_rate(metric: Metric, counts: Counts) -> Rate:
    """For gates: a settled case without a verdict counts as bad, so silence never opens a gate."""
    bad = _bad(metric, counts)
    if not metric.ruled:
        return Rate(bad, counts.cases)
    return Rate(bad + counts.pending, counts.cases - counts.void, counts.pending)


def harm_rate(metric: Metric, counts: Counts) -> Rate:
    """For guardrails: only what was measured as harm is harm; a case without a verdict is not."""
    return Rate(_bad(metric, counts), counts.cases - counts.void if metric.ruled else counts.cases)


def _bad(metric: Metric, counts: Counts) -> int:
    if not metric.bad:
        raise ValueError(f"{metric.name} says nothing about how good the work is")
    bad: int = getattr(counts, metric.bad)
    return bad


def automated(totals: Totals) -> tuple[int, int]:
    """Cases without a person, and all cases: the two numbers of `automation_rate`."""
    alone = counted(totals, {Lane.AUTO, Lane.AUDIT})
    return sum(counts.cases for counts in alone.values()), sum(counts.cases for counts in totals.values())
