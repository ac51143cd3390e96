"""One look at the labels: what it rests on, as a record that is complete, and what follows from it."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from evidence import thresholds
from evidence.thresholds.halves import exchangeability
from evidence.thresholds.schedule import GRID, counts_on, start_on
from rollout.domain.threshold_plan import ThresholdPlan
from routing.thresholds import records
from routing.thresholds.queries import Labelled, Place
from routing.thresholds.sample import Labels, is_wrong
from routing.thresholds.tables import Calibration

_FIRST_FOR_START = 200
"""So many confidences say where on the grid the scheduled looks start; no label is needed for that."""

_RULED = frozenset({"agree", "override", "severe", "minor"})


class Look(NamedTuple):
    declared: dict[str, Any]
    data: dict[str, Any]
    answer: dict[str, Any]


def first_look(plan: ThresholdPlan, labels: Labels, segment: str) -> Look | None:
    """The go-live test, on the first labels that the plan asks for; None while they are not all in."""
    found = labels.take(plan.first_labels, segment=segment)
    if found is None:
        return None
    confidences = [row.confidence for row in found]
    declared = {
        **plan.model_dump(mode="json"),
        "delta": plan.go_live_delta,
        "schedule_delta": plan.schedule_delta,
        "looks": list(plan.looks[1:]),
        "grid": list(GRID),
        "start": start_on(GRID, confidences[:_FIRST_FOR_START]),
    }
    data = {"groups": _groups(found), "looks": [], **_where(found)}
    wrong = [int(is_wrong(row)) for row in found]
    answer = records.again(declared, data)
    answer["exchangeability"] = records.plain(exchangeability(confidences, wrong, threshold=answer["threshold"]))
    return Look(declared, data, answer)


def next_look(before: Calibration, labels: Labels, wanted: int) -> Look | None:
    """
    The next scheduled look, at so many labels in all: those before as they were counted then, and new ones.

    A verdict that changes after its look is the business of the guardrails; what a look has seen is not taken back.
    """
    last = before.data["last"]
    place: Place = (datetime.fromisoformat(last["decided_at"]), UUID(last["id"]))
    found = labels.take(wanted - before.labels, after=place)
    if found is None:
        return None
    grid = before.declared["grid"]
    looks = before.data["looks"]
    so_far = looks[-1][1] if looks else counts_on(grid, records.groups_of(before.data["groups"]))
    more = counts_on(grid, records.groups_of(_groups(found)))
    counts = [[n + m, k + j] for (n, k), (m, j) in zip(so_far, more, strict=True)]
    data = {"groups": before.data["groups"], "looks": [*looks, [wanted, counts]], **_where(found)}
    return Look(before.declared, data, records.again(before.declared, data))


def _groups(found: list[Labelled]) -> list[list[float | int]]:
    return records.groups_record(
        thresholds.group([row.confidence for row in found], [int(is_wrong(row)) for row in found])
    )


def _where(found: list[Labelled]) -> dict[str, Any]:
    """Which cases were new at this look, and how many of them nobody had ruled on."""
    first, last = found[0], found[-1]
    return {
        "first": {"id": str(first.id), "decided_at": first.decided_at.isoformat()},
        "last": {"id": str(last.id), "decided_at": last.decided_at.isoformat()},
        "pending": sum(row.counted_as not in _RULED for row in found),
    }
