"""Takes out of an output what must not be stored; the comparison has seen the whole of it before."""

import math
from collections.abc import Callable
from typing import Any

from evidence.comparing.config import ComparisonConfig
from evidence.comparing.paths import ANY, parse_path
from evidence.comparing.rules import CleanRule

REDACTED = "[redacted]"


class _Removed:
    """Stands where a field has been removed, until its container leaves it out."""


_REMOVED = _Removed()


def clean(output: Any, config: ComparisonConfig) -> Any:
    """A copy fit for storing; the output itself stays as it is. A root that is removed becomes `None`."""
    for rule in config.clean:
        output = _clean(output, parse_path(rule.path), _change(rule))
    return None if output is _REMOVED else output


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
