"""
Says whether a calibration window is of one piece, by comparing its first half with its second.

Every threshold is drawn from the claim that the cases of the window are exchangeable. A window during which the agent
or its cases changed is no calibration, however many cases it holds.
"""

import math

from scipy import stats

from evidence.binomial import checked_counts

WARN_AT = math.log(20.0)
"""A log e-value from here on is a warning: one window in twenty at most does so by chance."""


def log_e_halves(first: tuple[int, int], second: tuple[int, int]) -> float:
    """
    Log e-value against "(bad, cases) of both halves come at one rate", at one look; 0 with nothing to compare.

    Given how many are bad in all, their number in the second half is hypergeometric, whatever the rate. The e-value
    holds the chance of what was seen under "every number is as likely" to that: its mean under one rate is exactly 1.
    """
    first, second = checked_counts(*first), checked_counts(*second)
    bad, cases = first[0] + second[0], first[1] + second[1]
    possible = min(bad, second[1]) - max(0, bad - first[1]) + 1
    if possible == 1:  # an empty half, or all alike: nothing could have come out differently
        return 0.0
    return -math.log(possible) - float(stats.hypergeom.logpmf(second[0], cases, bad, second[1]))
