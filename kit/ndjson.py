"""
Takes a body apart as it comes: gzip into bytes, bytes into lines. Constant memory, whatever is sent.

Compressed bodies are bounded in what they may become: a kilobyte can stand for a megabyte of spaces. A line that is
too long is read past, not into memory, and only that line is lost.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from kit.errors import Invalid, Place, TooLarge

PIECE = 64 * 1024
"""Bytes that are decompressed at once, at most."""
MOST_TO_ONE = 200
"""What a byte may become on the average. Repetitive JSON comes to 50, a bomb to 1,000."""
_ANY_RATIO_UP_TO = 1024 * 1024

_GZIP = 31  # zlib's name for a gzip header and trailer with the largest window


class Gunzip:
    """Decompresses piece by piece; several gzip members in a row are one body, as RFC 1952 has it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False
        self._taken = self._made = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._taken += len(data)
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._begun = True
            try:
                piece = self._member.decompress(data, PIECE)
            except zlib.error as error:
                raise _no_gzip(f"it is not gzip: {error}") from None
            data = self._member.unconsumed_tail or self._member.unused_data
            self._made += len(piece)
            if self._made > _ANY_RATIO_UP_TO and self._made > MOST_TO_ONE * self._taken:
                words = f"it becomes more than {MOST_TO_ONE} times as long"
                place = Place("body", words, "send it uncompressed, or with ordinary data in it")
                raise TooLarge(f"the compressed body is refused: {words}", places=[place])
            if piece:
                yield piece

    def finish(self) -> None:
        """Raise when the end of the compressed data has not come."""
        if self._begun and not self._member.eof:
            raise _no_gzip("the gzip data ends in the middle")


def gunzip(data: bytes, most: int) -> bytes:
    """A whole body; TooLarge when it becomes longer than `most` bytes."""
    opened, pieces, size = Gunzip(), [], 0
    for piece in opened.feed(data):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            place = Place("body", f"larger than {most} bytes, decompressed", "send less at once")
            raise TooLarge(f"the body is larger than {most} bytes, decompressed", places=[place])
    opened.finish()
    return b"".join(pieces)


def is_gzip(content_encoding: str | None) -> bool:
    """Whether a Content-Encoding says gzip; Invalid when it says something else than that or nothing."""
    said = (content_encoding or "identity").strip().lower()
    if said not in {"gzip", "x-gzip", "identity"}:
        place = Place("Content-Encoding", f"“{said[:40]}” is not read here", "send gzip, or no encoding")
        raise Invalid(f"Content-Encoding: “{said[:40]}” is not read here", places=[place])
    return said != "identity"


def _no_gzip(words: str) -> Invalid:
    return Invalid(words, places=[Place("body", words, "compress it with gzip, or leave Content-Encoding out")])


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, by its number from 1; `raw` is None when it was too long to be kept."""

    number: int
    raw: bytes | None


class Lines:
    """Cuts bytes into lines; `longest` is in bytes."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = b""
        self._too_long = False
        self.number = 0
        """Of the last line that ended."""

    def feed(self, data: bytes) -> list[Line]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        found = [line for raw in whole if (line := self._ended(raw)) is not None]
        if len(self._rest) > self._longest:
            self._rest, self._too_long = b"", True
        return found

    def finish(self) -> list[Line]:
        """The last line, which need not end with a line break."""
        if not self._rest and not self._too_long:
            return []
        line, self._rest = self._ended(self._rest), b""
        return [line] if line is not None else []

    def _ended(self, raw: bytes) -> Line | None:
        self.number += 1
        if self._too_long or len(raw) > self._longest:
            self._too_long = False
            return Line(self.number, None)
        if self.number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        return Line(self.number, raw) if raw.strip() else None
