"""
Which plans are refused although they are well formed: those that could pass without evidence, or never pass.

Every rule gives the place, the reason and what would mend it. The rules judge parts, not the whole plan, so
that one misspelt field does not hide what is wrong elsewhere.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from evidence import betting, sequences
from rollout.domain.metrics import METRICS, Direction, Kind, Metric, Use, closest
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Gate, Guardrail, ReadinessItem, Window
from rollout.domain.window import known_timezone
from rollout.domain.yaml_tree import Path

MOST_CASES: Final = 10_000_000
"""A gate that needs more cases than these without a single bad one is taken for one that never passes."""

MOST_STEPS: Final = 20
SHORTEST_ALARM, LONGEST_ALARM = 10, 1_000_000
_COIN: Final = 0.5


class Flaw(NamedTuple):
    path: Path
    problem: str
    mend: str


@dataclass(frozen=True, slots=True)
class PhaseParts:
    """The well-formed parts of one phase, with their places in the file."""

    phase: Phase
    gates: Mapping[int, Gate]
    guardrails: Mapping[int, Guardrail]
    ramp: Sequence[float]
    readiness: Mapping[int, ReadinessItem]
    complete: bool
    """False when a part is left out because it is malformed; then nothing is said about what is missing."""

    @property
    def path(self) -> Path:
        return ("phases", self.phase.value)


def phase_flaws(parts: PhaseParts) -> Iterator[Flaw]:
    """Everything that is wrong with one phase."""
    for index, gate in parts.gates.items():
        yield from _placed((*parts.path, "gates", index), gate_flaws(parts.phase, gate))
    for index, guardrail in parts.guardrails.items():
        yield from _placed((*parts.path, "guardrails", index), guardrail_flaws(parts.phase, guardrail))
    yield from _same_names(parts)
    yield from _contradictions(parts)
    if parts.phase >= Phase.CONFIDENCE:
        yield from _placed((*parts.path, "ramp"), ramp_flaws(parts.ramp))
    if parts.complete:
        yield from _placed(parts.path, _missing(parts))


def _placed(path: Path, flaws: Iterable[Flaw]) -> Iterator[Flaw]:
    return (Flaw((*path, *flaw.path), flaw.problem, flaw.mend) for flaw in flaws)


def gate_flaws(phase: Phase, gate: Gate) -> Iterator[Flaw]:
    metric = METRICS.get(gate.metric)
    if metric is None:
        yield _unknown(gate.metric)
        return
    yield from _misused(metric, Use.GATE, phase)
    yield from _direction(metric, gate)
    yield from _limit(metric, gate.at_most if metric.better is Direction.AT_MOST else gate.at_least, gate.confidence)
    yield from _options(metric, gate)


def guardrail_flaws(phase: Phase, guardrail: Guardrail) -> Iterator[Flaw]:
    metric = METRICS.get(guardrail.metric)
    if metric is None:
        yield _unknown(guardrail.metric)
        return
    yield from _misused(metric, Use.GUARDRAIL, phase)
    if metric.better is Direction.AT_MOST:
        yield from _limit(metric, guardrail.at_most, None)
    if guardrail.at_most is None and not metric.calibrated:
        yield Flaw((), "a guardrail without a limit never fires", "add at_most")
    if guardrail.segments is not None:
        yield from _closing(metric, phase)
    days = guardrail.false_alarm_days
    if metric.kind is Kind.RATE and days is not None and not SHORTEST_ALARM <= days <= LONGEST_ALARM:
        yield Flaw(
            ("false_alarm_days",),
            f"{days:g} days to a false alarm would make it fire by chance, or never",
            f"write a number from {SHORTEST_ALARM} to {LONGEST_ALARM}",
        )
    if metric.kind is not Kind.RATE and days is not None:
        yield Flaw(("false_alarm_days",), f"{metric.name} is counted, so it has no false alarms", "remove the line")


def _closing(metric: Metric, phase: Phase) -> Iterator[Flaw]:
    """Only where a threshold says who answers can a segment be closed, and only by what people said of its cases."""
    if phase in METRICS["error_rate"].phases:
        fitting = [name for name, other in METRICS.items() if _closes(other)]
        if not _closes(metric):
            problem = f"{metric.name} cannot close a segment"
            yield Flaw(("segments",), problem, f"remove the line, or write one of {', '.join(fitting)}")
    else:
        problem = f"in {phase} no segment goes alone, so there is none to close"
        yield Flaw(("segments",), problem, "remove the line")


def _closes(metric: Metric) -> bool:
    return metric.ruled and Use.GUARDRAIL in metric.uses and metric.lanes in ({Lane.AUDIT}, {Lane.REVIEW})


def ramp_flaws(ramp: Sequence[float]) -> Iterator[Flaw]:
    """Shares must grow and end at all cases; anything else is a ramp that ends nowhere."""
    if not ramp:
        yield Flaw((), "the ramp has no step, so the phase could never be left", "write ramp: [0.05, 0.25, 0.5, 1]")
        return
    for index, share in enumerate(ramp):
        if not 0 < share <= 1:
            yield Flaw((index,), f"a share of {share:g} is not between 0 and 1", "write 5 % as 0.05")
        elif index and share <= ramp[index - 1]:
            yield Flaw(
                (index,),
                f"the ramp does not grow from {ramp[index - 1]:g} to {share:g}",
                "make each step larger",
            )
    if ramp[-1] < 1:
        yield Flaw(
            (len(ramp) - 1,),
            f"the ramp ends at {ramp[-1]:g}, so the phase could never be left",
            "end it with 1",
        )
    if len(ramp) > MOST_STEPS:
        yield Flaw((), f"the ramp has {len(ramp)} steps", f"write at most {MOST_STEPS}")


def window_flaws(window: Window) -> Iterator[Flaw]:
    if not window.days:
        yield Flaw(("days",), "the window names no day, so nothing could ever advance", "write days: [mon, tue]")
    if window.opens >= window.closes:
        yield Flaw(
            ("to",),
            f"the window is empty: it opens at {window.opens} and closes at {window.closes}",
            "close later on the same day, or write two windows around midnight",
        )
    if not known_timezone(window.timezone):
        yield Flaw(
            ("timezone",),
            f'there is no time zone "{window.timezone}"',
            "write one like Europe/Berlin, or UTC",
        )


def readiness_flaws(items: Iterable[tuple[Path, ReadinessItem]]) -> Iterator[Flaw]:
    """An item is answered once for a version, so its key may stand only once in the whole plan."""
    seen: dict[str, Path] = {}
    for path, item in items:
        if item.key in seen:
            yield Flaw((*path, "key"), f'the key "{item.key}" stands twice', "give each question its own key")
        seen[item.key] = path


def approval_flaws(second_person_for: Sequence[Phase | None]) -> Iterator[Flaw]:
    for index, phase in enumerate(second_person_for):
        if phase is Phase.EVALUATION:
            problem = "evaluation is where a version begins; nobody signs for it"
            yield Flaw(("approvals", "second_person_for", index), problem, "name a later phase")


def small_change_flaws(phase: Phase | None) -> Iterator[Flaw]:
    if phase is Phase.FULL:
        problem = "a new version would have full autonomy without any evidence of its own"
        yield Flaw(("small_change_may_start_in",), problem, "write confidence or an earlier phase")


def _unknown(name: str) -> Flaw:
    near = closest(name)
    mend = f"did you mean {near}?" if near else f"write one of {', '.join(METRICS)}"
    return Flaw(("metric",), f'there is no metric "{name}"', mend)


def _misused(metric: Metric, use: Use, phase: Phase) -> Iterator[Flaw]:
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


def _limit(metric: Metric, limit: float | None, confidence: float | None) -> Iterator[Flaw]:
    if limit is None:
        return
    path: Path = (metric.better.value,)
    if metric.kind is Kind.RATE:
        yield from _placed(path, _rate_limit(metric, limit, confidence))
    elif metric.kind is Kind.LOSS:
        yield from _placed(path, _loss_limit(limit, confidence))
    elif metric.kind is Kind.SUITE:
        yield from _placed(path, _suite_limit(metric, limit))
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


def _same_names(parts: PhaseParts) -> Iterator[Flaw]:
    for kind, found in (("gates", parts.gates), ("guardrails", parts.guardrails)):
        seen: set[str] = set()
        for index, part in found.items():
            if part.label in seen:
                problem = f'two {kind} of this phase are called "{part.label}"'
                yield Flaw((*parts.path, kind, index), problem, "give each its own name: line")
            seen.add(part.label)


def _contradictions(parts: PhaseParts) -> Iterator[Flaw]:
    """A guardrail stricter than a gate would demote what the gate lets pass. Both are over all segments here."""
    limits = [(gate, gate.at_most) for gate in parts.gates.values() if gate.segments is None]
    for index, guardrail in parts.guardrails.items():
        at_most = guardrail.at_most
        if at_most is None or guardrail.segments is not None:  # one that closes segments demotes nothing
            continue
        for gate, limit in limits:
            if gate.metric == guardrail.metric and limit is not None and 0 < at_most < limit < 1:
                yield Flaw(
                    (*parts.path, "guardrails", index, "at_most"),
                    f"at most {at_most:g} contradicts the gate {gate.label}, "
                    f"which passes up to {limit:g}: what passes there would be demoted here",
                    f"write {limit:g} or more",
                )


_LANES = {
    Phase.SHADOW: Lane.SHADOW,
    Phase.SUPERVISED: Lane.REVIEW,
    Phase.CONFIDENCE: Lane.AUDIT,
    Phase.FULL: Lane.AUDIT,
}


def _missing(parts: PhaseParts) -> Iterator[Flaw]:
    """What a phase must have, so that nothing passes unseen and harm does not go on unseen."""
    advances = parts.phase is not Phase.FULL or len(parts.ramp) > 1
    if advances and not any(_is_evidence(gate, parts.phase) for gate in parts.gates.values()):
        wanted = [name for name, metric in METRICS.items() if _measures(metric, parts.phase)]
        yield Flaw(
            ("gates",),
            f"{parts.phase} has no gate on how good the work is, so it could be passed without evidence",
            f"add a gate on {' or '.join(wanted)}",
        )
    demotes = [rail for rail in parts.guardrails.values() if rail.segments is None]
    if parts.phase >= Phase.CONFIDENCE and not demotes:
        demoting = " that demotes" if parts.guardrails else ""
        harm = "harm done without a person would not take autonomy away"
        problem = f"{parts.phase} has no guardrail{demoting}, so {harm}"
        yield Flaw(("guardrails",), problem, "add a guardrail on error_rate")


def _is_evidence(gate: Gate, phase: Phase) -> bool:
    metric = METRICS.get(gate.metric)
    return metric is None or _measures(metric, phase)  # an unknown name is told once, as such


def _measures(metric: Metric, phase: Phase) -> bool:
    if phase is Phase.EVALUATION:
        return metric.kind is Kind.SUITE
    return Use.GATE in metric.uses and metric.lanes == {_LANES[phase]}
