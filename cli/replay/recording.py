"""
A file of recorded work: checked as a whole first, then read in the order in which it happened.

The first pass understands every line and remembers of it only where it is and when it happened (24 bytes), so
a file may be larger than the memory and out of order. What is broken is known before anything is counted.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from cli import jsonl
from cli.jsonl import Line, Rejects
from kit.errors import Invalid
from kit.wire import Moment
from routing.cases.schemas import CaseIn

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class RecordedCase(CaseIn):
    """One line: what an agent put out for a case, what a person did for it, and when it happened."""

    human_output: Any
    occurred_at: Moment

    @property
    def at(self) -> datetime:
        return self.occurred_at


@dataclass(frozen=True, slots=True)
class Recorded:
    """A good line: its number, its bytes, and what they say."""

    number: int
    raw: bytes
    case: RecordedCase


@dataclass(slots=True)
class Recording:
    """The good lines of a file in the order of time; among the same moment, in the order of the file."""

    path: Path
    version: str
    lines: int = 0
    out_of_order: int = 0
    _numbers: "array[int]" = field(default_factory=lambda: array("q"))
    _offsets: "array[int]" = field(default_factory=lambda: array("q"))
    _times: "array[int]" = field(default_factory=lambda: array("q"))

    @classmethod
    def check(cls, path: Path, *, version: str, rejects: Rejects) -> "Recording":
        """Read every line once; `version` is that of lines that name none."""
        found = cls(path, version)
        latest = -(2**62)
        with jsonl.opened(path) as file:
            for line in jsonl.lines(file):
                found.lines += 1
                try:
                    case = found.understand(line.raw)
                except Invalid as refused:
                    rejects.add(line.raw, jsonl.broken(line.number, refused))
                    continue
                micros = (case.at - _EPOCH) // _MICROSECOND
                found.out_of_order += micros < latest
                latest = max(latest, micros)
                found._remember(line, micros)
        return found

    def understand(self, raw: bytes) -> RecordedCase:
        return jsonl.parse(raw, RecordedCase, defaults={"version": self.version})

    def _remember(self, line: Line, micros: int) -> None:
        self._numbers.append(line.number)
        self._offsets.append(line.offset)
        self._times.append(micros)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def first_at(self) -> datetime:
        return _EPOCH + min(self._times) * _MICROSECOND

    def __iter__(self) -> Iterator[Recorded]:
        if not len(self):
            return
        order = np.argsort(np.frombuffer(self._times, dtype=np.int64), kind="stable")
        with jsonl.opened(self.path) as file:
            for place in order:
                file.seek(self._offsets[int(place)])
                raw = file.readline()
                yield Recorded(self._numbers[int(place)], raw, self.understand(raw))
