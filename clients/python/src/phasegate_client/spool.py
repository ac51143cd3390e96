"""
Keeps on disk what could not be sent, so that it is told to the server later: decisions that were handed over
meanwhile, and human outputs.

Every process, and every client in it, has a file of its own in the folder. Bounded in entries and bytes: when it is
full the newest is refused, counted and told to the log. How it is delivered is in `delivery.py`.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from weakref import WeakSet

from phasegate_client import threads
from phasegate_client.errors import Unspooled
from phasegate_client.spool_store import Entry, Kept, Store, take

log = logging.getLogger("phasegate_client")

ENTRIES = 10_000
BYTES = 64 * 1024 * 1024
MOST_FILES = 256  # processes that can use one folder at a time
_AT_ONCE = 100  # entries synced together
_LONGEST_QUEUE = 2_000  # entries held in memory while the disk is slow

_Job = tuple[Entry, "Future[None]"]
_SPOOLS: WeakSet[Spool] = WeakSet()


@dataclass(frozen=True, slots=True)
class SpoolState:
    """
    `waiting` entries of `size` bytes in the file of this client. Since the client was made, `refused` could not be
    kept, `delivered` were told to the server, and `dead` it refused for good. `trouble` is the last one with the disk.
    """

    folder: Path
    waiting: int
    size: int
    refused: int
    delivered: int
    dead: int
    trouble: str | None


class Spool:
    """Threads may share it. One of its own writes, so that a slow disk costs a caller no more than it allows."""

    def __init__(
        self, folder: str | os.PathLike[str], server: str, *, entries: int = ENTRIES, size: int = BYTES
    ) -> None:
        if entries < 1 or size < 1:
            raise ValueError("a spool has room for at least one entry and one byte")
        # By server: what was meant for one must not be told to another.
        self.folder = Path(folder) / re.sub(r"[^A-Za-z0-9.-]+", "_", server)
        self._most_entries, self._most_bytes = entries, size
        self._store: Store | None = None
        self._closed = False
        self._sizes: dict[int, int] = {}
        """Of what waits, by its number in the file."""
        self._keys: set[str] = set()
        self._size = self._human_outputs = 0
        self._refused = self._delivered = self._dead = 0
        self._trouble: str | None = None
        self.start_afresh()
        threads.renew_in_children(self)
        _SPOOLS.add(self)
        try:
            with self._file():
                pass
        except Unspooled as error:
            log.error("nothing can be spooled for now: %s", error)  # noqa: TRY400 - it says it all

    def start_afresh(self) -> None:
        """Also in a forked child: it has none of the parent's threads, and will take a file of its own."""
        self.lock = threading.RLock()  # around the file; held while it is synced
        self._starting = threading.Lock()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._writer: threading.Thread | None = None
        self._under_way: dict[Future[None], Entry] = {}

    def append(self, entry: Entry) -> Future[None]:
        """Done when it is on disk; raises `Unspooled` when it is not, and will not be."""
        kept: Future[None] = Future()
        if self._closed or sys.is_finalizing():  # then the thread that writes is no more
            self._refuse(kept, "the client is closed" if self._closed else "the interpreter is shutting down")
            return kept
        if self._jobs.qsize() >= _LONGEST_QUEUE:
            self._refuse(kept, f"the disk is slow: {_LONGEST_QUEUE} entries are waiting for it")
            return kept
        self._under_way[kept] = entry
        kept.add_done_callback(self._under_way.pop)
        self._jobs.put((entry, kept))
        with self._starting:
            try:
                if self._writer is None:
                    self._writer = threads.start(self._write, "phasegate-spool")
            except RuntimeError:  # no further thread to be had, or the interpreter is shutting down
                self._write_these(self._waiting_jobs())
        return kept

    def holds(self, key: str) -> bool:
        """Whether this case was handed over and the server does not know yet; on a slow disk, before it is kept."""
        return self.has_kept(key) or any(entry.key == key for entry in list(self._under_way.values()))

    def has_kept(self, key: str) -> bool:
        """Whether it is on disk."""
        return key in self._keys

    @property
    def holds_human_outputs(self) -> bool:
        """Whether some are waiting, which a correction of theirs must not overtake."""
        return self._human_outputs > 0 or any(entry.key is None for entry in list(self._under_way.values()))

    def state(self) -> SpoolState:
        return SpoolState(
            self.folder, len(self._sizes), self._size, self._refused, self._delivered, self._dead, self._trouble
        )

    def first(self) -> Kept | None:
        """What is to be delivered next; it stays until it is settled."""
        with self._file() as store:
            return store.first()

    def settle(self, kept: Kept, *, reason: str | None = None) -> None:
        """It was delivered, or for this reason never will be."""
        with self._file() as store:
            if store.path != kept.file:  # taken over by a forked child meanwhile, which delivers it too
                return
            if reason is None:
                store.remove(kept)
                self._delivered += 1
            else:
                store.bury(kept, reason, at_most=self._most_bytes)
                self._dead += 1
                log.error("the server refuses %s for good: %s; see %s", kept.entry.path, reason, store.dead_letters)
            self._size -= self._sizes.pop(kept.number, 0)
            self._human_outputs -= kept.entry.key is None
            self._keys.discard(kept.entry.key or "")

    def tried(self, kept: Kept) -> None:
        with self._file() as store:
            if store.path == kept.file:
                store.tried(kept)

    def adopt(self) -> None:
        """Take over what processes left behind that are no more, as far as there is room."""
        with self._file() as own:
            for path in sorted(self.folder.glob("spool-*.db")):
                room = self._most_entries - len(self._sizes), self._most_bytes - self._size
                if path != own.path and own.take_over(path, *room):
                    self._count(own)

    def release(self) -> None:
        """Give up the file; the next use takes one again."""
        with self.lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def close(self) -> None:
        with self.lock:
            self._closed = True
            self.release()
        self._jobs.put(None)

    @contextmanager
    def _file(self) -> Iterator[Store]:
        """The file of this client, nobody else at it; whatever is wrong with the disk is an `Unspooled`."""
        with self.lock:
            if self._closed:
                raise Unspooled("the client is closed")
            try:
                if self._store is None:
                    self._store = self._open()
                yield self._store
            except (OSError, sqlite3.Error) as error:
                self._trouble = f"{self.folder}: {error}"
                raise Unspooled(self._trouble) from error

    def _open(self) -> Store:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for number in range(MOST_FILES):
            store = take(self.folder / f"spool-{number}.db")
            if store is not None:
                self._count(store)
                return store
        raise Unspooled(f"other processes have all {MOST_FILES} files in {self.folder}")

    def _count(self, store: Store) -> None:
        rows = store.all()
        self._keys = {key for _, key, _ in rows if key is not None}
        self._human_outputs = sum(key is None for _, key, _ in rows)
        self._sizes = {number: size for number, _, size in rows}
        self._size = sum(self._sizes.values())

    def _write(self) -> None:
        while (first := self._jobs.get()) is not None:
            self._write_these([first, *self._waiting_jobs()])

    def _waiting_jobs(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < _AT_ONCE and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)  # for the thread to end by
                break
            jobs.append(job)
        return jobs

    def _write_these(self, jobs: Sequence[_Job]) -> None:
        # Broad on purpose: every caller must be told, and the thread must live.
        try:
            with self._file() as store:
                fitting = self._fitting(jobs)
                numbers = store.add([entry for entry, _ in fitting])
                for (entry, _), number in zip(fitting, numbers, strict=True):
                    if number is not None:
                        self._sizes[number] = entry.size
                        self._size += entry.size
                        self._human_outputs += entry.key is None
                        self._keys |= {entry.key} if entry.key is not None else set()
        except Exception as error:  # noqa: BLE001
            for _, kept in jobs:
                if not kept.done():
                    self._refuse(kept, str(error) or type(error).__name__)
            return
        for _, kept in fitting:
            kept.set_result(None)

    def _fitting(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Those there is room for, in order; the others are refused."""
        entries, size = len(self._sizes), self._size
        fitting = []
        for entry, kept in jobs:
            if entries + 1 > self._most_entries or size + entry.size > self._most_bytes:
                self._refuse(kept, f"it is full: {entries} entries of {size} bytes wait, this one has {entry.size}")
            else:
                entries, size = entries + 1, size + entry.size
                fitting.append((entry, kept))
        return fitting

    def _refuse(self, kept: Future[None], words: str) -> None:
        self._refused += 1
        log.error("not spooled, so the server will not be told of it (%d so far): %s", self._refused, words)
        kept.set_exception(Unspooled(words))


def _before_fork() -> None:
    """No child may inherit an open file: SQLite's locks and journals are the parent's."""
    for spool in list(_SPOOLS):
        spool.lock.acquire()
        spool.release()


def _after_fork_in_parent() -> None:
    for spool in list(_SPOOLS):
        spool.lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
