"""
Which column becomes which field, and how its cells are read.

A field is named by its path, as in `output.total`. Its cells are text, unless the field is a number of ours, the
agent's output schema has something else there, or the name ends with `:json`: then they are JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kit import json_body
from kit.csv_text import JSON_COLUMN, plain
from kit.errors import Invalid, Place

_JSON_FIELDS = frozenset({"confidence", "amount", "attempt", "handed_over"})
_SHOWN = 40  # characters of a cell that is told


@dataclass(frozen=True, slots=True)
class Field:
    """A place in what is sent, and whether what comes from a file is JSON."""

    path: tuple[str, ...]
    is_json: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def read(self, cell: str) -> Any:
        if not self.is_json:
            return plain(cell)
        try:
            return json_body.parse(cell.encode())
        except Invalid:
            problem = f"{cell[:_SHOWN]!r} is no JSON"
            mend = "write a number as 12.5, true or false, a text in double quotes, a list in brackets"
            raise Invalid(f"{self.name}: {problem}", places=[Place(self.name, problem, mend)]) from None


@dataclass(slots=True)
class Fields:
    """
    What a file is asked for. `given` are the columns that somebody named, each with its fields; `known` the fields
    that there are; `schema` is the agent's output schema.
    """

    known: frozenset[str]
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    schema: Any = None
    columns: dict[str, str] = field(default_factory=dict)
    """Of fields whose column is called otherwise: the column, to tell what is wrong with it."""

    def field(self, text: str) -> Field:
        """Raises Invalid where there is no such field."""
        name = text.removesuffix(JSON_COLUMN)
        path = tuple(name.split("."))
        if path[0] not in self.known or not all(path):
            words = f"there is no field {name}"
            raise Invalid(words, places=[Place("--column", words, f"there are: {', '.join(sorted(self.known))}")])
        return Field(path, text != name or path[0] in _JSON_FIELDS or self._is_no_text(path))

    def of(self, column: str) -> list[Field]:
        """
        What becomes of a column. Nothing where others were named, and this one says nothing to us or is called as a
        field that was sent elsewhere.
        """
        if column in self.given:
            found = [self.field(text) for text in self.given[column]]
            self.columns |= {one.name: column for one in found if one.name != column}
            return found
        if _top(column) in self.known:
            return [] if _top(column) in self.taken else [self.field(column)]
        if self.given:
            return []
        words = f"column {column[:_SHOWN]!r} is none of our fields"
        mend = f"say --column FIELD={column[:_SHOWN]}; fields are {', '.join(sorted(self.known))}, and output.name"
        raise Invalid(words, places=[Place("header", words, mend)])

    @property
    def taken(self) -> frozenset[str]:
        """The fields of which somebody said where they stand."""
        return frozenset(_top(name) for names in self.given.values() for name in names)

    def missing_in(self, columns: Sequence[str]) -> Invalid | None:
        """Columns that were named and are not there."""
        missing = [column for column in self.given if column not in columns]
        if not missing:
            return None
        has = ", ".join(columns) or "none"
        places = [Place(f"column {column}", "it is not there", f"there are: {has}") for column in missing]
        return Invalid(f"there is no column {', '.join(missing)}", places=places)

    def told(self, refused: Invalid) -> Invalid:
        """The same with the names that the columns have in the file."""
        places = [
            Place(f"{p.place} (column {self.columns[p.place]})" if p.place in self.columns else p.place,
                  p.problem, p.mend)
            for p in refused.places
        ]  # fmt: skip
        return Invalid(refused.detail, places=places)

    def _is_no_text(self, path: tuple[str, ...]) -> bool:
        found = self.wanted(path)
        return bool(found) and "string" not in found

    def wanted(self, path: tuple[str, ...]) -> frozenset[str]:
        """The JSON types that the output schema has at a place; nothing where it does not say."""
        here = self.schema if path[0] == "output" else None
        for key in path[1:]:
            inner = here.get("properties") if isinstance(here, dict) else None
            here = inner.get(key) if isinstance(inner, dict) else None
        said = here.get("type") if isinstance(here, dict) else None
        return frozenset([said] if isinstance(said, str) else said or ())


def _top(name: str) -> str:
    return name.removesuffix(JSON_COLUMN).split(".")[0]


def put(body: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Raises Invalid where two columns want the same place."""
    here = body
    for key in path[:-1]:
        here = here.setdefault(key, {})
        if not isinstance(here, dict):
            raise _taken(path)
    if path[-1] in here:
        raise _taken(path)
    here[path[-1]] = value


def _taken(path: Sequence[str]) -> Invalid:
    name = ".".join(path)
    words = "two columns are for this place"
    return Invalid(f"{name}: {words}", places=[Place(name, words, "leave one of them out")])


def pairs(columns: Sequence[str]) -> dict[str, list[str]]:
    """`FIELD=COLUMN` options as columns with their fields."""
    found: dict[str, list[str]] = {}
    for pair in columns:
        name, is_pair, column = pair.partition("=")
        if not (name and is_pair and column):
            words = f"{pair!r} is not FIELD=COLUMN"
            raise Invalid(words, places=[Place("--column", words, "write it as in --column case_id=invoice_no")])
        found.setdefault(column, []).append(name)
    return found
