"""
Alarms after the pass: false ones while nothing has changed, and the delay of true ones.

What guards a plan, by day, is measured in `guardrails`; here are the detectors for streams of single cases, which the
engine has for who builds on it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bench.evidence import guardrails
from bench.evidence.drawing import Floats
from bench.evidence.effort import Effort, random
from bench.evidence.report import Median, Section, Share, percent
from evidence.alarms import presets
from evidence.alarms.detector import Detector

TOLERATED, CASES, JUMP_AT = 0.03, 10_000, 2_000
CASE_BY_CASE = "case by case (evidence.alarms)"
_BLOCK = 500

Alarm = Callable[[np.ndarray], Floats]


def detector_alarms(detector: Detector, bad: np.ndarray) -> Floats:
    """
    The first case that raises the alarm, inf where none does; `bad` has shape (runs, cases).

    All runs at once; `check_against_the_engine` holds it against the engine's own update, case by case.
    """
    rates = np.array(detector.alternatives)
    if_bad, if_good = rates / detector.reference, (1 - rates) / (1 - detector.reference)
    sums = np.zeros((len(bad), len(rates)))
    at = np.full(len(bad), np.inf)
    for case in range(bad.shape[1]):
        sums = (sums + 1) * np.where(bad[:, case, None], if_bad, if_good)
        high = sums.mean(axis=1) >= detector.cases_between_alarms
        at[high & np.isinf(at)] = case + 1
        sums[high] = 0.0  # the alarm has been raised; keeps the sums finite
    return at


def check_against_the_engine(detector: Detector, bad: np.ndarray) -> int:
    """How many of the streams have their first alarm elsewhere than the engine's own detector has it."""
    different = 0
    for stream, at in zip(bad, detector_alarms(detector, bad), strict=True):
        state = detector.start()
        for one in stream:
            state = detector.update(state, bool(one))
        different += (state.alarmed_at or np.inf) != at
    return different


class Window(NamedTuple):
    """The rule of thumb: more than `share` of the last `cases` were bad."""

    cases: int
    share: float

    def __call__(self, bad: np.ndarray) -> Floats:
        total = np.cumsum(bad, axis=1)
        total[:, self.cases :] -= total[:, : -self.cases].copy()
        over = total > self.share * self.cases
        over[:, : self.cases - 1] = False
        return np.where(over.any(axis=1), over.argmax(axis=1) + 1.0, np.inf)


def _rules() -> dict[str, Alarm]:
    labelled = presets.labelled(TOLERATED)
    return {
        CASE_BY_CASE: lambda bad: detector_alarms(labelled, bad),
        "more than 5 % of the last 100": Window(100, 0.05),
        "more than 4 % of the last 500": Window(500, 0.04),
    }


def _stream(before: float, after: float, runs: int, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.random((runs, CASES), dtype=np.float32)
    rates = np.where(np.arange(CASES) < JUMP_AT, before, after)
    return drawn < rates


def _first_alarms(job: tuple[float, float, int]) -> dict[str, Floats]:
    before, after, runs = job
    rng = random("alarms", before, after)
    found: dict[str, list[Floats]] = {name: [] for name in _rules()}
    for done in range(0, runs, _BLOCK):
        bad = _stream(before, after, min(_BLOCK, runs - done), rng)
        for name, rule in _rules().items():
            found[name].append(rule(bad))
    return {name: np.concatenate(times) for name, times in found.items()}


def false_alarms_and_delays(section: Section, effort: Effort) -> None:
    quiet = section.table(
        "true rate",
        "rule",
        f"runs with an alarm within {CASES:,} cases",
        note=f"**Case by case, false alarms.** Tolerated {percent(TOLERATED, 0)}, {effort.alarms:,} runs; the detector "
        "is made for one false alarm in 20,000 labelled cases at the rate tolerated: within 10,000 cases that is a "
        "chance of one half at the very most.",
    )
    jumps = section.table(
        f"rate after case {JUMP_AT:,}",
        "rule",
        "delay in cases: median (90 %)",
        f"missed in {CASES - JUMP_AT:,} cases",
        note="**Case by case, delays.** The rate is 2 % before the jump; runs with an alarm before it are left out.",
    )
    jobs = [(0.02, 0.02), (0.03, 0.03), (0.02, 0.06), (0.02, 0.04)]
    with_runs = [(*job, effort.alarms) for job in jobs]
    for (before, after), found in zip(jobs, effort.spread(_first_alarms, with_runs), strict=True):
        for name, at in found.items():
            ours = name == CASE_BY_CASE
            if before == after:
                share, limit = Share(int(np.isfinite(at).sum()), len(at)), 0.01 if before < TOLERATED else 0.5
                claim = f"at most {percent(limit, 0)}" if ours else None
                quiet.add(percent(before, 0), name, share, claim=claim, met=share.at_most(limit) if ours else None)
                continue
            late = at[at > JUMP_AT] - JUMP_AT
            if not len(late):
                jumps.add(percent(after, 0), name, "an alarm before the jump in all runs", "-")
                continue
            delay, missed = Median.of(late), Share(int(np.isinf(late).sum()), len(late))
            held = ours and after == 0.06
            met = delay.lowest <= 400 if held else None
            jumps.add(percent(after, 0), name, delay, missed, claim="median at most 400" if held else None, met=met)


def unlabelled(section: Section, effort: Effort) -> None:
    """The share of cases below the threshold moves at once, and needs no label."""
    table = section.table(
        "true share below the threshold",
        f"runs with an alarm within {CASES:,} cases",
        "cases to the alarm: median (90 %)",
        note="**Case by case, without labels**, calibrated on 200 of 1,000 cases below the threshold. For each run the "
        "calibration is drawn anew.",
    )
    runs = max(5, effort.alarms // 20)
    for share in (0.20, 0.25, 0.30, 0.40):
        rng = random("unlabelled", share)
        at = np.empty(runs)
        for one in range(runs):
            detector = presets.low_confidence(int(rng.binomial(1_000, 0.20)), 1_000)
            at[one] = detector_alarms(detector, rng.random((1, CASES)) < share)[0]
        seen = Share(int(np.isfinite(at).sum()), runs)
        held = share == 0.20
        claim = "at most 50 %: one alarm in 20,000, and 1 % for the calibration" if held else None
        table.add(percent(share, 0), seen, Median.of(at), claim=claim, met=seen.at_most(0.51) if held else None)


def run(effort: Effort) -> Section:
    section = Section(
        "Alarms",
        "After a pass the rate may rise. Guardrails of a plan are judged by the day (`evidence.sequences.log_harm`). "
        "For streams of single cases the engine has detectors (`evidence.alarms`), which no plan uses; beside them two "
        "rolling windows, as most dashboards have them.",
    )
    guardrails.false_alarms_and_delays(section, effort)
    guardrails.shares(section, effort)
    guardrails.check(section)
    bad = _stream(0.02, 0.06, 5, random("alarms", "check"))
    different = check_against_the_engine(presets.labelled(TOLERATED), bad)
    false_alarms_and_delays(section, effort)
    unlabelled(section, effort)
    check = section.table("case by case, simulated against the engine's own update", "streams that differ")
    check.add("5 streams of 10,000 cases", different, claim="none differs", met=different == 0)
    return section
