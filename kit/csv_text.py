"""
One way to write JSON values into CSV and to read them back.

A column whose name ends with `:json` holds JSON texts; every other one holds text as it is. A spreadsheet would take a
text that begins with `=` for a formula and run it, so such a text gets an apostrophe in front, as spreadsheets do
themselves to mark a text; it is taken off again when it is read.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import IO, Any

import orjson

JSON_COLUMN = ":json"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
LONGEST_CELL = 4 * 1024 * 1024  # characters; as long as a request's body may be


def line(cells: Iterable[Any]) -> bytes:
    """One row, each cell by its kind: nothing, text, number, truth, time, or JSON as `json_cell` gives it."""
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([_cell(value) for value in cells])
    return text.getvalue().encode()


class JsonCell(str):
    """A JSON text on its way into a cell: it is data already, so nothing is put in front of it."""

    __slots__ = ()


def json_cell(value: Any) -> JsonCell:
    return JsonCell(orjson.dumps(value).decode())


def _cell(value: Any) -> Any:
    match value:
        case None:
            return ""
        case JsonCell():
            return str(value)
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def plain(cell: str) -> str:
    """A text as it was before it was written into a cell."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA) else cell


def rows(file: IO[str], delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with the line it begins on; raises csv.Error where the file is no CSV."""
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(file, delimiter=delimiter)
    begins = 1
    for cells in reader:
        if cells:
            yield begins, cells
        begins = reader.line_num + 1


def twice(header: Sequence[str]) -> str | None:
    """A name that two columns have."""
    return next((name for n, name in enumerate(header) if name in header[:n]), None)
