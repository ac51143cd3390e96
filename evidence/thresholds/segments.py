"""
Segments under a common threshold: which earn one of their own, and which are closed because they do too badly.

A guarantee over all cases is none for each segment: some segment is usually above the target. With few labels a
threshold of its own would close a segment for want of evidence, so it takes `OWN_THRESHOLD_LABELS` of them; for all
segments there is an alarm that closes them, which may be looked at all the time.
"""

from collections.abc import Mapping
from typing import NamedTuple

from evidence.binomial import checked_counts, checked_rate
from evidence.multiplicity import holm
from evidence.sequences import log_e_above, lower_bound, upper_bound
from evidence.thresholds.groups import Groups
from evidence.thresholds.once import Answer, Mode, calibrate

OWN_THRESHOLD_LABELS = 400
CLOSING_FACTOR = 2.0
"""A segment is closed when its rate of errors is shown to lie above this many times the target."""


class Segment(NamedTuple):
    """
    One segment of the accepted cases: `errors` of `cases`, and whether they show that it is to be closed.

    `lower` and `upper` hold at every look, each with confidence 1 - delta for this segment by itself.
    """

    cases: int
    errors: int
    log_e: float
    closed: bool
    lower: float
    upper: float


def calibrate_segments(
    segments: Mapping[str, Groups], *, risk: float = 0.05, delta: float = 0.05, mode: Mode = Mode.LEARNED_START
) -> dict[str, Answer | None]:
    """
    A threshold for each segment with enough labels; `None` where the common one has to do.

    The m segments that qualify share delta (Bonferroni): each is calibrated at delta / m, so that all their
    statements hold together. Which qualify depends on the number of labels alone.
    """
    delta = checked_rate(delta, "delta")
    own = sum(groups.labels >= OWN_THRESHOLD_LABELS for groups in segments.values())
    return {
        name: calibrate(groups, risk=risk, delta=delta / own, mode=mode)
        if groups.labels >= OWN_THRESHOLD_LABELS
        else None
        for name, groups in segments.items()
    }


def close_segments(
    counts: Mapping[str, tuple[int, int]], *, risk: float = 0.05, delta: float = 0.05
) -> dict[str, Segment]:
    """
    Which segments to close, from (errors, cases) among the accepted cases of each; in the order given.

    An e-value against "at most `CLOSING_FACTOR` * risk" per segment, and Holm's step-down over all of them: the
    chance that any segment below that limit is ever closed, however often one looks, is at most delta (Holm 1979,
    with 1/e in the place of p). A segment without cases is never closed. Raises ValueError when `risk` is .5 or more.
    """
    limit = checked_rate(CLOSING_FACTOR * checked_rate(risk, "risk"), f"{CLOSING_FACTOR:g} times the risk")
    delta = checked_rate(delta, "delta")
    counted = {name: checked_counts(*count) for name, count in counts.items()}
    logs = {name: log_e_above(errors, cases, limit) for name, (errors, cases) in counted.items()}
    closed = dict(zip(logs, holm(list(logs.values()), 1.0 - delta), strict=True))
    return {
        name: Segment(
            cases,
            errors,
            logs[name],
            closed[name],
            lower_bound(errors, cases, 1.0 - delta),
            upper_bound(errors, cases, 1.0 - delta),
        )
        for name, (errors, cases) in counted.items()
    }


def worst(segments: Mapping[str, Segment]) -> str | None:
    """The segment with the most evidence against it, of equal ones the first; `None` when none has a case."""
    seen = [name for name, segment in segments.items() if segment.cases]
    return max(seen, key=lambda name: segments[name].log_e, default=None)
