"""`phasegate export`: the configuration of an agent as a file, or its rulings, labels and training data as lines."""

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, cast
from urllib.parse import quote

import httpx2
import typer

from cli import files
from cli.door import As, Key, Url, problem_in, through
from cli.house import acting, opened
from cli.output import AsJson, say
from kit.errors import Invalid, Place, Unavailable
from routing.exports import service
from routing.exports.queries import Scope
from routing.exports.service import Export, Form

_KINDS = frozenset(files.Kind)


class What(StrEnum):
    AGENT = "agent"
    PLAN = "plan"
    POLICY = "policy"
    RULINGS = "rulings"
    LABELS = "labels"
    TRAINING = "training"


def export(
    agent: str,
    what: Annotated[What, typer.Option("--what", "--kind", help="Configuration, or what was recorded.")] = What.PLAN,
    version: Annotated[str | None, typer.Option(help="Only of this one; of policies else the one in charge.")] = None,
    form: Annotated[Form, typer.Option("--format", help="Of what was recorded.")] = Form.JSONL,
    since: Annotated[datetime | None, typer.Option("--from", help="Recorded from here on, in UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Recorded before this, in UTC.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Not to the screen; gzip if named .gz.")] = None,
    url: Url = None,
    key: Key = None,
    login: As = None,
    as_json: AsJson = False,
) -> None:
    """
    Print the agent, its plan or a policy as a file that `apply` takes back; or write its rulings (edits also as JSON
    Patch), its labels, or its training data, line by line.

    Rulings, labels and training data are for owners, admins and auditors, and their export is on record. FILE appears
    when it is whole.

    [bold]phasegate export digit-reader > plan.yaml[/bold]
    [bold]phasegate export claims --what training --from 2026-01-01 --file training.jsonl.gz --as mara[/bold]
    """
    if what.value in _KINDS:
        _refuse_for_configuration(since, until, file)
        with through(url, key, login) as door:
            files.print_present(door, files.Kind(what.value), agent, version, as_json=as_json)
        return
    asked = Export(service.What(what.value), form, Scope(agent, version, _utc(since), _utc(until)))
    with _over_http(url, key, asked) if url else _here(login, asked) as pieces, _target(file) as out:
        count = 0
        for piece in pieces:
            out.write(piece)
            count += piece.count(b"\n")
    if file is not None:
        say(f"{file}: {count:,} lines.")


def _refuse_for_configuration(since: datetime | None, until: datetime | None, file: Path | None) -> None:
    if since is not None or until is not None or file is not None:
        place = Place("--what", "--from, --to and --file are for what was recorded",
                      "say --what rulings, labels or training")  # fmt: skip
        raise Invalid("configuration has no time", places=[place])


def _utc(given: datetime | None) -> datetime | None:
    return given.replace(tzinfo=UTC) if given is not None else None


@contextmanager
def _here(login: str | None, asked: Export) -> Iterator[Iterator[bytes]]:
    """On the database of the settings; not through `cli.door`, which would gather the whole answer first."""
    with opened() as ctx:
        actor = acting(ctx, login)
        with ctx.db.begin() as session:
            service.begin(session, asked, actor=actor, now=ctx.clock.now())
        yield service.pieces(ctx.db, asked)


@contextmanager
def _over_http(url: str, key: str | None, asked: Export) -> Iterator[Iterator[bytes]]:
    scope = asked.scope
    wanted = {"version": scope.version, "from": scope.since, "to": scope.until}
    params = {name: str(value) for name, value in wanted.items() if value is not None} | {"format": asked.form.value}
    path = f"/v1/agents/{quote(scope.agent, safe='')}/{asked.what.value}:export"
    with through(url, key, None) as door:
        try:
            with door.client.stream("GET", path, params=params) as answer:
                if answer.is_error:
                    answer.read()
                    raise problem_in(answer)
                yield answer.iter_bytes()
        except httpx2.HTTPError as error:
            raise Unavailable(f"the connection broke before the end ({type(error).__name__}); export again") from None


@contextmanager
def _target(path: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file that has its name only once it is whole."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = path.with_name(path.name + ".partial")
    try:
        packed = path.suffix == ".gz"
        with cast("IO[bytes]", gzip.open(partial, "wb")) if packed else partial.open("wb") as out:
            yield out
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
