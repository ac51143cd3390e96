"""
Thresholds with a guarantee: from which confidence on an agent may act alone, and how sure we are of it.

`group` the labelled cases, then `calibrate` once at go-live. For labels that keep coming in, declare a `Schedule`,
`begin` it, and `look` when a look is due. `exchangeability` warns when the labelled cases are not alike,
`close_segments` watches what a common threshold hides, and `balance` says what it costs and saves.
"""

from evidence.thresholds.chain import Step
from evidence.thresholds.costs import (
    Balance,
    Prices,
    balance,
    cheapest_threshold,
    probability_to_automate,
    with_costs,
)
from evidence.thresholds.groups import Groups, Tie, group, group_counts
from evidence.thresholds.halves import Exchangeability, Halves, exchangeability, log_e_different
from evidence.thresholds.once import Answer, Band, Mode, Reason, Shape, calibrate, least_labels, shape
from evidence.thresholds.schedule import (
    Schedule,
    Standing,
    State,
    begin,
    boundaries,
    counts_on,
    look,
    standing,
    start_on,
)
from evidence.thresholds.segments import Segment, calibrate_segments, close_segments, worst

__all__ = [
    "Answer",
    "Balance",
    "Band",
    "Exchangeability",
    "Groups",
    "Halves",
    "Mode",
    "Prices",
    "Reason",
    "Schedule",
    "Segment",
    "Shape",
    "Standing",
    "State",
    "Step",
    "Tie",
    "balance",
    "begin",
    "boundaries",
    "calibrate",
    "calibrate_segments",
    "cheapest_threshold",
    "close_segments",
    "counts_on",
    "exchangeability",
    "group",
    "group_counts",
    "least_labels",
    "log_e_different",
    "look",
    "probability_to_automate",
    "shape",
    "standing",
    "start_on",
    "with_costs",
    "worst",
]
