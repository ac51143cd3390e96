"""
How the threshold of a version is found, declared before its first label is in.

Declared means: risk, confidence, the assumption, and at how many labels will be looked. A look that was not declared
does not count, for whoever may choose among answers finds one that pleases sooner or later.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from evidence import binomial

MOST_LOOKS: Final = 200
MOST_LABELS: Final = 1_000_000
FEWEST_OF_A_SEGMENT: Final = 400
"""A segment with fewer labels than these has nearly always no threshold of its own, and costs the others theirs."""
_COIN: Final = 0.5
_GO_LIVE: Final = 0.4

Number = Annotated[float, Field(allow_inf_nan=False)]
Labels = Annotated[int, Field(ge=1, le=MOST_LABELS)]
Segment = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Flaw = tuple[tuple[str | int, ...], str, str]
"""Place inside the section, problem, mend."""


class Assumption(StrEnum):
    """What the guarantee of the threshold rests on, besides that tomorrow's cases are like those labelled."""

    HIGHER_IS_SAFER = "higher_is_safer"
    NOTHING = "nothing"


class ThresholdPlan(BaseModel):
    """
    The threshold above which a case goes alone, found from labels.

    `risk`: of what goes alone, at most this share may be wrong; `confidence`: how sure that must be. The first look
    is taken when `first_labels` settled labels are in, the next ones `every` so many more, up to `until`. Each of
    `segments` has a threshold of its own, found at the first look.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    risk: Number = 0.05
    confidence: Number = 0.95
    assumes: Assumption = Field(
        Assumption.HIGHER_IS_SAFER,
        description="higher_is_safer: a higher confidence is not less reliable; nothing: for scores nobody knows",
    )
    first_labels: Labels = 300
    every: Labels | None = Field(None, description="labels between further looks; without it there is one look only")
    until: Labels | None = Field(None, description="labels at the last look")
    segments: tuple[Segment, ...] = ()

    @property
    def delta(self) -> float:
        """The chance that the guarantee is broken; rounded, as 1 - 0.95 is a little more than 0.05."""
        return round(1.0 - self.confidence, 12)

    @property
    def go_live_delta(self) -> float:
        """What of it the first look may spend: two fifths when more looks follow, shared among the segments."""
        whole = self.delta if self.every is None else round(self.delta * _GO_LIVE, 12)
        return whole / (1 + len(self.segments))

    @property
    def schedule_delta(self) -> float:
        """What is left for the looks that follow."""
        return round(self.delta - self.delta * _GO_LIVE, 12)

    @property
    def looks(self) -> tuple[int, ...]:
        """The labels at which will be looked, the first look included, ascending."""
        if self.every is None or self.until is None:
            return (self.first_labels,)
        return (self.first_labels, *range(self.first_labels + self.every, self.until + 1, self.every))


def threshold_flaws(plan: ThresholdPlan) -> Iterator[Flaw]:
    """What makes no sense in a well-formed section."""
    for name, value in (("risk", plan.risk), ("confidence", plan.confidence)):
        if 1 < value <= 100:  # noqa: PLR2004 - somebody thinks in percent
            yield (name,), f"{value:g} is more than 1", f"write {value:g} % as {value / 100:g}"
    if not 0 < plan.risk < 1 and not 1 < plan.risk <= 100:  # noqa: PLR2004 - the same
        yield ("risk",), f"a risk of {plan.risk:g} can neither be kept nor broken", "write 0.05 or so"
    if plan.confidence <= _COIN or plan.confidence == 1:
        yield ("confidence",), f"a confidence of {plan.confidence:g} is no guarantee", "write 0.95 or 0.99"
    if 0 < plan.risk < 1 and _COIN < plan.confidence < 1:
        yield from _too_few(plan)
    yield from _schedule(plan)
    yield from _segments(plan)


def _too_few(plan: ThresholdPlan) -> Iterator[Flaw]:
    points = binomial.design_points(MOST_LABELS, plan.risk, plan.go_live_delta)
    needed = int(points[0]) if len(points) else None
    if needed is None:
        yield ("risk",), f"no number of labels shows a risk of {plan.risk:g}", "write a larger one"
    elif plan.first_labels < needed:
        problem = f"{plan.first_labels:,} labels allow no threshold, even if none of them is wrong"
        yield ("first_labels",), problem, f"write {needed:,} or more; five times as many are usual"


def _schedule(plan: ThresholdPlan) -> Iterator[Flaw]:
    if (plan.every is None) != (plan.until is None):
        there, missing = ("every", "until") if plan.until is None else ("until", "every")
        yield (there,), f"further looks have both, and here is no {missing}", f"add {missing}, or remove {there}"
    if plan.every is None or plan.until is None:
        return
    if plan.until < plan.first_labels + plan.every:
        problem = f"after the first look at {plan.first_labels:,} labels none follows until {plan.until:,}"
        yield ("until",), problem, f"write {plan.first_labels + plan.every:,} or more, or remove every and until"
    elif len(range(plan.first_labels, plan.until, plan.every)) > MOST_LOOKS:
        yield ("every",), f"these are more than {MOST_LOOKS} looks", "look less often"


def _segments(plan: ThresholdPlan) -> Iterator[Flaw]:
    if plan.segments and plan.every is not None:
        problem = "the further looks are for all cases together, and segments have only the first"
        yield ("segments",), problem, "remove segments, or every and until"
    if plan.segments and plan.first_labels < FEWEST_OF_A_SEGMENT:
        problem = f"a segment needs {FEWEST_OF_A_SEGMENT} labels for a threshold of its own"
        yield ("first_labels",), problem, f"write {FEWEST_OF_A_SEGMENT} or more, or remove segments"
    seen: set[str] = set()
    for index, segment in enumerate(plan.segments):
        if segment in seen:
            yield ("segments", index), f'the segment "{segment}" is listed twice', "list it once"
        seen.add(segment)
