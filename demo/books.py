"""What happened to every case, kept beside the service, so that its figures can be checked against the truth."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Handled:
    """One case of the stable version, as its agent saw it."""

    number: int
    phase: str
    route: str
    audited: bool
    wrong: bool  # the reading differs from what the scan shows, slips of people aside
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One move of a rollout, up or down, with the evidence it was made on."""

    version: str
    left: str
    entered: str
    share: float
    by: str
    at: datetime
    gates: list[dict[str, Any]]
    fired: list[dict[str, Any]]  # guardrails that were breached
    evidence_id: str | None

    @property
    def shown(self) -> list[dict[str, Any]]:
        """What the step stands on: the gates of a step up, the guardrails of a step down."""
        return self.fired or self.gates


@dataclass(frozen=True, slots=True)
class Found:
    """A look at the labels of a version: what they allowed, and the answer in the service's words."""

    version: str
    labels: int
    errors: int
    threshold: float | None
    words: str
    at: datetime


@dataclass(slots=True)
class Books:
    handled: list[Handled] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    thresholds: list[Found] = field(default_factory=list)
    people: Counter[tuple[str, str]] = field(default_factory=Counter)  # phase, what people did -> how often
    uncertain: list[str] = field(default_factory=list)  # answers that the SDK had to make up: must stay empty

    def in_phase(self, phase: str) -> list[Handled]:
        return [case for case in self.handled if case.phase == phase]

    def routes(self, phase: str) -> Counter[str]:
        return Counter(case.route for case in self.in_phase(phase))

    def note_work(self, number: int, done: str) -> None:
        """A person did something for a case; it belongs to the phase in which the case was decided."""
        phase = next((case.phase for case in reversed(self.handled) if case.number == number), "")
        self.people[phase, done] += 1

    def work_in(self, phase: str) -> str:
        return ", ".join(f"{done} {n}" for (at, done), n in sorted(self.people.items()) if at == phase) or "–"

    def automated(self, phase: str) -> tuple[int, int]:
        """Cases that went alone in a phase, and how many of them were wrong."""
        alone = [case for case in self.in_phase(phase) if case.route == "auto"]
        return len(alone), sum(case.wrong for case in alone)
