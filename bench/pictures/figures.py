"""The figures of the guides in words and tables, written to `docs/pictures/measured.md` beside the pictures."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bench.pictures import measures
from bench.pictures.drawing import percent
from evidence.planning import GateTerms, cases_until_pass
from evidence.thresholds.groups import group, group_counts
from evidence.thresholds.once import calibrate

_LIMITS = (0.10, 0.05, 0.02)
_RATES = (0.0, 0.005, 0.01, 0.02, 0.03, 0.04)


def page(data: Path) -> str:
    """All of them, as Markdown."""
    return "\n\n".join([
        "# What was measured for the guides",
        "Written by `python -m bench.pictures`, from seeds. Gates: 95 % sure, 100 cases at least.",
        "## Looking every evening for 90 days, limit 5 %\n\nShare of agents let pass by mistake; of the last, "
        "good agent: median of cases until it passes. 20,000 runs each.\n\n" + _looks(),
        "## Late verdicts\n\nSimulated: agreement takes half a day on average, an override a week; looked at every "
        "evening for 90 days, limit 5 %, settled after 7 days. 4,000 runs each. Share that pass.\n\n" + _late(),
        "## Cases until a gate passes\n\nHalf of the agents / nine in ten pass within so many, looked at after every "
        "case (`evidence.planning`, by exact chances).\n\n" + _wait(),
        "## The guardrail's alarm\n\n" + _alarm(),
        "## Thresholds\n\n" + _thresholds(data),
    ]) + "\n"  # fmt: skip


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ("---",) * len(head), *rows])


def _looks() -> str:
    measured = {rate: measures.repeated_looks(rate) for rate in (0.05, 0.06, 0.02)}
    names = {"last 100": "share of the last 100", "so far": "share of all", "one look": "exact 95 % bound for one look",
             "ours": "the gate"}  # fmt: skip
    rows = [
        (said, *(percent(measured[rate][name].by_day[-1], 1) for rate in (0.05, 0.06)),
         f"{np.median(measured[0.02][name].cases):,.0f}")
        for name, said in names.items()
    ]  # fmt: skip
    return _table(("rule", "agent of 5 %", "agent of 6 %", "agent of 2 %: cases"), rows)


def _late() -> str:
    rows = []
    for rate in (0.06, 0.02):
        late = measures.late_verdicts(rate)
        rows.append((percent(rate), percent(late.arrived_passes, 1), percent(late.settled_passes, 1)))
    return _table(("really wrong", "verdicts that are there", "settled days, missing = bad"), rows)


def _wait() -> str:
    rows = [(percent(rate, 1), *(_cell(limit, rate) for limit in _LIMITS)) for rate in _RATES]
    return _table(("really wrong", *(f"limit {percent(limit)}" for limit in _LIMITS)), rows)


def _cell(limit: float, rate: float) -> str:
    if rate >= limit:
        return "must not pass"
    within = cases_until_pass(rate, GateTerms(limit, minimum_cases=measures.FEWEST)).cases
    assert within is not None
    return f"{within.median:,} / {within.late:,}"


def _alarm() -> str:
    found = measures.alarms()
    early, median, late = np.quantile(found.days_after, [0.1, 0.5, 0.9], method="inverted_cdf")
    return (
        "Limit 3 %, 1,000 days between false alarms or more, 50 verdicts a day, every evening; 2,000 runs.\n\n"
        f"- An agent of 2 %: an alarm within a year in {percent(found.good, 2)} of the runs.\n"
        f"- An agent just at the limit of 3 %: in {percent(found.at_limit, 1)} (promised: at most 36.5 %).\n"
        f"- From 2 % to 6 % after 60 days: after {median:.0f} days; one in ten within {early:.0f}, nine in ten within "
        f"{late:.0f}."
    )


def _thresholds(data: Path) -> str:
    cases = measures.recorded(data / "banking77")
    rng = np.random.default_rng(6)
    rows = []
    for risk, labels in ((0.05, 100), (0.05, 300), (0.05, 1_000), (0.02, 300), (0.02, 1_000), (0.01, 300)):
        without = 0
        for _ in range(1_000):
            drawn = rng.integers(len(cases[0]), size=labels)
            without += calibrate(group(cases[0][drawn], cases[1][drawn]), risk=risk).threshold is None
        rows.append((percent(risk), f"{labels:,}", percent(without / 1_000, 1)))
    said = measures.stated(data / measures.STATED, fewest=1)
    answer = calibrate(group_counts([(found.confidence, found.cases, found.wrong) for found in said]))
    assert answer.threshold is None
    return (
        "1,000 calibrations each on recorded answers of an agent that sorts bank customers' questions.\n\n"
        + _table(("at most wrong", "labelled cases", "no threshold"), rows)
        + f"\n\nGPT-4o's stated confidence, at most 5 % wrong, {answer.labels:,} labelled answers: no threshold "
        f"({answer.explanation})."
    )
