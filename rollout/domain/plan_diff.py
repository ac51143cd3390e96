"""What changes between two plans, in words that a person can sign."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rollout.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is None for what is added, `after` for what is removed."""

    place: str
    before: Any
    after: Any
    words: str


def diff_plans(old: Plan | None, new: Plan) -> list[Change]:
    """
    All differences, in the order of the new plan; what was removed comes last in its group.

    Gates, guardrails and questions are compared by name, so moving one is no change. Without `old`, all is new.
    """
    return diff_data(old.body() if old else {}, new.body())


def diff_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """The same for any two documents."""
    return list(_differences("", _named(old), _named(new)))


def _differences(place: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for key in [*new, *(key for key in old if key not in new)]:
        here = f"{place}.{key}" if place else key
        before, after = old.get(key), new.get(key)
        if isinstance(before, _Parts) or isinstance(after, _Parts):  # one change for every part
            before, after = before or {}, after or {}
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _differences(here, before, after)
        elif before != after:
            yield Change(here, before, after, _words(here, before, after))


def _words(place: str, before: Any, after: Any) -> str:
    if before is None:
        return f"{place} is new: {_shown(after)}"
    if after is None:
        return f"{place} is removed; it was {_shown(before)}"
    return f"{place} was {_shown(before)}, becomes {_shown(after)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items() if inner is not None)
    if isinstance(value, list):
        return ", ".join(_shown(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Parts(dict[str, Any]):
    """Gates, guardrails, questions or windows, by name."""


def _named(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with its lists of parts turned into groups by name; lists of plain values stay."""
    return {key: _group(value) for key, value in body.items()}


def _group(value: Any) -> Any:
    if isinstance(value, dict):
        return _named(value)
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return _Parts((_name_of(item, index), item) for index, item in enumerate(value, start=1))
    return None if value == [] else value


def _name_of(item: Mapping[str, Any], index: int) -> str:
    by_metric = f"{item['metric']} of {item['suite']}" if "suite" in item else item.get("metric")
    return str(item.get("name") or by_metric or item.get("key") or index)
