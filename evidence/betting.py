"""
Says how far losses between 0 and 1 carry that are not plain right or wrong: weighted by severity, or scored by field.

The e-value against "the mean loss is `limit` or more" is the capital of somebody who bets on the opposite, label by
label, at fair or unfavourable odds,

    E = product over labels of (1 - bet * (loss - limit)),   0 <= bet <= 1/2 / (1 - limit),

and mirrored for "`limit` or less" (Waudby-Smith and Ramdas 2024, arXiv 2010.09686). It may be looked at whenever one
likes (Ville). Half of the capital follows the paper's predictable plug-in: each bet is fixed before the labels that it
is placed on, from the mean and the spread of the labels before. The other half is spread over bets that never change,
so that a first day of many thousand labels, on which the plug-in knows nothing yet, cannot lose everything for an
agent that is only a little better than the limit. For plain right or wrong use `sequences`, where nothing is chosen.

A stream is bet on either label by label (`Wealth`, a handful of floats) or cohort by cohort, say day by day: the bet
is then the same for a whole cohort, so that only how often each loss occurred in it matters, and not in which order.
A cohort must not be cut by what its labels turn out to be: a day is one, "until the third severe error" is not.

The bounds are for a mean that stays the same. A lower one above the upper one says that it did not.
"""

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self, TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import special

from evidence.binomial import checked_rate, checked_whole

Floats: TypeAlias = NDArray[np.float64]
Cohort: TypeAlias = Mapping[float, int] | Sequence[tuple[float, int]]
"""How many labels had which loss: {0.0: 480, 0.2: 15, 1.0: 3}."""

_STAKE: Final = 0.5
"""At most this part of the capital is lost on one label, the worst that can come ("c" in the paper)."""
_STEADY: Final = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
"""The bets that never change, as parts of the largest bet that is allowed."""
_LOG_SHARES: Final = (-math.log(2.0), *(-math.log(2.0 * len(_STEADY)) for _ in _STEADY))
"""The parts of the capital that begin with the plug-in, and with each of the steady bets."""
MOST_LABELS: Final = 10**8
"""Beyond this many labels a plan is not a plan, and `cases_needed` says `None`."""
_LONGER: Final = 1.1
_FIRST_MEAN, _FIRST_SPREAD = 0.5, 0.25
"""What is believed of mean and variance before the first label, with the weight of one label."""


@dataclass(frozen=True, slots=True)
class Wealth:
    """
    The e-value of a stream that is bet on label by label, as plain numbers that can be stored and read again.

    `below`: against "the mean is `limit` or more", otherwise against "the mean is `limit` or less". The bets are
    tuned to be decided at `confidence`; the evidence holds at any.
    """

    limit: float
    below: bool = True
    confidence: float = 0.95
    log_capitals: tuple[float, ...] = _LOG_SHARES
    labels: int = 0
    total: float = 0.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        checked_rate(self.limit, "limit")
        checked_rate(self.confidence, "confidence")

    @property
    def log_e(self) -> float:
        """The evidence so far; 0 when nothing was seen."""
        most = max(self.log_capitals)
        return most + math.log(math.fsum(math.exp(log - most) for log in self.log_capitals))

    def update(self, loss: float) -> Self:
        """The state after one more label, with a `loss` in [0, 1]. O(1)."""
        loss = _checked_loss(loss, "loss")
        seen, limit = (loss, self.limit) if self.below else (1.0 - loss, 1.0 - self.limit)
        cap = _STAKE / (1.0 - limit)
        bets = (min(_bet(self.labels, self.spread, self.confidence), cap), *(part * cap for part in _STEADY))
        labels, total = self.labels + 1, self.total + seen
        mean = (_FIRST_MEAN + total) / (labels + 1)
        return type(self)(
            limit=self.limit,
            below=self.below,
            confidence=self.confidence,
            log_capitals=tuple(
                log + math.log1p(-bet * (seen - limit)) for log, bet in zip(self.log_capitals, bets, strict=True)
            ),
            labels=labels,
            total=total,
            spread=self.spread + (seen - mean) ** 2,
        )


def log_e_below(days: Sequence[Cohort], limit: float, confidence: float = 0.95) -> float:
    """
    Log e-value against "the mean loss is `limit` or more"; large means that the mean is below the limit.

    `days` are cohorts in order of time. 0 when nothing was seen. `confidence` tunes the bets, no more.
    """
    limit = checked_rate(limit, "limit")
    return _Bets.placed_on(days, confidence).log_e(limit)


def log_e_above(days: Sequence[Cohort], limit: float, confidence: float = 0.95) -> float:
    """Log e-value against "the mean loss is `limit` or less"; large means that the mean is above the limit."""
    limit = checked_rate(limit, "limit")
    return _Bets.placed_on(days, confidence, mirrored=True).log_e(1.0 - limit)


def upper_bound(days: Sequence[Cohort], confidence: float = 0.95) -> float:
    """
    The largest mean loss that the labels do not rule out; holds at all looks together with `confidence`.

    Lies below a limit exactly when `log_e_below` at that limit has reached log(1/delta). 1 when nothing was seen.
    """
    return _Bets.placed_on(days, confidence).largest_mean(confidence)


def lower_bound(days: Sequence[Cohort], confidence: float = 0.95) -> float:
    """The smallest mean loss that the labels do not rule out; holds at all looks together. 0 when nothing was seen."""
    return 1.0 - _Bets.placed_on(days, confidence, mirrored=True).largest_mean(confidence)


class Shown(NamedTuple):
    """What the labels say of a limit on the mean, and of the mean itself, by the same bets."""

    log_e: float
    bound: float


def shown_below(days: Sequence[Cohort], limit: float, confidence: float = 0.95) -> Shown:
    """`log_e_below` and `upper_bound` of the same labels; placing the bets is most of the work of each."""
    limit = checked_rate(limit, "limit")
    bets = _Bets.placed_on(days, confidence)
    return Shown(bets.log_e(limit), bets.largest_mean(confidence))


def shown_above(days: Sequence[Cohort], limit: float, confidence: float = 0.95) -> Shown:
    """`log_e_above` and `lower_bound` of the same labels."""
    limit = checked_rate(limit, "limit")
    bets = _Bets.placed_on(days, confidence, mirrored=True)
    return Shown(bets.log_e(1.0 - limit), 1.0 - bets.largest_mean(confidence))


def mean_loss(days: Iterable[Cohort]) -> float | None:
    """The plain mean of all losses, to show beside its bound; `None` when nothing was seen."""
    pairs = [pair for place, day in enumerate(days) for pair in _checked_cohort(day, f"days[{place}]")]
    labels = sum(count for _, count in pairs)
    return math.fsum(loss * count for loss, count in pairs) / labels if labels else None


def cases_needed(days: Sequence[Cohort], limit: float, confidence: float = 0.95) -> int | None:
    """
    About how many further labels, with losses as those so far, let a gate at `limit` pass; 0 when it passes already.

    `None` when they never do: the mean so far is not below the limit, or so near that `MOST_LABELS` are not enough;
    and when nothing was seen, for then there is nothing to go by. The labels to come are laid out in cohorts that each
    make the stream a tenth longer, so the figure is good to a few per cent.
    """
    limit, threshold = checked_rate(limit, "limit"), -math.log1p(-checked_rate(confidence, "confidence"))
    mean = mean_loss(days)
    if mean is None or mean >= limit:
        return None
    if log_e_below(days, limit, confidence) >= threshold:
        return 0
    further = _further(days)

    def evidence(cohorts: int) -> float:
        return log_e_below([*days, *further[:cohorts]], limit, confidence)

    cohorts = range(1, len(further) + 1)
    place = bisect.bisect_left(cohorts, x=True, key=lambda count: evidence(count) >= threshold)
    if place == len(cohorts):
        return None
    before, after = evidence(place), evidence(place + 1)
    labels = [sum(cohort.values()) for cohort in further[: place + 1]]
    way = (threshold - before) / (after - before) if after > before else 1.0
    return sum(labels[:-1]) + math.ceil(max(0.0, way) * labels[-1])


def fewest_to_pass(limit: float, confidence: float = 0.95) -> int | None:
    """
    How many labels without any loss, seen as one cohort, let a gate at `limit` pass; no fewer ever do.

    `None` when it takes more than `MOST_LABELS`.
    """
    limit, threshold = checked_rate(limit, "limit"), -math.log1p(-checked_rate(confidence, "confidence"))

    def passes(labels: int) -> bool:
        return log_e_below([{0.0: labels}], limit, confidence) >= threshold

    if not passes(MOST_LABELS):
        return None
    return bisect.bisect_left(range(MOST_LABELS), x=True, key=passes)


def _further(days: Sequence[Cohort]) -> list[dict[float, int]]:
    """Cohorts to come with the losses so far, each a tenth of the stream before it, until `MOST_LABELS`."""
    so_far: Counter[float] = Counter()
    for place, day in enumerate(days):
        for loss, count in _checked_cohort(day, f"days[{place}]"):
            so_far[loss] += count
    labels, times, laid = sum(so_far.values()), 1.0, dict(so_far)
    further: list[dict[float, int]] = []
    while labels * times < MOST_LABELS:
        times *= _LONGER
        wanted = {loss: round(count * times) for loss, count in so_far.items()}
        further.append({loss: count - laid[loss] for loss, count in wanted.items()})
        laid = wanted
    return further


class _Bets(NamedTuple):
    """The bets that were placed, one row per cohort and loss; before the cap that depends on the limit."""

    losses: Floats
    counts: Floats
    bets: Floats

    @classmethod
    def placed_on(cls, days: Sequence[Cohort], confidence: float, *, mirrored: bool = False) -> Self:
        confidence = checked_rate(confidence, "confidence")
        labels, total, spread = 0, 0.0, 0.0
        rows: list[tuple[float, int, float]] = []
        for place, day in enumerate(days):
            cohort = _checked_cohort(day, f"days[{place}]")
            if mirrored:
                cohort = [(1.0 - loss, count) for loss, count in cohort]
            if not cohort:
                continue
            bet = _bet(labels, spread, confidence)
            rows += [(loss, count, bet) for loss, count in cohort]
            labels += sum(count for _, count in cohort)
            total += math.fsum(loss * count for loss, count in cohort)
            mean = (_FIRST_MEAN + total) / (labels + 1)
            spread += math.fsum(count * (loss - mean) ** 2 for loss, count in cohort)
        table = np.array(rows, dtype=np.float64).reshape(-1, 3)
        return cls(table[:, 0], table[:, 1], table[:, 2])

    def log_e(self, limit: float) -> float:
        if not len(self.losses):
            return 0.0
        cap = _STAKE / (1.0 - limit)
        bets = np.vstack([np.minimum(self.bets, cap), *(np.full_like(self.bets, part * cap) for part in _STEADY)])
        capitals = np.log1p(-bets * (self.losses - limit)) @ self.counts + _LOG_SHARES
        return float(special.logsumexp(capitals))

    def largest_mean(self, confidence: float) -> float:
        """
        Where the evidence crosses 1/delta. Every factor grows with the limit, also where the bet is a part of the
        cap (then its derivative is that part of (1 - loss) / 2 / (1 - limit)^2), so there is one such place at most.
        """
        threshold = -math.log1p(-confidence)
        highest = math.nextafter(1.0, 0.0)
        if not len(self.losses) or self.log_e(highest) < threshold:
            return 1.0
        return float(
            scipy.optimize.brentq(lambda limit: self.log_e(limit) - threshold, 0.0, highest, xtol=1e-14, rtol=1e-13)
        )


def _bet(labels: int, spread: float, confidence: float) -> float:
    """The plug-in bet before the cap: sqrt(2 log(1/delta) / (variance * t * log(1 + t))), t the coming label."""
    coming = labels + 1
    variance = (_FIRST_SPREAD + spread) / coming
    return math.sqrt(-2.0 * math.log1p(-confidence) / (variance * coming * math.log1p(coming)))


def _checked_cohort(cohort: Cohort, place: str) -> list[tuple[float, int]]:
    """Pairs of loss and count, sorted so that sums come out the same in whichever order they were given."""
    pairs = cohort.items() if isinstance(cohort, Mapping) else cohort
    checked = sorted(
        (_checked_loss(loss, f"{place}: a loss"), checked_whole(n, f"{place}: a count")) for loss, n in pairs
    )
    return [(loss, count) for loss, count in checked if count]


def _checked_loss(loss: float, name: str) -> float:
    if isinstance(loss, bool) or not isinstance(loss, (float, int, np.floating, np.integer)) or not 0 <= loss <= 1:
        raise ValueError(f"{name} must be a number between 0 and 1, not {loss!r}")
    return float(loss)
