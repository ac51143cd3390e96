"""What SQLite and PostgreSQL do differently, all of it, in one small place."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

import orjson
from sqlalchemy import (
    JSON,
    ColumnElement,
    DateTime,
    Dialect,
    Engine,
    FromClause,
    TypeDecorator,
    any_,
    bindparam,
    event,
    extract,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.sql import column as named
from sqlalchemy.sql.dml import Insert

from kit.turns import Turns

READ_ONLY = "phasegate_read_only"


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime in Python; `timestamptz` on PostgreSQL, a naive UTC text on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone cannot be stored: {value.isoformat()}")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# JSONB sorts its keys and drops doubles; we refuse doubles at the door, so nothing is lost by it.
Json = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def read_json(text: str | bytes | float) -> Any:
    """
    JSONB writes 1e300 out with all its zeros; what only a float can hold comes back as the float it was.

    SQLite keeps a document that is nothing but a number as a number.
    """
    if isinstance(text, int | float):
        return text
    try:
        return orjson.loads(text)  # what has more than 64 bits is a float to it
    except orjson.JSONDecodeError:  # half a character, or deeper than it goes
        return json.loads(text, parse_int=_integer_or_float)


def _integer_or_float(digits: str) -> int | float:
    number = int(digits)
    return number if -(2**63) <= number < 2**64 else float(digits)


def insert_new(connection_dialect: str, table: Any) -> Insert:
    """`INSERT … ON CONFLICT DO NOTHING`, in the words of the dialect."""
    builder = postgresql.insert if connection_dialect == "postgresql" else sqlite.insert
    return builder(table).on_conflict_do_nothing()


def insert_or_add(connection_dialect: str, table: Any, keys: list[str], counters: list[str]) -> Insert:
    """`INSERT … ON CONFLICT (keys) DO UPDATE SET counter = counter + excluded.counter`."""
    builder = postgresql.insert if connection_dialect == "postgresql" else sqlite.insert
    statement = builder(table)
    added = {name: table.c[name] + statement.excluded[name] for name in counters}
    return statement.on_conflict_do_update(index_elements=keys, set_=added)


def prepare(engine: Engine, turns: Turns) -> None:
    """Make transactions mean the same on both: writers are serial on SQLite, readers cannot write."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_sqlite_connect, round(turns.lock_seconds * 1000)))
        event.listen(engine, "begin", partial(_sqlite_begin, turns))
    else:
        event.listen(engine, "begin", _postgresql_begin)


def _sqlite_connect(busy_timeout: int, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late and is not IMMEDIATE
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {busy_timeout}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # acknowledged means on the disk, also when power fails
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _sqlite_begin(turns: Turns, connection: Connection) -> None:
    if connection.get_execution_options().get(READ_ONLY):
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.exec_driver_sql("BEGIN")
    else:
        connection.exec_driver_sql("PRAGMA query_only = OFF")
        turns.begin(connection)


def _postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(READ_ONLY):
        # One view for the whole block, as on SQLite; a transaction that only reads never has to be repeated.
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def skip_locked(statement: Any, dialect: str) -> Any:
    """Take rows that no other worker is holding; on SQLite the writer lock already says so."""
    return statement.with_for_update(skip_locked=True) if dialect == "postgresql" else statement


def among(column: Any, values: Collection[UUID] | Collection[str], dialect: str) -> ColumnElement[bool]:
    """`column IN (…)` as one parameter: thousands of them take longer than the looking itself."""
    if dialect == "postgresql":
        listed_there = bindparam(None, list(values), type_=postgresql.ARRAY(column.type))
        return cast("ColumnElement[bool]", column == any_(listed_there))
    listed = func.json_each(json.dumps([one.hex if isinstance(one, UUID) else one for one in values]))
    return cast("ColumnElement[bool]", column.in_(select(listed.table_valued("value").c.value)))


def given(like: Sequence[Any], rows: Sequence[Sequence[Any]], dialect: str) -> FromClause:
    """
    Rows to join with, one at least, under the names of these columns and with their types; the statement is the same
    for all, so it is made once. Joined and not `IN`, for which one of the databases reads the whole table.
    """
    if dialect == "postgresql":
        turned = zip(like, zip(*rows, strict=True), strict=True)
        lists = [bindparam(None, list(cells), type_=postgresql.ARRAY(one.type)) for one, cells in turned]
        names = [named(one.key, one.type) for one in like]
        return func.unnest(*lists).table_valued(*names).render_derived()
    cells = [[_plain(cell) for cell in row] for row in rows]
    each = func.json_each(json.dumps(cells)).table_valued("value")
    return select(
        *(func.json_extract(each.c.value, f"$[{place}]").label(one.key) for place, one in enumerate(like))
    ).subquery()


def _plain(cell: Any) -> Any:
    """As SQLite has it stored."""
    if isinstance(cell, UUID):
        return cell.hex
    return cell.isoformat() if isinstance(cell, date) else cell


def marked(column: Any) -> ColumnElement[bool]:
    """
    A boolean column as the condition of its partial index has it: alone. That `IS true` or `= 1` means the same neither
    database sees, and then it reads the whole table.
    """
    return cast("ColumnElement[bool]", literal_column(f"{column.class_.__tablename__}.{column.key}"))


def past_index(column: Any) -> Any:
    """A text column by whose index must not be looked, since another one has far fewer entries."""
    return column.concat("")


def utc_day(column: Any, dialect: str) -> Any:
    """The UTC day of a time, inside a statement; SQLite answers with a text."""
    return func.date(func.timezone("UTC", column)) if dialect == "postgresql" else func.date(column)


def utc_hour(column: Any, dialect: str) -> Any:
    """The hour of a time in UTC, 0 to 23, inside a statement."""
    return extract("hour", func.timezone("UTC", column) if dialect == "postgresql" else column)
