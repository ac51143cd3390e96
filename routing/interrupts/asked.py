"""
What the case of an interrupt keeps of it, and which rulings its graph takes. No I/O.

The desk offers these alone, and a ruling that the graph would not be told as it was given is refused. A rejection is
always taken: a person may say no to any graph, and one that knows no such answer stays where it stopped.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from evidence.comparing.schema import OutputSchema, OutputSchemaError
from kit.errors import Invalid, Place
from routing.cases.tables import Decision
from routing.domain.decide import INTERRUPT
from routing.interrupts.dialects import Word
from routing.interrupts.schemas import Asked

RESPOND = "respond"
"""An output of this one field is what a person answers in the tool's place."""

_WORDS: dict[Word, tuple[str, str]] = {
    "approve": ("an approval", "approve it"),
    "edit": ("edited arguments", "edit its arguments"),
    "respond": ("an answer in the tool's place", "answer in the tool's place"),
    "reject": ("a rejection", "reject it"),
}
"""What it is, and what else could be done."""


def case_id_of(interrupt: str, place: int) -> str:
    return f"{INTERRUPT}{interrupt}:{place}"


def asked_of(row: Decision) -> Asked | None:
    """None of a case that did not come by an interrupt, whatever it looks like: anybody may name a case so."""
    if not row.case_id.startswith(INTERRUPT):
        return None
    try:
        asked = Asked.model_validate(row.input["interrupt"], strict=False)
        name, args = row.output["name"], row.output["args"]
        if asked.args_schema is not None:
            OutputSchema(asked.args_schema)
    except (ValidationError, KeyError, TypeError, OutputSchemaError):
        return None
    is_call = isinstance(name, str) and isinstance(args, Mapping)
    return asked if is_call and row.case_id == case_id_of(asked.id, asked.place) else None


def takes(asked: Asked, word: Word) -> bool:
    """Whether the graph can be told this. An approval can be told as an edit that changes nothing."""
    return word in asked.allowed or (word == "approve" and "edit" in asked.allowed)


def response_in(output: Any) -> str | None:
    """What a person answers in the tool's place, where an edited output is such an answer."""
    said = output.get(RESPOND) if isinstance(output, Mapping) else None
    return said if isinstance(said, str) else None


def check(asked: Asked, row: Decision, ruling: str, output: Any) -> None:
    """Raises Invalid where the graph does not take what a reviewer says of one of its actions."""
    if ruling == "approve":
        _require(asked, "approve")
    if ruling != "edit":
        return
    if response_in(output) is not None:
        _require(asked, "respond")
        return
    _require(asked, "edit")
    name = row.output["name"]
    if not isinstance(output, Mapping) or output.get("name") != name or not isinstance(output.get("args"), Mapping):
        place = Place("output", f"it is no call of {name!r}", "send its name as it is, and its args as an object")
        raise Invalid(f"the edited output is no call of {name!r}", places=[place])
    places = _problems(asked, output["args"])
    if places:
        raise Invalid("the edited arguments do not fit the schema of the tool", places=places)


def _require(asked: Asked, word: Word) -> None:
    if takes(asked, word):
        return
    what = _WORDS[word][0]
    mend = " or ".join(words for other, (_, words) in _WORDS.items() if other == "reject" or takes(asked, other))
    place = Place("ruling", f"the graph does not take {what}", mend)
    raise Invalid(f"the graph does not take {what} of this action: {mend}", places=[place])


def _problems(asked: Asked, args: Any) -> list[Place]:
    if asked.args_schema is None:
        return []
    schema = OutputSchema(asked.args_schema)
    return [Place(f"output/args{found.path}", found.words, "") for found in schema.problems(args)]
