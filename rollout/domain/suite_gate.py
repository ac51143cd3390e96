"""Judges a gate on a run of an evaluation suite. Only a finished run of this very version on today's suite counts."""

import math
from dataclasses import replace
from functools import partial

from rollout.domain import words
from rollout.domain.metrics import Direction, Metric
from rollout.domain.situation import Situation, SuiteRun
from rollout.domain.verdict import GateResult, Verdict


def judge(metric: Metric, blank: GateResult, situation: Situation) -> GateResult:
    runs = [run for run in situation.suite_runs if run.suite == blank.suite]
    ours = [run for run in runs if run.version == situation.version]
    if not ours:
        return _not_run(blank, situation, runs)
    run = max(ours, key=lambda run: run.at)
    return _judge_run(metric, replace(blank, cases=run.cases), run)


def _not_run(blank: GateResult, situation: Situation, others: list[SuiteRun]) -> GateResult:
    said = f"The suite {blank.suite} was not run for version {situation.version}"
    if others:
        said += f", only for {', '.join(sorted({run.version for run in others}))}"
    change = f"Version {situation.version} is run on it."
    return replace(blank, verdict=Verdict.NO_EVIDENCE, words=f"{said}.", what_would_change=change)


def _judge_run(metric: Metric, blank: GateResult, run: SuiteRun) -> GateResult:
    answer = partial(replace, blank, what_would_change="The suite is run again.")
    if not run.finished:
        said = f"The run on {run.suite} was stopped before its end. Nothing was concluded from that."
        return answer(verdict=Verdict.ERROR, words=said)
    if not run.current:
        return answer(verdict=Verdict.NO_EVIDENCE, words=f"The suite {run.suite} has changed since its last run.")
    if not _is_score(run.score):
        return answer(verdict=Verdict.ERROR, words=f"The run on {run.suite} has a score that is no score.")
    minimum = blank.minimum_cases or 1
    if run.cases < minimum:
        said = f"The run on {run.suite} has {words.plural(run.cases, 'case')}; the plan asks for {minimum:,}."
        return answer(verdict=Verdict.NO_EVIDENCE, words=said, what_would_change="The suite gets more cases.")
    return _score(blank, run) if metric.better is Direction.AT_LEAST else _regression(blank, run)


def _score(blank: GateResult, run: SuiteRun) -> GateResult:
    """The stricter of the plan's limit and the minimum stored with the suite decides."""
    limit = max(blank.limit or 0.0, run.minimum or 0.0)
    passes = Direction.AT_LEAST.holds(run.score, limit)
    said = f"{words.at_least(run.score)} right on the suite {run.suite}, {words.plural(run.cases, 'case')}."
    return replace(
        blank,
        verdict=Verdict.PASS if passes else Verdict.FAIL,
        words=f"{said} At least {words.percent(limit)} is asked for.",
        what_would_change="" if passes else "A version that does better on the suite.",
        limit=limit,
        seen=run.score,
        value=run.score,
    )


def _regression(blank: GateResult, run: SuiteRun) -> GateResult:
    if run.baseline is None or not _is_score(run.baseline):
        said = f"The suite {run.suite} has no baseline to compare with."
        change = "A run is made the baseline of the suite."
        return replace(blank, verdict=Verdict.NO_EVIDENCE, words=said, what_would_change=change)
    drop = round(run.baseline - run.score, 9)  # 0.95 - 0.94 is a little more than 0.01
    passes = Direction.AT_MOST.holds(drop, blank.limit or 0.0)
    amount = f"{words.at_most(drop)} below" if drop > 0 else "Not below"
    said = f"{amount} the baseline of {words.at_least(run.baseline)} on the suite {run.suite}."
    return replace(
        blank,
        verdict=Verdict.PASS if passes else Verdict.FAIL,
        words=f"{said} The limit is {words.percent(blank.limit or 0.0)}.",
        what_would_change="" if passes else "A version that keeps what the baseline could do.",
        seen=drop,
        value=drop,
    )


def _is_score(score: float) -> bool:
    return math.isfinite(score) and 0.0 <= score <= 1.0
