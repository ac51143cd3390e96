"""Threads that keep nobody from ending."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable


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
