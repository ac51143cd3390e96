"""
The database: one `with ctx.db.begin() as session:` at the edge, and nothing below it commits.

What must happen once a transaction is stored (start a task, refresh a snapshot) is asked for with
`after_commit` inside it and done after it, or not at all when it is rolled back.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import structlog
from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from kit import dialects, patience
from kit.errors import Problem
from kit.turns import Turns

log = structlog.get_logger(__name__)

_AFTER_COMMIT = "after_commit"
_LONGEST_LOCK = 30.0  # seconds
_CONNECTIONS = 25  # of a process at most, where nothing else was asked for
_IN_EACH_OTHERS_WAY = "40"  # the class of PostgreSQL's errors for deadlocks and the like


class Database:
    """
    An engine with two doors: `begin()` for writers, `read()` for those who cannot write.

    Who waits longer than `seconds` for the database, for a lock or for a connection gets an OperationalError or a
    TimeoutError; 0: PostgreSQL may take as long as it likes, as when it migrates.
    """

    def __init__(self, url: str, *, pool_size: int = _CONNECTIONS, seconds: float = 0) -> None:
        self.engine: Engine = create_engine(
            _with_driver(url),
            pool_size=pool_size,
            max_overflow=0,  # it would be closed after each use: under load, every other call would connect anew
            pool_use_lifo=True,  # those in use know the statements
            pool_timeout=seconds or _LONGEST_LOCK,
            json_deserializer=dialects.read_json,
        )
        self.turns = Turns(self.engine, lock_seconds=min(seconds or _LONGEST_LOCK, _LONGEST_LOCK))
        dialects.prepare(self.engine, self.turns)
        if self.dialect == "postgresql":
            patience.look_after_a_rest(self.engine)
        if seconds and self.dialect == "postgresql":
            patience.install(self.engine, seconds)
        self._reader = self.engine.execution_options(**{dialects.READ_ONLY: True})
        one = {"isolation_level": "AUTOCOMMIT"} if self.dialect == "postgresql" else {}
        self._at_once = self.engine.execution_options(**one)
        self.listener: Callable[[str], None] = lambda _name: None

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextlib.contextmanager
    def begin(self) -> Iterator[Session]:
        """A transaction: stored when the block ends, rolled back when it raises."""
        with Session(self.engine, expire_on_commit=False) as session:
            with session.begin():
                yield session
            for name in session.info.get(_AFTER_COMMIT, ()):
                self.announce(name)

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view that cannot write; the database itself refuses."""
        with Session(self._reader, expire_on_commit=False, autoflush=False) as session:
            try:
                yield session
            except Problem:  # an answer like any other
                _end_reading(session)
                raise
            _end_reading(session)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[Connection]:
        """
        For one thing to be stored without a session. PostgreSQL stores each statement by itself, on one way there
        and back; SQLite all of the block when it ends.
        """
        with self._at_once.begin() as connection:
            yield connection

    def announce(self, name: str) -> None:
        """Tell of what was stored; a transaction's `send_after_commit` does it by itself."""
        # The row is stored. A lost message only makes things late: a sweep finds what it would have started.
        try:
            self.listener(name)
        except Exception:
            log.warning("message after commit was lost; the sweep will find its work", message=name, exc_info=True)

    def close(self) -> None:
        self.engine.dispose()


def _end_reading(session: Session) -> None:
    """The same as a rollback, after which the driver would prepare every statement anew."""
    session.expunge_all()
    session.commit()


def execute_core(session: Session, statement: Executable, given: Mapping[str, Any]) -> CursorResult[*tuple[Any, ...]]:
    """
    Carry out a statement that was made once, past the ORM's work for each call; on what this transaction has done so
    far, like any other.
    """
    if session.autoflush:
        session.flush()
    return session.connection().execute(statement, given)


def send_after_commit(session: Session, name: str, *, about: object = None) -> None:
    """
    Start the task (or in-process listener) `name` when this transaction is stored, and not otherwise.

    `about`: the id of what it is about, for listeners who would else look at everything.
    """
    wanted: list[str] = session.info.setdefault(_AFTER_COMMIT, [])
    name = name if about is None else f"{name} {about}"
    if name not in wanted:
        wanted.append(name)


def is_away(error: Exception) -> bool:
    """The database does not answer or is locked: each row alone would wait just as long, one after the other."""
    if isinstance(error, OperationalError):
        return not str(getattr(error.orig, "sqlstate", "") or "").startswith(_IN_EACH_OTHERS_WAY)
    return isinstance(error, InterfaceError | PoolTimeout)


def _with_driver(url: str) -> str:
    """Accept the addresses people have: postgres:// and postgresql:// mean the driver we ship."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url
