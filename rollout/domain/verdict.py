"""The words that judging ends in, and the records that carry them with every number they rest on."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from evidence.multiplicity import Standing
from rollout.domain.metrics import Direction, Kind

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Verdict(StrEnum):
    """Of a gate or a guardrail. Only `pass` lets anything through; only `fail` of a guardrail takes anything away."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NO_EVIDENCE = "no_evidence"
    ERROR = "error"


LossDay: TypeAlias = tuple[date, int, int, int, int, int]
"""A day with its settled cases: without loss, minor, major, severe, and those that nobody has ruled on."""

WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.NO_EVIDENCE, Verdict.INCONCLUSIVE, Verdict.PASS)


class Conclusion(StrEnum):
    """Of a rollout."""

    ADVANCE = "advance"
    HOLD = "hold"
    DEMOTE = "demote"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """
    One gate, with all it was judged on.

    For rates: `bad` of `cases` settled ones, `pending` of the bad without a verdict, `unsettled` cases still too
    young; `seen` is the rate among those ruled on; `bound` is the careful one (what the rate is at most, or at
    least) and `other_bound` its opposite; the e-values are logarithms, for the good side of the limit and for the
    bad one. `cases_needed` is how many more settled cases it takes as they were counted so far, None when it will
    not pass so. For losses `bad` counts cases with any loss, `seen` and the bounds are mean losses; they follow from
    `weights` (minor, major, severe) and `days` (day, cases without loss, minor, major, severe, pending). A rate that is
    corrected for reviewers has what they said of `seeded` cases (caught, errors, confirmed, right) and the
    `corrected_limit` for what they object to; its `bound` is of the true rate. For the other kinds: `value`.

    `shown` is set for each of `segments` of a rate that is not corrected: on which side of the limit it is shown to
    be when all segments are taken together, by their e-values adjusted for the family. It decides nothing.
    """

    name: str
    metric: str
    verdict: Verdict
    words: str
    what_would_change: str = ""
    kind: Kind | None = None
    direction: Direction | None = None
    limit: float | None = None
    confidence: float | None = None
    minimum_cases: int | None = None
    bad: int = 0
    cases: int = 0
    pending: int = 0
    unsettled: int = 0
    seen: float | None = None
    bound: float | None = None
    other_bound: float | None = None
    log_e: float | None = None
    log_e_against: float | None = None
    cases_needed: int | None = None
    value: float | None = None
    suite: str | None = None
    segment: str | None = None
    segments: "tuple[GateResult, ...]" = ()
    weights: tuple[float, float, float] | None = None
    days: tuple[LossDay, ...] = ()
    seeded: tuple[int, int, int, int] | None = None
    corrected_limit: float | None = None
    shown: Standing | None = None

    def to_dict(self) -> dict[str, Any]:
        return record(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardrailResult:
    """
    One guardrail, with all it was judged on.

    For rates `days` holds (day, bad, cases), from which `log_harm` follows; it fires at `alarm_at`, the logarithm
    of `false_alarm_days`. `nearness` goes from 0 (far) to 1 (fires). `since` is the day harm most likely began.
    `calibrated` holds (cases below the threshold, labels) where the limit was taken from the calibration. With
    `segments` each is judged for itself, and all of them share the false alarms; `closes` names those to be closed,
    and nothing is breached.
    """

    name: str
    metric: str
    verdict: Verdict
    words: str
    limit: float | None
    breached: bool = False
    what_would_change: str = ""
    kind: Kind | None = None
    bad: int = 0
    cases: int = 0
    pending: int = 0
    seen: float | None = None
    bound: float | None = None
    log_harm: float | None = None
    alarm_at: float | None = None
    false_alarm_days: float | None = None
    nearness: float = 0.0
    since: date | None = None
    value: float | None = None
    days: tuple[tuple[date, int, int], ...] = ()
    calibrated: tuple[int, int] | None = None
    segment: str | None = None
    closes: tuple[str, ...] = ()
    segments: "tuple[GuardrailResult, ...]" = ()

    @property
    def is_near(self) -> bool:
        return self.nearness >= 0.5  # noqa: PLR2004 - half of the way, on the scale of the evidence

    def to_dict(self) -> dict[str, Any]:
        return record(self)


def record(value: "DataclassInstance") -> dict[str, Any]:
    return {part.name: as_json(getattr(value, part.name)) for part in fields(value)}


def as_json(value: Any) -> Any:
    """Plain JSON of a record: enums by value, times in ISO form, what is not a finite number as null."""
    if is_dataclass(value) and not isinstance(value, type):
        return record(value)
    if isinstance(value, tuple | list):
        return [as_json(inner) for inner in value]
    if isinstance(value, date):  # and datetime, which is one
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.value if isinstance(value, Enum) else value


_WHEN = frozenset({"at", "next_look_at"})


def digest_of(body: Mapping[str, Any]) -> str:
    """
    Of everything a snapshot says but when it was taken. The same before storing and after, on both databases.

    One of them gives whole floats back as integers and loses the sign of a zero, so numbers are compared as numbers.
    """
    said = {key: value for key, value in body.items() if key not in _WHEN}
    canonical = json.dumps(plain_numbers(said), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def plain_numbers(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: plain_numbers(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain_numbers(inner) for inner in value]
    return value
