"""
Tables in partitions by month, on PostgreSQL. A month is a range of ids: a UUIDv7 begins with the millisecond at which
it was made, so the primary key stays the id alone, and whoever looks an id up reads one month.

What fits no month lies in the partition `…_rest`, so that a writer never fails for want of one.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

REST = "rest"
_LOCK = 7_268_436_901_138  # any number, the same in every process: partitions are made one after the other
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Every row is written again when it is settled: dead rows are taken away while a month grows, not after a fifth of it.
SETTINGS = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05"


def first_id(at: datetime) -> UUID:
    """The lowest id that can be made at this moment."""
    return UUID(int=(at - _EPOCH) // timedelta(milliseconds=1) << 80)


def made_at(row_id: UUID) -> datetime:
    """When an id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=row_id.int >> 80)


def month_of(at: datetime) -> date:
    """The first day of its month, in UTC."""
    return at.astimezone(UTC).date().replace(day=1)


def after(month: date, months: int = 1) -> date:
    """So many months later, or earlier."""
    years, index = divmod(month.year * 12 + month.month - 1 + months, 12)
    return date(years, index + 1, 1)


def bounds(month: date) -> tuple[UUID, UUID]:
    """The first id of a month and the first that is no more in it."""
    return _first_id_of(month), _first_id_of(after(month))


def _first_id_of(month: date) -> UUID:
    return first_id(datetime(month.year, month.month, 1, tzinfo=UTC))


def coming(now: datetime) -> Iterator[date]:
    """The months that must have a partition: this one and the next two."""
    return (after(month_of(now), months) for months in range(3))


def name_of(table: str, month: date) -> str:
    return f"{table}_{month:%Y_%m}"


def month_named(table: str, name: str) -> date | None:
    """The month of a partition by its name; None for the rest."""
    suffix = name.removeprefix(f"{table}_")
    return None if suffix == REST else datetime.strptime(suffix, "%Y_%m").replace(tzinfo=UTC).date()


def names(connection: Connection, table: str) -> list[str]:
    """The partitions there are, oldest first, the rest last; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    found = text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = to_regclass(:table) ORDER BY 1")
    return list(connection.scalars(found, {"table": table}))


def make_rest(connection: Connection, table: str) -> None:
    connection.exec_driver_sql(f"CREATE TABLE {table}_{REST} PARTITION OF {table} DEFAULT WITH ({SETTINGS})")


def make(connection: Connection, table: str, month: date) -> bool:
    """
    Make the partition of a month unless it is there; True when it was made.

    Attaching lets writers and readers of the table go on. Rows of the month that came before it are moved into it.
    """
    name = name_of(table, month)
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if name in names(connection, table):
        return False
    first, end = bounds(month)
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS) WITH ({SETTINGS})")
    if f"{table}_{REST}" in names(connection, table):
        connection.exec_driver_sql(f"LOCK TABLE {table}_{REST} IN ACCESS EXCLUSIVE MODE")
        moved = f"DELETE FROM {table}_{REST} WHERE id >= '{first}' AND id < '{end}' RETURNING *"  # noqa: S608 - ours
        connection.exec_driver_sql(f"WITH moved AS ({moved}) INSERT INTO {name} SELECT * FROM moved")  # noqa: S608
    connection.exec_driver_sql(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first}') TO ('{end}')")
    return True
