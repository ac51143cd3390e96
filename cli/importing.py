"""
`phasegate import`: what people did, or recorded cases, from files into the running installation, in batches.

Whatever form a file has, it becomes the lines that the API takes; from there on there is one way for all.
"""

import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from cli import jsonl
from cli.backfilling import backfill
from cli.door import As, Door, Key, Url, through
from cli.jsonl import Line, Rejects
from cli.output import AsJson, Exit, err, good, print_json, say
from cli.recorded import files as recorded
from cli.recorded.fields import Fields, pairs
from cli.recorded.files import Form, Found
from cli.recorded.label_studio import from_label_studio
from kit.errors import Invalid, Place
from routing.cases.schemas import CaseIn, HumanOutputIn

_BATCH = 1000  # as many as the API takes at once
_TOLD = 20


class What(StrEnum):
    HUMAN_OUTPUTS = "human-outputs"
    CASES = "cases"


_MODELS: dict[What, type[BaseModel]] = {What.HUMAN_OUTPUTS: HumanOutputIn, What.CASES: CaseIn}


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", help="JSON lines, CSV, or Label Studio's JSON.", exists=True, dir_okay=False),
    ],
    agent: Annotated[str, typer.Option(help="Whose cases they are.")],
    what: Annotated[What, typer.Option(help="What the lines are.")] = What.HUMAN_OUTPUTS,
    form: Annotated[Form | None, typer.Option("--format", help="Else by the name: .csv, .json, all others.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=COLUMN", help="Where a field stands; repeat for several.")
    ] = None,
    from_line: Annotated[int, typer.Option(min=1, help="Leave out what is before this line.")] = 1,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Import human outputs (case_id, output, and if known person, occurred_at), or cases to be routed now.

    A broken line is told by its number and kept in FILE.rejected.jsonl; all others are stored. Importing a file
    twice changes nothing. Exit status 1 when a line was broken. FILE may be gzip, named .gz.

    Columns of CSV are called as the fields, as in case_id, output.total, person; name others by --column. What a person
    said in Label Studio becomes the output, by the names of the controls; say which part of a task is the case by
    --column case_id=data.NAME.

    Cases are decided by the policy as it is now, and stored now; occurred_at keeps when they happened. When the
    connection breaks, the rest is sent again, and what cannot be sent is told by its first line.

    [bold]phasegate import answers.jsonl --agent claims[/bold]
    [bold]phasegate import paid.csv --agent claims --column case_id=invoice_no --column output.total=paid[/bold]
    [bold]phasegate import project.json --agent claims --column case_id=data.invoice[/bold]
    [bold]phasegate import outputs.jsonl.gz --agent claims --what cases[/bold] (needs --url and the agent's key)
    """
    if what is What.CASES and not url:
        place = Place("--url", "cases are routed by a running service", "start one with phasegate up, then say --url")
        raise Invalid("cases need a running service", places=[place])
    results = []
    with through(url, key, login) as door:
        for path in files:
            fields = _fields(door, agent, what, _form(path, form, what), column or ())
            with Rejects(path) as rejects:
                found = (one for one in _found(path, _form(path, form, what), fields) if one.number >= from_line)
                counts = _import(door, agent, what, found, fields, rejects)
            results.append({"file": str(path), **counts, "broken": [broken.to_dict() for broken in rejects.found],
                            "broken_kept_in": str(rejects.path) if rejects.found else None})  # fmt: skip
            if not as_json:
                _show(path, counts, rejects)
    if as_json:
        print_json(results)
    if any(result["broken"] for result in results):
        raise typer.Exit(Exit.REFUSED)


def _form(path: Path, given: Form | None, what: What) -> Form:
    """Raises Invalid for what a form cannot hold."""
    form = given or recorded.form_of(path)
    if form is Form.LABEL_STUDIO and what is What.CASES:
        place = Place(
            "--what", "annotations are what people did, no cases of a version", "import them as human-outputs"
        )
        raise Invalid("Label Studio has no cases for the router", places=[place])
    return form


def _fields(door: Door, agent: str, what: What, form: Form, columns: Sequence[str]) -> Fields:
    """The agent's output schema says what of an output is no text; lines of JSON say it themselves."""
    given = pairs(columns)
    if form is Form.JSONL:
        if given:
            raise Invalid("lines of JSON have fields of their own",
                          places=[Place("--column", "it is for CSV and Label Studio", "leave it out")])  # fmt: skip
        return Fields(frozenset())
    schema = door.get("agents", agent)["settings"]["output_schema"]
    fields = Fields(frozenset(_MODELS[what].model_fields), given, schema)
    for names in given.values():
        for name in names:
            fields.field(name)
    return fields


def _found(path: Path, form: Form, fields: Fields) -> Iterator[Found]:
    if form is Form.CSV:
        return recorded.from_csv(path, fields)
    return from_label_studio(path, fields) if form is Form.LABEL_STUDIO else recorded.from_json_lines(path)


def _import(
    door: Door, agent: str, what: What, found: Iterator[Found], fields: Fields, rejects: Rejects
) -> dict[str, int]:
    counts: dict[str, int] = {}
    lines = _understood(found, fields, rejects, counts)
    if what is What.CASES:
        return _backfill(door, agent, lines, rejects)
    for batch in _batches(_good(lines, fields, rejects)):
        for status in _send_outputs(door, agent, batch):
            counts[status] = counts.get(status, 0) + 1
    return counts


def _understood(found: Iterator[Found], fields: Fields, rejects: Rejects, counts: dict[str, int]) -> Iterator[Line]:
    """What has something to send in it."""
    for one in found:
        if one.wrong is not None:
            rejects.add(one.raw, jsonl.broken(one.number, fields.told(one.wrong)))
        elif one.raw:
            yield Line(one.number, 0, one.raw)
        else:
            counts["not annotated"] = counts.get("not annotated", 0) + 1


def _backfill(door: Door, agent: str, lines: Iterator[Line], rejects: Rejects) -> dict[str, int]:
    with Progress(TextColumn("{task.completed:,} lines"), TimeElapsedColumn(), console=err, transient=True,
                  disable=not sys.stderr.isatty()) as bar:  # fmt: skip
        task = bar.add_task("cases", total=None)
        report = backfill(door, agent, lines, rejects, progress=lambda count: bar.update(task, completed=count))
    return {"stored": report.stored, "there already": report.repeated, **report.routes}


def _good(lines: Iterator[Line], fields: Fields, rejects: Rejects) -> Iterator[tuple[Line, dict[str, Any]]]:
    """The lines that are understood, as what goes over the wire."""
    for line in lines:
        try:
            body = jsonl.parse(line.raw, HumanOutputIn).model_dump(mode="json", exclude_unset=True)
        except Invalid as refused:
            rejects.add(line.raw, jsonl.broken(line.number, fields.told(refused)))
            continue
        yield line, body


def _batches(found: Iterator[tuple[Line, dict[str, Any]]]) -> Iterator[list[tuple[Line, dict[str, Any]]]]:
    """Up to a thousand lines, and not more bytes than a body may have."""
    batch: list[tuple[Line, dict[str, Any]]] = []
    size = 0
    for line, body in found:
        if batch and (len(batch) == _BATCH or size + len(line.raw) > jsonl.LONGEST // 2):
            yield batch
            batch, size = [], 0
        batch.append((line, body))
        size += len(line.raw)
    if batch:
        yield batch


def _send_outputs(door: Door, agent: str, batch: list[tuple[Line, dict[str, Any]]]) -> Iterator[str]:
    """One transaction for the batch: all of it is stored, or the command ends and says so."""
    answer = door.post("agents", agent, "human-outputs", body={"items": [body for _, body in batch]})
    for item in answer["items"]:
        yield str(item["status"])


def _show(path: Path, counts: dict[str, int], rejects: Rejects) -> None:
    said = ", ".join(f"{count:,} {status}" for status, count in counts.items()) or "nothing"
    good(f"{path}: {said}.")
    if rejects.found:
        say(f"{len(rejects.found):,} lines are broken and were not stored; they are in {rejects.path}.")
        for broken in rejects.found[:_TOLD]:
            say(f"  line {broken.number}: {broken.words}")
