"""Where in an output something stands: JSON pointers, in which `*` stands for any field or any place in a list."""

from collections.abc import Iterator
from typing import Any

DEEPEST = 64
"""Outputs that nest deeper are not compared, cleaned or validated, but called an error."""

ANY = "*"


def parse_path(path: str) -> tuple[str, ...]:
    """The segments of `/lines/*/amount`; the empty path is the whole output."""
    if not path:
        return ()
    if not path.startswith("/"):
        raise ValueError(f"a path starts with a slash, like /{path}, or is empty for the whole output")
    segments = tuple(unescape(segment) for segment in path[1:].split("/"))
    if len(segments) > DEEPEST:
        raise ValueError(f"a path has at most {DEEPEST} parts, this one {len(segments)}")
    return segments


def escape(segment: str) -> str:
    return segment.replace("~", "~0").replace("/", "~1") if "~" in segment or "/" in segment else segment


def unescape(segment: str) -> str:
    return segment.replace("~1", "/").replace("~0", "~")


def pointer(segments: tuple[str | int, ...] | list[str | int]) -> str:
    return "".join(f"/{escape(str(segment))}" for segment in segments)


def too_deep(value: Any) -> bool:
    """Level by level, without recursion: this is what protects everything that recurses."""
    level = [value]
    for _ in range(DEEPEST + 1):
        level = list(_children(level))
        if not level:
            return False
    return True


def _children(level: list[Any]) -> Iterator[Any]:
    for value in level:
        if isinstance(value, dict):
            yield from (item for item in value.values() if isinstance(item, dict | list))
        elif isinstance(value, list):
            yield from (item for item in value if isinstance(item, dict | list))
