"""
The group commit: one thread per process stores decisions in batches and tells each waiting caller.

A caller gets its answer after the commit that holds its row, or an error, and never in between. The backlog is
bounded, in decisions and in bytes: when it is full the caller gets 503 at once, and the SDK turns that into a person.
So is the wait: who was not answered in time gets 503, too, and a retry finds what was stored all the same.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.exc import DBAPIError

from kit.context import Context
from kit.db import is_away
from kit.errors import Problem, Unavailable
from routing.cases import service
from routing.cases.prepare import Entry, prepare_again
from routing.cases.service import Stored
from routing.snapshot import Snapshot, SnapshotHolder

log = structlog.get_logger(__name__)

_SHARE_OF_SINGLE_CALLS = 4  # the backlog divided by this is theirs alone

_WAITING = Gauge("phasegate_writer_waiting_decisions", "Decisions that wait to be stored.")
_WAITING_BYTES = Gauge("phasegate_writer_waiting_bytes", "Bytes of the bodies in which they came.")
_REFUSED = Counter("phasegate_writer_refused_decisions", "Decisions that were answered 503 since the backlog was full.")

Result = Stored | Problem


@dataclass(eq=False, slots=True)
class _Unit:
    """What one caller handed over, and where its results go. Most units hold one decision."""

    entries: Sequence[Entry]
    actor: str
    size: int
    """Bytes of the body in which they came."""
    done: asyncio.Future[Sequence[Result]]
    loop: asyncio.AbstractEventLoop
    taken: int = 0
    results: list[Result] = field(default_factory=list)


@dataclass(slots=True)
class _Slice:
    """The part of a unit that one commit takes."""

    unit: _Unit
    entries: Sequence[Entry]


class Writer:
    """Start it once per process; `store` from any coroutine of any loop."""

    def __init__(self, ctx: Context, holder: SnapshotHolder) -> None:
        self._ctx = ctx
        self._holder = holder
        self._backlog: deque[_Unit] = deque()
        self._waiting = 0  # entries in the backlog
        self._waiting_bytes = 0  # of those units from which something is still to be taken
        self._changed = threading.Condition(threading.Lock())
        self._asleep = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._stopping = False

    def start(self) -> None:
        _WAITING.set_function(lambda: self._waiting)
        _WAITING_BYTES.set_function(lambda: self._waiting_bytes)
        self._thread.start()

    def stop(self) -> None:
        """Store what was handed over, then end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout=30)

    async def store(self, entry: Entry, actor: str, *, size: int = 0) -> Stored:
        """
        Return once the decision is committed; raise rather than let it go unrecorded. `size`: bytes of the body in
        which it came, 0 where there was none.
        """
        (result,) = await self.store_many((entry,), actor, size=size)
        if isinstance(result, Problem):
            raise result
        return result

    async def store_many(self, entries: Sequence[Entry], actor: str, *, size: int = 0) -> Sequence[Result]:
        """
        One result for each entry, in order, when all of them are committed; a long list in several commits. `size`: of
        all of them.
        """
        if not entries:
            return ()
        self._holder.answers.begin(self._holder.current.sequence)
        loop = asyncio.get_running_loop()
        unit = _Unit(entries, actor, size, loop.create_future(), loop)
        self._hand_over(unit)
        patience = loop.call_later(self._ctx.settings.answer_seconds, _give_up, unit)
        try:
            return await unit.done
        finally:
            patience.cancel()

    def _has_room_for(self, unit: _Unit) -> bool:
        """
        Lists leave a part of the backlog to single calls, behind which somebody waits. An empty one takes anything, or
        what is larger than all of it could never be stored.
        """
        settings = self._ctx.settings
        most, most_bytes = settings.writer_backlog, settings.writer_backlog_bytes
        if len(unit.entries) > 1:
            most -= most // _SHARE_OF_SINGLE_CALLS
            most_bytes -= most_bytes // _SHARE_OF_SINGLE_CALLS
        fits = self._waiting + len(unit.entries) <= most and self._waiting_bytes + unit.size <= most_bytes
        return fits or not self._waiting

    def _hand_over(self, unit: _Unit) -> None:
        with self._changed:
            if self._stopping:
                raise Unavailable("the service is shutting down; try again")
            if not self._has_room_for(unit):
                _REFUSED.inc(len(unit.entries))
                raise Unavailable("too many decisions are waiting to be stored; try again")
            self._backlog.append(unit)
            self._waiting += len(unit.entries)
            self._waiting_bytes += unit.size
            if self._asleep:
                self._changed.notify()

    def _run(self) -> None:
        while batch := self._next_batch():
            self._store(batch)

    def _next_batch(self) -> list[_Slice]:
        """What waits, as much of it as one commit takes; empty at the end."""
        batch: list[_Slice] = []
        with self._changed:
            while not batch and not (self._stopping and not self._backlog):
                self._asleep = True
                self._changed.wait_for(lambda: self._backlog or self._stopping)
                self._asleep = False
                batch = self._drain()
        return batch

    def _drain(self) -> list[_Slice]:
        """
        Of a long list a part at a time, behind which the others come before the next part.

        Whose caller was told to ask again is let go: a person does that case. Of one who just left nobody knows.
        """
        most = self._ctx.settings.writer_batch
        room, batch = most, []
        while room and self._backlog:
            unit = self._backlog.popleft()
            rest = len(unit.entries) - unit.taken
            if unit.done.done() and not unit.done.cancelled():
                self._waiting -= rest
                self._waiting_bytes -= unit.size
                continue
            share = min(rest, room, max(most // 2, 1))
            batch.append(_Slice(unit, unit.entries[unit.taken : unit.taken + share]))
            unit.taken += share
            self._waiting -= share
            room -= share
            if share < rest:
                self._backlog.append(unit)
            else:
                self._waiting_bytes -= unit.size
        return batch

    def _store(self, batch: Sequence[_Slice]) -> None:
        # Broad on purpose: whatever happens here, every caller must get an answer and the thread must live.
        try:
            results = self._commit(batch)
        except Exception as error:  # noqa: BLE001
            alone = [_Slice(part.unit, (entry,)) for part in batch for entry in part.entries]
            if len(alone) > 1 and not is_away(error):
                # One bad row must not take the others with it: each alone, the bad one fails alone.
                for one in alone:
                    self._store([one])
                return
            words = "it is not known whether the decision was stored; ask again, the same case gets one answer"
            _hand_back(batch, [Unavailable(words)] * len(alone))
            _note(error, batch[0].entries[0], len(alone))
        else:
            _hand_back(batch, results)

    def _commit(self, batch: Sequence[_Slice]) -> list[Result]:
        actors = [part.unit.actor for part in batch for _ in part.entries]
        present = self._holder.current
        results = service.store_at_once(self._ctx.db, self._by(present, batch), actors, present.sequence)
        if results is not None:
            return results
        with self._ctx.db.begin() as session:
            return service.store(session, self._by(self._holder.follow(session), batch), actors)

    def _by(self, snapshot: Snapshot, batch: Sequence[_Slice]) -> list[Entry]:
        """Decided again where the policy changed while they waited: autonomy that was taken back is back."""
        secret, now = self._ctx.secret, self._ctx.clock.now()
        return [prepare_again(entry, snapshot, secret=secret, now=now) for part in batch for entry in part.entries]


def _give_up(unit: _Unit) -> None:
    if not unit.done.done():
        words = "the decision was not stored in time; ask again, the same case gets one answer"
        unit.done.set_result([Unavailable(words, retry_after=2)] * len(unit.entries))


def _note(error: Exception, first: Entry, count: int) -> None:
    """What a database says needs no stack trace, which takes long to write while others wait for the thread."""
    known = getattr(error, "orig", None) if isinstance(error, DBAPIError) else None
    said = {"error": repr(known)} if known is not None else {"exc_info": error}
    log.error("decisions could not be stored", first=first.row["case_id"], count=count, **said)


def _hand_back(batch: Sequence[_Slice], results: Sequence[Result]) -> None:
    """Give every unit its results, and tell those that have all of them."""
    finished: dict[asyncio.AbstractEventLoop, list[_Unit]] = {}
    start = 0
    for part in batch:
        unit, stop = part.unit, start + len(part.entries)
        unit.results += results[start:stop]
        start = stop
        if len(unit.results) == len(unit.entries):
            finished.setdefault(unit.loop, []).append(unit)
    for loop, units in finished.items():
        _tell(loop, units)


def _tell(loop: asyncio.AbstractEventLoop, units: Sequence[_Unit]) -> None:
    """One wake-up of the loop for all of a batch."""

    def resolve() -> None:
        for unit in units:
            if not unit.done.done():
                unit.done.set_result(unit.results)

    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:  # the callers' loop is gone; their decisions are stored and a retry will find them
        log.info("nobody waits for stored decisions any more", first=units[0].entries[0].row["case_id"])
