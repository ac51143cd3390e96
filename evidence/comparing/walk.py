"""Walks output and human output side by side and gathers what differs.

An object's score is the weighted mean of its fields, a list's the mean of its places, so that a hundred lines of an
invoice do not drown its total. What is ignored counts neither above nor below. Nothing recurses deeper than
`DEEPEST`, and whatever cannot be decided is an error.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from evidence.comparing.comparators import (
    Mismatch,
    compare_date,
    compare_exact,
    compare_fuzzy,
    compare_number,
    compare_text,
    differ,
    effort,
    same,
)
from evidence.comparing.config import ComparisonConfig, Node, own_rule, step
from evidence.comparing.custom import compare_custom
from evidence.comparing.matching import (
    MISSING,
    Member,
    by_key,
    by_place,
    compare_set,
    in_any_order,
    in_any_order_exactly,
)
from evidence.comparing.paths import DEEPEST, escape, too_deep
from evidence.comparing.result import EQUAL, IGNORED, Comparison, Difference, Kind, Severity, shown
from evidence.comparing.rules import AnyRule, ExactRule, JsonRule, ListRule

MOST_EFFORT = 50_000_000_000
"""Characters x characters of likeness, over the whole comparison: some seconds. Beyond it nothing is decided."""

_PAIR = 50_000
"""What holding two members of a list against each other costs at least, in the same unit."""

MOST_LISTED = 100
"""Differences that a result lists; the rest is counted."""

_DIRECT = (str, int, bool)

_COMPARATORS: dict[str, Callable[[Any, Any, Any], Mismatch | None]] = {
    "exact": compare_exact,
    "text": compare_text,
    "fuzzy": compare_fuzzy,
    "number": compare_number,
    "date": compare_date,
    "custom": compare_custom,
    "set": compare_set,
}


class Place(NamedTuple):
    """Where the walk is, and what applies to whatever has no rule of its own."""

    path: str
    nodes: tuple[Node, ...]
    fallback: AnyRule
    json: JsonRule
    """The nearest `json` rule: how to compare fields that nobody mentioned."""
    severity: Severity

    def inside(self, segment: str, fallback: AnyRule) -> "Place":
        path = f"{self.path}/{escape(segment)}"
        return self._replace(path=path, nodes=step(self.nodes, segment), fallback=fallback)


def compare(output: Any, human_output: Any, config: ComparisonConfig, schema_valid: bool | None = None) -> Comparison:
    """Judge an agent's output by what a person answered; `schema_valid` is None when the agent has no schema."""
    if schema_valid is False:
        return Comparison(Kind.INVALID_OUTPUT)
    if config.quick and type(output) in _DIRECT and type(output) is type(human_output) and output == human_output:
        return EQUAL
    if too_deep(output) or too_deep(human_output):
        return _undecidable(f"nests deeper than {DEEPEST} levels")
    walk = _Walk(_Budget(MOST_EFFORT))
    top = Place("", (config.tree,), config.default, JsonRule(compare="json"), config.severity)
    score = walk.value(top, output, human_output)
    return walk.result(score)


def _undecidable(words: str) -> Comparison:
    found = Difference("", "error", None, None, Severity.MAJOR, words)
    return Comparison(Kind.ERROR, differences=(found,))


@dataclass(slots=True)
class _Budget:
    """Shared by all trials of a comparison, so that no list of long texts in any order takes minutes."""

    left: int

    def lacks(self, effort: int) -> bool:
        self.left -= effort
        return self.left < 0


_TOO_MUCH = Mismatch("error", "too much text to compare by likeness or in any order: name the field that tells (by)")


@dataclass(slots=True)
class _Walk:
    """What was found so far."""

    budget: _Budget
    differences: list[Difference] = field(default_factory=list)
    left_out: int = 0
    severities: set[Severity] = field(default_factory=set)
    failed: bool = False

    def result(self, score: float | None) -> Comparison:
        listed = tuple(self.differences)
        if self.failed:
            return Comparison(Kind.ERROR, None, 0.0, listed, self.left_out)
        if score is None:
            return IGNORED
        if not listed:
            return EQUAL
        return Comparison(Kind.DIFFERENT, Severity.worst(self.severities), score, listed, self.left_out)

    def value(self, place: Place, actual: Any, expected: Any) -> float | None:
        """The share that is equal here, or None when all of it is ignored."""
        if place.nodes and _ignored(place.nodes, actual, expected):
            return None
        rule = own_rule(place.nodes) or place.fallback
        if rule.severity is not None:
            place = place._replace(severity=rule.severity)
        if actual is MISSING or expected is MISSING:
            return self._one_sided(place, actual, expected)
        if isinstance(rule, JsonRule):
            return self._json(place, rule, actual, expected)
        if isinstance(rule, ListRule):
            return self._list(place, rule, actual, expected)
        return self._leaf(place, rule, actual, expected)

    def _leaf(self, place: Place, rule: AnyRule, actual: Any, expected: Any) -> float:
        if self.budget.lacks(effort(rule, actual, expected)):
            return self._note(place, _TOO_MUCH, actual, expected)
        mismatch = _COMPARATORS[rule.compare](rule, actual, expected)
        return 1.0 if mismatch is None else self._note(place, mismatch, actual, expected)

    def _one_sided(self, place: Place, actual: Any, expected: Any) -> float:
        if actual is expected:
            return 1.0
        if actual is MISSING:
            words = f"the human output has {shown(expected)}, the agent's has nothing"
            return self._note(place, Mismatch("missing", words), None, expected)
        words = f"the agent's output has {shown(actual)}, the human's has nothing"
        return self._note(place, Mismatch("extra", words), actual, None)

    def _json(self, place: Place, rule: JsonRule, actual: Any, expected: Any) -> float | None:
        place = place._replace(json=rule)
        if isinstance(actual, dict) and isinstance(expected, dict):
            return self._members(place, rule, _by_name(rule, actual, expected))
        if isinstance(actual, list) and isinstance(expected, list):
            return self._members(place, rule, by_place(actual, expected))
        if isinstance(actual, dict | list) or isinstance(expected, dict | list):
            return self._note(place, differ(actual, expected, "type"), actual, expected)
        if rule.leaves.severity is not None:
            place = place._replace(severity=rule.leaves.severity)
        return self._leaf(place, rule.leaves, actual, expected)

    def _list(self, place: Place, rule: ListRule, actual: Any, expected: Any) -> float | None:
        if not (isinstance(actual, list) and isinstance(expected, list)):
            alike = same(actual, expected)
            return 1.0 if alike else self._note(place, differ(actual, expected, "type"), actual, expected)
        if rule.by:
            return self._members(place, rule, by_key(rule.by, actual, expected))
        if rule.order == "same":
            return self._members(place, rule, by_place(actual, expected))
        return self._unordered(place, rule, actual, expected)

    def _unordered(self, place: Place, rule: ListRule, actual: list[Any], expected: list[Any]) -> float | None:
        if _exactly(place, rule):
            return self._members(place, rule, in_any_order_exactly(actual, expected))
        fallback = rule.items or place.json

        def alike(position: int, one: Any, other: Any) -> bool:
            if self.failed:
                return False  # nothing can be decided any more
            if self.budget.lacks(_PAIR):
                self._note(place, _TOO_MUCH, actual, expected)
                return False
            trial = _Walk(self.budget)
            result = trial.result(trial.value(place.inside(str(position), fallback), one, other))
            if trial.failed and not self.failed:
                self.failed, self.differences = True, [*result.differences]
            return result.kind in {Kind.EQUAL, Kind.IGNORED}

        members = in_any_order(actual, expected, alike)
        if isinstance(members, Mismatch):
            return self._note(place, members, actual, expected)
        return self._members(place, rule, members)

    def _members(self, place: Place, rule: JsonRule | ListRule, members: list[Member]) -> float | None:
        """The weighted mean of what is not ignored; nothing against nothing is equal."""
        fallback = (isinstance(rule, ListRule) and rule.items) or place.json
        total = weights = 0.0
        for segment, actual, expected in members:
            inner = place.inside(segment, fallback)
            own = own_rule(inner.nodes)
            if own is None and (actual is MISSING) != (expected is MISSING):
                presence = rule.missing if actual is MISSING else rule.extra
                if presence == "ignore":
                    continue
                inner = inner._replace(severity=Severity(presence) if presence else inner.severity)
            score = self.value(inner, actual, expected)
            if score is not None:
                weight = own.weight if own is not None else 1.0
                total, weights = total + weight * score, weights + weight
        if weights:
            return total / weights
        return None if members else 1.0

    def _note(self, place: Place, mismatch: Mismatch, actual: Any, expected: Any) -> float:
        self.failed = self.failed or mismatch.kind == "error"
        self.severities.add(place.severity)
        if len(self.differences) < MOST_LISTED:
            found = Difference(place.path, mismatch.kind, expected, actual, place.severity, mismatch.words)
            self.differences.append(found)
        else:
            self.left_out += 1
        return 0.0


def _by_name(rule: JsonRule, actual: dict[Any, Any], expected: dict[Any, Any]) -> list[Member]:
    """In order of the names, so that the order of keys shows nowhere."""
    nothing = (MISSING, None) if rule.null_is_missing else (MISSING,)

    def found(side: dict[Any, Any], name: Any) -> Any:
        item = side.get(name, MISSING)
        return MISSING if any(item is absent for absent in nothing) else item

    names = sorted(actual.keys() | expected.keys(), key=str)
    return [(str(name), found(actual, name), found(expected, name)) for name in names]


def _exactly(place: Place, rule: ListRule) -> bool:
    """Whether members are equal only when they are the same JSON value, so that they can be counted."""
    if any(node.literal or node.any for node in place.nodes):
        return False
    if rule.items is not None:
        return isinstance(rule.items, ExactRule)
    return isinstance(place.json.leaves, ExactRule) and not (place.json.null_is_missing or _lenient(place.json))


def _lenient(rule: JsonRule) -> bool:
    return "ignore" in {rule.missing, rule.extra}


def _ignored(nodes: tuple[Node, ...], actual: Any, expected: Any) -> bool:
    for node in nodes:
        for ignore in node.ignores:
            human_counts = ignore.when in {"both_empty", "human_empty"}
            agent_counts = ignore.when in {"both_empty", "agent_empty"}
            if (_empty(expected) or not human_counts) and (_empty(actual) or not agent_counts):
                return True
    return False


def _empty(value: Any) -> bool:
    return value is MISSING or value is None or (isinstance(value, str | list | dict) and not value)
