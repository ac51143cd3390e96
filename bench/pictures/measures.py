"""What the pictures show, measured: seeded simulations of the product's own gates and alarms, and recorded outputs."""

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evidence import binomial, sequences
from evidence.thresholds.groups import group
from evidence.thresholds.once import calibrate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STATED = Path("llm_confidence", "llm-confidence-correct.csv")
"""Where the recorded confidences of the language models are, among the data."""

PER_DAY = 50
LIMIT = 0.05
LOG_20 = math.log(20)
FEWEST = 100  # no rule in these pictures is asked before it has seen a hundred cases


class Passed(NamedTuple):
    """Share of agents that a rule has let pass by the end of each day, shape (days,); and the cases it took."""

    by_day: Floats
    cases: Floats


def gate_tolerates(cases: Ints, limit: float) -> Ints:
    """For each number of cases the most bad ones with which the product's gate passes; -1 where it never does."""
    return np.array([_most(int(n), limit) for n in cases])


def _most(cases: int, limit: float) -> int:
    low, high = -1, cases
    while high - low > 1:
        middle = (low + high) // 2
        passes = sequences.log_e_below(middle, cases, limit) >= LOG_20
        low, high = (middle, high) if passes else (low, middle)
    return low


def repeated_looks(rate: float, *, runs: int = 20_000, days: int = 90, seed: int = 1) -> dict[str, Passed]:
    """Agents with the same true error rate, looked at at the end of every day by four rules at a limit of 5 %."""
    rng = np.random.default_rng([seed, round(rate * 1000)])
    bad = rng.binomial(PER_DAY, rate, size=(runs, days))
    seen = PER_DAY * np.arange(1, days + 1)
    k = bad.cumsum(axis=1)
    last_hundred = bad + np.roll(bad, 1, axis=1)
    tolerated = binomial.tolerated(int(seen[-1]), LIMIT)[seen]
    late_enough = seen >= FEWEST
    passes = {
        "last 100": (last_hundred < LIMIT * 100) & late_enough,
        "so far": (k < LIMIT * seen) & late_enough,
        "one look": (k <= tolerated) & late_enough,
        "ours": (k <= gate_tolerates(seen, LIMIT)) & late_enough,
    }
    return {name: _passed(looks) for name, looks in passes.items()}


def _passed(looks: NDArray[np.bool_]) -> Passed:
    ever = np.logical_or.accumulate(looks, axis=1)
    first = np.where(ever[:, -1], looks.argmax(axis=1) + 1.0, np.inf)
    return Passed(ever.mean(axis=0), first * PER_DAY)


class OneAgent(NamedTuple):
    """One agent of 6 % over the days: share of bad ones among the last 100, and what the gate leaves possible."""

    last_hundred: Floats
    bound: Floats


def one_agent(rate: float = 0.06, *, days: int = 90, seed: int = 7) -> OneAgent:
    bad = np.random.default_rng(seed).binomial(PER_DAY, rate, size=days)
    k = bad.cumsum()
    bound = [sequences.upper_bound(int(k[day]), PER_DAY * (day + 1)) for day in range(days)]
    return OneAgent((bad + np.roll(bad, 1)) / (2 * PER_DAY), np.array(bound))


class Late(NamedTuple):
    """Mean share of bad ones that each way of counting sees day by day, and the share of agents it lets pass."""

    arrived: Floats
    settled: Floats
    arrived_passes: float
    settled_passes: float


def late_verdicts(rate: float = 0.06, *, settle: int = 7, runs: int = 4_000, days: int = 90, seed: int = 3) -> Late:
    """
    A complaint takes a week on average, an approval half a day; the gate of 5 % is looked at every day.

    `arrived` counts the verdicts that are there; `settled` the cases that are `settle` days old, in the order in
    which they were decided, and takes a missing verdict for a bad one.
    """
    rng = np.random.default_rng([seed, round(rate * 1000)])
    ages = np.arange(days + 1) + 0.5  # looked at in the evening; cases are decided around noon
    waits = {name: np.diff(1 - np.exp(-ages / mean), prepend=0.0) for name, mean in (("bad", 7.0), ("good", 0.5))}
    seen_bad, seen_good = np.zeros((runs, days), dtype=np.int64), np.zeros((runs, days), dtype=np.int64)
    settled_bad = np.zeros((runs, days), dtype=np.int64)
    for day in range(days):
        bad = rng.binomial(PER_DAY, rate, size=runs)
        came_bad = _coming(rng, bad, waits["bad"])[:, : days - day].cumsum(axis=1)
        came_good = _coming(rng, PER_DAY - bad, waits["good"])[:, : days - day].cumsum(axis=1)
        seen_bad[:, day:] += came_bad
        seen_good[:, day:] += came_good
        settled_bad[:, day + settle :] += PER_DAY - came_good[:, settle:]  # bad, or not in yet
    seen = seen_bad + seen_good
    arrived = _most_for(seen, LIMIT)
    n = PER_DAY * np.maximum(np.arange(1, days + 1) - settle, 0)
    settled = (settled_bad <= gate_tolerates(n, LIMIT)) & (n >= FEWEST)
    return Late(
        (seen_bad / np.maximum(seen, 1)).mean(axis=0),
        np.where(n > 0, settled_bad.mean(axis=0) / np.maximum(n, 1), np.nan),
        float(((seen_bad <= arrived) & (seen >= FEWEST)).any(axis=1).mean()),
        float(settled.any(axis=1).mean()),
    )


def _coming(rng: np.random.Generator, cases: Ints, waits: Floats) -> Ints:
    """How many of the verdicts come on each day after the case; those after the last day are left over."""
    return np.asarray(rng.multinomial(cases, np.append(waits, max(0.0, 1 - waits.sum())))[:, :-1])


def _most_for(seen: Ints, limit: float) -> Ints:
    table = gate_tolerates(np.arange(int(seen.max()) + 1), limit)
    return np.asarray(table[seen])


class Stated(NamedTuple):
    """What a model said of its answers: how sure it was, of how many, and how many of these were wrong."""

    confidence: float
    cases: int
    wrong: int


def stated(file: Path, model: str = "gpt-4o", fewest: int = 150) -> list[Stated]:
    """The groups of at least `fewest` answers to which a model gave the same stated confidence."""
    counts: defaultdict[float, list[int]] = defaultdict(lambda: [0, 0])
    with file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["llm"] == model and row["stated_confidence"]:
                found = counts[round(float(row["stated_confidence"]), 2)]
                found[0] += 1
                found[1] += row["correct"] != "TRUE"
    return [Stated(said, n, wrong) for said, (n, wrong) in sorted(counts.items()) if n >= fewest]


class Alarms(NamedTuple):
    """Of a guardrail: shares of runs with an alarm in a year at two steady rates; days after a jump to 6 %."""

    good: float
    at_limit: float
    days_after: Floats
    one: Floats
    one_alarm: int


JUMP = 60
"""The last good day in the picture of the alarm."""


def alarms(*, limit: float = 0.03, false_alarm_days: int = 1000, runs: int = 2_000, seed: int = 4) -> Alarms:
    """The guardrail of a plan as it is by default, looked at every evening; delays from runs quiet until the jump."""
    rng = np.random.default_rng(seed)
    table = _e_values(365, limit)
    good, at_limit = (_harm(rng.binomial(PER_DAY, rate, size=(runs, 365)), table) for rate in (0.02, limit))
    before, after = (rng.binomial(PER_DAY, rate, size=(runs, days)) for rate, days in ((0.02, JUMP), (0.06, 120)))
    jump = _harm(np.hstack([before, after]), table)
    late = jump >= false_alarm_days
    quiet = ~late[:, :JUMP].any(axis=1)
    delays = np.where(late[quiet].any(axis=1), late[quiet].argmax(axis=1) + 1.0 - JUMP, np.inf)
    typical = int(np.flatnonzero(quiet)[np.flatnonzero(delays == np.median(delays))[0]])
    return Alarms(
        good=float((good >= false_alarm_days).any(axis=1).mean()),
        at_limit=float((at_limit >= false_alarm_days).any(axis=1).mean()),
        days_after=delays,
        one=jump[typical],
        one_alarm=int(late[typical].argmax()) + 1,
    )


def _e_values(days: int, limit: float) -> Floats:
    """The product's e-value above the limit for each length of time and each number of bad cases in it."""
    most = math.ceil(0.06 * PER_DAY * days)
    table = np.full((days + 1, most + 1), np.nan)
    for length in range(1, days + 1):
        n = PER_DAY * length
        for bad in range(min(most, n, math.ceil(0.06 * n + 6 * math.sqrt(0.06 * n)) + 5) + 1):
            table[length, bad] = math.exp(min(sequences.log_e_above(bad, n, limit), 600.0))
    return table


def _harm(bad: Ints, table: Floats) -> Floats:
    """For each run and evening the sum over all days on which harm may have begun, as `sequences.log_harm` has it."""
    total = np.hstack([np.zeros((len(bad), 1), dtype=np.int64), bad.cumsum(axis=1)])
    harm = np.empty(bad.shape)
    for day in range(bad.shape[1]):
        since = total[:, day + 1 : day + 2] - total[:, : day + 1]
        harm[:, day] = table[np.arange(day + 1, 0, -1), since].sum(axis=1)
    assert not np.isnan(harm).any()
    return harm


class Calibrated(NamedTuple):
    """Of many calibrations: true error rate above the threshold found, and share of cases above it; 0 if none."""

    error: Floats
    automated: Floats

    @property
    def above(self) -> float:
        return float((self.error > LIMIT).mean())


def recorded(folder: Path) -> tuple[Floats, Ints]:
    """Confidence and error of every recorded answer of the agent that sorts bank customers' questions."""
    confidence, wrong = [], []
    for name in ("agent_oof.csv", "agent_test.csv"):
        with (folder / name).open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                confidence.append(float(row["confidence"]))
                wrong.append(int(row["correct"] == "0"))
    return np.array(confidence), np.array(wrong, dtype=np.int64)


def calibrations(
    cases: tuple[Floats, Ints], *, labels: int = 1_000, runs: int = 1_000, seed: int = 5
) -> dict[str, Calibrated]:
    """Draw labelled cases again and again, choose a threshold for 5 % by two rules, and ask what is true above it."""
    confidence, wrong = cases
    rng = np.random.default_rng(seed)
    order = np.argsort(-confidence, kind="stable")
    ordered, errors = -confidence[order], wrong[order].cumsum()
    found: dict[str, list[tuple[float, float]]] = {"seen": [], "ours": []}
    for _ in range(runs):
        drawn = rng.integers(len(confidence), size=labels)
        for rule, threshold in (("seen", _by_what_was_seen), ("ours", _with_a_guarantee)):
            at = threshold(confidence[drawn], wrong[drawn])
            accepted = 0 if at is None else int(np.searchsorted(ordered, -at, side="right"))
            found[rule].append((errors[accepted - 1] / accepted if accepted else 0.0, accepted / len(confidence)))
    return {rule: Calibrated(*np.array(pairs).T) for rule, pairs in found.items()}


def _by_what_was_seen(confidence: Floats, wrong: Ints) -> float | None:
    """The lowest threshold above which at most 5 % of the labelled cases were wrong."""
    groups = group(confidence, wrong)
    low_enough = np.flatnonzero(groups.errors <= LIMIT * groups.accepted)
    return float(groups.confidence[low_enough[-1]]) if len(low_enough) else None


def _with_a_guarantee(confidence: Floats, wrong: Ints) -> float | None:
    return calibrate(group(confidence, wrong), risk=LIMIT).threshold
