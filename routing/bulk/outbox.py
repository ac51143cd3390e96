"""What was answered and not read yet: a queue of bytes that lies in files when it is long."""

import asyncio
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO

_PIECE = 64 * 1024
_IN_MEMORY = 256 * 1024
_SEGMENT = 4 * 1024 * 1024


class NobodyReads(Exception):
    """The other side has sent much and read nothing for a long time."""


def _file() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)


@dataclass(slots=True)
class _Segment:
    """A part of the queue, thrown away when it has been read."""

    file: IO[bytes] = field(default_factory=_file)
    written: int = 0
    read: int = 0


class Outbox:
    """
    For a client that reads only after it has sent everything: answers wait here instead of stopping the reader, who
    would stop the sender, who never comes to read. More than `most` unread bytes do stop it, for `patience` seconds.
    """

    def __init__(self, most: int, patience: float) -> None:
        self._most, self._patience = most, patience
        self._segments: deque[_Segment] = deque()
        self._put = self._got = self._sent = 0  # bytes since the beginning
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._when_sent: deque[tuple[int, Callable[[], None]]] = deque()

    async def put(self, data: bytes, when_sent: Callable[[], None] = lambda: None) -> None:
        """Queue it; returns when it may be followed by more. Once it is with the socket, or lost, `when_sent`."""
        if not self._segments or self._segments[-1].written >= _SEGMENT:
            self._segments.append(_Segment())
        last = self._segments[-1]
        last.file.seek(last.written)
        last.file.write(data)
        last.written += len(data)
        self._put += len(data)
        self._when_sent.append((self._put, when_sent))
        self._changed.set()
        while self._put - self._sent > self._most:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), self._patience)
            except TimeoutError:
                raise NobodyReads from None

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def get(self) -> bytes:
        """The next bytes; empty at the end. Asking for more says that those before have been sent."""
        self._sent = self._got
        self._room.set()
        while self._when_sent and self._when_sent[0][0] <= self._sent:
            self._when_sent.popleft()[1]()
        while not self._segments and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        return self._next_piece() if self._segments else b""

    def _next_piece(self) -> bytes:
        first = self._segments[0]
        first.file.seek(first.read)
        piece = first.file.read(_PIECE)
        first.read += len(piece)
        self._got += len(piece)
        if first.read == first.written:
            self._segments.popleft().file.close()
        return piece

    def close(self) -> None:
        while self._segments:
            self._segments.popleft().file.close()
        while self._when_sent:
            self._when_sent.popleft()[1]()
