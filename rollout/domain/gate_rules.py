"""
Which gates are refused although they are well formed, and what is wrong with a limit, of a gate or a guardrail.

Every flaw has its place below the part that is judged, the reason, and what would mend it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from evidence import betting, sequences
from rollout.domain.metrics import METRICS, Direction, Kind, Metric, Use, closest
from rollout.domain.phase import Phase
from rollout.domain.plan import Gate
from rollout.domain.yaml_tree import Path

MOST_CASES: Final = 10_000_000
"""A gate that needs more cases than these without a single bad one is taken for one that never passes."""

_COIN: Final = 0.5


class Flaw(NamedTuple):
    path: Path
    problem: str
    mend: str


def placed(path: Path, flaws: Iterable[Flaw]) -> Iterator[Flaw]:
    return (Flaw((*path, *flaw.path), flaw.problem, flaw.mend) for flaw in flaws)


def gate_flaws(phase: Phase, gate: Gate) -> Iterator[Flaw]:
    metric = METRICS.get(gate.metric)
    if metric is None:
        yield unknown_metric(gate.metric)
        return
    yield from misused_flaws(metric, Use.GATE, phase)
    yield from _direction(metric, gate)
    yield from limit_flaws(
        metric, gate.at_most if metric.better is Direction.AT_MOST else gate.at_least, gate.confidence
    )
    yield from _options(metric, gate)


def unknown_metric(name: str) -> Flaw:
    near = closest(name)
    mend = f"did you mean {near}?" if near else f"write one of {', '.join(METRICS)}"
    return Flaw(("metric",), f'there is no metric "{name}"', mend)


def misused_flaws(metric: Metric, use: Use, phase: Phase) -> Iterator[Flaw]:
    fitting = [name for name, other in METRICS.items() if use in other.uses and phase in other.phases]
    mend = f"write one of {', '.join(fitting)}"
    if use not in metric.uses:
        yield Flaw(("metric",), f"{metric.name} cannot be a {use}: {_why_not(metric, use)}", mend)
    if phase not in metric.phases:
        where = ", ".join(phase.value for phase in Phase if phase in metric.phases)
        problem = f"nothing is measured for {metric.name} in {phase}, so this would never have evidence"
        yield Flaw(("metric",), f"{problem} (only in {where})", mend)


def _why_not(metric: Metric, use: Use) -> str:
    if use is Use.GUARDRAIL and metric.uses:
        return "it does not measure harm as it happens"
    return "it says how much is automated, not how well"


def _direction(metric: Metric, gate: Gate) -> Iterator[Flaw]:
    right, wrong = metric.better.value, metric.better.other.value
    if gate.at_most is not None and gate.at_least is not None:
        problem = "one gate has one limit, and here are two"
        if gate.at_most < gate.at_least:
            problem = f"no value is at most {gate.at_most:g} and at least {gate.at_least:g}; this could never pass"
        yield Flaw((wrong,), problem, f"keep {right}")
    elif getattr(gate, right) is None and getattr(gate, wrong) is not None:
        more = "more" if metric.better is Direction.AT_LEAST else "less"
        yield Flaw((wrong,), f"for {metric.name} {more} is better, so the limit is {right}", f"write {right}")
    elif getattr(gate, right) is None:
        yield Flaw((), "a gate without a limit would pass without evidence", f"add {right}")


def limit_flaws(metric: Metric, limit: float | None, confidence: float | None) -> Iterator[Flaw]:
    if limit is None:
        return
    path: Path = (metric.better.value,)
    if metric.kind is Kind.RATE:
        yield from placed(path, _rate_limit(metric, limit, confidence))
    elif metric.kind is Kind.LOSS:
        yield from placed(path, _loss_limit(limit, confidence))
    elif metric.kind is Kind.SUITE:
        yield from placed(path, _suite_limit(metric, limit))
    elif limit < 0 or limit != int(limit):
        yield Flaw(path, f"{metric.name} is a whole number, and {limit:g} is not", "write a whole number")
    elif metric.kind is Kind.DAYS and limit < 1:
        yield Flaw(path, "a gate of no days passes at once", "write 1 or more, or remove the gate")


def _rate_limit(metric: Metric, limit: float, confidence: float | None) -> Iterator[Flaw]:
    if not 0 <= limit <= 1:
        yield Flaw((), f"{limit:g} is not a share between 0 and 1", f"write {limit:g} % as {limit / 100:g}")
        return
    bad_limit = limit if metric.better is Direction.AT_MOST else 1 - limit
    words = metric.better.words
    if bad_limit == 1:
        yield Flaw(
            (),
            f"{words} {limit:g} passes whatever happens: no evidence could fail it",
            "write a stricter limit",
        )
    elif bad_limit == 0:
        problem = f"{words} {limit:g} can never be shown, however many cases go well"
        yield Flaw((), problem, "write a limit that some cases may miss, such as 0.01 (or 0.99)")
    elif confidence is not None and _COIN < confidence < 1:
        needed = sequences.cases_needed(0, 0, bad_limit, confidence)
        if needed > MOST_CASES:
            problem = f"{words} {limit:g} needs {needed:,} cases without a bad one, so it would never pass"
            yield Flaw((), problem, "write a wider limit or a lower confidence")


def _loss_limit(limit: float, confidence: float | None) -> Iterator[Flaw]:
    if not 0 <= limit <= 1:
        yield Flaw((), f"{limit:g} is not a mean loss between 0 and 1", "write a limit such as 0.05")
    elif limit == 1:
        yield Flaw((), "at most 1 passes whatever happens: no case can lose more", "write a stricter limit")
    elif limit == 0:
        yield Flaw((), "at most 0 can never be shown, however many cases go well", "write a limit such as 0.01")
    elif confidence is not None and _COIN < confidence < 1:
        needed = betting.fewest_to_pass(limit, confidence)
        if needed is None or needed > MOST_CASES:
            problem = f"at most {limit:g} needs more than {MOST_CASES:,} cases without any loss, so it would never pass"
            yield Flaw((), problem, "write a wider limit or a lower confidence")


def _suite_limit(metric: Metric, limit: float) -> Iterator[Flaw]:
    if metric.better is Direction.AT_LEAST and not 0 < limit <= 1:
        passes = "every score passes" if limit <= 0 else "no score passes"
        yield Flaw(
            (),
            f"scores are from 0 to 1: at least {limit:g} means that {passes}",
            "write a limit such as 0.95",
        )
    if metric.better is Direction.AT_MOST and not 0 <= limit < 1:
        passes = "every drop passes" if limit >= 1 else "even an equal score fails"
        yield Flaw((), f"scores are from 0 to 1: at most {limit:g} below the baseline: {passes}", "write 0.01 or so")


def _options(metric: Metric, gate: Gate) -> Iterator[Flaw]:
    if metric.kind in {Kind.RATE, Kind.LOSS}:
        yield from _confidence(gate)
        yield from _segments(gate)
    else:
        for option in ("confidence", "segments"):
            if getattr(gate, option) is not None:
                yield Flaw(
                    (option,),
                    f"{metric.name} is not a rate or loss of cases, so it has no {option}",
                    "remove the line",
                )
    yield from _weights(metric, gate)
    yield from _correction(metric, gate)
    if gate.minimum_cases is not None and gate.minimum_cases < 1:
        problem = f"a gate on {gate.minimum_cases} cases could pass without evidence"
        yield Flaw(("minimum_cases",), problem, "write 1 or more; 100 is usual")
    if gate.minimum_cases is not None and gate.minimum_cases > MOST_CASES:
        problem = f"nobody waits for {gate.minimum_cases:,} cases; this would never pass"
        yield Flaw(("minimum_cases",), problem, f"write at most {MOST_CASES:,}")
    if metric.kind is Kind.SUITE and gate.suite is None:
        yield Flaw((), f"{metric.name} without a suite has nothing to score", "add suite: the name of a suite")
    if metric.kind is not Kind.SUITE and gate.suite is not None:
        yield Flaw(("suite",), f"{metric.name} is not measured on a suite", "remove the line")


def _weights(metric: Metric, gate: Gate) -> Iterator[Flaw]:
    weights = gate.weights
    if weights is None:
        return
    if metric.kind is not Kind.LOSS:
        losses = ", ".join(name for name, other in METRICS.items() if other.kind is Kind.LOSS)
        yield Flaw(("weights",), f"{metric.name} does not weigh by severity", f"remove it, or write one of {losses}")
        return
    named = (("minor", weights.minor), ("major", weights.major), ("severe", weights.severe))
    for name, weight in named:
        if not 0 <= weight <= 1:
            yield Flaw(("weights", name), f"{weight:g} is not between 0 and 1", "write 1 for the worst that can happen")
    for (lower, less), (higher, more) in pairwise(named):
        if less > more:
            problem = f"a {higher} difference counts {more:g}, less than a {lower} one with {less:g}"
            yield Flaw(("weights", higher), problem, f"write {less:g} or more")
    if gate.at_most is not None and 0 < gate.at_most < 1 and weights.severe <= gate.at_most:
        problem = f"no difference counts more than {weights.severe:g}, so at most {gate.at_most:g} passes anything"
        yield Flaw(("weights", "severe"), problem, "write 1, or a stricter limit")


def _correction(metric: Metric, gate: Gate) -> Iterator[Flaw]:
    """Gold cases say who objects to what is wrong, not how severely; and in shadow nobody is asked about an output."""
    if not gate.corrected_for_reviewers or metric.corrects:
        return
    fitting = " or ".join(name for name, other in METRICS.items() if other.corrects)
    problem = f"{metric.name} cannot be corrected for reviewers: gold cases say nothing about it"
    yield Flaw(("corrected_for_reviewers",), problem, f"remove the line, or write a gate on {fitting}")


def _confidence(gate: Gate) -> Iterator[Flaw]:
    confidence = gate.confidence
    if confidence is None or _COIN < confidence < 1:
        return
    if 1 < confidence <= 100:  # noqa: PLR2004 - somebody thinks in percent
        yield Flaw(
            ("confidence",),
            f"{confidence:g} is more than 1",
            f"write {confidence:g} % as {confidence / 100:g}",
        )
    elif confidence >= 1:
        yield Flaw(("confidence",), "nothing is ever that certain; this could never pass", "write 0.95 or 0.99")
    else:
        problem = f"a confidence of {confidence:g} is no better than a coin; this could pass without evidence"
        yield Flaw(("confidence",), problem, "write 0.95, or at least more than 0.5")


def _segments(gate: Gate) -> Iterator[Flaw]:
    if gate.segments is None or gate.segments == "each":
        return
    if not gate.segments:
        yield Flaw(("segments",), "no segment is listed, so nothing would be judged", "list some, or write each")
    for segment, times in Counter(gate.segments).items():
        if times > 1:
            yield Flaw(("segments",), f'the segment "{segment}" is listed {times} times', "list it once")
