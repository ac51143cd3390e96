"""`phasegate archive`: what was kept long enough leaves the database for files, and is found again in them."""

from typing import Annotated, Any
from uuid import UUID

import typer
from rich.markup import escape

from cli.house import opened
from cli.output import AsJson, Exit, err, good, out, print_json
from kit.context import Context
from kit.errors import NotFound
from routing.archives import files, queries, service, tasks
from routing.archives.files import ArchiveUnreadable
from routing.archives.tables import Archive

app = typer.Typer()


@app.callback(invoke_without_command=True)
def archive(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """
    Archive what agents keep no longer (`retention_months` in their settings); beat does the same every hour.

    Safe to break off and to run again: nothing is dropped that does not stand in a file that was read back.
    """
    if ctx.invoked_subcommand is not None:
        return
    with opened() as house:
        if dry_run:
            _say_what_is_due(house, as_json=as_json)
            return
        done = tasks.archive(house)
    if as_json:
        written = [_fields(one) for one in done.written]
        print_json({"written": written, "dropped": done.dropped, "kept": done.kept, "months": list(done.months)})
        return
    for one in done.written:
        out.print(escape(f"{one.name}: {one.decisions:,} decisions, {one.size:,} bytes"))
    kept = f"; {done.kept:,} had changed meanwhile and stay" if done.kept else ""
    good(f"{done.dropped:,} decisions left the database{kept}.")


def _say_what_is_due(house: Context, *, as_json: bool) -> None:
    found = []
    with house.db.read() as session:
        for due in service.due(session, house.clock.now()):
            count = queries.count_leaving(session, due.agent, due.month, due.cutoff, due.still_read)
            found.append({"agent": due.agent, "month": f"{due.month:%Y-%m}", "decisions": count})
    if as_json:
        print_json({"due": found})
        return
    for one in found:
        out.print(escape(f"{one['agent']} {one['month']}: {one['decisions']:,} decisions would leave"))
    if not found:
        good("Nothing is due: no agent has decisions older than it keeps them.")


@app.command("list")
def list_archives(as_json: AsJson = False) -> None:
    """Every registered file with its digest."""
    with opened() as house, house.db.read() as session:
        rows = [_fields(one) for one in queries.archives_of(session)]
    if as_json:
        print_json({"items": rows})
        return
    for row in rows:
        out.print(escape(f"{row['name']}  {row['decisions']:,} decisions  sha256 {row['sha256']}"))


@app.command("verify")
def verify(as_json: AsJson = False) -> None:
    """
    Read every registered file and hold its digest against the registered one. Exit status 1 if one differs.

    Files that are registered nowhere are named: what is in them is still in the database, or in another file.
    """
    wrong: dict[str, str] = {}
    with opened() as house:
        with house.db.read() as session:
            rows, strangers = queries.archives_of(session), service.strangers(session, service.folder_of(house))
        for one in rows:
            try:
                files.check(service.folder_of(house) / one.name, one.sha256)
            except ArchiveUnreadable as error:
                wrong[one.name] = error.detail
    if as_json:
        print_json({"ok": not wrong, "files": len(rows), "wrong": wrong, "unregistered": strangers})
    else:
        for words in wrong.values():
            err.print(escape(words))
        for name in strangers:
            out.print(escape(f"{name} is registered nowhere: a run that writes has made it, or one that died"))
        if not wrong:
            good(f"All {len(rows):,} files are as they were registered.")
    if wrong:
        raise typer.Exit(Exit.REFUSED)


@app.command("show")
def show(
    decision: Annotated[str | None, typer.Argument(help="The id of a decision.")] = None,
    agent: Annotated[str | None, typer.Option(help="With --case: whose case.")] = None,
    case: Annotated[str | None, typer.Option(help="All archived decisions of a case.")] = None,
) -> None:
    """One archived decision, or all of a case, as JSON, with everything that hung on it."""
    with opened() as house, house.db.read() as session:
        if decision is not None:
            ids = [_as_id(decision)]
        elif agent is not None and case is not None:
            ids = list(queries.ids_of_case(session, agent, case))
        else:
            raise typer.BadParameter("name a decision, or --agent and --case")
        folder = service.folder_of(house)
        found = [document for one in ids for document in service.find(session, folder, one)]
    if not found:
        raise NotFound("no archive holds it")
    print_json(found[0] if decision is not None else {"items": found})


def _as_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise typer.BadParameter(f"{text} is no id of a decision") from None


def _fields(one: Archive) -> dict[str, Any]:
    names = ("name", "agent", "part", "decisions", "rows", "size", "sha256", "kept")
    found = {name: getattr(one, name) for name in names}
    dropped = one.dropped_at.isoformat() if one.dropped_at is not None else None
    return {**found, "month": f"{one.month:%Y-%m}", "created_at": one.created_at.isoformat(), "dropped_at": dropped}
