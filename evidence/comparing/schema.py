"""Whether an output fits the JSON Schema that the agent promised."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

from evidence.comparing.paths import DEEPEST, pointer, too_deep

_LONGEST_WORDS = 300
_ANYWHERE = ""


class OutputSchemaError(ValueError):
    """The schema itself is wrong; `place` is a JSON pointer into it."""

    def __init__(self, place: str, words: str) -> None:
        super().__init__(f"{place}: {words}" if place else words)
        self.place = place
        self.words = words


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    path: str
    words: str

    def to_dict(self) -> dict[str, str]:
        return {"path": self.path, "words": self.words}


class OutputSchema:
    """Compiled once, used for every output; fetches nothing from anywhere."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Any) -> None:
        if not isinstance(schema, dict | bool):
            raise OutputSchemaError(_ANYWHERE, "a JSON Schema is an object, or true or false")
        if too_deep(schema):
            raise OutputSchemaError(_ANYWHERE, f"nests deeper than {DEEPEST} levels")
        try:
            self._validator = jsonschema_rs.validator_for(schema, offline=True)
        except jsonschema_rs.ValidationError as error:
            raise OutputSchemaError(pointer(error.instance_path), _cut(error.message)) from None
        except (ValueError, UnicodeError) as error:
            raise OutputSchemaError(_ANYWHERE, _cut(str(error))) from None

    def fits(self, output: Any) -> bool:
        return not self.problems(output, most=1)

    def problems(self, output: Any, most: int = 5) -> tuple[SchemaProblem, ...]:
        """The first few reasons why the output does not fit; none when it does."""
        # The validator recurses on the C stack: 100,000 levels end the process, so they never get there.
        if too_deep(output):
            return (SchemaProblem(_ANYWHERE, f"nests deeper than {DEEPEST} levels"),)
        try:
            if self._validator.is_valid(output):
                return ()
            return tuple(islice(self._found(output), most))
        except (ValueError, UnicodeError) as error:  # lone surrogates, numbers beyond JSON, keys that are no text
            return (SchemaProblem(_ANYWHERE, f"is not JSON: {_cut(str(error))}"),)

    def _found(self, output: Any) -> Iterator[SchemaProblem]:
        for error in self._validator.iter_errors(output):
            yield SchemaProblem(pointer(error.instance_path), _cut(error.message))


def _cut(words: str) -> str:
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
