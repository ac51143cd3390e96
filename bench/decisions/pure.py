"""`decide` alone: the pure function of policy and case, and the laying out of the row around it."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.decisions import cases
from bench.decisions.effort import Effort
from bench.decisions.services import SECRET
from bench.evidence.report import Section
from kit.ids import new_id
from rollout.domain.phase import Phase, Standing
from rollout.domain.policy import Policy, Rules
from routing.domain.decide import Case, decide

BUDGET = 15.0
_CALLS, _REPEATS = 5_000, 15
_NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
_RULES = {
    "threshold": cases.THRESHOLD,
    "thresholds": {"water": 0.85, "fire": 0.9, "theft": None},
    "audit_rate": cases.AUDIT_RATE,
    "scope": {"segments": ["water", "fire", "theft", "storm"], "actions": ["pay_claim"], "amount_at_most": 5000},
    "blocked_actions": ["close_policy"],
    "review_risks": ["fraud"],
}


def run(effort: Effort) -> Section:
    """All routes of a policy that uses every rule there is; what goes alone comes furthest, so it takes longest."""
    section = Section("`decide()` alone", "The median of repeated loops over the pure function, in one process.")
    table = section.table("case", "answer", "µs")
    repeats = _REPEATS if effort.rounds > 1 else 5
    for words, phase, confidence in (
        ("supervised production", Phase.SUPERVISED, 0.95),
        ("confidence phase, below the threshold", Phase.CONFIDENCE, 0.6),
        ("confidence phase, above it, over 1,000 cases", Phase.CONFIDENCE, 0.95),
    ):
        policy = _policy(phase)
        views = [_case(f"case-{number}", confidence) for number in range(1000)]
        took = microseconds(lambda policy=policy, views=views: [decide(policy, view, _KEY) for view in views], repeats)
        lanes = sorted({decide(policy, view, _KEY).lane.value for view in views})
        table.add(words, " or ".join(lanes), f"{took:.2f}", claim=f"at most {BUDGET:g} µs", met=took <= BUDGET)
    return section


_KEY = SECRET.encode()


def microseconds(work: Callable[[], object], repeats: int, calls: int = 1000) -> float:
    """Of one of the `calls` that `work` makes; the median, in time of the processor."""
    took = []
    for _ in range(repeats):
        began = time.process_time()
        for _ in range(_CALLS // calls):
            work()
        took.append((time.process_time() - began) / _CALLS)
    return 1_000_000 * statistics.median(took)


def _policy(phase: Phase) -> Policy:
    return Policy(
        rollout_id=new_id(), agent=cases.TRUSTED, version=cases.VERSION, revision=3, standing=Standing.STABLE,
        phase=phase, epoch=1, frozen=None, ramp_share=0.9, rules=Rules.model_validate(_RULES),
    )  # fmt: skip


def _case(case_id: str, confidence: float) -> Case:
    return Case(case_id, confidence, "valid", True, segment="water", action="pay_claim", amount=1843.5, risk="normal")
