"""What came of the thirteen weeks: a table, and the expectations that had to hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from demo.books import Books, Step
from demo.weeks import CANDIDATE, STABLE, Weeks
from review_ui.words import confidence

PHASES = ("evaluation", "shadow", "supervised", "confidence", "full")


@dataclass(frozen=True, slots=True)
class Expectation:
    words: str
    held: bool


def phase_table(books: Books) -> Table:
    """Phase by phase: cases, who answered them, how much went alone, and how often that was wrong."""
    table = Table(title=f"Digit reader {STABLE}: thirteen weeks")
    for heading in ("Phase", "Cases", "Routed", "What people did", "Alone", "Wrong when alone", "Left"):
        table.add_column(heading)
    for phase in PHASES:
        table.add_row(*_phase_row(books, phase))
    return table


def _phase_row(books: Books, phase: str) -> tuple[str, ...]:
    cases = books.in_phase(phase)
    routes = ", ".join(f"{route} {count}" for route, count in sorted(books.routes(phase).items()))
    left = next((s for s in books.steps if s.version == STABLE and s.left == phase != s.entered), None)
    alone, wrong = books.automated(phase)
    share = f"{100 * alone / len(cases):.0f} %" if cases and alone else "–"
    error = f"{wrong} of {alone} ({100 * wrong / alone:.1f} %)" if alone else "–"
    when = f"{left.at:%d %b}" if left else "–"
    return phase, str(len(cases) or "–"), routes or "–", books.work_in(phase), share, error, when


def step_table(books: Books) -> Table:
    """Every step, up or down, with the evidence it stands on."""
    table = Table(title="Steps and their evidence")
    for heading in ("Day", "Version", "Step", "By", "Evidence"):
        table.add_column(heading)
    for step in books.steps:
        to = step.entered if step.left != step.entered else f"{step.share:.0%} of the eligible cases"
        words = "\n".join(f"{found['name']}: {found['words']}" for found in step.shown)
        table.add_row(f"{step.at:%d %b}", step.version, f"{step.left} → {to}", step.by, words)
    return table


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
        ("the stable version went through all five phases, one by one", lambda: _entered(ups)[:4] == [*PHASES[1:]]),
        ("one look at the labels gave the threshold before anything went alone", lambda: _found_first(books)),
        ("every advance stands on gates that pass and on a signature", lambda: all(_well_founded(s) for s in ups)),
        ("two people signed for full production", lambda: any(s.entered == "full" and "paul" in s.by for s in ups)),
        ("the hasty candidate was held in shadow by its gate", lambda: _held(candidate, weeks.candidate_gates)),
        ("the fault was caught by a guardrail and cost one phase", lambda: _entered(downs) == ["confidence"]),
        ("the failure is on record", lambda: any(f["severity"] == "severe" for f in failures)),
        ("the automated lane held its limit of 5 % against the truth", lambda: total > 0 and wrong / total <= 0.05),
        ("no answer had to be made up by the client", lambda: not books.uncertain),
        ("the service counted every case of the stable version", lambda: stable["cases_in_all"] == len(books.handled)),
    ]  # fmt: skip
    return [Expectation(words, check()) for words, check in checks]


def _entered(steps: list[Step]) -> list[str]:
    return [step.entered for step in steps]


def _found_first(books: Books) -> bool:
    """Exactly one look, an answer, and no case alone before it."""
    alone = [case.at for case in books.handled if case.route == "auto"]
    looks = [found for found in books.thresholds if found.threshold is not None]
    return len(looks) == len(books.thresholds) == 1 and bool(alone) and looks[0].at < min(alone)


def _well_founded(step: Step) -> bool:
    passed = bool(step.gates) and all(gate["verdict"] == "pass" for gate in step.gates)
    return passed and step.evidence_id is not None and "maria" in step.by


def _held(status: dict[str, Any], gates: list[dict[str, Any]]) -> bool:
    """On evidence: its gate saw enough settled cases and still did not pass."""
    differs = next(gate for gate in gates if gate["metric"] == "disagreement_rate")
    judged = differs["cases"] >= 100 and differs["verdict"] in {"fail", "inconclusive"}
    return judged and status["phase"] == "shadow"


def show(console: Console, weeks: Weeks, found: list[Expectation]) -> None:
    """The tables, the candidate's evidence, and what was expected."""
    console.print(phase_table(weeks.books))
    console.print(step_table(weeks.books))
    for at in weeks.books.thresholds:
        alone = f"alone from a confidence of {confidence(at.threshold)}"
        said = alone if at.threshold is not None else "nothing goes alone"
        console.print(f"{at.at:%d %b}: {at.labels} labels, {at.errors} of them wrong: {said} ({at.words})")
    for gate in weeks.candidate_gates:
        console.print(f"Candidate {CANDIDATE} stayed in shadow: {gate['name']}: {gate['words']}")
    for expectation in found:
        mark = "[green]held    [/]" if expectation.held else "[bold red]NOT HELD[/]"
        console.print(f"{mark}  {expectation.words}")
