"""
The form in which a reviewer answers before the output is shown, and what they said beside what the agent said.

Which fields there are is told by the agent's schema and the fields it names, never by the output: which keys it has,
or what it says in them, must not be read off the form. Where the schema is silent, only the kind of a value is told.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evidence.comparing import Comparison
from evidence.comparing.paths import parse_path, pointer
from kit.errors import Invalid, Place
from review_ui.forms import YES_NO, OutField, read_field, schema_at
from review_ui.pages import Posted
from review_ui.shown import MISSING, Shown, at_path, label_of, named_fields, plain
from rollout.agents.schemas import AgentSettings, FieldView

_MOST_CHOICES = 100


@dataclass(frozen=True, slots=True)
class Beside:
    """One field of the two answers."""

    label: str
    mine: str
    agent: str
    equal: bool


def blank_fields(output: Any, settings: AgentSettings) -> list[OutField]:
    """The rows to fill in, empty."""
    views = _views(settings) or [FieldView(path="", label="Your answer")]
    return [
        _blank(view, schema_at(settings.output_schema, view.path) or _kind_of(at_path(output, view.path)))
        for view in views
    ]


def read_answer(fields: Sequence[OutField], form: Posted) -> Any:
    """What was typed, as an output; what was left empty is left out."""
    wrong: list[Place] = []
    filled: list[tuple[str, Any]] = []
    for one in fields:
        text = form.text(one.name)
        if not text.strip():
            continue
        try:
            filled.append((one.path, read_field(one, text)))
        except ValueError as error:
            wrong.append(Place(one.path, str(error), ""))
    if wrong:
        raise Invalid("the answer cannot be read", places=wrong)
    if not filled:
        raise Invalid("write your answer first", places=[Place(fields[0].path, "It is empty.", "Write your answer.")])
    return _whole(filled)


def beside(mine: Any, output: Any, settings: AgentSettings, found: Comparison) -> list[Beside]:
    """Field by field, by the agent's own comparison."""
    views = named_fields(output if isinstance(output, dict) else mine, settings.fields.output, "Answer")
    rows = []
    for view in views:
        differs = any(one.path == view.path or _inside(one.path, view.path) for one in found.differences)
        rows.append(Beside(view.label, _words(mine, view.path), _words(output, view.path), not differs))
    return rows


def _inside(path: str, outer: str) -> bool:
    return not outer or path.startswith(f"{outer}/") or not path or outer.startswith(f"{path}/")


def _words(value: Any, path: str) -> str:
    found = at_path(value, path)
    return "–" if found is MISSING or found is None else plain(found)


def _views(settings: AgentSettings) -> list[FieldView]:
    """One for each top-level field: those that the agent names, in its order, then the others of its schema."""
    schema = settings.output_schema
    known = schema.get("properties") if isinstance(schema, dict) else None
    found: dict[str, FieldView] = {}
    for view in settings.fields.output:
        if not view.path:
            return []
        key, *deeper = parse_path(view.path)
        found.setdefault(key, FieldView(path=pointer((key,)), label=label_of(key)) if deeper else view)
    for key in known if isinstance(known, dict) else ():
        found.setdefault(key, FieldView(path=pointer((key,)), label=label_of(key)))
    return list(found.values())


def _kind_of(output: Any) -> dict[str, Any]:
    if isinstance(output, bool):
        return {"type": "boolean"}
    if isinstance(output, (int, float)):
        return {"type": "number"}
    return {"type": "object" if isinstance(output, (dict, list)) else "string"}


def _blank(view: FieldView, schema: dict[str, Any]) -> OutField:
    control, options = _control(view, schema)
    empty = Shown(view.path, view.label, "missing")
    return OutField(view.path, view.label, control, "", "", empty, options)


def _control(view: FieldView, schema: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    said = schema.get("type")
    types = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
    choices = schema.get("enum")
    if isinstance(choices, list) and choices and len(choices) <= _MOST_CHOICES:
        return "select", (("", "–"), *((json.dumps(one), plain(one)) for one in choices))
    if "boolean" in types:
        return "select", (("", "–"), *YES_NO)
    if types & {"object", "array"}:
        return "json", ()
    if types & {"number", "integer"} and "string" not in types:
        return "number", ()
    return ("area" if view.show == "longtext" else "text"), ()


def _whole(filled: Sequence[tuple[str, Any]]) -> Any:
    if not filled[0][0]:
        return filled[0][1]
    return {parse_path(path)[0]: value for path, value in filled}
