"""Gates looked at all the time: how often a bad agent passes, and how soon a good one does."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special, stats

from bench.evidence.drawing import Floats, Ints
from bench.evidence.effort import Effort, random
from bench.evidence.report import SLACK, Median, Section, Share, percent
from evidence import binomial, sequences

DELTA = 0.05
DAYS, A_DAY = 90, 240
LOOKS = {"every case = adversarial": 1, "hourly": 10, "every 50 cases": 50, "daily": A_DAY}
PLANNING = {
    0.10: {0.02: (64, 119), 0.05: (168, 433), 0.07: (549, 1344)},
    0.05: {0.005: (82, 170), 0.01: (130, 242), 0.02: (242, 548), 0.03: (576, 1509), 0.04: (3204, 7919)},
    0.02: {0.005: (327, 696), 0.01: (936, 2396), 0.015: (4646, 12288)},
    0.01: {0.001: (417, 862), 0.0025: (657, 1560), 0.005: (1876, 4800)},
}
"""Limit, true rate: the median and the 90 % quantile of cases to pass that were published for the planning of gates."""

PLANNED_ON = 4_000

Points = Ints
"""For 0, 1, 2, ... bad cases the smallest number of cases at which a rule passes; never falling."""


class Rule(NamedTuple):
    name: str
    points: Callable[[float, int], Points]


@lru_cache
def product(limit: float, most: int) -> Points:
    """The gate of the product, by its own function."""
    found: list[int] = []
    while not found or found[-1] <= most:
        bad = len(found)
        found.append(bad + sequences.cases_needed(bad, bad, limit, 1 - DELTA))
    return np.array(found)


def rate_so_far(limit: float, most: int) -> Points:
    """The share of bad cases so far is below the limit, from 100 cases on."""
    bad = np.arange(math.ceil(most * limit) + 1)
    return np.maximum(100, np.floor(bad / limit).astype(np.int64) + 1)


def wald(limit: float, most: int) -> Points:
    """The normal approximation's one-sided 95 % bound is below the limit, from 100 cases on."""
    bad = np.arange(math.ceil(most * limit) + 1)
    z = special.ndtri(1 - DELTA)
    low, high = np.maximum(bad, 99), np.full(bad.shape, 2 * most)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        rate = bad / middle
        under = rate + z * np.sqrt(rate * (1 - rate) / middle) < limit
        low, high = np.where(under, low, middle), np.where(under, middle, high)
    return high


def exact_at_each_look(limit: float, most: int) -> Points:
    """The exact one-sided 95 % bound (Clopper and Pearson), meant for one look, is below the limit."""
    return binomial.design_points(most, limit, DELTA)


RULES = (
    Rule("the product's gate", product),
    Rule("rate so far below the limit", rate_so_far),
    Rule("Wald's bound at each look", wald),
    Rule("Clopper and Pearson's bound at each look", exact_at_each_look),
)


def passing(bad_at: Ints, points: Points, every: int, last: int) -> Floats:
    """
    The case at which a rule passes, looked at after every `every` cases up to `last`; inf where it does not.

    `bad_at` holds the cases that were bad, ascending, shape (runs, bad ones). With the same count of bad ones a rule
    that passes goes on passing, so only the first look after each bad case, or after the rule allows it, matters.
    """
    points = np.append(points[points <= last], last + 1)  # one bad case more than these never passes
    width = min(bad_at.shape[1], len(points) - 1)
    counted = np.concatenate([np.zeros((len(bad_at), 1), dtype=np.int64), bad_at[:, :width]], axis=1)
    until = np.concatenate([bad_at[:, :width], np.full((len(bad_at), 1), last + 1)], axis=1)
    look = -(-np.maximum(counted, points[: width + 1]) // every) * every
    return _first(look, (look < until) & (look <= last))


def passing_by_window(bad_at: Ints, limit: float, every: int, last: int, window: int = 100) -> Floats:
    """The same for "less than the limit in the last hundred cases"."""
    allowed = math.ceil(window * limit) - 1
    before = np.concatenate([np.zeros((len(bad_at), 1), dtype=np.int64), bad_at], axis=1)
    until = np.concatenate([bad_at[:, allowed:], np.full((len(bad_at), 1), last + 1)], axis=1)
    look = -(-(before[:, : until.shape[1]] + window) // every) * every
    return _first(look, (look < until) & (look <= last))


def _first(look: Ints, passes: np.ndarray) -> Floats:
    return np.where(passes.any(axis=1), look[np.arange(len(look)), passes.argmax(axis=1)], np.inf)


def bad_cases(rate: float, last: int, runs: int, rng: np.random.Generator) -> Ints:
    """Which cases are bad, by the gaps between them, until after `last`."""
    enough = math.ceil(last * rate + 8 * math.sqrt(last * rate) + 20)
    return np.minimum(np.cumsum(rng.geometric(rate, (runs, enough)), axis=1), last + 1)


def _blocks(runs: int, size: int = 1_000) -> list[int]:
    return [min(size, runs - done) for done in range(0, runs, size)]


def _false_passes(job: tuple[float, float, int]) -> dict[tuple[str, str], int]:
    limit, rate, runs = job
    last = DAYS * A_DAY
    rng = random("gates", limit, rate)
    tables = {rule.name: rule.points(limit, last) for rule in RULES}
    passed: dict[tuple[str, str], int] = {}
    for block in _blocks(runs):
        bad_at = bad_cases(rate, last, block, rng)
        for look, every in LOOKS.items():
            times = {name: passing(bad_at, points, every, last) for name, points in tables.items()}
            times["rate of the last 100 below the limit"] = passing_by_window(bad_at, limit, every, last)
            for name, at in times.items():
                passed[name, look] = passed.get((name, look), 0) + int(np.isfinite(at).sum())
    return passed


def false_passes(section: Section, effort: Effort) -> None:
    table = section.table(
        "limit",
        "true rate",
        "rule",
        *LOOKS,
        note=f"**False passes within {DAYS} days of {A_DAY} cases.** Share of {effort.gates:,} runs that pass at some "
        "look. A look after every case is also the most that an adversary can do who chooses his looks by what he "
        "has seen: whatever he picks is among them. No minimum of cases, no minimum of days.",
    )
    jobs = [(limit, times * limit, effort.gates) for limit in (0.10, 0.05, 0.02, 0.01) for times in (1.0, 1.2)]
    for (limit, rate, runs), passed in zip(jobs, effort.spread(_false_passes, jobs), strict=True):
        names = list(dict.fromkeys(name for name, _ in passed))
        for name in names if limit == 0.05 else names[:1]:
            shares = [Share(passed[name, look], runs) for look in LOOKS]
            ours = name == RULES[0].name
            claim, met = ("each at most 5 %", all(share.at_most(DELTA) for share in shares)) if ours else (None, None)
            table.add(percent(limit, 0), percent(rate), name, *shares, claim=claim, met=met)


def exact_median(limit: float, rate: float, last: int) -> int:
    """The median of the cases to pass, computed: a walk that is stopped at every number of cases that may pass."""
    points = product(limit, last)
    alive, seen, passed = np.ones(1), 0, 0.0
    for tolerates, point in enumerate(points):
        more = int(point) - seen
        alive = np.convolve(alive, stats.binom.pmf(np.arange(more + 1), more, rate))[: len(points)]
        passed += float(alive[: tolerates + 1].sum())
        if passed >= 0.5:
            return int(point)
        alive[: tolerates + 1] = 0.0
        seen = int(point)
    raise ValueError(f"fewer than half pass within {last} cases")


def _times_to_pass(job: tuple[float, float, int]) -> tuple[Floats, int]:
    limit, rate, runs = job
    last = 2 * PLANNING[limit][rate][1]
    rng, points = random("median", limit, rate), product(limit, last)
    times = [passing(bad_cases(rate, last, block, rng), points, 1, last) for block in _blocks(runs)]
    return np.concatenate(times), exact_median(limit, rate, last)


def times_to_pass(section: Section, effort: Effort) -> None:
    table = section.table(
        "limit",
        "true rate",
        "cases to pass: median (90 %)",
        "exact median",
        "planning table",
        "passed by the table's median",
        note="**How soon a good agent passes**, looked at after every case. The planning table was itself measured "
        f"when the gates were designed, on a number of runs that is not given and is taken for {PLANNED_ON:,}; the "
        "claim allows three standard errors for the chance in both. The exact median is computed, not simulated.",
    )
    jobs = [(limit, rate, effort.gates) for limit, rates in PLANNING.items() for rate in rates]
    for (limit, rate, runs), (times, exact) in zip(jobs, effort.spread(_times_to_pass, jobs), strict=True):
        planned, ninth = PLANNING[limit][rate]
        by_then = Share(int((times <= planned).sum()), runs)
        met = by_then.rate >= 0.5 - SLACK * math.sqrt(0.25 / runs + 0.25 / PLANNED_ON)
        cells = (percent(limit, 0), percent(rate, 2), Median.of(times), f"{exact:,}", f"{planned:,} ({ninth:,})")
        table.add(*cells, by_then, claim="at least half, within the chance in both", met=met)


def run(effort: Effort) -> Section:
    from bench.evidence import delays

    section = Section(
        "Gates that are looked at every day",
        "A gate at a limit passes when the counts show, at a confidence of 95 % that holds over all looks together, "
        "that the true rate is below the limit. Four rules of thumb stand beside it.",
    )
    false_passes(section, effort)
    delays.late_overrides(section, effort)
    times_to_pass(section, effort)
    return section
