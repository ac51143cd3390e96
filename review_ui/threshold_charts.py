"""Geometry of the two charts of a calibration: what a confidence is worth, and what each threshold would let pass."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from evidence import calibration
from evidence.binomial import Ints
from evidence.reliability import Bin, reliability
from evidence.thresholds import Groups
from review_ui import charts, words
from review_ui.calibration_views import accepted_by, share_of
from review_ui.charts import Tick
from rollout.domain.words import NBSP

BINS = 10
_Place = Callable[[float], float]
_MOST_POINTS = 160
_ROWS = 10
_FEWEST_DRAWN = 20
"""A share among fewer cases jumps about and only widens the scale."""
_SIZES = {"wide": (920, 320, 64, 16, 20, 52), "narrow": (360, 280, 48, 12, 20, 52)}


@dataclass(frozen=True, slots=True)
class Frame:
    """The plot of one drawing."""

    fit: str
    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    across: list[Tick]
    up: list[Tick]
    across_words: str


@dataclass(frozen=True, slots=True)
class Whisker:
    """One bin: where it stands, how often right it was, and the range that this leaves open."""

    x: float
    y: float
    low: float
    high: float
    radius: float


@dataclass(frozen=True, slots=True)
class WorthDrawing:
    frame: Frame
    diagonal: str
    line: str
    whiskers: list[Whisker]


@dataclass(frozen=True, slots=True)
class WorthRow:
    range: str
    said: str
    cases: str
    right: str
    share: str
    band: str


@dataclass(frozen=True, slots=True)
class Worth:
    """What a confidence is worth: the reliability diagram with its table, its figure and one plain sentence."""

    drawings: list[WorthDrawing]
    rows: list[WorthRow]
    sentence: str
    gap: str
    gap_words: str


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    y: float
    words: str
    words_x: float
    words_y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class CourseDrawing:
    frame: Frame
    line: str
    limit_y: float
    limit_words: str
    chosen: Mark | None
    present_x: float | None
    present_words: str
    present_anchor: str


@dataclass(frozen=True, slots=True)
class CourseRow:
    threshold: str
    share: str
    cases: str
    wrong: str
    wrong_share: str
    mark: str  # allowed | in force | ""


@dataclass(frozen=True, slots=True)
class Course:
    """Share that goes alone against share wrong, for every threshold that could be set."""

    drawings: list[CourseDrawing]
    rows: list[CourseRow]


def worth_of(groups: Groups) -> Worth | None:
    """The diagram in `BINS` bins of equal width; None without labels."""
    if not groups.labels:
        return None
    said = np.repeat(groups.confidence, groups.cases)
    rights = np.concatenate([_rights(int(n), int(k)) for n, k in zip(groups.cases, groups.wrong, strict=True)])
    found = reliability(said, rights, bins=BINS)
    fitted = calibration.calibrate(said, rights)
    filled = [one for one in found.equal_width if one.cases]
    gap = found.calibration_error.value or 0.0
    return Worth(
        drawings=[_draw_worth(fit, filled, fitted.calibrator, groups) for fit in _SIZES],
        rows=[_worth_row(one) for one in reversed(filled)],
        sentence=_worth_sentence(fitted, groups),
        gap=f"{100 * gap:.1f} points",
        gap_words=f"expected calibration error, {BINS} bins of equal width, {found.cases:,} labels",
    )


def _rights(cases: int, wrong: int) -> Ints:
    return np.repeat(np.array([1, 0], dtype=np.int64), [cases - wrong, wrong])


def _worth_sentence(fitted: calibration.Calibration, groups: Groups) -> str:
    if fitted.calibrator is None:
        return f"No line is drawn through these labels: {fitted.reason.split(' (')[0]}."
    top, bottom = float(groups.confidence[0]), float(groups.confidence[-1])
    asked = 0.9 if bottom <= 0.9 <= top else top  # noqa: PLR2004 - the confidence that people ask about
    share = float(fitted.calibrator.apply([asked])[0])
    if share in (0.0, 1.0):
        always = "every time" if share else "never"
        return f"When the agent says {asked:g}, it was {always} right so far, which is no promise for the next case."
    return f"When the agent says {asked:g}, about {100 * share:.0f} of 100 answers are right."


def _worth_row(one: Bin) -> WorthRow:
    share, said = one.rate or 0.0, one.mean_confidence or 0.0
    return WorthRow(
        range=f"{one.low:g} to {one.high:g}",
        said=f"{said:.2f}",
        cases=f"{one.cases:,}",
        right=f"{one.right:,}",
        share=f"{100 * share:.1f}{NBSP}%",
        band=f"{math.floor(100 * one.band.lower + 1e-9)} to {math.ceil(100 * one.band.upper - 1e-9)}{NBSP}%",
    )


def _frame(fit: str, across_words: str, highest: float, step: float, least: float) -> tuple[Frame, _Place, _Place]:
    width, height, left, margin, top, foot = _SIZES[fit]
    right, bottom = width - margin, height - foot

    def x(share: float) -> float:
        return round(left + (share - least) / (1 - least) * (right - left), 1)

    def y(share: float) -> float:
        return round(bottom - min(share, highest) / highest * (bottom - top), 1)

    tenths = range(round(least * 10), 11)
    shown = [tenth / 10 for tenth in tenths if len(tenths) <= 6 or fit == "wide" or (10 - tenth) % 2 == 0]  # noqa: PLR2004
    levels = [step * index for index in range(int(highest / step + 1e-9) + 1)]
    percents = across_words.startswith("share")
    across = [Tick(x(one), f"{100 * one:.0f}{NBSP}%" if percents else f"{one:g}") for one in shown]
    up = [Tick(y(level), words.amount(round(level, 6), "rate")) for level in levels]
    return Frame(fit, width, height, left, right, top, bottom, across, up, across_words), x, y


def _draw_worth(
    fit: str, bins: Sequence[Bin], calibrator: calibration.Calibrator | None, groups: Groups
) -> WorthDrawing:
    least = int(min(float(groups.confidence[-1]), 0.5) * 10) / 10
    frame, x, y = _frame(fit, "confidence that the agent states", 1.0, 0.2, least)
    line = ""
    if calibrator is not None:
        at = np.linspace(float(groups.confidence[-1]), float(groups.confidence[0]), 60)
        line = _path([(x(float(a)), y(float(b))) for a, b in zip(at, calibrator.apply(at), strict=True)])
    most = max(one.cases for one in bins)
    return WorthDrawing(
        frame=frame,
        diagonal=_path([(x(least), y(least)), (x(1), y(1))]),
        line=line,
        whiskers=[
            Whisker(
                x(one.mean_confidence or 0.0), y(one.rate or 0.0), y(one.band.lower), y(one.band.upper),
                round(3.5 + 3 * (one.cases / most) ** 0.5, 1),
            )
            for one in bins
        ],
    )  # fmt: skip


def course_of(groups: Groups, threshold: float | None, present: float | None, risk: float) -> Course | None:
    """`threshold` is the one that the labels allow, `present` the one in force; None without labels."""
    if not groups.labels:
        return None
    places = _spread(groups, _MOST_POINTS, threshold)
    return Course(
        drawings=[_draw_course(fit, groups, places, threshold, present, risk) for fit in _SIZES],
        rows=_course_rows(groups, threshold, present),
    )


def _spread(groups: Groups, most: int, threshold: float | None) -> list[int]:
    """At most about so many groups, evenly spread by their cases, that of the threshold among them."""
    wanted = np.searchsorted(groups.accepted, np.linspace(1, groups.labels, most))
    chosen = np.flatnonzero(groups.confidence == threshold) if threshold is not None else wanted[:0]
    return sorted({int(place) for place in [*wanted, *chosen]})


def _draw_course(
    fit: str, groups: Groups, places: Sequence[int], threshold: float | None, present: float | None, risk: float
) -> CourseDrawing:
    labels = groups.labels
    drawn = [place for place in places if groups.accepted[place] >= min(_FEWEST_DRAWN, labels)]
    shares = [float(groups.errors[place] / groups.accepted[place]) for place in drawn]
    highest, step = _scale(max([1.6 * risk, *shares]))
    frame, x, y = _frame(fit, "share of cases that goes alone", highest, step, 0.0)
    accepted, wrong = accepted_by(groups, threshold)
    chosen = None
    if threshold is not None and accepted:
        chosen = _mark(frame, x(accepted / labels), y(wrong / accepted), f"from {words.confidence(threshold)}", y(risk))
    here = x(accepted_by(groups, present)[0] / labels) if present is not None and present != threshold else None
    return CourseDrawing(
        frame=frame,
        line=_path([(x(groups.accepted[p] / labels), y(s)) for p, s in zip(drawn, shares, strict=True)]),
        limit_y=y(risk),
        limit_words=f"at most {words.amount(risk, 'rate')} may be wrong",
        chosen=chosen,
        present_x=here,
        present_words=f"in force: {words.confidence(present)}",
        present_anchor="end" if here is not None and here > (frame.left + frame.right) / 2 else "start",
    )


def _mark(frame: Frame, x: float, y: float, said: str, limit_y: float) -> Mark:
    """The words stand below the point and to its right, where no rising line runs."""
    end = x > frame.left + 0.8 * (frame.right - frame.left)
    below = min(y + (30 if end else 18), frame.bottom - 6)
    if abs(below - 4 - limit_y) < 12:  # noqa: PLR2004 - the limit would run through the words
        below = min(limit_y + 20, frame.bottom - 6)
    return Mark(x, y, said, x - 10 if end else x + 10, below, "end" if end else "start")


def _scale(highest: float) -> tuple[float, float]:
    step = charts.step_for(highest)
    return min(-(-highest // step) * step, 1.0), step


def _course_rows(groups: Groups, threshold: float | None, present: float | None) -> list[CourseRow]:
    places = set(_spread(groups, _ROWS, threshold))
    if present is not None and (count := int((groups.confidence >= present).sum())):
        places.add(count - 1)
    return [_course_row(groups, place, threshold, present) for place in sorted(places)]


def _course_row(groups: Groups, place: int, threshold: float | None, present: float | None) -> CourseRow:
    at, accepted, wrong = float(groups.confidence[place]), int(groups.accepted[place]), int(groups.errors[place])
    mark = "in force" if at == present else ""
    if at == threshold:
        mark = "allowed, and in force" if mark else "allowed"
    return CourseRow(
        words.confidence(at),
        share_of(accepted, groups.labels),
        f"{accepted:,}",
        f"{wrong:,}",
        words.share(wrong / accepted),
        mark,
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x} {y}" for x, y in points)
