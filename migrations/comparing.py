"""How Alembic compares tables with a database and writes down what it found."""

from typing import Any, Literal

from sqlalchemy import JSON, ColumnElement

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
    found: dict[str, Any] = {"compare_type": True, "render_item": render_item}
    if dialect == "sqlite":
        found["render_as_batch"] = True  # SQLite cannot alter a column in place
        found["include_object"] = _is_visible_on_sqlite
    return found


def _is_visible_on_sqlite(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Indexes over expressions cannot be read back from SQLite, so they are left out on both sides."""
    return kind != "index" or name not in _over_expressions()


def _over_expressions() -> set[str | None]:
    indexes = (index for table in metadata.tables.values() for index in table.indexes)
    return {
        str(index.name)
        for index in indexes
        if any(not isinstance(expression, ColumnElement) for expression in index.expressions)
    }
