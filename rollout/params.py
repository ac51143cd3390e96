"""What the routes of this floor take in common: names in paths, and lists with a limit and an opaque cursor."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Path, Query

from kit.errors import Invalid, Place
from kit.wire import decode_cursor, encode_cursor

AgentPath = Annotated[str, Path(max_length=128)]
VersionPath = Annotated[str, Path(max_length=128)]
ItemPath = Annotated[str, Path(max_length=64)]
AgentQuery = Annotated[str, Query(max_length=128)]
NameQuery = Annotated[str | None, Query(max_length=128)]

Cursor = Annotated[str | None, Query(max_length=400, description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]

Row = TypeVar("Row")


def after_id(cursor: str | None) -> UUID | None:
    """The id a cursor stands for."""
    position = decode_cursor(cursor)
    try:
        return UUID(position) if position is not None else None
    except ValueError:
        raise _invented() from None


def after_number(cursor: str | None) -> int | None:
    """The number a cursor stands for; no list of ours is longer than a database's integer."""
    position = decode_cursor(cursor)
    if position is None:
        return None
    if not (position.isascii() and position.isdigit() and len(position) < 10):  # noqa: PLR2004 - fits 32 bits
        raise _invented()
    return int(position)


def after_name(cursor: str | None) -> str | None:
    position = decode_cursor(cursor)
    if position is not None and not position.isprintable():
        raise _invented()
    return position


def cut(rows: Sequence[Row], limit: int, position: Callable[[Row], object]) -> tuple[Sequence[Row], str | None]:
    """The page, and the cursor of the next one if `rows` holds more than the limit."""
    page = rows[:limit]
    return page, encode_cursor(str(position(page[-1]))) if len(rows) > limit else None


def _invented() -> Invalid:
    place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
    return Invalid("cursor: it is not one of ours", places=[place])
