"""Comparators that somebody installed beside the product, found by entry point and loaded when first needed.

    [project.entry-points."phasegate.comparators"]
    address = "acme.comparing:same_address"

A comparator is a function of the agent's output, the human output and the options of the rule. It answers True when
they are equal, False or a sentence when they differ. Whatever else it does, it never makes an agreement.
"""

import functools
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from evidence.comparing.comparators import Mismatch, differ
from evidence.comparing.rules import CustomRule

GROUP = "phasegate.comparators"


@functools.cache
def installed() -> dict[str, EntryPoint]:
    """By name; nothing is imported for this."""
    return {point.name: point for point in entry_points(group=GROUP)}


@functools.cache
def _loaded(point: EntryPoint) -> Any:
    return point.load()


def compare_custom(rule: CustomRule, actual: Any, expected: Any) -> Mismatch | None:
    point = installed().get(rule.name)
    if point is None:
        return Mismatch("error", f"no comparator called {rule.name!r} is installed")
    try:
        answer = _loaded(point)(actual, expected, dict(rule.options))
    except Exception as error:  # noqa: BLE001 - foreign code may raise anything, and none of it is agreement
        return Mismatch("error", f"the comparator {rule.name!r} broke: {type(error).__name__}: {error!s:.200}")
    if isinstance(answer, str):
        return Mismatch("value", answer[:300])
    if not isinstance(answer, bool):
        words = f"the comparator {rule.name!r} answered {type(answer).__name__}, not true, false or a sentence"
        return Mismatch("error", words)
    return None if answer else differ(actual, expected)
