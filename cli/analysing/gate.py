"""`phasegate analyse gate`: what a gate says of counts, at any look, and when it could pass."""

import math
from typing import Annotated

import typer

from cli.analysing.shared import Confidence, refusing
from cli.output import AsJson, Exit, good, print_json, print_table
from evidence import planning, sequences
from evidence.planning import Forecast, GateTerms, Span
from rollout.domain import words
from routing.thresholds.records import plain

_LARGEST_LOG = 700.0  # e to this is nearly the largest float
_SHORT_LOG = 23.0  # up to ten digits are written out


def gate(
    bad: Annotated[int, typer.Option(min=0, help="Wrong ones so far.")],
    cases: Annotated[int, typer.Option(min=0, help="Settled cases so far.")],
    limit: Annotated[float, typer.Option(help="The rate that must be shown to be below this.")],
    confidence: Confidence = 0.95,
    minimum_cases: Annotated[int, typer.Option(min=0, help="The gate does not pass with fewer.")] = 0,
    minimum_days: Annotated[float, typer.Option(min=0.0, help="Nor before the phase is so old.")] = 0.0,
    per_day: Annotated[float | None, typer.Option(min=0.0, help="Cases a day, for a forecast in days.")] = None,
    days_so_far: Annotated[float, typer.Option(min=0.0, help="How old the phase is.")] = 0.0,
    settle_days: Annotated[float, typer.Option(min=0.0, help="How old a case is when it counts.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """
    What a gate says of these counts at any look, and when it could pass.

    [bold]phasegate analyse gate --bad 3 --cases 200 --limit 0.05 --per-day 40[/bold]
    """
    log_e = refusing(lambda: sequences.log_e_below(bad, cases, limit))
    terms = refusing(lambda: GateTerms(limit, confidence, minimum_cases, minimum_days, settle_days))
    upper = sequences.upper_bound(bad, cases, confidence)
    enough = cases >= minimum_cases and days_so_far >= minimum_days
    passed = enough and sequences.crossed(log_e, confidence)
    coming = planning.forecast(bad, cases, terms, per_day=per_day, days_so_far=days_so_far)
    e_value = math.exp(log_e) if log_e < _LARGEST_LOG else None
    if as_json:
        print_json({"passed": passed, "rate": bad / cases if cases else None, "upper_bound": upper,
                    "e_value": e_value, "log_e_value": log_e, "limit": limit, "confidence": confidence,
                    "forecast": plain(coming)})  # fmt: skip
    else:
        _show_gate((bad, cases), upper, log_e, terms, coming, passed=passed)
    if not passed:
        raise typer.Exit(Exit.REFUSED)


def _show_gate(
    counts: tuple[int, int], upper: float, log_e: float, terms: GateTerms, coming: Forecast, *, passed: bool
) -> None:
    bad, cases = counts
    seen = f"{bad:,} of {words.plural(cases, 'case')}" + (f" ({words.seen(bad / cases)})" if cases else "")
    good(f"{seen}: at most {words.at_most(upper)}, {words.sure(terms.confidence)} at every look.")
    needed = 1.0 / (1.0 - terms.confidence)
    shown = f"{math.exp(log_e):.4g}" if log_e < _SHORT_LOG else f"10^{log_e / math.log(10):.1f}"
    good(f"Evidence against a rate of {words.percent(terms.limit)} or more: e = {shown}, {needed:.4g} are needed.")
    good("The gate passes." if passed else "The gate does not pass yet.")
    if passed:
        return
    if coming.cases is None:
        good(f"No forecast: {coming.reason}.")
        return
    good(f"It passes within {coming.horizon:,} further cases with a chance of {words.seen(coming.chance)}.")
    rows = [("cases", *_span(coming.cases))] + ([("days", *_span(coming.days))] if coming.days is not None else [])
    print_table("Until it could pass", ("", "1 in 10", "1 in 2", "9 in 10"), rows, right=(1, 2, 3))


def _span(span: Span) -> tuple[str, ...]:
    return tuple("not within the horizon" if part is None else f"{part:,}" for part in span)
