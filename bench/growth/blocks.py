"""
How much of the database a page touches: blocks of 8 KiB that its statements read, from memory or from the disk.

Unlike times, these are the same on a busy machine and on a quiet one.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import event

from bench.growth.house import LOGIN, House
from tests import factories
from web_app import create_app

_EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "


@contextmanager
def asked(made: House) -> Iterator[Callable[[str], int]]:
    """Asks a path of an application in this process, signed in; how many blocks its questions touched."""
    with TestClient(create_app(made.ctx), base_url="http://127.0.0.1") as client:
        answer = client.post("/sign-in", data={"login": LOGIN, "password": factories.PASSWORD})
        assert answer.status_code == 200, answer.text

        def ask(path: str) -> int:
            headers = made.key if path.startswith("/v1") else {"accept": "text/html"}
            return of(made, lambda: client.get(path, headers=headers))

        yield ask


def of(made: House, run: Callable[[], Any]) -> int:
    """Blocks that the questions of this work touch, as they are asked once more; what it writes is not counted."""
    statements: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "WITH")):
            statements.append((statement, parameters))

    run()
    event.listen(made.ctx.db.engine, "before_cursor_execute", listen)
    run()
    event.remove(made.ctx.db.engine, "before_cursor_execute", listen)
    with made.ctx.db.engine.connect() as connection:
        found = [connection.exec_driver_sql(_EXPLAIN + text, values).scalar() for text, values in statements]
        connection.rollback()
    plans = [(json.loads(one) if isinstance(one, str) else one)[0]["Plan"] for one in found]
    return sum(plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0) for plan in plans)
