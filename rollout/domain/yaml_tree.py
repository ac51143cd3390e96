"""
Reads a small YAML file into plain data, and remembers on which line everything stands.

Deliberately less than YAML: one document, no anchors, aliases, tags or duplicate keys, limited size and
depth. What is left cannot surprise its author, or exhaust the reader. Scalars follow YAML 1.2, in which
`17:00` is text (in 1.1 it is the number 1020) and `no` is not false.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from kit.errors import Invalid, Place

LARGEST = 128 * 1024
"""Bytes. A long plan has five thousand."""

DEEPEST = 20
_LONGEST_NUMBER = 40

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """Where something stands, both from 1. Line 0: the text has no lines (it came as data)."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong at one place of a file, and what would mend it."""

    line: int
    column: int
    place: str
    problem: str
    mend: str = ""

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}" if self.line else ""
        parts = (where, self.place, self.problem)
        return ": ".join(part for part in parts if part) + (f" ({self.mend})" if self.mend else "")


class FileInvalid(Invalid):
    """Carries every problem that was found, in the order of the lines."""

    code = "file-invalid"
    title = "The file is not valid"

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{self.problems[0]}{more}", places=[_as_place(found) for found in self.problems])


def _as_place(found: Problem) -> Place:
    where = f"line {found.line}" if found.line else ""
    return Place(", ".join(part for part in (where, found.place) if part) or "body", found.problem, found.mend)


@dataclass(frozen=True, slots=True)
class Source:
    """Plain data, and where each path of it stands: mapping entries at their key, items at their start."""

    data: Any
    marks: dict[Path, Mark]

    def mark(self, path: Path) -> Mark:
        """Of the path, or of the nearest thing around it that is really there."""
        while path not in self.marks and path:
            path = path[:-1]
        return self.marks.get(path, Mark(0, 0))


def words_of(path: Path) -> str:
    """`phases.shadow.gates[0].at_most`."""
    words = ""
    for part in path:
        words += f"[{part}]" if isinstance(part, int) else f".{part}" if words else part
    return words


def read_yaml(text: str | bytes) -> Source:
    """Read one document; raises `FileInvalid` with all duplicate keys, or the first thing that is no YAML."""
    text = _decoded(text)
    try:
        return _Reader(YAML(typ="safe", pure=True).parse(text)).read()
    except MarkedYAMLError as error:
        raise FileInvalid([_not_yaml(error)]) from None
    except YAMLError as error:  # pragma: no cover - every other kind of theirs is caught before, by `_decoded`
        raise FileInvalid([Problem(1, 1, "", f"this is not YAML: {error}")]) from None


def _decoded(text: str | bytes) -> str:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > LARGEST:
        problem = f"the file has {len(raw):,} bytes; at most {LARGEST:,} are read"
        raise FileInvalid([Problem(1, 1, "", problem, "remove what does not belong here")])
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        mark = Mark(before.count(b"\n") + 1, len(before) - before.rfind(b"\n"))
        raise FileInvalid([Problem(*mark, "", "this is not UTF-8", "save the file as UTF-8")]) from None
    text = text.removeprefix("\ufeff")
    if bad := _UNPRINTABLE.search(text):
        mark = Mark(text.count("\n", 0, bad.start()) + 1, bad.start() - text.rfind("\n", 0, bad.start()))
        raise FileInvalid([Problem(*mark, "", f"the character U+{ord(bad[0]):04X} is not allowed", "remove it")])
    return text


_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def _not_yaml(error: MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = " ".join(str(error.problem or error.context).split())
    if "\\t" in said:
        return Problem(line, column, "", "a tab cannot indent", "use spaces")
    return Problem(line, column, "", f"this is not YAML: {said}", "look at the indentation, colons and quotes")


class _Reader:
    """Builds data from parser events, so that nothing is expanded or nested before it was looked at."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.marks: dict[Path, Mark] = {(): Mark(1, 1)}
        self.problems: list[Problem] = []
        self.documents = 0

    def read(self) -> Source:
        data: Any = None
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                self.documents += 1
                if self.documents > 1:
                    raise self._refused(event, (), "a second document begins here", "keep one document in a file")
            elif isinstance(event, NodeEvent):
                self.marks[()] = _mark(event)
                data = self._value(event, ())
        if self.problems:
            raise FileInvalid(self.problems)
        return Source(data, self.marks)

    def _value(self, event: Any, path: Path) -> Any:
        self._refuse_tricks(event, path)
        if isinstance(event, ScalarEvent):
            return plain(event.value) if event.implicit[0] else event.value
        if len(path) >= DEEPEST:
            raise self._refused(event, (), f"this is nested more than {DEEPEST} deep", "a plan is four deep")
        return self._mapping(path) if isinstance(event, MappingStartEvent) else self._sequence(path)

    def _refuse_tricks(self, event: Any, path: Path) -> None:
        if isinstance(event, AliasEvent) or event.anchor:
            raise self._refused(event, path, "anchors (&) and aliases (*) are not read", "write it out")
        if not isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent) or event.tag:
            raise self._refused(event, path, "tags (!) are not read", "remove the tag")
        if isinstance(event, ScalarEvent) and (bad := _UNPRINTABLE.search(event.value)):  # by an escape
            raise self._refused(event, path, f"the character U+{ord(bad[0]):04X} is not allowed", "remove it")

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            here = (*path, len(items))
            self.marks[here] = _mark(event)
            items.append(self._value(event, here))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self._refused(event, path, "a key must be a word", "write `key: value`")
            self._refuse_tricks(event, path)
            key, here = event.value, (*path, event.value)
            if key in entries:
                first = self.marks[here].line
                problem = f'"{key}" stands twice, on lines {first} and {event.start_mark.line + 1}'
                self.problems.append(Problem(*_mark(event), words_of(here), problem, "remove one of them"))
            else:
                self.marks[here] = _mark(event)
            entries[key] = self._value(next(self.events), here)
        return entries

    def _refused(self, event: Any, path: Path, problem: str, mend: str) -> FileInvalid:
        return FileInvalid([*self.problems, Problem(*_mark(event), words_of(path), problem, mend)])


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WHOLE = re.compile(r"[-+]?[0-9]+")
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def plain(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means: the core schema of YAML 1.2 without octal, hexadecimal, infinities."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if len(text) > _LONGEST_NUMBER:
        return text
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _REAL.fullmatch(text) else text
