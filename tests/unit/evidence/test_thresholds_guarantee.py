"""Populations made to mislead: at most a share delta of all calibrations ends above the limit, with fixed seeds."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from evidence.binomial import Floats, Ints
from evidence.thresholds import Mode, calibrate, group

RISK, DELTA, TIMES, LABELS = 0.05, 0.05, 500, 300
MODES = [pytest.param(mode, id=mode.value) for mode in Mode]

falling = np.linspace(1.0, 0.0, 501)
POPULATIONS = [
    pytest.param(falling, np.full(501, RISK * 1.0002), id="just above the limit everywhere"),
    pytest.param(falling, np.where(falling > 0.8, 0.0, 0.12), id="no errors at the top, then a jump"),
    pytest.param(np.linspace(1.0, 0.2, 5), np.array([0.0501, 0.0502, 0.1, 0.2, 0.3]), id="ties, all just unsafe"),
    pytest.param(
        np.repeat(np.linspace(1.0, 0.2, 5), [4, 3, 1, 1, 1]),
        np.repeat([0.0501, 0.06, 0.1, 0.2, 0.3], [4, 3, 1, 1, 1]),
        id="a top group of 40 % that is just unsafe",
    ),
    pytest.param(
        np.append(np.repeat(0.9, 9), np.repeat([1.0, 0.99, 0.98, 0.8], [2, 2, 2, 5])),
        np.repeat([0.06, 0.0501, 0.5], [9, 6, 5]),
        id="just unsafe above a large tie that is hopeless",
    ),
    pytest.param(falling, np.where(np.arange(501) // 25 % 2 == 0, 0.0, 0.11), id="stripes, so confidence says little"),
    pytest.param(falling, np.where(falling > 0.9, 0.15, 0.04), id="overconfident at the top"),
    pytest.param(
        falling, np.select([falling > 0.65, falling > 0.55], [0.06, 0.0], 0.2), id="bait just below the start"
    ),
    pytest.param(falling, 0.3 * (1.0 - falling), id="smooth"),
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("confidence", "chance"), POPULATIONS)
def test_at_most_delta_of_all_calibrations_are_above_the_limit(mode: Mode, confidence: Floats, chance: Floats) -> None:
    def threshold(sure: Floats, wrong: Ints) -> float | None:
        return calibrate(group(sure, wrong), risk=RISK, delta=DELTA, mode=mode).threshold

    assert share_above(threshold, confidence, chance) <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / TIMES)


def test_what_looks_best_among_the_labels_is_above_the_limit_far_more_often() -> None:
    # Which shows that the populations above, and this way of counting, can tell a rule without a guarantee.
    def threshold(sure: Floats, wrong: Ints) -> float | None:
        groups = group(sure, wrong)
        fine = np.flatnonzero(groups.errors <= RISK * groups.accepted)
        return float(groups.confidence[fine.max()]) if len(fine) else None

    assert share_above(threshold, falling, 0.3 * (1.0 - falling)) > 0.3


def share_above(threshold: Callable[[Floats, Ints], float | None], confidence: Floats, chance: Floats) -> float:
    """How often the true rate of errors above the threshold exceeds the limit; every row is as likely as any other."""
    random = np.random.default_rng(20261121)
    above = 0
    for _ in range(TIMES):
        drawn = random.integers(0, len(confidence), LABELS)
        found = threshold(confidence[drawn], (random.random(LABELS) < chance[drawn]).astype(np.int64))
        above += found is not None and bool(chance[confidence >= found].mean() > RISK + 1e-12)
    return above / TIMES
