"""What came of the thirteen weeks: a table, and the expectations that had to hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.books import Books, Step
from demo.weeks import CANDIDATE, STABLE, Weeks

PHASES = ("evaluation", "shadow", "supervised", "confidence", "full")


@dataclass(frozen=True, slots=True)
class Expectation:
    words: str
    held: bool


def phase_table(weeks: Weeks) -> Table:
    """Phase by phase: cases, what people did, the evidence of the advance, automation, error of the automated lane."""
    table = Table(title=f"Digit reader {STABLE}: thirteen weeks", show_lines=True)
    for heading in ("Phase", "Cases", "Who answered", "Gates at the advance", "Left it", "Alone", "Wrong when alone"):
        table.add_column(heading)
    for phase in PHASES:
        table.add_row(*_phase_row(weeks.books, phase))
    return table


def _phase_row(books: Books, phase: str) -> tuple[str, ...]:
    cases = books.in_phase(phase)
    routes = ", ".join(f"{route} {count}" for route, count in sorted(books.routes(phase).items()))
    left = next((s for s in books.steps if s.version == STABLE and s.left == phase != s.entered), None)
    alone, wrong = books.automated(phase)
    share = f"{100 * alone / len(cases):.0f} %" if cases and alone else "–"
    error = f"{wrong} of {alone} ({100 * wrong / alone:.1f} %)" if alone else "–"
    return (
        phase,
        str(len(cases)) if cases else "150 known",
        routes or "nobody yet",
        "\n".join(f"{gate['name']}: {gate['words']}" for gate in left.gates) if left else "–",
        f"{left.at:%d %b} to {left.entered},\nby {left.by}" if left else "still in it",
        share,
        error,
    )


def expectations(weeks: Weeks) -> list[Expectation]:
    """What must be true of the run; each is checked against the service's own records or the known truth."""
    books, stable = weeks.books, weeks.status(STABLE)
    candidate = weeks.status(CANDIDATE)
    ups = [s for s in books.steps if s.version == STABLE and PHASES.index(s.entered) > PHASES.index(s.left)]
    downs = [s for s in books.steps if s.version == STABLE and PHASES.index(s.entered) < PHASES.index(s.left)]
    failures = weeks.owner.get("/v1/failures", agent="digit-reader")["items"]
    alone = [books.automated(phase) for phase in PHASES]
    wrong, total = sum(w for _, w in alone), sum(n for n, _ in alone)
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("the stable version went through all five phases, one by one", lambda: [s.entered for s in ups[:4]] == [*PHASES[1:]]),
        ("every advance stands on gates that pass and on a signature", lambda: all(_well_founded(s) for s in ups)),
        ("two people signed for full production", lambda: any(s.entered == "full" and "paul" in s.by for s in ups)),
        ("the hasty candidate was held in shadow by its gate", lambda: _held_in_shadow(candidate)),
        ("the fault was caught by a guardrail and cost one phase", lambda: [(s.left, s.entered) for s in downs] == [("full", "confidence")]),
        ("the failure is on record", lambda: any(f["severity"] == "severe" for f in failures)),
        ("the automated lane held its limit of 10 % against the truth", lambda: total > 0 and wrong / total <= 0.10),
        ("no answer had to be made up by the client", lambda: not books.uncertain),
        ("the service counted every case of the stable version", lambda: stable["cases_in_all"] == len(books.handled)),
    ]  # fmt: skip
    return [Expectation(words, check()) for words, check in checks]


def _well_founded(step: Step) -> bool:
    passed = bool(step.gates) and all(gate["verdict"] == "pass" for gate in step.gates)
    return passed and step.evidence_id is not None and "maria" in step.by


def _held_in_shadow(status: dict[str, Any]) -> bool:
    gates = status["gates"]
    return status["phase"] == "shadow" and status["verdict"] == "hold" and any(g["verdict"] != "pass" for g in gates)


def show(console: Console, weeks: Weeks, found: list[Expectation]) -> None:
    console.print(phase_table(weeks))
    for step in weeks.books.steps:
        arrow = f"{step.left} → {step.entered}" if step.left != step.entered else f"{step.left} at {step.share:.0%}"
        console.print(f"  {step.at:%d %b}  {step.version}  {arrow}  by {step.by}")
    candidate = weeks.status(CANDIDATE)
    for gate in candidate["gates"]:
        console.print(f"  Candidate {CANDIDATE} in {candidate['phase']}: {gate['name']}: {gate['words']}")
    for expectation in found:
        mark = "[green]held[/]" if expectation.held else "[bold red]NOT HELD[/]"
        console.print(f"  {mark}  {expectation.words}")
