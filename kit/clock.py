"""One clock, handed in everywhere, so that thirteen weeks can pass in minutes in the demo and the tests."""

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

_MICROSECONDS = struct.Struct("<q")


class Clock(Protocol):
    """Tells the present moment as an aware UTC datetime."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place that may ask the machine


class FixedClock:
    """Stands still until it is moved; what tests use."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at

    def move(self, by: timedelta) -> None:
        self._at += by

    def set(self, at: datetime) -> None:
        self._at = at


class SharedClock:
    """
    A clock that several processes read and one of them moves: eight bytes in a mapped file.

    A read costs a memory access, so the decision path is as fast with it as without. An aligned
    eight-byte store is atomic on the machines we run on, so no reader ever sees half a time.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_MICROSECONDS.pack(0))
        self._file = path.open("r+b")
        self._memory = mmap.mmap(self._file.fileno(), _MICROSECONDS.size)

    def now(self) -> datetime:
        (micros,) = _MICROSECONDS.unpack(self._memory[:])
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)

    def set(self, at: datetime) -> None:
        micros = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        self._memory[:] = _MICROSECONDS.pack(micros)

    def close(self) -> None:
        self._memory.close()
        self._file.close()


def clock_for(path: Path | None) -> Clock:
    """The machine's clock, or the shared one where a file is named in the settings."""
    return SharedClock(path) if path is not None else SystemClock()
