"""
Connections for requests that the server holds: many small pools in place of a large one.

What a pool of httpx2's does for one request grows with all the others in it: two thousand in a single one, and nothing
else is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx2

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

MOST = 5000  # requests at a time; what a web process has room for
EACH = 100
LIMITS = httpx2.Limits(max_connections=EACH, max_keepalive_connections=20)

H = TypeVar("H")


def most_at_once() -> int:
    """However many wait for people, decisions find a connection: half of the files this process may open are left."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource is not None else -1
    return min(MOST, files // 2) if files > 0 else MOST  # not above 0: no limit


@dataclass(slots=True)
class _Pool(Generic[H]):
    http: H
    taken: int = 0


class Pools(Generic[H]):
    """`make` makes a client with `LIMITS`. Threads may share it. When all are full, requests wait in the emptiest."""

    def __init__(self, make: Callable[[], H]) -> None:
        self._make = make
        self._most = max(1, most_at_once() // EACH)
        self._pools: list[_Pool[H]] = []
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[H]:
        """A client for one request."""
        with self._lock:
            pool = self._with_room()
            pool.taken += 1
        try:
            yield pool.http
        finally:
            with self._lock:
                pool.taken -= 1

    def all(self) -> list[H]:
        with self._lock:
            return [pool.http for pool in self._pools]

    def _with_room(self) -> _Pool[H]:
        for pool in self._pools:
            if pool.taken < EACH:
                return pool
        if len(self._pools) < self._most:
            self._pools.append(_Pool(self._make()))
            return self._pools[-1]
        return min(self._pools, key=lambda pool: pool.taken)
