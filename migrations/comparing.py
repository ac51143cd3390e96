"""How Alembic compares tables with a database and writes down what it found."""

import re
from typing import Any, Literal

from sqlalchemy import JSON, ColumnElement, Index, Table

from kit.dialects import UtcTime
from migrations.tables import metadata


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Our own column types by their name in `kit.dialects`, so that they mean the right thing on both."""
    if kind == "type" and isinstance(item, UtcTime):
        return "UtcTime()"
    if kind == "type" and isinstance(item, JSON):
        return "Json"
    return False


def options(dialect: str) -> dict[str, Any]:
    """What `context.configure` is told."""
    found: dict[str, Any] = {"compare_type": True, "render_item": render_item, "include_name": _is_no_partition}
    if dialect == "sqlite":
        found["render_as_batch"] = True  # SQLite cannot alter a column in place
        found["include_object"] = _is_visible_on_sqlite
    return found


def partitioned() -> list[Table]:
    """The tables that lie in partitions on PostgreSQL."""
    return [table for table in metadata.sorted_tables if table.dialect_options["postgresql"]["partition_by"]]


def is_partition(name: str) -> bool:
    """Whether a table of the database is but a month of one in the code."""
    return any(re.fullmatch(rf"{table.name}_(\d{{4}}_\d{{2}}|rest)", name) for table in partitioned())


def _is_no_partition(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "table" or name is None or not is_partition(name)


def _is_visible_on_sqlite(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Indexes over expressions cannot be read back from SQLite, so they are left out on both sides."""
    return kind != "index" or name not in _over_expressions() | _of_postgresql()


def _of_postgresql() -> set[str | None]:
    """Indexes that SQLite has no use for."""
    return {str(index.name) for index in _indexes() if index._ddl_if is not None}  # noqa: SLF001 - no other way to ask


def _over_expressions() -> set[str | None]:
    return {
        str(index.name)
        for index in _indexes()
        if any(not isinstance(expression, ColumnElement) for expression in index.expressions)
    }


def _indexes() -> list[Index]:
    return [index for table in metadata.tables.values() for index in table.indexes]
