"""
Nobody waits for PostgreSQL for ever.

A server may vanish without a word: a pulled cable, a firewall that forgot the connection, a pooler that hangs and still
acknowledges every byte. TCP notices the first two after a quarter of an hour, the last one never. So the waiting itself
is bounded here, whatever the network says; and the server is told to let go of what we left behind half done.
"""

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

_SERVER_FIRST = 0.75  # its own bound comes first: it ends one statement, ours ends the connection
_REST = 0.25  # seconds
_RESTS_SINCE = "rests since"
_LEFT_BEHIND = 15.0  # seconds that a transaction whose client is gone may hold its locks, at least


class PatientConnection(psycopg.Connection[Any]):
    """Gives up when the server showed no sign for `patience` seconds, and is closed then: nobody knows its state."""

    patience: float = 60.0

    def wait(self, gen: Any, *arguments: Any, **named: Any) -> Any:
        return super().wait(self._bounded(gen), *arguments, **named)

    def _bounded(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        # psycopg looks up from its waiting ten times a second with nothing in its hands, to be interrupted.
        try:
            wanted, sign_of_life = next(gen), time.monotonic()
            while True:
                ready = yield wanted
                if ready:
                    sign_of_life = time.monotonic()
                elif time.monotonic() - sign_of_life > self.patience:
                    self.close()
                    raise psycopg.OperationalError(f"the server showed no sign of life for {self.patience:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


def look_after_a_rest(engine: Engine) -> None:
    """A connection that rested is asked whether it still stands before it is used; one in constant use is not."""

    def rests(_connection: Any, record: Any) -> None:
        record.info[_RESTS_SINCE] = time.monotonic()

    def wakes(connection: Any, record: Any, _holder: Any) -> None:
        since = record.info.get(_RESTS_SINCE)
        if since is None or time.monotonic() - since < _REST:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError(str(error)) from None

    event.listen(engine, "checkin", rests)
    event.listen(engine, "checkout", wakes)


def install(engine: Engine, seconds: float) -> None:
    """Bound every wait of this engine's connections; what the address itself says about connecting stands."""
    kind = type("PatientConnection", (PatientConnection,), {"patience": seconds})
    defaults = {
        "connect_timeout": max(2, round(seconds / 2)),
        "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
        "tcp_user_timeout": round(seconds * 1000),
    }  # fmt: skip

    def connect(_dialect: Any, _record: Any, arguments: Any, named: dict[str, Any]) -> Any:
        return kind.connect(*arguments, **(defaults | named))  # type: ignore[attr-defined]

    def tell_server(connection: Any, _record: Any) -> None:
        # Not among the parameters of the start: a pooler between us would refuse them.
        bounds = {
            "statement_timeout": round(seconds * _SERVER_FIRST * 1000),
            "idle_in_transaction_session_timeout": round(max(seconds, _LEFT_BEHIND) * 1000),
            "tcp_keepalives_idle": 10,
            "tcp_keepalives_interval": 5,
        }
        connection.autocommit = True  # what is set in a transaction goes when it is rolled back
        connection.execute("; ".join(f"SET {name} = {value}" for name, value in bounds.items()))
        connection.autocommit = False

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", tell_server)
