"""
What an answer of Amazon Textract's AnalyzeDocument or Rekognition's DetectModerationLabels says, or one of its shape.

Field names may begin with a capital, as their API answers, or not, as A2I's output.json has them. What cannot be read
is said to be unread, and never taken for absent: who asks decides what that means.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

TEXTRACT = "AWS/Textract/AnalyzeDocument/Forms/V1"
REKOGNITION = "AWS/Rekognition/DetectModerationLabels/Image/V3"
_LISTS = {TEXTRACT: "Blocks", REKOGNITION: "ModerationLabels"}
_HIGHEST = 100
_RELATIONS = 4  # of a block, on average


@dataclass(frozen=True, slots=True)
class Pair:
    """A key with its value. `places`: the numbers of all its blocks."""

    key: str | None  # None: it could not be read
    confidences: tuple[float | None, ...]  # of the key's and the value's block
    words: tuple[float | None, ...]  # of each word in both
    places: frozenset[int]


@dataclass(frozen=True, slots=True)
class Found:
    """A moderation label."""

    name: str | None
    confidence: float | None
    place: int


@dataclass(slots=True)
class Inference:
    """An answer, read. `pairs` or `labels` are None where it has no such list; `unread` says what is wrong with it."""

    pairs: Sequence[Pair] | None = None
    labels: Sequence[Found] | None = None
    unread: list[str] = field(default_factory=list)


def source_of(output: Any) -> str | None:
    """Which service answers in this shape."""
    for source, name in _LISTS.items():
        if isinstance(_of(output, name), list):
            return source
    return None


def selected(output: Any, places: frozenset[int]) -> Any:
    """The answer with only these of its blocks or labels."""
    source = source_of(output)
    if source is None:
        return output
    name = next(key for key in (_LISTS[source], _lower(_LISTS[source])) if isinstance(output.get(key), list))
    chosen = [one for place, one in enumerate(output[name]) if place in places]
    return {name: chosen} if source == TEXTRACT else {**output, name: chosen}


def lowered(value: Any) -> Any:
    """The same with field names that do not begin with a capital, as A2I stores it."""
    if isinstance(value, dict):
        return {_lower(key): lowered(part) for key, part in value.items()}
    return [lowered(part) for part in value] if isinstance(value, list) else value


def read(output: Any) -> Inference:
    found = Inference()
    blocks, labels = _of(output, "Blocks"), _of(output, "ModerationLabels")
    if isinstance(blocks, list):
        found.pairs = _Form(blocks, found.unread).pairs()
    if isinstance(labels, list):
        found.labels = [_label(one, place, found.unread) for place, one in enumerate(labels)]
    return found


def _label(given: Any, place: int, unread: list[str]) -> Found:
    name = _of(given, "Name")
    if not isinstance(name, str):
        unread.append(f"ModerationLabels.{place}.Name")
        name = None
    return Found(name, _confidence(given, f"ModerationLabels.{place}", unread), place)


class _Form:
    """The blocks of a document, by their ids."""

    def __init__(self, blocks: list[Any], unread: list[str]) -> None:
        self._blocks = blocks
        self._unread = unread
        self._places: dict[Any, int] = {}
        self._left = _RELATIONS * len(blocks)
        for place, block in enumerate(blocks):
            one_id = _of(block, "Id")
            if isinstance(one_id, str):
                self._places.setdefault(one_id, place)
            if not isinstance(_of(block, "BlockType"), str):
                unread.append(f"Blocks.{place}.BlockType")

    def pairs(self) -> list[Pair]:
        """What has no type could be a key, so it is one that could not be read."""
        found = [self._pair(place) for place, block in enumerate(self._blocks) if _is_key(block)]
        odd = [n for n, block in enumerate(self._blocks) if not isinstance(_of(block, "BlockType"), str)]
        return found + [Pair(None, (None,), (None,), frozenset({place})) for place in odd]

    def _pair(self, place: int) -> Pair:
        values = self._related(place, "VALUE")
        both = [place, *values]
        words = [(block, self._words(block)) for block in both]
        texts = [_of(self._blocks[word], "Text") for word in words[0][1]]
        readable = bool(texts) and all(isinstance(text, str) for text in texts)
        if not readable:
            self._unread.append(f"Blocks.{place}: its key has no words")
        inside = [word for _, found in words for word in found]
        return Pair(
            " ".join(" ".join(texts).split()) if readable else None,
            tuple(_confidence(self._blocks[one], f"Blocks.{one}", self._unread) for one in both),
            tuple(_confidence(self._blocks[one], f"Blocks.{one}", self._unread) for one in inside),
            frozenset({*both, *inside}),
        )

    def _words(self, place: int) -> list[int]:
        children = self._related(place, "CHILD")
        return [child for child in children if _of(self._blocks[child], "BlockType") == "WORD"]

    def _related(self, place: int, kind: str) -> list[int]:
        relations = _of(self._blocks[place], "Relationships") or []
        if not isinstance(relations, list):
            relations = [None]
        found: list[int] = []
        for relation in relations:
            ids = _of(relation, "Ids")
            if not isinstance(_of(relation, "Type"), str) or not isinstance(ids, list):
                self._unread.append(f"Blocks.{place}.Relationships")
                continue
            if _of(relation, "Type") == kind and self._may_follow(len(ids)):
                there = [self._places[one] for one in ids if isinstance(one, str) and one in self._places]
                if len(there) < len(ids):
                    self._unread.append(f"Blocks.{place}.Relationships: it names a block that is not there")
                found += there
        return found

    def _may_follow(self, ids: int) -> bool:
        """In a form every block belongs to one other; one made to take long is not read to its end."""
        self._left -= ids
        if self._left < 0:
            self._unread.append("Blocks: they name each other more often than those of a form do")
        return self._left >= 0


def _is_key(block: Any) -> bool:
    kinds = _of(block, "EntityTypes")
    return _of(block, "BlockType") == "KEY_VALUE_SET" and isinstance(kinds, list) and "KEY" in kinds


def _confidence(given: Any, place: str, unread: list[str]) -> float | None:
    number = _of(given, "Confidence")
    if isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number <= _HIGHEST:
        return float(number)
    unread.append(f"{place}.Confidence")
    return None


def _of(given: Any, name: str) -> Any:
    if not isinstance(given, dict):
        return None
    found = given.get(name)
    return given.get(_lower(name)) if found is None else found


def _lower(name: Any) -> Any:
    return name[:1].lower() + name[1:] if isinstance(name, str) else name
