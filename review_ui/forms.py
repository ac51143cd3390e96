"""
The output of an agent as a form, and a form back as an output.

Only fields that a person changed are read; everything else stays exactly as the agent said it, to the last
digit. The agent's JSON Schema says what a field may be; where it has none, the present value does.
"""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from evidence.comparing.paths import parse_path, pointer
from kit.errors import Invalid, Place
from kit.json_body import parse
from review_ui.numbers import plainly
from review_ui.pages import Posted
from review_ui.shown import LONG, MISSING, Shown, at_path, named_fields, plain, pretty, show
from rollout.agents.schemas import FieldView

PREFIX = "out:"
YES_NO = (("true", "yes"), ("false", "no"))


@dataclass(frozen=True, slots=True)
class OutField:
    """One row of the output: what the agent said (`value`, as written in the control) and what stands there now."""

    path: str
    label: str
    control: str  # text number select area json none
    value: str
    draft: str
    shown: Shown
    options: tuple[tuple[str, str], ...] = ()
    error: str = ""
    optional: bool = False
    """Emptied, it is left out: the agent's schema does not ask for it."""

    @property
    def name(self) -> str:
        return PREFIX + self.path

    @property
    def changed(self) -> bool:
        return self.draft != self.value


def out_fields(output: Any, named: Sequence[FieldView], schema: Any) -> list[OutField]:
    """The rows of an output: as the agent's settings name them, then the others in the order the database keeps."""
    views = named_fields(_with_known(output, schema), named, "Output")
    return [
        _field(output, view, schema_at(schema, view.path), optional=_optional(output, schema, view)) for view in views
    ]


def with_draft(fields: list[OutField], form: Posted, errors: dict[str, str]) -> list[OutField]:
    """The same rows with what a person typed, and what is wrong with it beside it."""
    made = []
    for one in fields:
        draft = form.text(one.name) if form.has(one.name) else one.draft
        error = errors.get(one.path, "")
        if error and not draft.strip():
            error = "It is empty, and the agent's schema asks for a value here."
        made.append(replace(one, draft=draft, error=error))
    return made


def read_output(output: Any, fields: Sequence[OutField], form: Posted) -> Any:
    """The output as the form has it; raises Invalid with the place of every field that cannot be read."""
    changed = [one for one in fields if form.has(one.name) and form.text(one.name) != one.value]
    result = copy.deepcopy(output)
    wrong = []
    for one in changed:
        text = form.text(one.name)
        if one.optional and not text.strip():
            result = _without(result, one.path)
            continue
        try:
            value = read_field(one, text)
        except ValueError as error:
            wrong.append(Place(one.path, str(error), ""))
            continue
        result = _put(result, one.path, value)
    if wrong:
        raise Invalid("the edit cannot be read", places=wrong)
    return result


def field_errors(problem: Invalid, fields: Sequence[OutField]) -> dict[str, str]:
    """Each complaint at the row it belongs to: the row of the same path, or of the nearest path above."""
    found: dict[str, str] = {}
    paths = sorted((one.path for one in fields), key=len, reverse=True)
    for place in problem.places:
        path = place.place.removeprefix("output")
        home = next((p for p in paths if p == path or not p or path.startswith(f"{p}/")), None)
        words = f"{place.problem} {place.mend}".strip()
        if home is not None:
            found[home] = f"{found[home]}; {words}" if home in found else words
    return found


def _with_known(output: Any, schema: Any) -> Any:
    """A required or described field that the agent left out gets a row too, so that a person can add it."""
    known = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(output, dict) or not isinstance(known, dict):
        return output
    return output | {key: None for key in known if key not in output}


def schema_at(schema: Any, path: str) -> dict[str, Any]:
    for part in parse_path(path):
        if not isinstance(schema, dict):
            return {}
        inner = schema.get("properties")
        if isinstance(inner, dict) and part in inner:
            schema = inner[part]
        else:
            schema = schema.get("items") if part.isdecimal() else None
    return schema if isinstance(schema, dict) else {}


def _optional(output: Any, schema: Any, view: FieldView) -> bool:
    """Whether the output may do without it; where there is no schema nobody knows."""
    if not view.path:
        return False
    *above, last = parse_path(view.path)
    place = pointer(tuple(above))
    asked = schema_at(schema, place)
    return bool(asked) and isinstance(at_path(output, place), dict) and last not in asked.get("required", ())


def _types(schema: dict[str, Any], value: Any) -> set[str]:
    said = schema.get("type")
    types = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
    if not types and value is not MISSING and value is not None:
        types = {_type_of(value)}
    return types


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _field(output: Any, view: FieldView, schema: dict[str, Any], *, optional: bool) -> OutField:
    found = at_path(output, view.path)
    written = "" if found is MISSING or found is None else found if isinstance(found, str) else plain(found)
    shown = show(output, view)
    control, options = _control(view, schema, found, shown)
    if control == "json":
        written = "" if found is MISSING else pretty(found)
    if control == "select":
        written = "" if found is MISSING or json.dumps(found) not in dict(options) else json.dumps(found)
        if optional or not written:  # without an empty one a browser shows, and sends, the first choice
            options = (("", "–"), *options)
    written = written.replace("\r\n", "\n").replace("\r", "\n")
    return OutField(view.path, view.label, control, written, written, shown, options, optional=optional)


def _control(
    view: FieldView, schema: dict[str, Any], found: Any, shown: Shown
) -> tuple[str, tuple[tuple[str, str], ...]]:
    types = _types(schema, found)
    choices = schema.get("enum")
    if shown.kind == "image":
        return "none", ()
    if isinstance(choices, list) and choices and len(choices) <= 100:  # noqa: PLR2004 - a longer list is typed
        there = [json.dumps(one) for one in choices]  # in words: to Python 2.0 is 2 and true is 1
        said = [] if found is MISSING or json.dumps(found) in there else [found]
        return "select", tuple((json.dumps(one), plain(one)) for one in [*said, *choices])
    if "boolean" in types and (found is MISSING or found is None or isinstance(found, bool)):
        return "select", YES_NO
    if isinstance(found, (dict, list)) or (found is MISSING and types & {"object", "array"}):
        return "json", ()
    if types & {"number", "integer"}:
        return "number", ()
    long = isinstance(found, str) and (len(found) > LONG or "\n" in found)
    return ("area" if view.show == "longtext" or long else "text"), ()


def read_field(field: OutField, text: str) -> Any:
    """What a person typed, as a value."""
    if field.control == "json":
        return _read_json(text)
    if field.control == "number":
        return _read_number(text)
    if field.control == "select":
        if text not in {value for value, _ in field.options}:
            raise ValueError("It is not one of the choices. Choose one from the list.")
        return json.loads(text) if text else None
    return text


def _read_json(text: str) -> Any:
    try:
        return parse(text.encode())
    except Invalid as error:
        raise ValueError(f"It is not valid JSON: {error.detail}.") from None


_EITHER = re.compile(r"-?[1-9]\d{0,2},\d{3}")


def _read_number(text: str) -> Any:
    """Many keyboards of phones have a comma and no point; one that may be either is asked about."""
    cleaned = text.strip().replace("\u2212", "-")
    if not cleaned:
        return None
    if _EITHER.fullmatch(cleaned):
        whole, fraction = cleaned.replace(",", ""), cleaned.replace(",", ".").rstrip("0").rstrip(".")
        raise ValueError(f"It may mean {whole} or {fraction}. Write which.")
    cleaned = plainly(cleaned) or cleaned
    try:
        number = json.loads(cleaned)
    except ValueError:
        number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) <= 1e300:  # noqa: PLR2004
        raise ValueError("It is not a number. Write 12480.24 or 12,480.24.")
    return number


def _without(result: Any, path: str) -> Any:
    *above, last = parse_path(path)
    home = at_path(result, pointer(tuple(above)))
    if isinstance(home, dict):
        home.pop(last, None)
    return result


def _put(result: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    *above, last = parse_path(path)
    home = at_path(result, pointer(tuple(above)))
    if isinstance(home, dict):
        home[last] = value
    elif isinstance(home, list) and last.isdecimal() and int(last) < len(home):
        home[int(last)] = value
    return result
