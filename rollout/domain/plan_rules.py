"""
Which plans are refused although they are well formed: those that could pass without evidence, or never pass.

Every rule gives the place, the reason and what would mend it. The rules judge parts, not the whole plan, so
that one misspelt field does not hide what is wrong elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rollout.domain.gate_rules import Flaw, gate_flaws, limit_flaws, misused_flaws, placed, unknown_metric
from rollout.domain.metrics import METRICS, Direction, Kind, Metric, Use
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Gate, Guardrail, ReadinessItem, Window
from rollout.domain.window import known_timezone
from rollout.domain.yaml_tree import Path

MOST_STEPS: Final = 20
SHORTEST_ALARM, LONGEST_ALARM = 10, 1_000_000


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
        yield from placed((*parts.path, "gates", index), gate_flaws(parts.phase, gate))
    for index, guardrail in parts.guardrails.items():
        yield from placed((*parts.path, "guardrails", index), guardrail_flaws(parts.phase, guardrail))
    yield from _same_names(parts)
    yield from _contradictions(parts)
    if parts.phase >= Phase.CONFIDENCE:
        yield from placed((*parts.path, "ramp"), ramp_flaws(parts.ramp))
    if parts.complete:
        yield from placed(parts.path, _missing(parts))


def guardrail_flaws(phase: Phase, guardrail: Guardrail) -> Iterator[Flaw]:
    metric = METRICS.get(guardrail.metric)
    if metric is None:
        yield unknown_metric(guardrail.metric)
        return
    yield from misused_flaws(metric, Use.GUARDRAIL, phase)
    if metric.better is Direction.AT_MOST:
        yield from limit_flaws(metric, guardrail.at_most, None)
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
