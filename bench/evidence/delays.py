"""Overrides that are recorded late, which is how a gate is opened by counting what has arrived."""

from collections.abc import Callable

import numpy as np

from bench.evidence.drawing import Floats, Ints
from bench.evidence.effort import Effort, random
from bench.evidence.gates import DAYS, DELTA, Points, product
from bench.evidence.report import Median, Section, Share, percent

LIMIT, A_DAY, SETTLE_DAYS = 0.05, 50, 14
_BLOCK = 200

Delay = Callable[[np.random.Generator, tuple[int, ...]], Floats]


def _after_a_week(_rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    return np.full(size, 7.0)


def _a_week_on_average(rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    return rng.exponential(7.0, size)


def _never(_rng: np.random.Generator, size: tuple[int, ...]) -> Floats:
    return np.full(size, 1e6)


DELAYS: dict[str, Delay] = {
    "7 days": _after_a_week,
    "7 days on average": _a_week_on_average,
    "never recorded": _never,
}
RULES = ("e-value on the verdicts that have arrived", "the product: settled days, pending counts as bad")


def _passing(job: tuple[str, float, int]) -> list[Floats]:
    """For both rules the number of cases counted at the first daily look that passes; inf where none does."""
    delay, rate, runs = job
    rng, points = random("delays", delay, rate), product(LIMIT, (DAYS + SETTLE_DAYS) * A_DAY)
    found: list[list[Floats]] = [[], []]
    for done in range(0, runs, _BLOCK):
        block = _passing_block(DELAYS[delay], rate, min(_BLOCK, runs - done), points, rng)
        for times, more in zip(found, block, strict=True):
            times.append(more)
    return [np.concatenate(times) for times in found]


def _passing_block(
    delay: Delay, rate: float, runs: int, points: Points, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    days = DAYS + SETTLE_DAYS
    size = (runs, days, A_DAY)
    decided = np.broadcast_to(np.arange(days)[:, None], size)
    bad = rng.random(size) < rate
    lateness = np.where(bad, delay(rng, size), rng.exponential(0.5, size))
    known = np.minimum(np.floor(decided + rng.random(size) + lateness).astype(np.int64), days)
    arrived_bad, arrived = _by_day(known, bad, days), _by_day(known, np.ones(size, dtype=bool), days)
    settled_on = decided + SETTLE_DAYS + 1
    agreed = _by_day(np.minimum(np.maximum(known, settled_on), days), ~bad, days)
    settled = np.minimum(_by_day(np.minimum(settled_on, days), np.ones(size, dtype=bool), days), runs * days * A_DAY)
    return _first_pass(arrived_bad, arrived, points), _first_pass(settled - agreed, settled, points)


def _by_day(day: Ints, counts: np.ndarray, days: int) -> Ints:
    """How many of each run count by the end of each day; shape (runs, days). What falls on day `days` never does."""
    runs = len(day)
    flat = (np.arange(runs)[:, None, None] * (days + 1) + day)[counts]
    table = np.bincount(flat, minlength=runs * (days + 1)).reshape(runs, days + 1)
    return np.cumsum(table[:, :days], axis=1)


def _first_pass(bad: Ints, cases: Ints, points: Points) -> Floats:
    passes = cases >= points[np.minimum(bad, len(points) - 1)]
    first = passes.argmax(axis=1)
    return np.where(passes.any(axis=1), cases[np.arange(len(cases)), first], np.inf)


def late_overrides(section: Section, effort: Effort) -> None:
    table = section.table(
        "overrides recorded after",
        "true rate",
        "rule",
        "passes",
        "cases counted at the pass: median (90 %)",
        note=f"**Late overrides.** Limit {percent(LIMIT, 0)}, {A_DAY} cases a day, {DAYS} daily looks, "
        f"{effort.delays:,} runs; agreements are recorded after half a day on average. The product counts days "
        f"that are more than {SETTLE_DAYS} days old, and what has no verdict by then as bad.",
    )
    jobs = [(delay, rate, effort.delays) for delay in DELAYS for rate in (LIMIT, 1.2 * LIMIT, 0.4 * LIMIT)]
    for (delay, rate, runs), times in zip(jobs, effort.spread(_passing, jobs), strict=True):
        for rule, at in zip(RULES, times, strict=True):
            passed = Share(int(np.isfinite(at).sum()), runs)
            claim, met = None, None
            if rule == RULES[1] and rate >= LIMIT:
                claim, met = "at most 5 %", passed.at_most(DELTA)
            table.add(delay, percent(rate), rule, passed, Median.of(at) if rate < LIMIT else "-", claim=claim, met=met)
