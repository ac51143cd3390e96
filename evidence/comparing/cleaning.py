"""
Takes out what must not be stored of a comparison; deciding has seen the whole of it before.

Three words: *compare* decides, on the outputs as they came. *Ignore* removes a difference from what is decided.
*Clean* changes only what is kept and shown of the differences that were found, and never how many there are.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from evidence.comparing.config import ComparisonConfig
from evidence.comparing.paths import ANY, parse_path, unescape
from evidence.comparing.result import Comparison, Difference
from evidence.comparing.rules import CleanRule

REDACTED = "[redacted]"
CLEANED = "they differ; what is shown of it was cleaned"
_WORDS = {
    "missing": "only the human output has it; what is shown of it was cleaned",
    "extra": "only the agent's output has it; what is shown of it was cleaned",
}


class _Removed:
    """Stands where a field has been removed, until its container leaves it out."""


_REMOVED = _Removed()


def storable(found: Comparison, config: ComparisonConfig) -> Comparison:
    """What may be kept of a comparison: its differences with both sides cleaned; what it decided stays as it is."""
    if not config.clean:
        return found
    return replace(found, differences=tuple(_difference(one, config) for one in found.differences))


def _difference(found: Difference, config: ComparisonConfig) -> Difference:
    place = tuple(unescape(segment) for segment in found.path.split("/")[1:])
    expected = found.expected if found.kind == "extra" else clean(found.expected, config, place)
    actual = found.actual if found.kind == "missing" else clean(found.actual, config, place)
    if (expected, actual) == (found.expected, found.actual):
        return found
    # The words quote the values.
    return replace(found, expected=expected, actual=actual, words=_WORDS.get(found.kind, CLEANED))


def clean(output: Any, config: ComparisonConfig, place: tuple[str, ...] = ()) -> Any:
    """
    A copy fit for storing of an output, or of the part of one at `place`; the output itself stays as it is.

    What is removed whole becomes `None`.
    """
    for rule in config.clean:
        below = _below(place, rule)
        if below is not None:
            output = _clean(output, below, _change(rule))
    return None if output is _REMOVED else output


def _below(place: tuple[str, ...], rule: CleanRule) -> tuple[str, ...] | None:
    """Where the rule applies, seen from `place`: () for the whole of it; None when it has nothing to do with it."""
    path = parse_path(rule.path)
    if any(wanted not in {ANY, segment} for wanted, segment in zip(path, place, strict=False)):
        return None
    inside = len(path) < len(place)  # of something that is redacted or removed with all it holds
    return None if inside and (rule.round is not None or rule.strip) else path[len(place) :]


def _clean(value: Any, segments: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    """Goes down the path only, so it is never deeper than the path is long."""
    if not segments:
        return change(value)
    if isinstance(value, dict):
        fitting = {name for name in value if segments[0] in {ANY, str(name)}}
        copy = {n: _clean(item, segments[1:], change) if n in fitting else item for n, item in value.items()}
        return {name: item for name, item in copy.items() if item is not _REMOVED}
    if isinstance(value, list):
        items = [
            _clean(item, segments[1:], change) if segments[0] in {ANY, str(place)} else item
            for place, item in enumerate(value)
        ]
        return [item for item in items if item is not _REMOVED]
    return value


def _change(rule: CleanRule) -> Callable[[Any], Any]:
    if rule.redact is not None:
        text = rule.redact if isinstance(rule.redact, str) else REDACTED
        return lambda _: text
    if rule.remove:
        return lambda _: _REMOVED
    if rule.round is not None:
        digits = rule.round
        return lambda value: _rounded(value, digits)
    return lambda value: value.strip() if isinstance(value, str) else value


def _rounded(value: Any, digits: int) -> Any:
    return round(value, digits) if isinstance(value, float) and math.isfinite(value) else value
