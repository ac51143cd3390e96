"""
The group commit: one thread per process stores decisions in batches and tells each waiting caller.

A caller gets its answer after the commit that holds its row, or an error, and never in between. The backlog
is bounded: when it is full the caller gets 503 at once, and the SDK turns that into a person.
"""

import asyncio
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError  # noqa: A004 - a pool that is empty

from kit.context import Context
from kit.errors import Problem, Unavailable
from routing.cases import service
from routing.cases.prepare import Entry, prepare_again
from routing.cases.service import Stored
from routing.snapshot import SnapshotHolder

log = structlog.get_logger(__name__)

_IN_EACH_OTHERS_WAY = "40"  # the class of PostgreSQL's errors for deadlocks and the like

Result = Stored | Problem


@dataclass(frozen=True, slots=True)
class _Waiting:
    entry: Entry
    actor: str
    done: asyncio.Future[Result]
    loop: asyncio.AbstractEventLoop


class Writer:
    """Start it once per process; `store` from any coroutine of any loop."""

    def __init__(self, ctx: Context, holder: SnapshotHolder) -> None:
        self._ctx = ctx
        self._holder = holder
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(maxsize=ctx.settings.writer_backlog)
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._stopping = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Store what was handed over, then end."""
        self._stopping = True
        self._queue.put(None)
        self._thread.join(timeout=30)

    async def store(self, entry: Entry, actor: str) -> Stored:
        """Return once the decision is committed; raise rather than let it go unrecorded."""
        if self._stopping:
            raise Unavailable("the service is shutting down; try again")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(entry, actor, loop.create_future(), loop)
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise Unavailable("too many decisions are waiting to be stored; try again") from None
        result = await waiting.done
        if isinstance(result, Problem):
            raise result
        return result

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, ended = self._drain(first)
            self._store(batch)
            if ended:
                break

    def _drain(self, first: _Waiting) -> tuple[list[_Waiting], bool]:
        batch = [first]
        while len(batch) < self._ctx.settings.writer_batch:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
            if waiting is None:
                return batch, True
            batch.append(waiting)
        return batch, False

    def _store(self, batch: Sequence[_Waiting]) -> None:
        # Broad on purpose: whatever happens here, every caller must get an answer and the thread must live.
        try:
            results = self._commit(batch)
        except Exception as error:
            if len(batch) > 1 and not _is_away(error):
                # One bad row must not take the others with it: each alone, the bad one fails alone.
                for waiting in batch:
                    self._store([waiting])
                return
            log.exception("decisions could not be stored", first=batch[0].entry.row["case_id"], count=len(batch))
            nothing = Unavailable("the decision could not be stored; nothing was changed, try again")
            results = [nothing] * len(batch)
        for waiting, result in zip(batch, results, strict=True):
            _tell(waiting, result)

    def _commit(self, batch: Sequence[_Waiting]) -> list[Result]:
        results: dict[int, Result] = {}
        actors = sorted({waiting.actor for waiting in batch})
        with self._ctx.db.begin() as session:
            entries = self._as_of_now(batch)
            for actor in actors:
                mine = [(n, entries[n]) for n, waiting in enumerate(batch) if waiting.actor == actor]
                stored = service.store(session, [entry for _, entry in mine], actor)
                results |= {n: result for (n, _), result in zip(mine, stored, strict=True)}
        return [results[n] for n in range(len(batch))]

    def _as_of_now(self, batch: Sequence[_Waiting]) -> list[Entry]:
        """Decided again where the policy changed while they waited: autonomy that was taken back is back."""
        snapshot, secret, now = self._holder.current, self._ctx.secret, self._ctx.clock.now()
        return [prepare_again(waiting.entry, snapshot, secret=secret, now=now) for waiting in batch]


def _is_away(error: Exception) -> bool:
    """The database does not answer or is locked: each row alone would wait just as long, one after the other."""
    if isinstance(error, OperationalError):
        return not str(getattr(error.orig, "sqlstate", "") or "").startswith(_IN_EACH_OTHERS_WAY)
    return isinstance(error, InterfaceError | TimeoutError)


def _tell(waiting: _Waiting, result: Result) -> None:
    def resolve() -> None:
        if not waiting.done.done():
            waiting.done.set_result(result)

    try:
        waiting.loop.call_soon_threadsafe(resolve)
    except RuntimeError:  # the caller's loop is gone; its decision is stored and a retry will find it
        log.info("nobody waits for a stored decision any more", case=waiting.entry.row["case_id"])
