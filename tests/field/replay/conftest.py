"""Recorded work for replays: real outputs with real human labels, spread over weeks, written as lines."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli import house
from tests.integration.cli.conftest import invoke

START = datetime(2026, 1, 5, 8, tzinfo=UTC)

PLAN = """
agent: {agent}
settle_days: 2
phases:
  evaluation:
    gates: [{{metric: suite_score, suite: first, at_least: {score}}}]
  shadow:
    minimum_days: 7
    gates: [{{metric: disagreement_rate, at_most: {limit}}}]
  supervised:
    minimum_days: 14
    gates: [{{metric: override_rate, at_most: {limit}}}]
    guardrails: [{{metric: override_rate, at_most: {worst}}}]
  confidence:
    minimum_days: 14
    ramp: [0.25, 1]
    gates: [{{metric: error_rate, at_most: {alone}}}]
    guardrails: [{{metric: error_rate, at_most: {worst}}}]
  full:
    ramp: [1]
    gates: [{{metric: error_rate, at_most: {alone}}}]
    guardrails: [{{metric: error_rate, at_most: {worst}}}]
"""

Case = dict[str, Any]
Replay = Callable[..., dict[str, Any]]


def spread(cases: Iterable[Case], *, days: float) -> list[Case]:
    """The same cases, evenly over so many days."""
    cases = list(cases)
    step = timedelta(days=days) / len(cases)
    return [{**case, "occurred_at": (START + number * step).isoformat()} for number, case in enumerate(cases)]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Run `phasegate replay` on these lines under this plan; the report."""

    def run(lines: Iterable[Case | str], plan: str, *options: object) -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("replay")
        cases, written = folder / "cases.jsonl", folder / "plan.yaml"
        text = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        cases.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
        written.write_text(plan, encoding="utf-8")
        report = folder / "report.json"
        ran = invoke("replay", cases, "--plan", written, "--report", report, *options)
        assert ran.status == 0, ran.out + ran.err
        found: dict[str, Any] = json.loads(report.read_bytes())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.kit_logging, "set_up", lambda _level: None)
        yield run
