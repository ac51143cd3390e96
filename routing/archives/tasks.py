"""The months ahead get their partitions, and what was kept long enough leaves for the archive."""

import time
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import IntegrityError, OperationalError

from kit import partitions
from kit.clock import SystemClock
from kit.context import Context
from kit.tasks import task
from routing.archives import files, queries, service
from routing.archives.files import ArchiveUnreadable
from routing.archives.tables import Archive

log = structlog.get_logger(__name__)

_HOURLY = 1800  # beats of two seconds
_BEGUN_WITHIN = 120.0  # seconds of a run; what is due after that waits for the next one


@dataclass(frozen=True, slots=True)
class Archived:
    """What one run did."""

    written: tuple[Archive, ...]
    dropped: int
    kept: int
    months: tuple[str, ...]
    """Partitions that were empty afterwards, and are gone."""


@task("routing.make_months", every=_HOURLY)
def make_months(ctx: Context) -> list[str]:
    """
    Give this month and the next two their partitions; the names of those that were made.

    By the machine's clock, whatever clock the house goes by: ids are made by it.
    """
    made = []
    for month in partitions.coming(SystemClock().now()):
        with ctx.db.begin() as session:
            made += [partitions.name_of("decisions", month)] if queries.make_month(session, month) else []
    return made


@task("routing.archive", every=_HOURLY)
def archive(ctx: Context) -> Archived:
    """
    Write what was kept long enough to files, and drop what stands in them. First what an earlier run left undone: an
    agent whose files cannot be read gets no further ones.

    Two runs at once do no harm: a part is registered once, and what one has dropped the other finds gone.
    """
    began = time.monotonic()
    drop(ctx)
    with ctx.db.read() as session:
        stuck = {one.agent for one in queries.archives_of(session, open_only=True)}  # is the folder there at all?
        wanted = [due for due in service.due(session, ctx.clock.now()) if due.agent not in stuck]
    written = []
    for due in wanted:
        if time.monotonic() - began > _BEGUN_WITHIN:
            break
        found = service.write(ctx, due)
        if found is None:
            continue
        try:
            with ctx.db.begin() as session:
                service.register(session, found, now=ctx.clock.now())
        except IntegrityError:
            (service.folder_of(ctx) / found.name).unlink()  # another run was faster, and has the same rows
            continue
        written.append(found)
    dropped, kept = drop(ctx)
    return Archived(tuple(written), dropped, kept, tuple(_drop_empty_months(ctx)))


def drop(ctx: Context) -> tuple[int, int]:
    """Drop the rows of every registered file that still has some: how many decisions went, and how many stayed."""
    with ctx.db.read() as session:
        waiting = queries.archives_of(session, open_only=True)
    folder, dropped, kept = service.folder_of(ctx), 0, 0
    readable = [one for one in waiting if _is_readable(ctx, one)]
    for month in sorted({one.month for one in readable} - {one.month for one in waiting if one not in readable}):
        try:
            proven = service.prove_month(ctx, month)
            if proven is not None:
                with ctx.db.begin() as session:
                    service.drop_month(session, proven)
        except OperationalError:
            log.info("the month could not be emptied at once; its rows go one after the other", month=str(month))
    for one in readable:
        stayed = 0
        for chunk in files.chunks(folder / one.name, queries.CHUNK):
            with ctx.db.begin() as session:
                stayed += service.drop_chunk(session, one.agent, chunk)
        with ctx.db.begin() as session:
            service.close(session, one, kept=stayed, now=ctx.clock.now())
        dropped, kept = dropped + one.decisions - stayed, kept + stayed
    return dropped, kept


def _is_readable(ctx: Context, archive: Archive) -> bool:
    try:
        files.check(service.folder_of(ctx) / archive.name, archive.sha256)
    except ArchiveUnreadable as error:
        log.warning("rows stay in the database: the file that should hold them does not", why=error.detail)
        return False
    return True


def _drop_empty_months(ctx: Context) -> list[str]:
    """Of months that were archived and are over; one in which something stayed is looked at again the next time."""
    with ctx.db.read() as session:
        present = partitions.month_of(SystemClock().now())
        past = [month for month in queries.months_of_archives(session) if month < present]
        there = [name for month in past if (name := queries.partition_of(session, month)) is not None]
    gone = []
    for name in there:
        try:
            with ctx.db.begin() as session:
                gone += [name] if queries.drop_partition_if_empty(session, name) else []
        except OperationalError:
            log.info("an empty month could not be dropped without making others wait; the next run tries", name=name)
    return gone
