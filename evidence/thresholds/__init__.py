"""
Thresholds with a guarantee: from which confidence on an agent may act alone, and how sure we are of it.

`group` the labelled cases, then `calibrate` once at go-live.
"""

from evidence.thresholds.chain import Step
from evidence.thresholds.groups import Groups, Tie, group, group_counts
from evidence.thresholds.once import Answer, Band, Mode, Reason, Shape, calibrate, least_labels, shape

__all__ = [
    "Answer",
    "Band",
    "Groups",
    "Mode",
    "Reason",
    "Shape",
    "Step",
    "Tie",
    "calibrate",
    "group",
    "group_counts",
    "least_labels",
    "shape",
]
