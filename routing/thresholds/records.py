"""Calibrations as plain JSON, complete enough to be computed again from what is stored, years later."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from evidence.thresholds import Answer, Groups, Mode, calibrate, group_counts
from evidence.thresholds.schedule import Schedule, begin, look
from rollout.domain.threshold_plan import Assumption
from rollout.domain.verdict import plain_numbers

MODES = {Assumption.HIGHER_IS_SAFER: Mode.LEARNED_START, Assumption.NOTHING: Mode.FIXED_START}

_DECIDES = ("threshold", "reason", "labels", "errors", "start", "end", "stopped_by", "blocked_by")


def plain(value: Any) -> Any:
    """Records of the engine as JSON: named tuples and dataclasses by field, enums by value."""
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "_asdict"):
        return {name: plain(inner) for name, inner in value._asdict().items()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    return value


def answer_record(answer: Answer) -> dict[str, Any]:
    return {**plain(answer), "coverage": answer.coverage, "explanation": answer.explanation}


def groups_record(groups: Groups) -> list[list[float | int]]:
    """(confidence, cases, wrong), the most confident first."""
    rows = zip(groups.confidence.tolist(), groups.cases.tolist(), groups.wrong.tolist(), strict=True)
    return [list(row) for row in rows]


def groups_of(record: Sequence[Sequence[float | int]]) -> Groups:
    return group_counts([(float(sure), int(cases), int(wrong)) for sure, cases, wrong in record])


def counted(declared: Mapping[str, Any], data: Mapping[str, Any]) -> Groups:
    """
    All labels of a look so far, to be shown.

    After the first look only the counts at the grid points are kept: a confidence then stands for all up to the next
    point, and those below the lowest point are left out.
    """
    if not data["looks"]:
        return groups_of(data["groups"])
    rows, above = [], (0, 0)
    for point, (cases, wrong) in zip(declared["grid"], data["looks"][-1][1], strict=True):
        rows.append((point, cases - above[0], wrong - above[1]))
        above = cases, wrong
    return groups_of([row for row in rows if row[1]])


def again(declared: Mapping[str, Any], data: Mapping[str, Any], first: Answer | None = None) -> dict[str, Any]:
    """The answer of a look, computed from its record. `first`: what `go_live` says of it, where that is at hand."""
    first = first or go_live(declared, data)
    return answer_record(first) if not data["looks"] else _scheduled(declared, data, first)


def go_live(declared: Mapping[str, Any], data: Mapping[str, Any]) -> Answer:
    """What the first look found."""
    mode, groups = MODES[Assumption(declared["assumes"])], groups_of(data["groups"])
    return calibrate(groups, risk=declared["risk"], delta=declared["delta"], mode=mode)


def _scheduled(declared: Mapping[str, Any], data: Mapping[str, Any], first: Answer) -> dict[str, Any]:
    """Every look so far taken again, in its order; each spends what is due at its number of labels."""
    schedule = Schedule(
        start=declared["start"],
        looks=tuple(declared["looks"]),
        grid=tuple(declared["grid"]),
        risk=declared["risk"],
        delta=declared["schedule_delta"],
        go_live=first.labels,
    )
    state = begin(schedule, first)
    for labels, counts in data["looks"]:
        state, standing = look(schedule, state, labels, [(cases, errors) for cases, errors in counts])
    accepted = _accepted(declared["grid"], data["looks"][-1][1], standing.threshold)
    return {
        **plain(standing),
        "explanation": standing.explanation,
        "errors": data["looks"][-1][1][-1][1],
        "coverage": accepted / standing.labels,
        "go_live_threshold": first.threshold,
    }


def below(data: Mapping[str, Any], declared: Mapping[str, Any], threshold: float) -> tuple[int, int]:
    """
    How many of the labels lay below the threshold, and how many labels these were.

    Of a further look only the counts on its grid are kept; a threshold that is not on it is told from the first labels.
    """
    if data["looks"] and threshold in declared["grid"]:
        labels, counts = data["looks"][-1]
        return labels - counts[declared["grid"].index(threshold)][0], labels
    groups = data["groups"]
    return sum(cases for sure, cases, _ in groups if sure < threshold), sum(cases for _, cases, _ in groups)


def _accepted(grid: Sequence[float], counts: Sequence[Sequence[int]], threshold: float | None) -> int:
    """Cases at the lowest grid point that is not below the threshold: at least so many go alone."""
    above = [cases for at, (cases, _) in zip(grid, counts, strict=True) if threshold is not None and at >= threshold]
    return max(above, default=0)


def same_answer(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether both decide the same, by the same tests. The last digits of a fitted curve may differ by machine."""
    return all(one.get(name) == other.get(name) for name in _DECIDES)


def follows(record: Mapping[str, Any], first: Answer | None = None) -> bool:
    """
    Whether a calibration's answer follows from what was declared and counted, and all of it is what was stored.

    Computed here and now; `first`: what `go_live` says of it, where that was just computed. `record` has a
    calibration's fields by name, as it is stored or as it is handed out.
    """
    declared, data, answer = record["declared"], record["data"], record["answer"]
    if digest_of(declared, data, answer) != record["digest"]:
        return False
    if (record["threshold"], record["labels"]) != (answer["threshold"], answer["labels"]):
        return False
    return same_answer(again(declared, data, first), answer)


def digest_of(declared: Any, data: Any, answer: Any) -> str:
    """The same before storing and after: one database gives whole floats back as integers."""
    canonical = json.dumps(plain_numbers([declared, data, answer]), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
