"""Threads that keep nobody from ending, and forked children that do not wait for the threads of their parent."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet


class StartsAfresh(Protocol):
    """Whoever has threads or locks: a child has none of the threads, and a lock may have been held by one of them."""

    def start_afresh(self) -> None: ...


_ALIVE: WeakSet[StartsAfresh] = WeakSet()


def start(target: Callable[[], object], name: str) -> threading.Thread:
    """
    A daemon thread, started. Raises RuntimeError when there is none to be had; also while the interpreter shuts down,
    when `Thread.start` of older Pythons would wait for ever for a thread that never runs.
    """
    if sys.is_finalizing():
        raise RuntimeError("the interpreter is shutting down")
    thread = threading.Thread(target=target, name=name, daemon=True)
    thread.start()
    return thread


def renew_in_children(one: StartsAfresh) -> None:
    _ALIVE.add(one)


def _renew() -> None:
    for one in list(_ALIVE):
        one.start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
