"""
One file of unsent requests: an SQLite database, so that what was kept is kept, in order, whatever dies in the middle.

The process that opens it has it alone until it closes it or ends, by SQLite's own lock on the file, which a kill
releases too. Nothing here may open the file by other means: on POSIX that would drop the lock.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

log = logging.getLogger("phasegate_client")

_WAITING = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,
    path TEXT NOT NULL,
    body BLOB NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    kept_at TEXT NOT NULL,
    idempotency_key TEXT
)"""
_LATER = ("idempotency_key TEXT",)
"""Columns that files of earlier releases do not have."""

_SIZE = "length(CAST(path AS BLOB)) + length(body) + length(CAST(coalesce(key, idempotency_key, '') AS BLOB))"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A request to be made later. `key` is that of a decision, (agent, case, version, attempt) as JSON: one that waits
    already is not kept twice. Human outputs have none: each may be a correction of the one before. They have an
    `idempotency_key`, by which the server knows one that is sent again.
    """

    path: str
    body: bytes
    key: str | None = None
    idempotency_key: str | None = None

    @property
    def size(self) -> int:
        return len(self.path.encode()) + len(self.body) + len((self.key or self.idempotency_key or "").encode())


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as it stands in the file. `tries` counts only answers that nobody could make sense of."""

    file: Path
    number: int
    entry: Entry
    tries: int
    kept_at: str


class Store:
    """An open file. Not for several threads at once."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @property
    def dead_letters(self) -> Path:
        return self.path.with_suffix(".dead.jsonl")

    def add(self, entries: Iterable[Entry]) -> list[int | None]:
        """All of them or, with an error, none: their numbers, None for one whose key waits already."""
        now = datetime.now(timezone.utc).isoformat()  # noqa: TID251 - the agent's clock
        insert = "INSERT OR IGNORE INTO waiting (key, path, body, kept_at, idempotency_key) VALUES (?, ?, ?, ?, ?)"
        numbers = []
        with self._transaction():
            for entry in entries:
                done = self._db.execute(insert, (entry.key, entry.path, entry.body, now, entry.idempotency_key))
                numbers.append(done.lastrowid if done.rowcount == 1 else None)
        return numbers

    def first(self) -> Kept | None:
        row = self._db.execute(
            "SELECT number, path, body, key, idempotency_key, tries, kept_at FROM waiting ORDER BY number LIMIT 1"
        ).fetchone()
        return None if row is None else Kept(self.path, row[0], Entry(row[1], bytes(row[2]), *row[3:5]), *row[5:])

    def all(self) -> list[tuple[int, str | None, int]]:
        """Number, key and size of everything that waits."""
        return list(self._db.execute(f"SELECT number, key, {_SIZE} FROM waiting"))  # noqa: S608 - no value is put in

    def take_over(self, path: Path, most_entries: int, most_bytes: int) -> bool:
        """
        Move in, behind what is here, all that waits in another file, if nobody has that and it fits. One transaction
        over both files. True when anything was moved.
        """
        try:
            self._db.execute("ATTACH ? AS other", (str(path),))
            with self._transaction("EXCLUSIVE"):
                _bring_up_to_date(self._db, "other")
                sums = f"SELECT count(*), coalesce(sum({_SIZE}), 0) FROM other.waiting"  # noqa: S608 - as above
                entries, size = self._db.execute(sums).fetchone()
                if not 0 < entries <= most_entries or size > most_bytes:
                    return False
                names = "key, path, body, tries, kept_at, idempotency_key"
                self._db.execute(
                    f"INSERT OR IGNORE INTO main.waiting ({names}) SELECT {names} FROM other.waiting ORDER BY number"  # noqa: S608
                )
                self._db.execute("DELETE FROM other.waiting")
                return True
        except sqlite3.DatabaseError as error:
            if "locked" not in str(error):  # else its process is alive
                log.warning("what is in the spool %s cannot be taken over: %s", path, error)
            return False
        finally:
            with suppress(sqlite3.Error):  # it was not even attached
                self._db.execute("DETACH other")

    def remove(self, kept: Kept) -> None:
        self._db.execute("DELETE FROM waiting WHERE number = ?", (kept.number,))

    def tried(self, kept: Kept) -> None:
        self._db.execute("UPDATE waiting SET tries = tries + 1 WHERE number = ?", (kept.number,))

    def bury(self, kept: Kept, reason: str, *, at_most: int) -> None:
        """Move it among the dead letters. Stopped between the two steps, it is there twice, with the same number."""
        told = {
            "number": kept.number,
            "kept_at": kept.kept_at,
            "reason": reason,
            "path": kept.entry.path,
            "body": json.loads(kept.entry.body),
        }
        _append_line(self.dead_letters, json.dumps(told, ensure_ascii=False), at_most)
        self.remove(kept)

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        self._db.execute(f"BEGIN {kind}")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has ended it already
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._db.close()


def take(path: Path) -> Store | None:
    """Open a file for this process alone, made if it is not there; None while another one has it."""
    try:
        return _take(path)
    except sqlite3.OperationalError:
        raise  # no space, no permission, no such folder: nothing is wrong with what is in it
    except sqlite3.DatabaseError as error:
        broken = path.with_suffix(f".broken-{os.getpid()}-{datetime.now(timezone.utc):%Y%m%dT%H%M%S}")  # noqa: TID251
        path.replace(broken)
        log.error("the spool %s cannot be read (%s); it is put aside as %s", path, error, broken.name)  # noqa: TRY400
        return _take(path)


def _take(path: Path) -> Store | None:
    # What happens to be in a cache of the disk is not kept: EXTRA syncs the file, its journal and its folder.
    db = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("BEGIN EXCLUSIVE")
        db.execute(_WAITING)
        _bring_up_to_date(db, "main")
        db.execute("COMMIT")
    except sqlite3.Error as error:
        db.close()
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return None
        raise
    return Store(path, db)


def _bring_up_to_date(db: sqlite3.Connection, schema: str) -> None:
    there = {name for _, name, *_ in db.execute(f"PRAGMA {schema}.table_info(waiting)")}
    for column in _LATER:
        if there and column.split()[0] not in there:
            db.execute(f"ALTER TABLE {schema}.waiting ADD COLUMN {column}")


def _append_line(path: Path, line: str, at_most: int) -> None:
    """One line, on disk when this returns. A line that was torn by a crash before it is ended first."""
    raw = line.encode("utf-8", "backslashreplace") + b"\n"
    if path.exists() and path.stat().st_size + len(raw) > at_most:
        older = path.with_suffix(".old.jsonl")
        log.error("the dead letters in %s have become too many; those before them in %s are gone", path, older)
        path.replace(older)
    with path.open("ab+") as file:
        if file.tell() > 0:
            file.seek(-1, os.SEEK_END)
            raw = raw if file.read(1) == b"\n" else b"\n" + raw
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
