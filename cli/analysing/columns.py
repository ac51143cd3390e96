"""
Reads recorded data by named columns, from CSV with a header or from JSON lines.

A row that cannot be understood is told by its line, with what would mend it, and left out; the others count. A column
that the file does not have at all ends the command.
"""

import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from cli import jsonl
from cli.jsonl import Broken
from kit import csv_text, json_body
from kit.errors import Invalid, NotFound, Place

_RIGHT = frozenset({"1", "true", "right", "correct", "agree", "yes"})
_WRONG = frozenset({"0", "false", "wrong", "incorrect", "override", "no"})
_GAPS = frozenset({"na", "n/a", "null"})
"""How files write that there is no number."""

Taken = TypeVar("Taken")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file, by the names of its columns. Missing and empty are the same: None."""

    number: int
    cells: Mapping[str, Any]

    def cell(self, column: str) -> Any:
        value = self.cells.get(column)
        return None if isinstance(value, str) and not value.strip() else value

    def needed(self, column: str, mend: str = "give it a value, or take the line out") -> Any:
        value = self.cell(column)
        if value is None:
            raise _bad(column, "it is missing", mend)
        return value

    def text(self, column: str) -> str:
        """A name: text, or a number as it is written."""
        value = self.needed(column)
        if isinstance(value, dict | list):
            raise _bad(column, "it is no single value", "write a text or a number")
        return str(value).strip()

    def right(self, column: str) -> bool:
        """Whether the output was right."""
        said = str(self.needed(column)).strip().lower()
        if said in _RIGHT:
            return True
        if said in _WRONG:
            return False
        raise _bad(column, f"{said[:40]!r} is neither right nor wrong", "write true or false, or 1 or 0")

    def number_or_none(self, column: str) -> float | None:
        """A finite number, or None where there is none."""
        value = self.cell(column)
        if value is None or (isinstance(value, str) and value.strip().lower() in _GAPS):
            return None
        try:
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise _bad(column, f"{str(value)[:40]!r} is no number", "write a number, or leave it empty")
        return number

    def moment(self, column: str) -> datetime:
        """A time with its zone, or seconds since 1970."""
        value = self.needed(column)
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = None
        try:
            found = datetime.fromisoformat(str(value)) if seconds is None else datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            found = None
        if found is None or found.tzinfo is None:
            raise _bad(column, "it is not a time with its zone", "write it as in 2026-01-05T09:00:00Z")
        return found


@dataclass(frozen=True, slots=True)
class Read(Generic[Taken]):
    """What was taken, in the order of the file, and the lines that were not."""

    taken: list[Taken]
    broken: list[Broken]


def read(path: Path, take: Callable[[Row], Taken], columns: Sequence[str] = ()) -> Read[Taken]:
    """
    Every line by `take`, which raises Invalid with the place of what it cannot use.

    `columns` must be in the header, or in one line of JSON at least. Raises NotFound for a file that cannot be read,
    and Invalid when no line could be taken.
    """
    found: Read[Taken] = Read([], [])
    seen: set[str] = set()
    for number, row in _rows(path):
        try:
            if isinstance(row, Invalid):
                raise row
            seen.update(row.cells)
            found.taken.append(take(row))
        except Invalid as refused:
            found.broken.append(jsonl.broken(number, refused))
    _require(path, seen, columns)
    if not found.taken:
        why = f"; line {found.broken[0].number}: {found.broken[0].words}" if found.broken else ""
        raise Invalid(f"{path} has no line that can be used{why}")
    return found


def columns_of(path: Path) -> list[str]:
    """The names of the columns, as the first line has them."""
    for _, row in _rows(path):
        if isinstance(row, Row):
            return list(row.cells)
    return []


def _rows(path: Path) -> Iterator[tuple[int, Row | Invalid]]:
    return _from_csv(path) if path.suffix.lower() in {".csv", ".tsv"} else _from_json_lines(path)


def _from_json_lines(path: Path) -> Iterator[tuple[int, Row | Invalid]]:
    with jsonl.opened(path) as file:
        for line in jsonl.lines(file):
            try:
                yield line.number, Row(line.number, _object(line.raw))
            except Invalid as refused:
                yield line.number, refused


def _object(raw: bytes) -> dict[str, Any]:
    body = json_body.parse(raw.removeprefix(b"\xef\xbb\xbf"))
    if not isinstance(body, dict):
        raise Invalid("it is not an object", places=[Place("line", "it is not a JSON object", "write {…}")])
    return body


def _from_csv(path: Path) -> Iterator[tuple[int, Row | Invalid]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv_text.rows(file, "\t" if path.suffix.lower() == ".tsv" else ",")
            _, header = next(rows, (0, list[str]()))
            if csv_text.twice(header) is not None:
                raise Invalid(
                    f"{path} has two columns of one name", places=[_place("header", "give each its own name")]
                )
            for number, cells in rows:
                yield number, _row(number, header, cells)
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{path} is no CSV in UTF-8: {error}", places=[_place("file", "save it as UTF-8")]) from None


def _row(number: int, header: Sequence[str], cells: Sequence[str]) -> Row | Invalid:
    if len(cells) != len(header):
        return _bad("line", f"it has {len(cells)} cells, the header {len(header)}", "quote cells that hold a comma")
    return Row(number, dict(zip(header, cells, strict=True)))


def _require(path: Path, seen: set[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in seen]
    if missing:
        has = ", ".join(sorted(seen)) or "none"
        places = [_place(f"column {column}", f"name another column; there are: {has}") for column in missing]
        raise Invalid(f"{path} has no column {' and no column '.join(missing)}", places=places)


def _place(where: str, mend: str) -> Place:
    return Place(where, "it cannot be used", mend)


def _bad(column: str, problem: str, mend: str) -> Invalid:
    return Invalid(f"{column}: {problem}", places=[Place(column, problem, mend)])
