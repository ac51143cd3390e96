"""
Pictures in cases: a checked data URI, or a table of numbers drawn as a small greyscale PNG.

What is not plainly a picture of a kind that cannot run anything is not shown as one.
"""

import base64
import binascii
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 3 * 1024 * 1024
MOST_PIXELS = 512 * 512
_SHOWN_AT_LEAST = 224  # a picture of 8 by 8 pixels is enlarged so far, in whole steps, with hard edges

_DATA = re.compile(r"data:image/(png|jpeg|gif|webp);base64,([A-Za-z0-9+/=\s]+)")
_BEGINS = {
    "png": (b"\x89PNG\r\n\x1a\n",),
    "jpeg": (b"\xff\xd8\xff",),
    "gif": (b"GIF87a", b"GIF89a"),
    "webp": (b"RIFF",),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What an `img` needs. `crisp` pictures are enlarged without smoothing."""

    source: str
    width: int | None = None
    height: int | None = None
    crisp: bool = False


def picture(value: Any) -> Picture | None:
    """The picture in a value, or None where there is none that may be shown."""
    if isinstance(value, str):
        return _from_data_uri(value)
    rows = _grey_rows(value)
    return _drawn(rows) if rows is not None else None


def _from_data_uri(value: str) -> Picture | None:
    found = _DATA.fullmatch(value) if len(value) <= MOST_BYTES * 4 // 3 + 64 else None
    if found is None:
        return None
    kind, packed = found.group(1), "".join(found.group(2).split())
    try:
        raw = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not raw.startswith(_BEGINS[kind]) or (kind == "webp" and raw[8:12] != b"WEBP"):
        return None
    return Picture(f"data:image/{kind};base64,{packed}")


def _grey_rows(value: Any) -> list[list[float]] | None:
    """Rows of numbers from 0 up, all of one length."""
    if not isinstance(value, list) or not value or not isinstance(value[0], list) or not value[0]:
        return None
    width = len(value[0])
    if width * len(value) > MOST_PIXELS:
        return None
    for row in value:
        if not isinstance(row, list) or len(row) != width or not all(_is_level(level) for level in row):
            return None
    return value


def _is_level(level: Any) -> bool:
    return isinstance(level, (int, float)) and not isinstance(level, bool) and 0 <= level < 1e9  # noqa: PLR2004


def _drawn(rows: list[list[float]]) -> Picture:
    """0 is white paper and the highest value black ink, as handwriting is read."""
    highest = max(max(row) for row in rows) or 1
    width, height = len(rows[0]), len(rows)
    times = max(1, -(-_SHOWN_AT_LEAST // max(width, height)))
    pixels = [bytes(255 - round(level / highest * 255) for level in row) for row in rows]
    source = "data:image/png;base64," + base64.b64encode(grey_png(pixels)).decode()
    return Picture(source, width * times, height * times, crisp=True)


def grey_png(rows: list[bytes]) -> bytes:
    """A greyscale PNG of eight bits (ISO 15948), one byte a pixel."""
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
