"""
Reads a suite: one JSON object a line, with `input` and `expected`, and if you like `id` and `tags`.

A broken line is told with its number, all broken lines at once, and then nothing is stored.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kit import json_body
from kit.errors import Invalid, Place

MOST_TOLD = 100
"""Broken lines that are told one by one."""

LONGEST_KEY = 200
_FIELDS = {"id", "input", "expected", "tags"}


class SuiteInvalid(Invalid):
    code = "suite-invalid"
    title = "The suite is not valid"


@dataclass(frozen=True, slots=True)
class Case:
    """One case with its known answer. The key is the file's `id`, or the place in the file."""

    key: str
    input: Any
    expected: Any
    tags: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        return {"key": self.key, "input": self.input, "expected": self.expected, "tags": list(self.tags)}


@dataclass(slots=True)
class _Reader:
    cases: list[Case] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)  # of each key
    places: list[Place] = field(default_factory=list)
    broken: int = 0

    def line(self, number: int, raw: bytes) -> None:
        try:
            case = _case(json_body.parse(raw), len(self.cases) + self.broken + 1)
        except Invalid as refused:
            self.broken += 1
            found = refused.places[0]
            place = f"line {number}" if found.place == "body" else f"line {number}: {_inside(found.place)}"
            self.places.append(Place(place, found.problem, found.mend))
            return
        if case.key in self.lines:
            self.broken += 1
            problem = f'the id "{case.key}" stands on line {self.lines[case.key]} already'
            self.places.append(Place(f"line {number}: id", problem, "give each case its own id"))
            return
        self.lines[case.key] = number
        self.cases.append(case)


def read_suite(raw: bytes) -> list[Case]:
    """The cases in the order of the file; raises SuiteInvalid with the numbers of all broken lines."""
    reader = _Reader()
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            reader.line(number, line.strip())
    if reader.broken:
        lines = f"{reader.broken} line{'s' if reader.broken > 1 else ''}"
        first = reader.places[0]
        detail = f"{lines} cannot be read, the first is {first.place}: {first.problem}"
        raise SuiteInvalid(detail, places=reader.places[:MOST_TOLD])
    if not reader.cases:
        place = Place("body", "there is no case in it", 'write one JSON object a line, with "input" and "expected"')
        raise SuiteInvalid("there is no case in it; a suite without cases proves nothing", places=[place])
    return reader.cases


def digest_of(cases: Sequence[Case]) -> str:
    """The same for two suites exactly if they hold the same cases in the same order."""
    canonical = json.dumps([case.row() for case in cases], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _case(line: Any, place: int) -> Case:
    if not isinstance(line, dict):
        raise _refused("body", "it is not an object", 'write {"input": …, "expected": …}')
    unknown = sorted(line.keys() - _FIELDS)
    if unknown:
        raise _refused(unknown[0], "there is no such field", f"known here: {', '.join(sorted(_FIELDS))}")
    for needed in ("input", "expected"):
        if needed not in line:
            raise _refused(needed, "it is missing", f'add "{needed}"')
    key = line.get("id", f"case-{place}")
    if not isinstance(key, str) or not 1 <= len(key) <= LONGEST_KEY:
        raise _refused("id", "it is not a text of 1 to 200 characters", "write a short text")
    tags = line.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise _refused("tags", "it is not a list of texts", 'write ["edge-case"]')
    return Case(key, line["input"], line["expected"], tuple(tags))


def _inside(place: str) -> str:
    """Every line is one line to us, so the parser's own line says nothing."""
    return place.removeprefix("line 1, ")


def _refused(place: str, problem: str, mend: str) -> Invalid:
    return Invalid(f"{place}: {problem}", places=[Place(place, problem, mend)])
