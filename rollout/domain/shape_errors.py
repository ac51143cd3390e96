"""What is wrong with the shape of a plan, in words for its author instead of the validator's."""

import json
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rollout.domain.gate_rules import Flaw
from rollout.domain.plan import Plan
from rollout.domain.yaml_tree import Path, words_of

_EXPECTED = {
    "string_type": ("text", "put it in quotes"),
    "int_type": ("a whole number", "write a number such as 14"),
    "int_from_float": ("a whole number", "write a number such as 14"),
    "float_type": ("a number", "write a number such as 0.05, without quotes and without %"),
    "finite_number": ("a number that is not infinite", "write a number such as 0.05"),
    "tuple_type": ("a list", "begin each item with a dash, or write [a, b]"),
    "model_type": ("a group of fields", "write the fields below it, indented"),
    "model_attributes_type": ("a group of fields", "write the fields below it, indented"),
    "dict_type": ("a group of fields", "write the fields below it, indented"),
}

_MENDS = {
    "owner": "remove the line: the named owner always signs",
    "segments": "write each, or a list of segment names",
    "settle_days": "write 0 to 180: with more, no gate could pass in the first half year",
    "evidence_valid_days": "write 1 to 30 days",
    "stale_after_days": "write 1 to 365 days",
    "look_every": "write hours from 0.01 to 168: a rollout is looked at once a week at least",
    "minimum_days": "write whole days from 0 to 365",
    "ramp_minimum_days": "write whole days from 0 to 365",
    "weekly_days": "write whole days from 0 to 3650",
    "from": 'write a time such as "09:00"',
    "to": 'write a time such as "17:00"',
    "agent": "write the agent's name: small letters, digits, dots, dashes",
    "key": "write a short name: small letters, digits, dots, dashes",
    "suite": "write a short name: small letters, digits, dots, dashes",
}


def shape_flaws(error: ValidationError, data: Any) -> list[Flaw]:
    """One flaw for every wrong place, in words."""
    flaws: dict[Path, Flaw] = {}
    for details in error.errors(include_url=False):
        path = _really_there(details["loc"], data)
        if details["type"] == "missing":
            flaws[*path, "…missing", str(details["loc"][-1])] = _missing(path, str(details["loc"][-1]))
        else:
            flaws.setdefault(path, _flaw(path, details))
    return list(flaws.values())


def _really_there(loc: Path, data: Any) -> Path:
    """The part of the validator's path that is in the file; it adds the names of alternatives."""
    path: Path = ()
    for part in loc:
        inside = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if not inside:
            break
        data, path = data[part], (*path, part)
    return path


def _missing(path: Path, field: str) -> Flaw:
    return Flaw(path, f"{field} is missing", _MENDS.get(field) or f"add {field}: here")


def _flaw(path: Path, details: ErrorDetails) -> Flaw:
    name = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
    if details["type"] == "extra_forbidden":
        return _unknown_field(path, name)
    if not path:
        return Flaw(path, "this is not a plan: it has no fields", "begin with agent: and phases:")
    expected, mend = _EXPECTED.get(details["type"], ("", ""))
    if name == "segments":
        expected = "each or a list"
    shown = f"{name} is {_shown(details['input'])}"
    problem = f"{shown}, and {expected} is expected" if expected else f"{shown}: {_said(details)}"
    return Flaw(path, problem, _MENDS.get(name) or mend or "correct the value")


def _said(details: ErrorDetails) -> str:
    """The validator's own words for limits are good enough."""
    context = details.get("ctx", {})
    if "expected" in context:
        choices = str(context["expected"]).replace("True", "true")
        return f"it must be {choices}"
    if "pattern" in context:
        return "that is not how one is written"
    return details["msg"].replace("Input ", "it ").replace("String ", "it ")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a group of fields" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False) if value is not None else "empty"
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004 - what one line holds


def _unknown_field(path: Path, name: str) -> Flaw:
    fields = _fields_at(path[:-1])
    near = get_close_matches(name, fields, n=1)
    mend = f"did you mean {near[0]}?" if near else f"remove it; known here: {', '.join(fields)}"
    return Flaw(path, f'there is no field "{name}" in {words_of(path[:-1]) or "a plan"}', mend)


def _fields_at(path: Path) -> list[str]:
    """The fields that may stand at a path, by walking down the models' annotations."""
    model: type[BaseModel] = Plan
    for part in path:
        if isinstance(part, str):
            by_key = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(by_key[part].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel]:
    """The model itself, or that of the items of a tuple, or the one of what may also be left out."""
    item = get_args(annotation)[0] if get_origin(annotation) in {tuple, UnionType, Union} else annotation
    assert isinstance(item, type)
    assert issubclass(item, BaseModel)
    return item
