"""
Who writes to SQLite when: one at a time, and nobody for long.

SQLite lets those who want to write sleep longer and longer, up to a tenth of a second, and whoever comes back just
after the end of the last transaction is faster. So a worker that stored one piece of work after the other kept
everybody else out for seconds. Here those who wait look every millisecond, and who stored just now gives way, if told.
"""

import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, Engine, event

_LOOK_EVERY = 0.001  # seconds
_GIVE_WAY_FOR = 0.005  # seconds at most: several looks of those who wait


class Turns:
    """The turns of one process at writing; install it once for an engine."""

    def __init__(self, engine: Engine, *, lock_seconds: float) -> None:
        self.gives_way = False
        """For workers, whose transactions come one after the other and for whose end nobody waits."""
        self.lock_seconds = lock_seconds
        self._begun = self._ended = 0.0
        event.listen(engine, "commit", self._end)
        event.listen(engine, "rollback", self._end)

    def begin(self, connection: Connection) -> None:
        """Begin to write; raises OperationalError (database is locked) when others did for `lock_seconds`."""
        if self.gives_way:
            held = self._ended - self._begun
            time.sleep(max(0.0, self._ended + min(2 * held, _GIVE_WAY_FOR) - time.monotonic()))
        driver: Any = connection.connection.driver_connection
        until = time.monotonic() + self.lock_seconds
        driver.execute("PRAGMA busy_timeout = 0")
        try:
            while _locked(driver) and time.monotonic() < until:
                time.sleep(_LOOK_EVERY)
            if not driver.in_transaction:
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # once more, for the error as everybody knows it
        finally:
            driver.execute(f"PRAGMA busy_timeout = {round(self.lock_seconds * 1000)}")
        self._begun = time.monotonic()

    def _end(self, _connection: Connection) -> None:
        self._ended = time.monotonic()


def _locked(driver: sqlite3.Connection) -> bool:
    """Whether somebody else writes; if not, the transaction has begun, or cannot for another reason."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
    return False
