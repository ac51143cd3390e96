"""
Old decisions leave the database: first written to a file that is read back, then registered, and only then dropped.

Whatever is dropped is held against its line in the file, row by row, under a lock; what differs stays. So a process
may die between any two steps, and the next run goes on from what it finds.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from governance.actors import SYSTEM
from governance.audit import service as audit
from kit import partitions
from kit.context import Context
from kit.ids import new_id
from rollout.agents import service as agents
from rollout.agents.tables import Agent
from rollout.domain.totals import Counts
from rollout.gates.service import TotalKey
from routing.archives import files, queries
from routing.archives.tables import Archive
from routing.cases import settling
from routing.cases.tables import ComparisonRow, Decision, Label
from routing.judgements.tables import Judgement
from routing.opinions.tables import SecondOpinion
from routing.reviews.tables import ReviewItem
from routing.supervision.tables import BlindAnswer
from routing.tallies.counting import Tallies
from routing.thresholds import service as thresholds

_HUNG = {
    "labels": Label,
    "comparisons": ComparisonRow,
    "review_items": ReviewItem,
    "blind_answers": BlindAnswer,
    "second_opinions": SecondOpinion,
    "judgements": Judgement,
}


@dataclass(frozen=True, slots=True)
class Due:
    """A month of an agent of which something may leave: what was decided before `cutoff`."""

    agent: str
    month: date
    cutoff: datetime
    still_read: frozenset[UUID]
    """Versions whose labels a look at a threshold will still read."""


@dataclass(slots=True)
class _Sums:
    counts: Counts = field(default_factory=Counts)
    first_attempts: int = 0


def cutoff_of(agent: Agent, now: datetime) -> datetime | None:
    """What was decided before may leave; whole months. None: everything is kept."""
    months = agents.settings_of(agent).retention_months
    if months is None:
        return None
    return datetime.combine(partitions.after(partitions.month_of(now), -months), time(), UTC)


def due(session: Session, now: datetime) -> list[Due]:
    """Every month of every agent that says how long its decisions are kept."""
    found = []
    for agent in queries.all_agents(session):
        cutoff = cutoff_of(agent, now)
        if cutoff is None:
            continue
        in_charge = queries.rollouts_in_charge(session, agent.name)
        reading = frozenset(row.id for row in in_charge if thresholds.looks_to_come(session, row))
        found += [
            Due(agent.name, month, cutoff, reading) for month in queries.months_before(session, agent.name, cutoff)
        ]
    return found


def folder_of(ctx: Context) -> Path:
    return ctx.settings.archive_dir or ctx.settings.data_dir / "archive"


def lines(ctx: Context, wanted: Due, seen: Counter[str], ends: list[UUID]) -> Iterator[bytes]:
    """What may leave, as lines, in one short reading transaction a chunk; counts what it saw, by table."""
    after: UUID | None = None
    with ctx.db.read() as session:
        told = queries.told_of_waiting(session, wanted.agent)
    while True:
        with ctx.db.read() as session:
            rows = queries.leaving(
                session, wanted.agent, wanted.month, wanted.cutoff, still_read=wanted.still_read, after=after
            )
            found = documents(session, [row for row in rows if str(row.id) not in told])
        for decision_id, document in found.items():
            seen.update({name: len(hung) for name, hung in document.items() if name != "decision"})
            ends[:] = [ends[0] if ends else decision_id, decision_id]
            yield files.line_of(document)
        if len(rows) < queries.CHUNK:
            return
        after = rows[-1].id


def documents(session: Session, rows: Collection[Decision]) -> dict[UUID, dict[str, Any]]:
    """Each decision with all that hangs on it, as plain columns."""
    ids = [row.id for row in rows]
    if not ids:
        return {}
    hung: dict[UUID, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for name, table in _HUNG.items():
        for one in queries.by_decision(session, table, ids):
            hung[one.decision_id][name].append(_columns(one))
    for ruling in queries.rulings_of(session, ids):
        hung[ruling.decision_id]["rulings"].append(_columns(ruling))
    people: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for agent in {row.agent for row in rows}:
        for output in queries.human_outputs_of(session, agent, {row.case_id for row in rows if row.agent == agent}):
            people[agent, output.case_id].append(_columns(output))
    return {
        row.id: {
            "decision": _columns(row),
            **{name: hung[row.id][name] for name in (*_HUNG, "rulings")},
            "human_outputs": people[row.agent, row.case_id],
        }
        for row in rows
    }


def _columns(row: Any) -> dict[str, Any]:
    return {column.key: getattr(row, column.key) for column in inspect(type(row)).columns}


def write(ctx: Context, wanted: Due) -> Archive | None:
    """A file of what may leave, proven to hold it, not registered yet. None where nothing may."""
    with ctx.db.read() as session:
        part = queries.next_part(session, wanted.agent, wanted.month)
    archive_id = new_id()
    # The tail of the id: what a dead process left under the same number is never written over.
    name = f"{wanted.agent}-{wanted.month:%Y-%m}-{part}-{archive_id.hex[-8:]}{files.ENDING}"
    head = {"agent": wanted.agent, "month": f"{wanted.month:%Y-%m}", "part": part, "id": archive_id}
    seen: Counter[str] = Counter()
    ends: list[UUID] = []
    written = files.write(folder_of(ctx) / name, head, lines(ctx, wanted, seen, ends))
    if written is None:
        return None
    return Archive(
        id=archive_id,
        agent=wanted.agent,
        month=wanted.month,
        part=part,
        name=name,
        decisions=written.lines,
        rows=dict(seen),
        size=written.size,
        sha256=written.sha256,
        first_id=ends[0],
        last_id=ends[-1],
        created_at=ctx.clock.now(),
        kept=0,
    )


def register(session: Session, archive: Archive, *, now: datetime) -> None:
    session.add(archive)
    audit.record(
        session,
        SYSTEM,
        "archive.written",
        archive.name,
        now=now,
        agent=archive.agent,
        decisions=archive.decisions,
        rows=archive.rows,
        sha256=archive.sha256,
        first_id=archive.first_id,
        last_id=archive.last_id,
    )


@dataclass(frozen=True, slots=True)
class Proven:
    """A month of which every decision stood in a registered file, just as it was, when `rows` were there."""

    partition: str
    rows: tuple[int, int]
    totals: Mapping[TotalKey, _Sums]
    tallies: Tallies


def prove_month(ctx: Context, month: date) -> Proven | None:
    """Hold a whole month against its files, and keep nobody waiting meanwhile. None where something may not leave."""
    with ctx.db.read() as session:
        name, open_ones = queries.partition_of(session, month), queries.undropped(session, month)
        # Two files of one agent may hold the same rows, if two runs wrote them at once: then their lines say no number.
        if name is None or not open_ones or len({one.agent for one in open_ones}) < len(open_ones):
            return None
        rows = queries.rows_of(session, name)  # before any line is read: what changes from here on shows
    if not rows[0] or rows[0] != sum(one.decisions for one in open_ones):
        return None
    totals: dict[TotalKey, _Sums] = defaultdict(_Sums)
    tallies = Tallies()
    for archive in open_ones:
        for chunk in files.chunks(folder_of(ctx) / archive.name, queries.CHUNK):
            with ctx.db.read() as session:
                same, differ = _held_against(session, chunk, lock=False)
                if differ or len(same) < len(chunk):
                    return None
                _add_up(totals, same.values())
                tallies.take(session, same)
    return Proven(name, rows, totals, tallies)


def drop_month(session: Session, proven: Proven) -> bool:
    """
    Empty the partition of a month, unless a decision of it was written since; False where one was.

    What hangs on them is left to `drop_chunk`.
    """
    queries.lock_partition(session, proven.partition)
    if queries.rows_of(session, proven.partition) != proven.rows:
        return False
    _store_totals(session, proven.totals)
    proven.tallies.store(session)
    queries.empty_partition(session, proven.partition)
    return True


def drop_chunk(session: Session, agent: str, chunk: Sequence[bytes]) -> int:
    """Drop what these lines hold, with all that hangs on it; how many decisions stay since they have changed."""
    same, differ = _held_against(session, chunk, lock=True)
    totals: dict[TotalKey, _Sums] = defaultdict(_Sums)
    _add_up(totals, same.values())
    _store_totals(session, totals)
    tallies = Tallies()
    tallies.take(session, same)
    tallies.store(session)
    queries.delete_decisions(session, list(same))
    found = [files.document(line) for line in chunk]
    gone = [one for one in found if UUID(one["decision"]["id"]) not in differ]
    queries.delete_what_hung_on(session, [UUID(one["decision"]["id"]) for one in gone])
    outputs = {UUID(output["id"]): output["case_id"] for one in gone for output in one["human_outputs"]}
    queries.delete_human_outputs(session, agent, outputs)
    return len(differ)


def _held_against(session: Session, chunk: Sequence[bytes], *, lock: bool) -> tuple[dict[UUID, Decision], set[UUID]]:
    """The decisions of these lines that are still here: those that are as they were written, and those that are not."""
    wanted = {UUID(files.document(line)["decision"]["id"]): line for line in chunk}
    rows = queries.decisions_with_ids(session, list(wanted), lock=lock)
    now = {one: files.line_of(document) for one, document in documents(session, rows.values()).items()}
    differ = {one for one, line in now.items() if line != wanted[one]}
    return {one: row for one, row in rows.items() if one not in differ}, differ


def _add_up(totals: dict[TotalKey, _Sums], rows: Iterable[Decision]) -> None:
    for row in rows:
        cohort = settling.cohort_of(row)
        if cohort is None or row.counted_as is None:
            continue
        sums = totals[cohort]
        sums.counts = sums.counts + settling.contribution(row, row.counted_as)
        sums.first_attempts += row.attempt == 1


def _store_totals(session: Session, totals: Mapping[TotalKey, _Sums]) -> None:
    rows = [
        {**cohort._asdict(), **asdict(sums.counts), "first_attempts": sums.first_attempts}
        for cohort, sums in sorted(totals.items(), key=lambda item: item[0])
    ]
    queries.add_archived_totals(session, rows)


def close(session: Session, archive: Archive, *, kept: int, now: datetime) -> None:
    """Its rows are gone; those that changed meanwhile are not. Of two runs at once the first one says so."""
    row = session.get_one(Archive, archive.id, with_for_update=True)
    if row.dropped_at is not None:
        return
    row.dropped_at, row.kept = now, kept
    audit.record(
        session,
        SYSTEM,
        "archive.dropped",
        archive.name,
        now=now,
        agent=archive.agent,
        decisions=archive.decisions - kept,
        kept=kept,
        sha256=archive.sha256,
    )


def strangers(session: Session, folder: Path) -> list[str]:
    """Files that look like archives and are not registered: of a run that died, or of one that is just writing."""
    known = {one.name for one in queries.archives_of(session)}
    return sorted(path.name for path in files.all_in(folder) if path.name not in known)


def find(session: Session, folder: Path, decision_id: UUID) -> Iterator[dict[str, Any]]:
    """A decision in the archives, newest first: of one that stayed because it had changed, a later part is right."""
    for archive in queries.holding(session, decision_id):
        files.check(folder / archive.name, archive.sha256)
        for document in files.find(folder / archive.name, decision_id=str(decision_id)):
            yield {"archive": archive.name, **document}
            return
