"""Reads files of one JSON object a line: a line is understood as a whole, or told by number and kept aside."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeVar, cast

from pydantic import BaseModel, ValidationError

from kit import json_body
from kit.errors import Invalid, NotFound, Place
from kit.wire import invalid_from

LONGEST = 4 * 1024 * 1024  # bytes of a line, as of a request's body

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank: its number from 1, where it begins in the file, and its bytes."""

    number: int
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that was not taken, and why."""

    number: int
    places: tuple[Place, ...]

    @property
    def words(self) -> str:
        found = self.places[0]
        more = f", and {len(self.places) - 1} more" if len(self.places) > 1 else ""
        return f"{found.place}: {found.problem}" + (f" ({found.mend})" if found.mend else "") + more

    def to_dict(self) -> dict[str, Any]:
        return {"line": self.number, "errors": [place.to_dict() for place in self.places]}


def lines(file: IO[bytes]) -> Iterator[Line]:
    """Every line that is not blank. One that is too long is read past, not into memory."""
    number = offset = 0
    while raw := file.readline(LONGEST + 1):
        number += 1
        begins = offset
        offset += len(raw)
        while not raw.endswith(b"\n") and (rest := file.readline(LONGEST)):
            offset += len(rest)
            if rest.endswith(b"\n"):
                break
        if raw.strip():
            yield Line(number, begins, raw)


def parse(raw: bytes, model: type[Model], *, defaults: dict[str, Any] | None = None) -> Model:
    """A line as what it should be; raises Invalid with its places. Only a confidence may be NaN."""
    if len(raw) > LONGEST:
        place = Place("line", f"it is longer than {LONGEST} bytes", "leave out what is not needed, or link to it")
        raise Invalid("the line is too long", places=[place])
    body = json_body.parse(raw.removeprefix(b"\xef\xbb\xbf"), nan_allowed_at=("confidence",))
    if not isinstance(body, dict):
        raise Invalid("it is not an object", places=[Place("line", "it is not a JSON object", "write {…}")])
    try:
        return model.model_validate({**(defaults or {}), **body})
    except ValidationError as error:
        raise invalid_from(cast("list[Any]", error.errors())) from None


def broken(number: int, refused: Invalid) -> Broken:
    places = refused.places or (Place("line", refused.detail),)
    # Every line is its own document, so "line 1" of it would only confuse.
    return Broken(number, tuple(Place(p.place.removeprefix("line 1, "), p.problem, p.mend) for p in places))


def opened(path: Path) -> IO[bytes]:
    """One whose name ends with .gz is decompressed while it is read."""
    try:
        return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None


class Rejects:
    """Keeps the lines that were not taken in a file beside the original, byte for byte; no file when there are none."""

    def __init__(self, source: Path, path: Path | None = None) -> None:
        self.path = path or source.with_suffix(".rejected.jsonl")
        self.found: list[Broken] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, line: bytes, why: Broken) -> None:
        self.found.append(why)
        if self._file is None:
            self._file = self.path.open("wb")
        self._file.write(line if line.endswith(b"\n") else line + b"\n")
