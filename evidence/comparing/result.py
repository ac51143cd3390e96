"""What a comparison found: small enough to store, plain enough to show to a reviewer."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any


class Kind(StrEnum):
    """Only `equal` and `different` are counted as agreement and disagreement."""

    EQUAL = "equal"
    DIFFERENT = "different"
    IGNORED = "ignored"
    """Everything there was to compare is ignored: the case is void."""
    INVALID_OUTPUT = "invalid_output"
    ERROR = "error"
    """It could not be decided; never agreement."""


class Severity(StrEnum):
    MINOR = "minor"
    MAJOR = "major"
    SEVERE = "severe"

    @classmethod
    def worst(cls, severities: "Iterable[Severity]") -> "Severity | None":
        return max(severities, key=list(cls).index, default=None)


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where output and human output differ; `expected` is the human's, `actual` the agent's.

    `kind` is one of value, type, missing (only the human has it), extra (only the agent has it), error.
    """

    path: str
    kind: str
    expected: Any
    actual: Any
    severity: Severity
    words: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "path": bounded(self.path),
            "kind": self.kind,
            "expected": bounded(self.expected),
            "actual": bounded(self.actual),
            "severity": self.severity.value,
            "words": self.words,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`score` is the weighted share that is equal, 0 where nothing was compared; `severity` the worst found."""

    kind: Kind
    severity: Severity | None = None
    score: float = 0.0
    differences: tuple[Difference, ...] = ()
    left_out: int = 0
    """How many further differences were counted into score and severity, but are not listed."""

    def to_dict(self) -> dict[str, Any]:
        """Valid JSON of bounded size whatever was compared: no NaN, NUL, lone surrogate or endless string."""
        return {
            "kind": self.kind.value,
            "severity": self.severity and self.severity.value,
            "score": self.score,
            "differences": [difference.to_dict() for difference in self.differences],
            "left_out": self.left_out,
        }


EQUAL = Comparison(Kind.EQUAL, score=1.0)
IGNORED = Comparison(Kind.IGNORED)

_LONGEST_TEXT = 500
_MOST_ITEMS = 20
_DEEPEST_SHOWN = 4
_LONGEST_WORDS = 60
_MOST_BITS = 256


def bounded(value: Any, depth: int = 0) -> Any:
    """A copy of `value` that is small, valid JSON; what was cut ends in an ellipsis."""
    if isinstance(value, dict | list):
        return "…" if depth >= _DEEPEST_SHOWN else _bounded_members(value, depth + 1)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _MOST_BITS else f"a number of {value.bit_length()} bits"
    if isinstance(value, float) and math.isfinite(value):
        return value
    return _bounded_text(str(value))


def _bounded_members(value: dict[Any, Any] | list[Any], depth: int) -> dict[str, Any] | list[Any]:
    left = len(value) - _MOST_ITEMS
    if isinstance(value, list):
        items = [bounded(item, depth) for item in value[:_MOST_ITEMS]]
        return [*items, "…"] if left > 0 else items
    fields = {_bounded_text(str(name)): bounded(value[name], depth) for name in islice(value, _MOST_ITEMS)}
    return fields | ({"…": left} if left > 0 else {})


def shown(value: Any) -> str:
    """`value` as it reads inside a sentence."""
    text = json.dumps(bounded(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]}…"


def _bounded_text(text: str) -> str:
    # PostgreSQL stores no NUL, and UTF-8 no lone surrogate.
    cut = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
    return cut.replace("\0", "␀").encode("utf-8", "replace").decode("utf-8")
