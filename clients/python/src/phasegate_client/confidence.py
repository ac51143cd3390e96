"""
One confidence from several signals, by a record that `phasegate analyse signals --out` has written.

An agent reads the record once, and for each case combines what it knows into the confidence that it sends along:

    record = read_record(Path("record.json").read_bytes())
    confidence = combine(record, {"logprob": -0.3, "judge": 0.9})

Any doubt means a person: where a signal is absent or is no number, there is no confidence, and the case is not done by
the agent alone. The labels that the record was fitted to must not calibrate the threshold; `may_calibrate` tells
which those are.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from numbers import Real
from typing import Any

from phasegate_client.errors import Unsendable

KIND = "phasegate.confidence"
FORMAT = 1
PROBABILITY, POSITIVE, PLAIN = "probability", "positive", "plain"


@dataclass(frozen=True)
class Term:
    """One signal of a record, in units after its `scale`; see `combine` for what is done with the numbers."""

    name: str
    scale: str
    clip: float
    lowest: float
    highest: float
    median: float
    centre: float
    spread: float
    coefficient: float
    missing_coefficient: float | None


@dataclass(frozen=True)
class ConfidenceRecord:
    """A combination that was fitted, versioned, and is only applied here."""

    signals: tuple[Term, ...]
    intercept: float
    penalty: float
    labels: int
    right: int
    seen_until: float
    labels_digest: str

    @property
    def version(self) -> str:
        """The first 16 digits of the SHA-256 of all numbers in it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def may_calibrate(self, decided_at: float) -> bool:
        """Whether a case of this moment (seconds since 1970) is newer than every label that this was fitted to."""
        return decided_at > self.seen_until


def read_record(given: str | bytes | Mapping[str, Any]) -> ConfidenceRecord:
    """
    The record in this text, or in this parsed JSON.

    Raises Unsendable when it is none, is of a format that this client does not know, or was altered: its version is
    computed again from its numbers.
    """
    try:
        body = json.loads(given) if isinstance(given, (str, bytes)) else given
        if body["kind"] != KIND or body["format"] != FORMAT:
            raise Unsendable(
                f"this is a {body['kind']!r} of format {body['format']!r}, not {KIND!r} of format {FORMAT}"
            )
        record = ConfidenceRecord(
            signals=tuple(_term(term) for term in body["signals"]),
            intercept=float(body["intercept"]),
            penalty=float(body["penalty"]),
            labels=int(body["labels"]),
            right=int(body["right"]),
            seen_until=float(body["seen_until"]),
            labels_digest=str(body["labels_digest"]),
        )
        version = body["version"]
    except (KeyError, TypeError, ValueError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise Unsendable(f"this is no record of a confidence: {error!r}") from None
    if record.version != version:
        raise Unsendable(f"the record was altered: its numbers make version {record.version}, it says {version}")
    return record


def combine(record: ConfidenceRecord, signals: Mapping[str, float | None]) -> float | None:
    """
    The confidence of one case, in [0, 1]; None where there is none, and then a person does the case.

    `None` for a signal says that it is missing for this case. The record knows what that means if it was fitted to
    cases in which it was missing; else there is no confidence. Nor is there one where a signal is not named at all, is
    not a finite number, or does not lie on its scale.
    """
    score = record.intercept
    for term in record.signals:
        if term.name not in signals:
            return None
        value = signals[term.name]
        if value is None:
            if term.missing_coefficient is None:
                return None
            score += term.missing_coefficient
            scaled = term.median
        else:
            read = _scaled(value, term)
            if read is None:
                return None
            scaled = read
        held = min(max(scaled, term.lowest), term.highest)
        score += term.coefficient * (held - term.centre) / term.spread
    return _chance(score)


def _term(body: Mapping[str, Any]) -> Term:
    if body["scale"] not in {PROBABILITY, POSITIVE, PLAIN}:
        raise ValueError(f"unknown scale {body['scale']!r}")
    missing = body["missing_coefficient"]
    numbers = ("clip", "lowest", "highest", "median", "centre", "spread", "coefficient")
    return Term(
        name=str(body["name"]),
        scale=str(body["scale"]),
        missing_coefficient=None if missing is None else float(missing),
        **{name: float(body[name]) for name in numbers},
    )


def _scaled(value: object, term: Term) -> float | None:
    """The value as the record reads it; None when it is nothing that the record could have learnt from."""
    number = _number(value)
    if number is None or term.scale == PLAIN:
        return number
    if term.scale == POSITIVE:
        return math.log1p(number) if number >= 0.0 else None
    if not 0.0 <= number <= 1.0:
        return None
    inside = min(max(number, term.clip), 1.0 - term.clip)
    return math.log(inside) - math.log1p(-inside)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _chance(score: float) -> float:
    """1 / (1 + exp(-score)), without overflow."""
    if score >= 0.0:
        return 1.0 / (1.0 + math.exp(-score))
    part = math.exp(score)
    return part / (1.0 + part)
