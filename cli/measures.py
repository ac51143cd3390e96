"""`phasegate metrics`: what a plan can ask about, by the names it uses."""

from typing import Any

from cli.output import AsJson, print_json, print_table
from rollout.domain.metrics import METRICS, Metric
from rollout.domain.phase import Phase

COLUMNS = ("name", "unit", "what counts, of what", "good is", "measured in", "may be")


def metrics(as_json: AsJson = False) -> None:
    """
    The metrics that gates and guardrails may name: unit, what counts of what, which way is better, and where.

    [bold]phasegate metrics --json[/bold]
    """
    if as_json:
        print_json([described(metric) for metric in METRICS.values()])
    else:
        print_table("", COLUMNS, [line(metric) for metric in METRICS.values()])


def described(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "kind": metric.kind,
        "unit": metric.unit,
        "about": metric.about,
        "better": metric.better,
        "phases": [phase.value for phase in Phase if phase in metric.phases],
        "decisions": metric.counted_lanes if metric.bad else None,
        "uses": sorted(metric.uses),
    }


def line(metric: Metric) -> tuple[str, ...]:
    """A row of the table, in the terminal as in the owner's guide."""
    phases = "every phase" if metric.phases >= set(Phase) else ", ".join(described(metric)["phases"])
    uses = ", ".join(sorted(metric.uses)) or "shown only"
    return metric.name, metric.unit, metric.about, metric.better.words, phases, uses
