"""
The row of this web process: that it is alive, and which policy is in force here with everything older answered.

It is written when there is news and every few seconds besides. What others in the list have not moved for long, by
the seconds this process itself has counted, is removed: clocks of hosts jump, and no clock is asked.
"""

import os
import socket
import threading
import time
from collections.abc import Callable
from uuid import UUID

import structlog

from kit.context import Context
from kit.ids import new_id
from rollout.processes import queries, service
from rollout.processes.tables import WebProcess
from routing.snapshot import SnapshotHolder

log = structlog.get_logger(__name__)

BEAT = 5.0  # seconds between two signs of life
GONE = 20.0  # seconds without one, after which a process is removed; longer than the database keeps its transactions
_LOOK_EVERY = 0.005  # seconds, while answers of before are on their way
_AFTER_FAILURE = 0.5  # seconds


class Registrar:
    """Start it before the first request is taken, so that nobody answers who is not on the list."""

    def __init__(
        self, ctx: Context, holder: SnapshotHolder, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._ctx, self._holder, self._monotonic = ctx, holder, monotonic
        now = ctx.clock.now()
        self._process = WebProcess(
            id=new_id(),
            host=socket.gethostname()[:255],
            pid=os.getpid(),
            started_at=now,
            seen_at=now,
            beats=1,
            in_force=0,
        )
        self._told = -1
        self._next_beat = 0.0
        self._others: dict[UUID, tuple[int, float]] = {}  # their beats, and since when we have seen them unmoved
        self._news = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="registrar", daemon=True)

    def start(self) -> None:
        self._holder.replaced = self._news.set
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Take this process off the list; its answers are out."""
        self._stopped = True
        self._news.set()
        self._thread.join(timeout=5)
        try:
            with self._ctx.db.begin() as session:
                queries.remove(session, self._process.id)
        except Exception:
            log.warning("could not take this process off the list; the others will", exc_info=True)

    def look(self) -> float:
        """Say what there is to say; returns the seconds until the next look."""
        newest = self._holder.current.sequence
        in_force, now = self._holder.answers.settled(newest), self._monotonic()
        if in_force != self._told or now >= self._next_beat:
            self._write(in_force, now)
        return _LOOK_EVERY if in_force < newest else self._next_beat - now

    def _write(self, in_force: int, now: float) -> None:
        beat = now >= self._next_beat
        with self._ctx.db.begin() as session:
            service.sign_of_life(session, self._process, in_force=in_force, now=self._ctx.clock.now())
            if beat:
                service.sweep(session, self._unmoved(queries.beats(session), now))
        self._told = in_force
        if beat:
            self._next_beat = now + BEAT

    def _unmoved(self, beats: dict[UUID, int], now: float) -> dict[UUID, int]:
        before = self._others
        same = {known: before[known] for known, count in beats.items() if known in before and before[known][0] == count}
        self._others = {known: same.get(known, (count, now)) for known, count in beats.items()}
        return {known: count for known, (count, since) in self._others.items() if now - since > GONE}

    def _run(self) -> None:
        seconds = 0.0
        while not self._stopped:
            self._news.wait(max(seconds, 0.0))
            self._news.clear()
            try:
                seconds = self.look()
            except Exception:
                log.warning("could not give a sign of life", exc_info=True)
                seconds = _AFTER_FAILURE
