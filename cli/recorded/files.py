"""Reads a recorded file by its form, record by record: what cannot be understood is told by its line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import orjson

from cli import jsonl
from cli.recorded.fields import Field, Fields, put
from kit import csv_text
from kit.errors import Invalid, Place


class Form(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"
    LABEL_STUDIO = "label-studio"


@dataclass(frozen=True, slots=True)
class Found:
    """
    One record, by the line it begins on: what goes over the wire as a line of JSON. Where something is `wrong`, `raw`
    is what is kept aside of it; where nobody has answered it yet, there is nothing in it.
    """

    number: int
    raw: bytes
    wrong: Invalid | None = None


def form_of(path: Path) -> Form:
    """By the name; .gz says nothing about what is inside."""
    named = path.with_suffix("") if path.suffix == ".gz" else path
    return {".csv": Form.CSV, ".tsv": Form.CSV, ".json": Form.LABEL_STUDIO}.get(named.suffix.lower(), Form.JSONL)


def from_json_lines(path: Path) -> Iterator[Found]:
    with jsonl.opened(path) as file:
        for line in jsonl.lines(file):
            yield Found(line.number, line.raw)


def from_csv(path: Path, fields: Fields) -> Iterator[Found]:
    """Raises Invalid where the header says nothing to us."""
    named = path.with_suffix("") if path.suffix == ".gz" else path
    try:
        with jsonl.opened(path) as file, TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
            rows = csv_text.rows(text, "\t" if named.suffix.lower() == ".tsv" else ",")
            _, header = next(rows, (0, list[str]()))
            plan = _plan(header, fields)
            for number, cells in rows:
                yield _row(number, header, cells, plan)
    except (UnicodeDecodeError, csv.Error, EOFError) as error:
        raise Invalid(f"{path} is no CSV in UTF-8: {error}",
                      places=[Place("file", "it cannot be read", "save it as CSV in UTF-8")]) from None  # fmt: skip


def _plan(header: Sequence[str], fields: Fields) -> list[tuple[int, Field]]:
    if (twice := csv_text.twice(header)) is not None:
        words = f"two columns are called {twice!r}"
        raise Invalid(words, places=[Place("header", words, "give each its own name")])
    if (missing := fields.missing_in(header)) is not None:
        raise missing
    return [(place, field) for place, column in enumerate(header) for field in fields.of(column)]


def _row(number: int, header: Sequence[str], cells: Sequence[str], plan: Sequence[tuple[int, Field]]) -> Found:
    try:
        body = _body(header, cells, plan)
    except Invalid as refused:
        return Found(number, orjson.dumps(dict(zip(header, cells, strict=False))), refused)
    return Found(number, orjson.dumps(body))


def _body(header: Sequence[str], cells: Sequence[str], plan: Sequence[tuple[int, Field]]) -> dict[str, Any]:
    """An empty cell is a field that was not given."""
    if len(cells) != len(header):
        words = f"it has {len(cells)} cells, the header {len(header)}"
        raise Invalid(words, places=[Place("row", words, "quote cells that hold a comma")])
    body: dict[str, Any] = {}
    for place, field in plan:
        if cells[place].strip():
            put(body, field.path, field.read(cells[place]))
    return body
