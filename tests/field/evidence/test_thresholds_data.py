"""Thresholds on labels drawn from a real agent's outputs: how often the guarantee is broken, with fixed seeds."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from evidence.binomial import Floats, Ints
from evidence.thresholds import Mode, Schedule, begin, calibrate, counts_on, group, look, standing, start_on

RISK = 0.05
GRID = tuple(percent / 100 for percent in range(95, 20, -5))


class Agent:
    """The agent's outputs on banking77: what it was sure of, what was wrong, and the truth about any threshold."""

    def __init__(self, shared: Path) -> None:
        with (shared / "data" / "banking77" / "agent_oof.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.sure = np.array([float(row["confidence"]) for row in rows])
        self.wrong = np.array([int(row["correct"] != "1") for row in rows])

    def draw(self, random: np.random.Generator, labels: int) -> tuple[Floats, Ints]:
        chosen = random.integers(0, len(self.sure), labels)
        return self.sure[chosen], self.wrong[chosen]

    def is_above(self, threshold: float | None) -> bool:
        return threshold is not None and bool(self.wrong[self.sure >= threshold].mean() > RISK + 1e-12)


@pytest.fixture
def agent(shared: Path) -> Agent:
    return Agent(shared)


@pytest.mark.parametrize("mode", list(Mode))
def test_few_calibrations_are_above_the_limit_and_most_give_a_threshold(agent: Agent, mode: Mode) -> None:
    random, times = np.random.default_rng(20261121), 300

    answers = [calibrate(group(*agent.draw(random, 300)), risk=RISK, mode=mode) for _ in range(times)]

    above = sum(agent.is_above(answer.threshold) for answer in answers)
    assert above / times <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)
    assert np.mean([answer.coverage for answer in answers]) > 0.7


@pytest.mark.parametrize("go_live", [None, 300], ids=["looks alone", "after go-live"])
def test_few_runs_of_looks_are_ever_above_the_limit(agent: Agent, go_live: int | None) -> None:
    random, times = np.random.default_rng(7), 200
    looks = tuple(labels for labels in range(300, 2101, 300) if labels > (go_live or 0))

    above, opened = 0, 0
    for _ in range(times):
        sure, wrong = agent.draw(random, looks[-1])
        delta = 0.03 if go_live else 0.05
        schedule = Schedule(start_on(GRID, sure[:200]), looks, grid=GRID, risk=RISK, delta=delta, go_live=go_live)
        answer = calibrate(group(sure[:go_live], wrong[:go_live]), risk=RISK, delta=0.02) if go_live else None
        state = begin(schedule, answer)
        found = [standing(schedule, state).threshold]
        for labels in looks:
            state, stands = look(schedule, state, labels, counts_on(GRID, group(sure[:labels], wrong[:labels])))
            found.append(stands.threshold)
        above += any(agent.is_above(threshold) for threshold in found)
        opened += found[-1] is not None

    assert above / times <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)
    assert opened > 0.99 * times
