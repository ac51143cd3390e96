"""How long the three things take that are done often; figures of this machine, not asserted by any test."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from bench.evidence.effort import Effort, random
from bench.evidence.report import Section
from evidence import sequences
from evidence.alarms import presets
from evidence.thresholds.groups import group
from evidence.thresholds.once import Mode, calibrate
from rollout.domain import words
from rollout.domain.judge import judge
from rollout.domain.phase import Lane, Phase
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import plan_from_data
from rollout.domain.situation import Situation
from rollout.domain.totals import Cohort, Counts, Totals

_NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
_SHORT, _LONG = (91, 6, 1), (365, 12, 5)
"""Days, segments and lanes of the two agents that are timed."""

_LANES = (Lane.REVIEW, Lane.SHADOW, Lane.AUDIT, Lane.AUTO, Lane.HUMAN)

_HARM = [{"metric": "error_rate", "at_most": 0.06}, {"metric": "severe_error_rate", "at_most": 0.02}]
_PLAN = {
    "agent": "reader",
    "settle_days": 14,
    "phases": {
        "evaluation": {
            "gates": [{"metric": "suite_score", "suite": "forms", "at_least": 0.9}],
            "guardrails": [{"metric": "open_critical_failures", "at_most": 0}],
        },
        "shadow": {
            "gates": [{"metric": "disagreement_rate", "at_most": 0.05}],
            "guardrails": [{"metric": "disagreement_rate", "at_most": 0.1}],
        },
        "supervised": {
            "gates": [
                {"metric": "override_rate", "at_most": 0.05},
                {"metric": "severe_override_rate", "at_most": 0.02},
                {"metric": "override_rate", "name": "by segment", "at_most": 0.08, "segments": "each"},
                {"metric": "invalid_output_rate", "at_most": 0.02},
            ],
            "guardrails": [
                {"metric": "override_rate", "at_most": 0.10},
                {"metric": "severe_override_rate", "at_most": 0.05},
            ],
        },
        "confidence": {"gates": [{"metric": "error_rate", "at_most": 0.03}], "guardrails": _HARM},
        "full": {"gates": [{"metric": "error_rate", "at_most": 0.03}], "guardrails": _HARM},
    },
}


def milliseconds(
    work: Callable[[], object], times: int, before: Callable[[], object] = lambda: None
) -> tuple[float, float]:
    """The median of so many calls in time of the processor, and a standard error of it; `before` each is not timed."""
    before()
    work()
    took = []
    for _ in range(times):
        before()
        began = time.process_time()
        work()
        took.append(1000 * (time.process_time() - began))
    spread = statistics.stdev(took) if len(took) > 1 else 0.0
    return statistics.median(took), 1.2533 * spread / len(took) ** 0.5


def agent(days: int = _SHORT[0], segments: int = _SHORT[1], lanes: int = _SHORT[2]) -> tuple[Plan, Situation]:
    """An agent in supervised production; about 7 cases a day in each segment and lane."""
    rng = random("speed", days, segments, lanes)
    totals: Totals = {
        Cohort(lane, f"segment {segment}", day): _counts(rng)
        for lane in _LANES[:lanes]
        for segment in range(segments)
        for day in (_NOW.date() - timedelta(days=ago) for ago in range(days))
    }
    situation = Situation(
        version="v1",
        phase=Phase.SUPERVISED,
        phase_since=_NOW - timedelta(days=days),
        now=_NOW,
        totals=totals,
        first_phase_at=_NOW - timedelta(days=2 * days),
    )
    return plan_from_data(_PLAN), situation


def never_the_same(situation: Situation) -> Iterator[Situation]:
    """The same agent, each time with one more good case in every cohort, so that nothing remembered helps."""
    totals = dict(situation.totals)
    while True:
        totals = {
            cohort: replace(counts, cases=counts.cases + 1, agreed=counts.agreed + 1)
            for cohort, counts in totals.items()
        }
        yield replace(situation, totals=totals)


def _counts(rng: np.random.Generator) -> Counts:
    cases = int(rng.poisson(7.5))
    bad = int(rng.binomial(cases, 0.02))
    return Counts(cases=cases, agreed=cases - bad, overridden=bad)


class _Changing:
    """An agent that is judged once between two changes."""

    def __init__(self, plan: Plan, course: Iterator[Situation]) -> None:
        self._plan, self._course = plan, course
        self._now = next(course)

    def change(self) -> None:
        self._now = next(self._course)

    def judge(self) -> object:
        return judge(self._plan, self._now)


def run(effort: Effort) -> Section:
    section = Section("Speed", "Medians on this machine, in time of one processor, after one call that is not counted.")
    table = section.table("what", "took")
    calls = max(2, effort.audits // 200)

    def add(
        what: str,
        work: Callable[[], object],
        limit: float | None,
        times: int,
        per: int = 1,
        unit: str = "ms",
        before: Callable[[], object] = lambda: None,
    ) -> None:
        took, error = (1 / per * figure for figure in milliseconds(work, times, before))
        scale = 1000.0 if unit == "µs" else 1.0
        shown = f"{scale * took:.2f} ± {scale * error:.2f} {unit}"
        if limit is None:
            table.add(what, shown)
        else:
            table.add(what, shown, claim=f"the median under {limit:g} {unit}", met=scale * took < limit)

    for days, segments, lanes in (_SHORT, _LONG):
        plan, situation = agent(days, segments, lanes)
        found = judge(plan, situation)
        gates = f"{len(found.gates)} gates and {len(found.guardrails)} guardrails over {len(situation.totals):,} totals"
        many = f"{days} days, {segments} segments, {words.plural(lanes, 'lane')}"
        agent_now = _Changing(plan, never_the_same(situation))
        limit = 5 if (days, segments, lanes) == _SHORT else None  # nothing is claimed of the long one
        what = f"an agent judged, never the same counts: {gates} ({many})"
        add(what, agent_now.judge, limit, 5 * calls, before=agent_now.change)
    rng = random("speed", "labels")
    confidence = rng.random(100_000)
    error = (rng.random(100_000) < 0.4 * (1 - confidence) ** 2).astype(np.int64)
    for mode in Mode:
        add(
            f"a threshold from 100,000 labels, all confidences distinct, {mode.value}",
            lambda mode=mode: calibrate(group(confidence, error), risk=0.05, delta=0.05, mode=mode),
            200,
            calls,
        )
    label = itertools.count(5_000)  # never the same twice, for what is remembered costs nothing
    add(
        "the e-value of a gate after one more label",
        lambda: [sequences.log_e_below(250, next(label), 0.05) for _ in range(200)],
        20,
        calls,
        200,
        "µs",
    )
    detector = presets.labelled(0.03)
    state = detector.start()
    add(
        "a detector of single cases (evidence.alarms) after one more label",
        lambda: [detector.update(state, one % 40 == 0) for one in range(200)],
        20,
        calls,
        200,
        "µs",
    )
    return section
