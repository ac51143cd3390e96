"""`phasegate doctor`: recounts, checks what must always be true, and repairs what can be derived."""

from dataclasses import replace
from typing import Annotated

import redis
import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.house import opened
from cli.output import AsJson, Exit, err, good, out, print_json
from governance.audit import service as audit
from governance.audit.tasks import seal
from kit.context import Context
from migrations import chain
from routing import tasks
from routing.doctor import recounting, service
from routing.doctor.service import Finding

_COLUMNS = (SpinnerColumn(), TextColumn("{task.description}: {task.completed:,.0f} decisions"), TimeElapsedColumn())


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild totals, settle what is open, migrate.")] = False,
    recount: Annotated[
        bool, typer.Option("--recount", help="Only the totals, in chunks and without a lock; goes on if broken off.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """
    Check what must always be true, by recounting. Exit status 1 when something is wrong.

    With --repair the totals are rebuilt from the decisions in one transaction; it is safe beside a running service.
    What is missing altogether is told and never invented. Every check reads all decisions at one moment; with
    --recount the totals alone are checked, in short transactions, which suits millions beside a running service.
    """
    if repair and recount:
        raise typer.BadParameter("--recount only looks; give one of the two")
    with opened(migrated=False) as ctx:
        done: dict[str, str] = {}
        if repair and not chain.is_current(ctx.db):
            chain.upgrade(ctx.settings.resolved_database_url)
            done["migrations"] = f"migrated to {chain.head()}"
        findings = [_migrations(ctx)]
        if findings[0].ok and recount:
            findings += _recount(ctx, quiet=as_json)
        elif findings[0].ok:
            done |= _repair(ctx) if repair else {}
            with ctx.db.read() as session:
                findings += service.examine(session, now=ctx.clock.now())
            findings.append(_audit(ctx))
        findings += [] if recount else [_redis(ctx)]
        findings = [replace(found, repaired=done.get(found.check, "")) for found in findings]
    _show(findings, as_json=as_json)
    if not all(found.ok for found in findings):
        raise typer.Exit(Exit.REFUSED)


def _recount(ctx: Context, *, quiet: bool) -> list[Finding]:
    with Progress(*_COLUMNS, console=err, transient=True, disable=quiet) as progress:
        task = progress.add_task("recounting", total=None)
        return recounting.recount(ctx, told=lambda cases: progress.update(task, completed=cases))


def _repair(ctx: Context) -> dict[str, str]:
    with ctx.db.begin() as session:
        done = service.repair(session, now=ctx.clock.now())
    if settled := tasks.settle(ctx):
        done["settled"] = f"{settled:,} decisions were settled"
    seal(ctx)
    return done


def _migrations(ctx: Context) -> Finding:
    found, head = chain.current(ctx.db), chain.head()
    if found == head:
        return Finding("migrations", ok=True, words=f"the database is at {head}")
    return Finding("migrations", ok=False, words=f"the database is at {found or 'nothing'}, this program needs {head}")


def _audit(ctx: Context) -> Finding:
    with ctx.db.read() as session:
        found = audit.verify(session, ctx.secret)
    if found.fault is not None:
        return Finding("audit", ok=False, words=f"the audit log was tampered with: {found.fault.words}", count=1)
    words = f"{found.events:,} sealed events fit {found.checkpoints:,} signed checkpoints"
    return Finding("audit", ok=True, words=f"{words}, {found.unsealed:,} wait to be sealed")


def _redis(ctx: Context) -> Finding:
    url = ctx.settings.redis_url
    if url is None:
        return Finding("redis", ok=True, words="none is named; `phasegate up` brings its own")
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except redis.RedisError as error:
        return Finding("redis", ok=False, words=f"it does not answer ({error}); sweeps still find all work, later")
    return Finding("redis", ok=True, words="it answers")


def _show(findings: list[Finding], *, as_json: bool) -> None:
    wrong = sum(not found.ok for found in findings)
    if as_json:
        print_json({"ok": not wrong, "checks": [found.to_dict() for found in findings]})
        return
    for found in findings:
        out.print(f"{'[green]ok   [/green]' if found.ok else '[red]wrong[/red]'} {escape(found.words)}")
        for example in found.examples if not found.ok else ():
            out.print(f"        {escape(example)}")
        if found.repaired:
            out.print(f"        [green]repaired:[/green] {escape(found.repaired)}")
    if wrong:
        err.print(f"{wrong} of {len(findings)} checks found something wrong.")
    else:
        good(f"All {len(findings)} checks hold.")
