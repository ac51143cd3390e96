"""
Judges a gate on losses: a difference counts by its severity, so that a spelling weighs less than a wrong amount.

What is bounded is the mean loss per case, from 0 to 1. It is bet on day by day (`evidence.betting`): each day's bet is
fixed by the days before it, so that the bound holds at every look. A settled case without a verdict counts as 1.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

from evidence import betting, sequences
from rollout.domain import counted_gate, words
from rollout.domain.counted_gate import Asked, Found, Terms, Weighed
from rollout.domain.metrics import Metric, Rate
from rollout.domain.plan import SeverityWeights
from rollout.domain.tally import Tallies, Tally
from rollout.domain.verdict import GateResult, LossDay, Verdict

Weights = tuple[float, float, float]
"""What a minor, a major and a severe difference count."""


def judge(terms: Terms, tallies: Tallies) -> GateResult:
    weights = (terms.gate.weights or SeverityWeights()).in_order
    metric, asked = terms.metric, terms.asked
    return counted_gate.judge(terms, tallies, lambda found: _weighed(metric, asked, found, weights))


def loss_days(tally: Tally) -> tuple[LossDay, ...]:
    """The settled cases of each day by what became of them; days without any are left out."""
    rows = (
        (day, counts.agreed, counts.minor, counts.major, counts.severe, counts.pending)
        for day, counts in tally.by_day().items()
    )
    return tuple(row for row in rows if any(row[1:]))


@lru_cache(maxsize=512)
def weigh(days: tuple[LossDay, ...], weights: Weights, asked: Asked) -> Weighed:
    """
    What the days say about the limit on the mean loss. Kept, for most looks find the settled days of the look before.

    As for rates: a pass needs the minimum of cases, a fail does not, and what nobody has ruled on speaks against a
    pass (as a loss of 1) and not for a fail (as none).
    """
    careful, kind = _cohorts(days, weights, pending=1.0), _cohorts(days, weights, pending=0.0)
    below = betting.shown_below(careful, asked.limit, asked.confidence)
    above = betting.shown_above(kind, asked.limit, asked.confidence)
    cases = sum(sum(day[1:]) for day in days)
    verdict = Verdict.INCONCLUSIVE
    if sequences.crossed(below.log_e, asked.confidence) and cases >= asked.minimum_cases:
        verdict = Verdict.PASS
    elif sequences.crossed(above.log_e, asked.confidence):
        verdict = Verdict.FAIL
    return Weighed(
        verdict=verdict,
        seen=betting.mean_loss(_cohorts(days, weights, pending=None)),
        bound=below.bound,
        other_bound=above.bound,
        log_e=below.log_e,
        log_e_against=above.log_e,
    )


def _cohorts(days: Sequence[LossDay], weights: Weights, *, pending: float | None) -> list[list[tuple[float, int]]]:
    """Losses with their counts, day by day; `pending` is what a case without a verdict counts, None: not at all."""
    losses = (0.0, *weights) if pending is None else (0.0, *weights, pending)
    return [list(zip(losses, day[1:], strict=False)) for day in days]


def _weighed(metric: Metric, asked: Asked, found: Found, weights: Weights) -> GateResult:
    rate, days = found.rate, loss_days(found.tally)
    weighed = weigh(days, weights, asked)
    needed = cases_needed(days, weights, asked, weighed.verdict)
    return found.told(
        weighed.verdict,
        _said(metric, asked, rate, weighed),
        _change(asked, rate, weighed, needed),
        seen=weighed.seen,
        bound=weighed.bound,
        other_bound=weighed.other_bound,
        log_e=weighed.log_e,
        log_e_against=weighed.log_e_against,
        cases_needed=needed,
        weights=weights,
        days=days,
    )


@lru_cache(maxsize=512)
def cases_needed(days: tuple[LossDay, ...], weights: Weights, asked: Asked, verdict: Verdict) -> int | None:
    """How many more with losses as so far, the plan's minimum included; None when it will not pass so."""
    if verdict is Verdict.PASS:
        return 0
    more = betting.cases_needed(_cohorts(days, weights, pending=1.0), asked.limit, asked.confidence)
    return None if more is None else max(more, asked.minimum_cases - sum(sum(day[1:]) for day in days))


def _said(metric: Metric, asked: Asked, rate: Rate, weighed: Weighed) -> str:
    """`At most 0.031 loss per reviewed case, 95 % sure. The limit is 0.05.`"""
    failed = weighed.verdict is Verdict.FAIL
    shown: Callable[[float], str] = words.loss_at_least if failed else words.loss_at_most
    bound = shown(weighed.other_bound if failed else weighed.bound)
    said = f"At {'least' if failed else 'most'} {bound} {metric.words}, {words.sure(asked.confidence)}."
    if rate.bad == 0:
        said = (
            f"No loss in {words.plural(rate.cases, 'case')}, so at most {bound} each, {words.sure(asked.confidence)}."
        )
    said += f" The limit is {words.loss(asked.limit)}."
    if rate.pending:
        counts = "has no verdict and counts" if rate.pending == 1 else "have no verdict and count"
        said += f" {words.number(rate.pending)} of {words.plural(rate.cases, 'case')} {counts} as a loss of 1."
    return said


def _change(asked: Asked, rate: Rate, weighed: Weighed, needed: int | None) -> str:
    if weighed.verdict is Verdict.PASS:
        return ""
    if rate.pending:
        others = "" if needed is None else f", or about {words.number(needed)} more settled ones come in as before"
        return f"People rule on the {words.plural(rate.pending, 'case')} without a verdict{others}."
    if needed is None:
        now = words.loss_seen(weighed.seen or 0.0)
        return (
            f"It does not pass at the mean loss of {now} seen so far; that must come clearly below {asked.limit:.6g}."
        )
    more = f"{words.number(needed)} more settled {'case is' if needed == 1 else 'cases are'} needed"
    if needed == asked.minimum_cases - rate.cases:
        return f"{more}; the plan asks for {words.number(asked.minimum_cases)}."
    return f"About {more} with losses as so far."
