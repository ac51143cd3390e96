"""What is asked all the time is found by the index that was made for it, however many rows lie beside."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from kit.context import Context
from routing import queries as backlog
from routing.cases import queries as cases
from routing.doctor import queries as doctor
from routing.people import queries as people
from routing.people.service import scope_of
from tests.conftest import START


def plans(ctx: Context, ask: Callable[[Session], Any]) -> str:
    """How the database goes about the statements of this question, as if every table were large."""
    asked: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    with ctx.db.begin() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", listen)
        ask(session)
        event.remove(connection, "before_cursor_execute", listen)
        explain = "EXPLAIN QUERY PLAN "
        if ctx.db.dialect == "postgresql":
            session.execute(text("SET LOCAL enable_seqscan = off"))
            explain = "EXPLAIN "
        rows = [row for one, values in asked for row in connection.exec_driver_sql(explain + one, values)]
    return "\n".join(str(row) for row in rows)


@pytest.mark.parametrize(
    "ask",
    [
        lambda session: cases.unsettled(session, ["claims"], 500),
        lambda session: cases.unsettled_human_outputs(session, 500),
        lambda session: backlog.backlog(session, START),
        doctor.backlog,
    ],
)
def test_what_is_unsettled_is_found_by_its_mark(ctx: Context, ask: Callable[[Session], Any]) -> None:
    found = plans(ctx, ask)

    if ctx.db.dialect == "sqlite":
        assert "_unsettled" in found, found
    # What is locked is filtered again: then it counts which index it came from (partitions name theirs by the column).
    lines = found.splitlines()
    filtered = [before for before, line in pairwise(lines) if re.search(r"Filter: .*unsettled", line)]
    assert all(re.search(r"_unsettled|_id_idx", before) for before in filtered), f"among other rows: {found}"


def test_outputs_with_several_verdicts_are_found_by_their_mark(ctx: Context) -> None:
    scope = scope_of("claims", None, None, START, START)
    found = plans(ctx, lambda session: people.several_verdicts(session, scope))

    # PostgreSQL takes the index by its size, and on empty tables any.
    assert "ix_decisions_several_verdicts" in found or ctx.db.dialect == "postgresql", found
