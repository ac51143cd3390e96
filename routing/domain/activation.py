"""
Holds an answer of a service against activation conditions, and reports each of them with its result.

What cannot be read counts as met. There is no Not, so that can call a person in vain, and never leave one out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollout.domain.activation import Activation, Condition, FormKey, Joined, Label, MissingKey, Range, Sampling
from routing.domain import inference
from routing.domain.inference import Inference


@dataclass(frozen=True, slots=True)
class Result:
    """Of one condition: whether it is met, and by which parts of the answer."""

    met: bool
    report: Mapping[str, Any]  # as it was given, with `EvaluationResult`
    places: frozenset[int] = frozenset()
    everything: bool = False  # a person shall see all of the answer

    def if_met(self) -> "Result":
        return self if self.met else Result(met=False, report=self.report)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of a whole document; `unread`: what of the answer could not be read, which then counts as met."""

    activated: bool
    report: dict[str, Any]
    selected: Any
    met: tuple[str, ...]  # the types of the conditions that were met
    unread: tuple[str, ...]


def evaluate(activation: Activation, output: Any, position: Callable[[], float]) -> Evaluation:
    """`position`: where the input stands among all, in [0, 1); asked for only where the conditions sample."""
    found = inference.read(output)
    drawn = position() if any(isinstance(one, Sampling) for one in activation.leaves()) else 1.0
    results = [_result(one, found, drawn) for one in activation.conditions]
    met = [result for result in results if result.met]
    everything = not results or any(result.everything for result in met)
    places = frozenset[int]().union(*(result.places for result in met))
    return Evaluation(
        activated=not results or bool(met),
        report={"Conditions": [result.report for result in results]},
        selected=output if everything else inference.selected(output, places),
        met=tuple(dict.fromkeys(_met(results))),
        unread=tuple(dict.fromkeys(_missing(activation, found) + found.unread)),
    )


def _result(condition: Condition, found: Inference, drawn: float) -> Result:
    if isinstance(condition, Joined):
        return _joined(condition, found, drawn)
    if isinstance(condition, Sampling):
        met = drawn < condition.share
        return _leaf(condition.said, met=met, everything=met)
    if isinstance(condition, Label):
        return _label(condition, found)
    if found.pairs is None:
        return _leaf(condition.said, met=True, everything=True)
    if isinstance(condition, MissingKey):
        return _leaf(condition.said, met=not any(pair.key in condition.keys for pair in found.pairs))
    return _form_key(condition, found.pairs)


def _leaf(
    said: Mapping[str, Any], *, met: bool, places: frozenset[int] = frozenset(), everything: bool = False
) -> Result:
    return Result(met, {**said, "EvaluationResult": met}, places, everything)


def _joined(condition: Joined, found: Inference, drawn: float) -> Result:
    """Drawn by itself, all of an answer is looked at; drawn together with something else, only that."""
    results = [_result(one, found, drawn) for one in condition.members]
    met = [result for result in results if result.met]
    every = condition.word == "And"
    choose = all if every else any
    places = frozenset[int]().union(*(result.places for result in met))
    everything = bool(met) and choose(result.everything for result in met)
    holds = len(met) == len(results) if every else bool(met)
    report = {condition.word: [result.report for result in results], "EvaluationResult": holds}
    return Result(holds, report, places, everything).if_met()


def _form_key(condition: FormKey, pairs: Sequence[inference.Pair]) -> Result:
    """
    A pair meets it when the key is one of those asked for, a confidence of its two blocks is in range and one of a
    word in them, too. One word is enough: their manual says "any" in one place and "each" in another.
    """
    met = [
        pair
        for pair in pairs
        if (condition.keys is None or pair.key is None or pair.key in condition.keys)
        and _in(condition.pair, pair.confidences)
        and _in(condition.word, pair.words)
    ]
    return _leaf(condition.said, met=bool(met), places=frozenset[int]().union(*(pair.places for pair in met)))


def _label(condition: Label, found: Inference) -> Result:
    if found.labels is None:
        return _leaf(condition.said, met=True, everything=True)
    met = [
        label
        for label in found.labels
        if (condition.name is None or label.name is None or label.name == condition.name)
        and _in(condition.confidence, (label.confidence,))
    ]
    return _leaf(condition.said, met=bool(met), places=frozenset(label.place for label in met))


def _in(wanted: Range | None, confidences: Sequence[float | None]) -> bool:
    """Whether one of them is in range; one that is unknown could be, and so could one of none."""
    if wanted is None or not confidences:
        return True
    return any(one is None or wanted.holds(one) for one in confidences)


def _missing(activation: Activation, found: Inference) -> list[str]:
    kinds = {type(one) for one in activation.leaves()}
    words = []
    if kinds & {FormKey, MissingKey} and found.pairs is None:
        words.append("Blocks")
    if Label in kinds and found.labels is None:
        words.append("ModerationLabels")
    return words


def _met(results: Sequence[Result]) -> list[str]:
    """The types of what was met, in order, whatever it was part of."""
    names: list[str] = []
    waiting: list[Any] = [result.report for result in results]
    while waiting:
        one = waiting.pop(0)
        if not one["EvaluationResult"]:
            continue
        waiting[:0] = [*one.get("And", ()), *one.get("Or", ())]
        if "ConditionType" in one:
            names.append(one["ConditionType"])
    return names
