"""
Activation conditions in the form of Amazon A2I: which answers of a document or image service a person must see.

Read more strictly than their JSON Schema reads them: a misspelt word would be a condition that is never met, and the
cases that a person was meant to see would go alone. `routing.domain.activation` holds an answer against them.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from kit import json_body
from kit.errors import Problem

LONGEST = 10_240
"""Characters of a document, as Amazon limits it."""
DEEPEST = 2
"""And within Or, or Or within And, and no further."""
ANY = "*"
_SMALLEST_PERCENTAGE, _HIGHEST = 0.01, 100.0


@dataclass(frozen=True, slots=True)
class Range:
    """The confidences, 0 to 100, that meet a condition."""

    low: float = 0.0
    high: float = _HIGHEST
    above: bool = False  # `low` itself is not in it
    below: bool = False  # nor is `high`

    def holds(self, number: float) -> bool:
        high_enough = number > self.low if self.above else number >= self.low
        return high_enough and (number < self.high if self.below else number <= self.high)

    @property
    def empty(self) -> bool:
        return self.low > self.high or (self.low == self.high and (self.above or self.below))


@dataclass(frozen=True, slots=True)
class FormKey:
    """A key was found, and its confidences lie in these ranges. No keys: any will do; no range: any confidence."""

    said: Mapping[str, Any]
    keys: frozenset[str] | None
    pair: Range | None
    word: Range | None


@dataclass(frozen=True, slots=True)
class MissingKey:
    said: Mapping[str, Any]
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Label:
    """A moderation label was found with a confidence in this range. No name: any will do."""

    said: Mapping[str, Any]
    name: str | None
    confidence: Range | None


@dataclass(frozen=True, slots=True)
class Sampling:
    said: Mapping[str, Any]
    share: float  # 0 to 1


@dataclass(frozen=True, slots=True)
class Joined:
    word: str  # And | Or
    members: tuple["Condition", ...]


Condition = FormKey | MissingKey | Label | Sampling | Joined


@dataclass(frozen=True, slots=True)
class Activation:
    """A document and what it means. Any one of its conditions calls a person; without conditions all cases do."""

    document: dict[str, Any]
    conditions: tuple[Condition, ...]

    def leaves(self) -> Iterator[Condition]:
        waiting = [*self.conditions]
        while waiting:
            one = waiting.pop(0)
            if isinstance(one, Joined):
                waiting[:0] = one.members
            else:
                yield one

    def narrows(self, before: "Activation") -> bool:
        """Whether every case that a person saw by `before` is still seen; False where that is not plain."""
        if not self.conditions:
            return True
        kept = self.document["Conditions"]
        return bool(before.conditions) and all(one in kept for one in before.document["Conditions"])


class Refused(ValueError):
    """What is wrong, with its place in the document."""


def _as_text(document: dict[str, Any]) -> str:
    try:
        return orjson.dumps(document).decode()
    except TypeError as error:  # a number beyond 64 bits, a lone surrogate
        raise Refused(f"it cannot be written as JSON: {error}") from None


def parse(given: Any) -> Activation:
    """A document, or the JSON text of one as it is given to `CreateFlowDefinition`."""
    if isinstance(given, Activation):
        return given
    document = _from_text(given) if isinstance(given, str) else given
    if not isinstance(document, dict):
        raise Refused("send an object with the list Conditions, or its JSON text")
    text = given if isinstance(given, str) else _as_text(document)
    if len(text) > LONGEST:
        raise Refused(f"it has {len(text)} characters and may have {LONGEST}")
    if "ConditionType" in document:
        raise Refused("a condition stands alone; put it into the list Conditions")
    _only(document, {"Conditions"}, "the document")
    conditions = document.get("Conditions")
    if not isinstance(conditions, list):
        raise Refused("Conditions: send a list")
    found = Activation(document, tuple(_condition(one, f"Conditions.{n}", DEEPEST) for n, one in enumerate(conditions)))
    kinds = {type(one) for one in found.leaves()}
    if Label in kinds and kinds & {FormKey, MissingKey}:
        raise Refused("conditions on form keys and on moderation labels are mixed, and no answer has both")
    return found


def _from_text(text: str) -> Any:
    if len(text) > LONGEST:
        raise Refused(f"it has {len(text)} characters and may have {LONGEST}")
    try:
        return json_body.parse(text.encode("utf-8", "surrogatepass"))
    except Problem as wrong:
        raise Refused(f"it is no strict JSON: {wrong.detail}") from None


def _condition(said: Any, place: str, levels: int) -> Condition:
    if not isinstance(said, dict):
        raise Refused(f"{place}: send an object")
    joins = said.keys() & {"And", "Or"}
    if len(joins) > 1 or (joins and "ConditionType" in said):
        raise Refused(f"{place}: say one of ConditionType, And and Or")
    if joins:
        return _joined(said, joins.pop(), place, levels)
    _only(said, {"ConditionType", "ConditionParameters"}, place)
    read = _KINDS.get(said["ConditionType"]) if isinstance(said.get("ConditionType"), str) else None
    if read is None:
        raise Refused(f"{place}.ConditionType: say one of {', '.join(_KINDS)}")
    parameters = said.get("ConditionParameters")
    if not isinstance(parameters, dict):
        raise Refused(f"{place}.ConditionParameters: send an object")
    return read(said, parameters, f"{place}.ConditionParameters")


def _joined(said: dict[str, Any], word: str, place: str, levels: int) -> Joined:
    _only(said, {word}, place)
    if not levels:
        raise Refused(f"{place}: And and Or may be nested {DEEPEST} levels deep")
    members = said[word]
    if not isinstance(members, list) or not members:
        raise Refused(f"{place}.{word}: send a list of conditions")
    return Joined(word, tuple(_condition(one, f"{place}.{word}.{n}", levels - 1) for n, one in enumerate(members)))


def _form_key(said: dict[str, Any], given: dict[str, Any], place: str) -> FormKey:
    pair, word = _ranges(given, place, ("KeyValueBlockConfidence", "WordBlockConfidence"), _FORM_KEYS)
    return FormKey(said, _keys(given, place, any_key=True), pair, word)


def _missing_key(said: dict[str, Any], given: dict[str, Any], place: str) -> MissingKey:
    _only(given, _FORM_KEYS, place)
    keys = _keys(given, place, any_key=False)
    return MissingKey(said, keys or frozenset())


def _label(said: dict[str, Any], given: dict[str, Any], place: str) -> Label:
    (confidence,) = _ranges(given, place, ("Confidence",), {"ModerationLabelName"})
    name = _text(given.get("ModerationLabelName"), f"{place}.ModerationLabelName")
    return Label(said, None if name == ANY else name, confidence)


def _sampling(said: dict[str, Any], given: dict[str, Any], place: str) -> Sampling:
    _only(given, {"RandomSamplingPercentage"}, place)
    percentage = _number(given.get("RandomSamplingPercentage"), f"{place}.RandomSamplingPercentage")
    if not _SMALLEST_PERCENTAGE <= percentage <= _HIGHEST:
        raise Refused(f"{place}.RandomSamplingPercentage: send {_SMALLEST_PERCENTAGE:g} to {_HIGHEST:g}")
    return Sampling(said, percentage / 100)


_FORM_KEYS = frozenset({"ImportantFormKey", "ImportantFormKeyAliases"})
_KINDS: dict[str, Callable[[dict[str, Any], dict[str, Any], str], Condition]] = {
    "ImportantFormKeyConfidenceCheck": _form_key,
    "MissingImportantFormKey": _missing_key,
    "ModerationLabelConfidenceCheck": _label,
    "Sampling": _sampling,
}
# Their list of parameters has the one spelling, their own examples the other.
_COMPARED = {
    "Equals": lambda number: Range(number, number),
    "LessThan": lambda number: Range(high=number, below=True),
    "LessThanEquals": lambda number: Range(high=number),
    "LessThanOrEqual": lambda number: Range(high=number),
    "GreaterThan": lambda number: Range(low=number, above=True),
    "GreaterThanEquals": lambda number: Range(low=number),
    "GreaterThanOrEqual": lambda number: Range(low=number),
}


def _keys(given: dict[str, Any], place: str, *, any_key: bool) -> frozenset[str] | None:
    key = _text(given.get("ImportantFormKey"), f"{place}.ImportantFormKey")
    aliases = given.get("ImportantFormKeyAliases", [])
    if not isinstance(aliases, list):
        raise Refused(f"{place}.ImportantFormKeyAliases: send a list of texts")
    others = {_text(alias, f"{place}.ImportantFormKeyAliases.{n}") for n, alias in enumerate(aliases)}
    if key == ANY and any_key:
        return None
    if ANY in {key, *others}:
        mend = "only as the ImportantFormKey of ImportantFormKeyConfidenceCheck"
        raise Refused(f"{place}: {ANY} stands for any key {mend}")
    return frozenset({key, *others})


def _ranges(
    given: dict[str, Any], place: str, prefixes: tuple[str, ...], others: frozenset[str] | set[str]
) -> list[Range | None]:
    """By prefix, what all its comparisons leave; None where there is none."""
    known = {f"{prefix}{name}": (prefix, name) for prefix in prefixes for name in _COMPARED}
    _only(given, {*others, *known}, place)
    found: dict[str, Range | None] = dict.fromkeys(prefixes)
    for said in given.keys() & known.keys():
        prefix, name = known[said]
        number = _number(given[said], f"{place}.{said}")
        if not 0 <= number <= _HIGHEST:
            raise Refused(f"{place}.{said}: a confidence is a number from 0 to {_HIGHEST:g}")
        both = _both(found[prefix], _COMPARED[name](number))
        if both.empty:
            raise Refused(f"{place}.{said}: no confidence could meet this condition")
        found[prefix] = both
    return list(found.values())


def _both(one: Range | None, other: Range) -> Range:
    if one is None:
        return other
    low, high = max(one.low, other.low), min(one.high, other.high)
    above = any(side.above and side.low == low for side in (one, other))
    below = any(side.below and side.high == high for side in (one, other))
    return Range(low, high, above, below)


def _only(given: dict[str, Any], known: frozenset[str] | set[str], place: str) -> None:
    if odd := sorted(given.keys() - known):
        raise Refused(f"{place}: {odd[0]} is unknown here; leave it out or say one of {', '.join(sorted(known))}")


def _text(given: Any, place: str) -> str:
    words = " ".join(given.split()) if isinstance(given, str) else ""
    if not words:
        raise Refused(f"{place}: send a text that is not empty")
    return words


def _number(given: Any, place: str) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        raise Refused(f"{place}: send a number")
    return float(given)


Conditions = Annotated[
    Activation,
    PlainValidator(parse),
    PlainSerializer(lambda activation: activation.document, return_type=dict[str, Any]),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "object",
                    "required": ["Conditions"],
                    "additionalProperties": False,
                    "properties": {"Conditions": {"type": "array", "items": {"type": "object"}}},
                },
                {"type": "string", "maxLength": LONGEST},
            ],
            "description": "activation conditions in the form of Amazon A2I, or their JSON text",
        }
    ),
]
"""A field that holds activation conditions: validated when read, stored and shown as the document that was given."""
