"""
What a threshold costs and saves, and how high it should be for the money alone.

Costs may only raise a threshold that is guaranteed, never lower it: a cheap error is still an error that somebody was
promised not to see.

Source: Chow (1970), IEEE Transactions on Information Theory 16, with the errors of the people who review added.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from evidence.binomial import Floats, checked_whole
from evidence.thresholds.groups import checked_confidences
from evidence.thresholds.once import Answer


class Prices(NamedTuple):
    """What one wrong output costs and one review, in the same currency; the share of errors that people make."""

    error: float
    review: float
    human_errors: float = 0.0


class Balance(NamedTuple):
    """
    What automating costs and saves in a period, against people who review everything.

    `wrong` is expected from the errors found at the calibration, which flatters a little, as the threshold was chosen
    by them; `wrong_at_most` is what the guarantee allows. `gained` and `gained_at_least` are the money saved on
    reviews less that of the errors beyond those which people would make, for either; they may be negative.
    """

    automated: float
    reviewed: float
    saved_on_reviews: float
    wrong: float
    wrong_at_most: float
    gained: float
    gained_at_least: float


def probability_to_automate(prices: Prices) -> float:
    """
    The probability of being right above which automating a case is cheaper than a review, in [0, 1].

    From (1 - q) * error < review + human_errors * error. 0 where a review costs more than any error.
    """
    prices = _checked(prices)
    return max(0.0, 1.0 - prices.human_errors - prices.review / prices.error)


def cheapest_threshold(
    confidences: Sequence[float] | Floats, probabilities: Sequence[float] | Floats, prices: Prices
) -> float | None:
    """
    The lowest of `confidences` from which on every calibrated probability of being right is worth automating.

    Both of shape (n,), in any order; `None` when not even the highest is.
    """
    sure, right = checked_confidences(confidences, "confidences"), checked_confidences(probabilities, "probabilities")
    if len(sure) != len(right):
        raise ValueError(f"confidences and probabilities must be of equal length, but {len(sure)} is not {len(right)}")
    too_dear = sure[right <= probability_to_automate(prices)]
    worth = sure[sure > too_dear.max()] if len(too_dear) else sure
    return float(worth.min()) if len(worth) else None


def with_costs(guaranteed: float | None, cheapest: float | None) -> float | None:
    """The threshold to use: never below the guaranteed one, and none at all where either is missing."""
    return None if guaranteed is None or cheapest is None else max(guaranteed, cheapest)


def balance(answer: Answer, volume: int, prices: Prices) -> Balance:
    """What the threshold of a calibration would do to `volume` cases like those it was calibrated on."""
    volume, prices = checked_whole(volume, "volume"), _checked(prices)
    automated = volume * answer.coverage
    rate = answer.end.errors / answer.end.accepted if answer.end else 0.0
    saved = automated * prices.review

    def gained(wrong: float) -> float:
        return saved - (wrong - automated * prices.human_errors) * prices.error

    wrong, wrong_at_most = automated * rate, automated * answer.risk
    return Balance(
        automated=automated,
        reviewed=volume - automated,
        saved_on_reviews=saved,
        wrong=wrong,
        wrong_at_most=wrong_at_most,
        gained=gained(wrong),
        gained_at_least=gained(wrong_at_most),
    )


def _checked(prices: Prices) -> Prices:
    if not 0.0 < prices.error < math.inf:  # NaN lands here too
        raise ValueError(f"the price of an error must be above 0 and finite, not {prices.error!r}")
    if not 0.0 <= prices.review < math.inf:
        raise ValueError(f"the price of a review must be 0 or more and finite, not {prices.review!r}")
    if not 0.0 <= prices.human_errors <= 1.0:
        raise ValueError(f"human_errors must lie between 0 and 1, not {prices.human_errors!r}")
    return prices
