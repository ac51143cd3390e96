"""
Label Studio's export (JSON): what annotators said of tasks, as human outputs.

A task is a case, and its annotation what a person did for it: the output has a field for each control of the labelling
page. One value of a control stands for itself, several are a list; a list in the agent's output schema makes it one in
any case. Where annotators differ there is no one answer, and nobody picks one here: the task is told and kept aside.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import BaseModel

from cli import jsonl
from cli.recorded.fields import Fields, put
from cli.recorded.files import Found
from kit.errors import Invalid, Place
from kit.json_patch import equal

_PIECE = 256 * 1024
_BETWEEN = " \t\r\n,[]"

_VALUE_IN = {"choices": "choices", "taxonomy": "taxonomy", "textarea": "text", "rating": "rating",
             "number": "number", "datetime": "datetime", "pairwise": "selected"}  # fmt: skip
"""By the type of a result, where its value has what was said. Other types mark regions, which are values themselves."""


class _Result(BaseModel):
    from_name: str = ""
    type: str
    value: dict[str, Any] = {}


class _Annotation(BaseModel):
    completed_by: int | str | dict[str, Any] | None = None
    result: list[_Result]
    was_cancelled: bool = False
    ground_truth: bool = False
    created_at: str | None = None

    @property
    def annotator(self) -> str | None:
        who = self.completed_by
        if isinstance(who, dict):
            who = who.get("email") or who.get("id")
        return f"annotator {who}" if isinstance(who, int) else who


class _Task(BaseModel):
    id: int | str | None = None
    data: dict[str, Any]
    annotations: list[_Annotation]


def from_label_studio(path: Path, fields: Fields) -> Iterator[Found]:
    """Every task of the list, or of the lines; one that nobody annotated has nothing in it."""
    with jsonl.opened(path) as file:
        for n, (line, raw) in enumerate(_tasks(path, file), start=1):
            name = f"task no. {n}"
            try:
                task = _task(raw)
                name = f"task {task.id}" if task.id is not None else name
                body = _body(task, fields)
            except Invalid as refused:
                yield Found(line, raw, _of(name, refused))
                continue
            yield Found(line, orjson.dumps(body) if body is not None else b"")


def _of(task: str, refused: Invalid) -> Invalid:
    """Named by the task: these files often have but one line."""
    places = [Place(f"{task}, {place.place}", place.problem, place.mend) for place in refused.places]
    return Invalid(f"{task}: {refused.detail}", places=places)


def _tasks(path: Path, file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """One after the other out of a list that may be longer than the memory, each with the line it begins on."""
    decoder, line, rest, piece = json.JSONDecoder(), 1, "", _PIECE
    try:
        with TextIOWrapper(file, encoding="utf-8-sig") as text:
            while True:
                begins = rest.lstrip(_BETWEEN)
                line += rest[: len(rest) - len(begins)].count("\n")
                rest = begins
                try:
                    end = decoder.raw_decode(rest)[1]
                except json.JSONDecodeError as error:
                    more = text.read(piece)
                    if not more and not rest:
                        return
                    if not more or len(rest) > jsonl.LONGEST:
                        raise _no_export(path, line, f"the task that begins there is no JSON: {error.msg}") from None
                    rest, piece = rest + more, min(piece * 2, jsonl.LONGEST)
                    continue
                # In JSON a line break stands between things only, so a task without them is the same on one line.
                yield line, rest[:end].replace("\r", " ").replace("\n", " ").encode()
                line += rest[:end].count("\n")
                rest, piece = rest[end:], _PIECE
    except (UnicodeDecodeError, EOFError, RecursionError) as error:
        raise _no_export(path, line, f"it cannot be read: {error}") from None


def _no_export(path: Path, line: int, words: str) -> Invalid:
    place = Place(f"line {line}", words, "export the project as JSON, and leave the file as it is")
    return Invalid(f"{path} is no export of Label Studio", places=[place])


def _task(raw: bytes) -> _Task:
    """The short form of the export has no annotations in it; whoever took it is told which one to take."""
    try:
        return jsonl.parse(raw, _Task)
    except Invalid as refused:
        if all(place.place != "annotations" for place in refused.places):
            raise
    raise _wrong("annotations", "there are none", "export as JSON, not as JSON-MIN")


def _body(task: _Task, fields: Fields) -> dict[str, Any] | None:
    done = [one for one in task.annotations if not one.was_cancelled]
    done = [one for one in done if one.ground_truth] or done
    if not done:
        return None
    bodies = [_one(task, annotation, fields) for annotation in done]
    if not all(equal(one["output"], bodies[0]["output"]) for one in bodies):
        words = f"{len(bodies)} annotations differ"
        raise _wrong("annotations", words, "mark one as ground truth, or take the others out")
    return bodies[0]


def _one(task: _Task, annotation: _Annotation, fields: Fields) -> dict[str, Any]:
    said = _said(annotation.result)
    values = {f"data.{key}": value for key, value in task.data.items()}
    values |= {"annotator": annotation.annotator, "created_at": annotation.created_at}
    body: dict[str, Any] = {}
    for source, name in _sources(said, fields):
        field = fields.field(name)
        wanted = fields.wanted(field.path)
        if source in said:
            value = _list_or_one(said[source], wanted)
        elif source in values:
            value = values[source]
        elif field.path[0] == "output" and _nothing_is_a_list(annotation, wanted):
            value = []
        else:
            has = ", ".join(sorted({*said, *values}))
            raise _wrong(source, "the task has no such value", f"there are: {has}")
        if value is not None:
            as_text = field.name == "case_id" and isinstance(value, int) and not isinstance(value, bool)
            put(body, field.path, str(value) if as_text else value)
    if "output" not in body:
        mend = "take the task out; where nothing is an answer, name its control: --column output=CONTROL"
        raise _wrong("annotations", "nothing was said in them", mend)
    return body


def _nothing_is_a_list(annotation: _Annotation, wanted: frozenset[str]) -> bool:
    """
    Whether a control that says nothing says that there is nothing: of spans and boxes this is an answer. The output
    schema knows; where there is none, who sent in an annotation without a single result said so of all of it.
    """
    return "array" in wanted or (not wanted and not annotation.result)


def _sources(said: Mapping[str, Any], fields: Fields) -> list[tuple[str, str]]:
    """Which value becomes which field: as somebody named them, and the usual ones for the rest."""
    named = [(source, name) for source, names in fields.given.items() for name in names]
    usual = [("data.case_id", "case_id"), ("annotator", "person"), ("created_at", "occurred_at")]
    usual += [(control, f"output.{control}") for control in said]
    return named + [(source, name) for source, name in usual if name.split(".")[0] not in fields.taken]


def _said(results: Sequence[_Result]) -> dict[str, tuple[list[Any], bool]]:
    """By control: all values, and whether they are regions, of which there may always be more."""
    found: dict[str, tuple[list[Any], bool]] = {}
    for result in results:
        if not result.from_name:
            raise _wrong("annotations", f"a {result.type[:40]!r} belongs to no control", "export without relations")
        key = _VALUE_IN.get(result.type)
        is_region = key is None or set(result.value) != {key}
        value = result.value if is_region else result.value[str(key)]
        values = value if isinstance(value, list) else [value]
        before, marked = found.get(result.from_name, ([], False))
        found[result.from_name] = ([*before, *values], marked or is_region)
    return found


def _list_or_one(said: tuple[list[Any], bool], wanted: frozenset[str]) -> Any:
    values, are_regions = said
    return values[0] if len(values) == 1 and not are_regions and "array" not in wanted else values


def _wrong(place: str, problem: str, mend: str) -> Invalid:
    return Invalid(f"{place}: {problem}", places=[Place(place, problem, mend)])
