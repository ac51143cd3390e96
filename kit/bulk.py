"""
Many rows of several tables in a few statements, without work of the ORM for each of them.

What is made once from the description of a table stands here for both databases: PostgreSQL is given every list of
rows as one document and takes it apart itself, all tables in one statement; SQLite gets the values of many rows at
once. Both run while Python does something else, which a loop over rows does not.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import JSON, Column, Connection, Dialect, Table, Uuid
from sqlalchemy.orm import Session

from kit.dialects import UtcTime

Row = dict[str, Any]

_ROWS_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)  # few enough different statements that all of them stay prepared


class Follower(NamedTuple):
    """A table of which rows come with a new key; `column` holds the id that is new."""

    table: Table
    column: str


class NotAllNew(Exception):
    """Some of the keys are there already; nothing of the transaction is to stay."""


class NewRows:
    """
    Rows that are stored once: under a key that was not there yet, else not at all, together with rows that follow them.

    The documents hold what a strict reader let through: JSON has no word for a number that is none.
    """

    def __init__(self, keys: Table, *followers: Follower, mark: "Column[int]") -> None:
        """`mark` grows with every change after which rows may have to be made anew."""
        self._keys = keys
        (self._id,) = [column.name for column in keys.columns if not column.primary_key]
        self._followers = followers
        self._mark = mark

    def insert(self, session: Session, keys: Sequence[Row], *rows: Sequence[Row]) -> set[UUID]:
        """
        The ids that are new. `rows` are those of each follower, in the order they were named; the keys should come in
        the same order from everybody, so that two writers do not wait for each other.
        """
        connection = session.connection()
        if connection.dialect.name == "postgresql":
            statement = _statement(connection.dialect, self._keys, self._id, self._followers, None)
            return set(connection.exec_driver_sql(statement, _documents(keys, rows)).scalars())
        new: set[UUID] = set()
        ending = f"ON CONFLICT DO NOTHING RETURNING {self._id}"
        for text, values in _many(connection.dialect, self._keys, keys, ending):
            new |= {UUID(hex=found) for found in connection.exec_driver_sql(text, values).scalars()}
        names = {*new, *map(str, new)}  # a text may name an id, too
        mine = [
            [row for row in theirs if row[follower.column] in names]
            for follower, theirs in zip(self._followers, rows, strict=True)
        ]
        self._follow(connection, mine)
        return new

    def insert_all(self, connection: Connection, mark: int, keys: Sequence[Row], *rows: Sequence[Row]) -> int:
        """
        How many were new, as far as nothing is beyond `mark`; else nothing is stored and it is 0.

        Where it is fewer than the keys, look with `insert` what is there. On SQLite that is NotAllNew.
        """
        if connection.dialect.name == "postgresql":
            statement = _statement(connection.dialect, self._keys, self._id, self._followers, self._mark)
            return int(connection.exec_driver_sql(statement, (mark, *_documents(keys, rows))).scalar_one())
        quote = connection.dialect.identifier_preparer.quote
        newest = f"SELECT max({quote(self._mark.name)}) FROM {quote(self._mark.table.name)}"  # noqa: S608 - our own
        if (connection.exec_driver_sql(newest).scalar() or 0) > mark:
            return 0
        statements = _many(connection.dialect, self._keys, keys, "ON CONFLICT DO NOTHING")
        new = sum(connection.exec_driver_sql(text, values).rowcount for text, values in statements)
        if new < len(keys):
            raise NotAllNew
        self._follow(connection, rows)
        return new

    def _follow(self, connection: Connection, rows: Sequence[Sequence[Row]]) -> None:
        for follower, theirs in zip(self._followers, rows, strict=True):
            for text, values in _many(connection.dialect, follower.table, theirs, ""):
                connection.exec_driver_sql(text, values)


@cache
def _statement(
    dialect: Dialect, keys: Table, key_id: str, followers: tuple[Follower, ...], mark: "Column[int] | None"
) -> str:
    """
    `fresh` holds the new ids; each follower is inserted as far as it belongs to one of them.

    With a mark, nothing is inserted where anything is beyond the first parameter, and the answer is a number.
    """
    quote = dialect.identifier_preparer.quote
    parts, holds = [], ""
    if mark is not None:
        newest = f"SELECT coalesce(max({quote(mark.name)}), 0) AS newest FROM {quote(mark.table.name)}"  # noqa: S608
        parts.append(f"held AS MATERIALIZED (SELECT 1 FROM ({newest}) AS marks WHERE newest <= %s)")  # noqa: S608
        holds = "CROSS JOIN held "
    new_keys = f"{_insert_select(dialect, keys)} {holds}ON CONFLICT DO NOTHING RETURNING {quote(key_id)} AS id"
    parts.append(f"fresh AS ({new_keys})")
    for number, (table, column) in enumerate(followers):
        new = "fresh.id" if isinstance(table.c[column].type, Uuid) else "fresh.id::text"
        joined = f"{_insert_select(dialect, table)} JOIN fresh ON {new} = given.{quote(column)}"
        parts.append(f"follower_{number} AS ({joined})")
    return f"WITH {', '.join(parts)} SELECT {'id' if mark is None else 'count(*)'} FROM fresh"  # noqa: S608


def _insert_select(dialect: Dialect, table: Table) -> str:
    """Of plain JSON and not its binary form, whose numbers know no -0.0."""
    quote = dialect.identifier_preparer.quote
    names = [quote(column.name) for column in table.columns]
    typed = [f"{quote(column.name)} {column.type.compile(dialect)}" for column in table.columns]
    return (
        f"INSERT INTO {quote(table.name)} ({', '.join(names)}) "  # noqa: S608 - names of our own tables
        f"SELECT given.* FROM json_to_recordset(%s::json) AS given ({', '.join(typed)})"
    )


def _documents(keys: Sequence[Row], rows: Sequence[Sequence[Row]]) -> tuple[str, ...]:
    return tuple(_document(one) for one in (keys, *rows))


def _document(rows: Any) -> str:
    try:
        return orjson.dumps(rows).decode()
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, or half a character
        return json.dumps(rows, default=str)


def _many(dialect: Dialect, table: Table, rows: Sequence[Row], ending: str) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Statements that insert these rows, and their values."""
    encode, start = _encoder(dialect, table), 0
    for size in _ROWS_AT_ONCE:
        while len(rows) - start >= size:
            part = rows[start : start + size]
            start += size
            yield _values(dialect, table, size, ending), tuple(chain.from_iterable(map(encode, part)))


@cache
def _values(dialect: Dialect, table: Table, rows: int, ending: str) -> str:
    quote = dialect.identifier_preparer.quote
    names = [quote(column.name) for column in table.columns]
    one = f"({', '.join('?' for _ in names)})"
    return f"INSERT INTO {quote(table.name)} ({', '.join(names)}) VALUES {', '.join([one] * rows)} {ending}"  # noqa: S608


@cache
def _encoder(dialect: Dialect, table: Table) -> Callable[[Row], list[Any]]:
    """From a row to the values of its columns, as the table's types would have it."""
    values = itemgetter(*[column.name for column in table.columns])
    ways = [(place, way) for place, column in enumerate(table.columns) if (way := _way(dialect, column.type))]

    def encode(row: Row) -> list[Any]:
        found = list(values(row))
        for place, way in ways:
            if found[place] is not None:
                found[place] = way(found[place])
        return found

    return encode


def _way(dialect: Dialect, kind: Any) -> Callable[[Any], Any] | None:
    """As the library would do it, but for the kinds that every row has several of."""
    if isinstance(kind, JSON):
        return _document
    if dialect.name == "sqlite" and isinstance(kind, UtcTime):
        return _utc_text
    way: Callable[[Any], Any] | None = kind.dialect_impl(dialect).bind_processor(dialect)
    return way


@lru_cache(maxsize=1024)  # the rows of a decision have their times in common
def _utc_text(at: datetime) -> str:
    """How SQLAlchemy writes a time for SQLite."""
    if at.tzinfo is None:
        raise ValueError(f"a time without a zone cannot be stored: {at.isoformat()}")
    return at.astimezone(UTC).isoformat(" ", "microseconds")[:-6]
