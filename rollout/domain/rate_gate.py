"""
Judges a gate on a rate of cases: what the counts say about its limit, in bounds that hold at every look.

Where the plan says so, the rate is corrected for reviewers who overlook errors: what they object to is then held
against a stricter limit, found from cases whose answer was known beforehand (`evidence.reviewers`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from evidence import multiplicity, sequences
from evidence.multiplicity import Standing
from evidence.reviewers import CorrectedLimit, Seeded, corrected_limit, shown_below
from rollout.domain import counted_gate, words
from rollout.domain.counted_gate import Asked, Found, Terms, Weighed
from rollout.domain.metrics import Direction, Metric, Rate
from rollout.domain.tally import Tallies
from rollout.domain.verdict import GateResult, Verdict


def judge(terms: Terms, tallies: Tallies) -> GateResult:
    metric, asked = terms.metric, terms.asked
    if not terms.gate.corrected_for_reviewers:
        result = counted_gate.judge(terms, tallies, lambda found: _weighed(metric, asked, found))
        return replace(result, segments=_together(result.segments, asked)) if result.segments else result
    seeded = terms.situation.seeded
    corrected = corrected_limit(asked.bad_limit, seeded, asked.confidence)
    return counted_gate.judge(terms, tallies, lambda found: _corrected(metric, asked, found, seeded, corrected))


def _together(segments: tuple[GateResult, ...], asked: Asked) -> tuple[GateResult, ...]:
    parts = [evidence_of(part.verdict, part.cases, part.log_e, part.log_e_against) for part in segments]
    shown = standings(parts, asked.direction, asked.confidence)
    return tuple(replace(part, shown=standing) for part, standing in zip(segments, shown, strict=True))


LogE: TypeAlias = tuple[float, float]
"""The log e-values of a segment, for the good side of the limit and for the bad one."""


def evidence_of(verdict: Verdict, cases: int, log_e: float | None, log_e_against: float | None) -> LogE:
    """Where nothing was seen the e-value is 1; counts that are stale or do not add up speak for nothing at all."""
    if log_e is not None and log_e_against is not None:
        return log_e, log_e_against
    unseen = verdict is Verdict.NO_EVIDENCE and cases == 0
    return (0.0, 0.0) if unseen else (-math.inf, -math.inf)


def standings(parts: Sequence[LogE], direction: Direction, confidence: float) -> list[Standing]:
    """
    On which side of the limit each segment is shown to be, so that with `confidence` none is wrongly said to be on
    the good side, and none wrongly on the bad one; in the metric's own direction.
    """
    good, bad = [part[0] for part in parts], [part[1] for part in parts]
    below, above = (good, bad) if direction is Direction.AT_MOST else (bad, good)
    return [one.standing for one in multiplicity.standings(below, above, confidence)]


@lru_cache(maxsize=8192)
def weigh(rate: Rate, asked: Asked) -> Weighed:
    """
    The comparator of all rates. Kept, for most looks find the settled counts of the look before.

    More is better (`at_least`) is judged as its mirror: of what went wrong, at most.

    A pass needs the minimum of cases, a fail does not: harm may be concluded early, success may not. What nobody
    has ruled on speaks against a pass, and not for a fail: it is not known to be good, and not measured as bad.
    """
    bad, cases, measured = rate.bad, rate.cases, rate.bad - rate.pending
    log_e = sequences.log_e_below(bad, cases, asked.bad_limit)
    against = sequences.log_e_above(measured, cases, asked.bad_limit)
    verdict = Verdict.INCONCLUSIVE
    if sequences.crossed(log_e, asked.confidence) and cases >= asked.minimum_cases:
        verdict = Verdict.PASS
    elif sequences.crossed(against, asked.confidence):
        verdict = Verdict.FAIL
    ruled = cases - rate.pending
    return Weighed(
        verdict=verdict,
        seen=asked.shown(measured / ruled) if ruled else None,
        bound=asked.shown(sequences.upper_bound(bad, cases, asked.confidence)),
        other_bound=asked.shown(sequences.lower_bound(measured, cases, asked.confidence)),
        log_e=log_e,
        log_e_against=against,
    )


def _weighed(metric: Metric, asked: Asked, found: Found) -> GateResult:
    rate = found.rate
    weighed = weigh(rate, asked)
    needed = cases_needed(asked, rate, weighed.verdict)
    return found.told(
        weighed.verdict,
        _said(metric, asked, rate, weighed),
        _change(metric, asked, rate, weighed, needed),
        seen=weighed.seen,
        bound=weighed.bound,
        other_bound=weighed.other_bound,
        log_e=weighed.log_e,
        log_e_against=weighed.log_e_against,
        cases_needed=needed,
    )


@lru_cache(maxsize=8192)
def cases_needed(asked: Asked, rate: Rate, verdict: Verdict) -> int | None:
    """How many more at the rate seen, the plan's minimum included; None when it will not pass so."""
    if verdict is Verdict.PASS:
        return 0
    altogether = sequences.cases_to_pass(asked.bad_limit, asked.confidence, rate.bad / rate.cases)
    if altogether is None:
        return None
    at_best = sequences.cases_needed(rate.bad, rate.cases, asked.bad_limit, asked.confidence)
    return max(altogether - rate.cases, at_best, asked.minimum_cases - rate.cases)


def _said(metric: Metric, asked: Asked, rate: Rate, weighed: Weighed) -> str:
    """`At most 3.1 % overridden, 95 % sure. The limit is 4 %.`"""
    sure, limit = words.sure(asked.confidence), words.percent(asked.limit)
    at_most = asked.direction is Direction.AT_MOST
    failed = weighed.verdict is Verdict.FAIL  # then the other bound is the one that says so
    if at_most is not failed:
        bound = f"at most {words.at_most(weighed.other_bound if failed else weighed.bound)}"
    else:
        bound = f"at least {words.at_least(weighed.other_bound if failed else weighed.bound)}"
    said = f"{bound.capitalize()} {metric.words}, {sure}."
    if at_most and rate.bad == 0:
        said = f"None {metric.words} in {words.number(rate.cases)}, so {bound}, {sure}."
    said += f" The limit is {limit}." if at_most else f" At least {limit} is asked for."
    return said + _pending_said(rate)


def _pending_said(rate: Rate) -> str:
    if not rate.pending:
        return ""
    counts = "has no verdict and counts" if rate.pending == 1 else "have no verdict and count"
    return f" {words.number(rate.pending)} of {words.plural(rate.cases, 'case')} {counts} as bad."


def _change(metric: Metric, asked: Asked, rate: Rate, weighed: Weighed, needed: int | None) -> str:
    if weighed.verdict is Verdict.PASS:
        return ""
    if rate.pending:
        others = "" if needed is None else f", or about {words.number(needed)} more settled ones come in as before"
        return f"People rule on the {words.plural(rate.pending, 'case')} without a verdict{others}."
    if needed is None or weighed.seen is None:
        limit, now = words.percent(asked.limit), words.seen(weighed.seen or 0.0)
        side = "below" if asked.direction is Direction.AT_MOST else "above"
        return f"It does not pass at the {now} {metric.words} seen so far; that must come clearly {side} {limit}."
    more = f"{words.number(needed)} more settled {'case is' if needed == 1 else 'cases are'} needed"
    if needed == asked.minimum_cases - rate.cases:
        return f"{more}; the plan asks for {words.number(asked.minimum_cases)}."
    return f"About {more} at the rate seen."


def weigh_corrected(rate: Rate, asked: Asked, corrected: CorrectedLimit) -> Weighed:
    """
    The same for the rate of errors behind the objections. Its bound lies below the limit exactly when it passes.

    There is no e-value to keep, for the limit moves as seeded cases come in. A fail is what reviewers objected to, as
    they said it, against the limit or the corrected one, whichever is larger, so that it never contradicts a pass.
    """
    bad, cases, measured = rate.bad, rate.cases, rate.bad - rate.pending
    fails_above = max(asked.bad_limit, corrected.limit or 0.0)
    against = sequences.log_e_above(measured, cases, fails_above)
    verdict = Verdict.INCONCLUSIVE
    if shown_below(bad, cases, corrected) and cases >= asked.minimum_cases:
        verdict = Verdict.PASS
    elif sequences.crossed(against, asked.confidence):
        verdict = Verdict.FAIL
    ruled = cases - rate.pending
    return Weighed(
        verdict=verdict,
        seen=measured / ruled if ruled else None,
        bound=_true_bound(sequences.upper_bound(bad, cases, corrected.gate_confidence), corrected),
        other_bound=sequences.lower_bound(measured, cases, asked.confidence),
        log_e=None,
        log_e_against=against,
    )


def _true_bound(observed: float, corrected: CorrectedLimit) -> float:
    """What the true rate is at most, when people object to `observed` at most; 1 where that says nothing."""
    apart = corrected.sensitivity_low + corrected.specificity_high - 1.0
    if not corrected.identifiable:
        return 1.0
    return min(max((observed + corrected.specificity_high - 1.0) / apart, 0.0), 1.0)


def _corrected(metric: Metric, asked: Asked, found: Found, seeded: Seeded, corrected: CorrectedLimit) -> GateResult:
    rate = found.rate
    weighed = weigh_corrected(rate, asked, corrected)
    needed = cases_needed_corrected(asked, rate, corrected, weighed.verdict)
    return found.told(
        weighed.verdict,
        _said_corrected(metric, asked, rate, weighed, corrected),
        _change_corrected(metric, rate, weighed, corrected, needed),
        seen=weighed.seen,
        bound=weighed.bound,
        other_bound=weighed.other_bound,
        log_e_against=weighed.log_e_against,
        cases_needed=needed,
        seeded=(seeded.caught, seeded.errors, seeded.confirmed, seeded.right),
        corrected_limit=corrected.limit,
    )


def cases_needed_corrected(asked: Asked, rate: Rate, corrected: CorrectedLimit, verdict: Verdict) -> int | None:
    if verdict is Verdict.PASS:
        return 0
    if corrected.limit is None or not 0.0 < corrected.limit < 1.0:
        return None
    observed = Asked(Direction.AT_MOST, corrected.limit, corrected.gate_confidence, asked.minimum_cases)
    return cases_needed(observed, rate, verdict)


def _said_corrected(metric: Metric, asked: Asked, rate: Rate, weighed: Weighed, corrected: CorrectedLimit) -> str:
    limit = words.percent(asked.limit)
    if not corrected.identifiable:
        return f"Nothing is known of how many errors reviewers overlook, so nothing can be shown. The limit is {limit}."
    caught = f"Reviewers catch at least {words.at_least(corrected.sensitivity_low)} of errors."
    if weighed.verdict is Verdict.FAIL:
        bound = words.at_least(weighed.other_bound)
        return f"At least {bound} {metric.words}, {words.sure(asked.confidence)}. The limit is {limit}. {caught}"
    bound = f"At most {words.at_most(weighed.bound)} wrong, what reviewers overlook included"
    said = f"{bound}, {words.sure(asked.confidence)}. The limit is {limit}. {caught}"
    return said + _pending_said(rate)


def _change_corrected(
    metric: Metric, rate: Rate, weighed: Weighed, corrected: CorrectedLimit, needed: int | None
) -> str:
    if weighed.verdict is Verdict.PASS:
        return ""
    if not corrected.identifiable:
        return "Reviewers answer gold cases, errors above all, and catch most of them. 50 errors or more are usual."
    more_gold = (
        " More gold cases with an error would say more closely what reviewers overlook." if corrected.few else ""
    )
    if rate.pending:
        return f"People rule on the {words.plural(rate.pending, 'case')} without a verdict.{more_gold}"
    if needed is None:
        assert corrected.limit is not None
        now, below = words.seen(weighed.seen or 0.0), words.seen(corrected.limit)
        return (
            f"With these reviewers it passes when clearly fewer than {below} are {metric.words}; "
            f"{now} are so far.{more_gold}"
        )
    more = f"{words.number(needed)} more settled {'case is' if needed == 1 else 'cases are'} needed"
    return f"About {more} at the rate seen.{more_gold}"
