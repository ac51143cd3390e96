"""
Tasks: a function with a constant name that gets the context. Celery runs them; tests call them.

Whatever a message starts, a sweep also finds, so every task is safe to run twice and to miss.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kit.context import Context


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    run: Callable[[Context], Any]
    every: float | None  # seconds between sweeps as a multiple of settings.beat_seconds; None: only on request
    queue: str | None = None  # of workers that do nothing else; None: the common one


REGISTRY: dict[str, Task] = {}


def routes() -> dict[str, dict[str, str]]:
    """For Celery's `task_routes`; everybody who sends needs it, or a task lands where it keeps others waiting."""
    return {known.name: {"queue": known.queue} for known in REGISTRY.values() if known.queue is not None}


def task(
    name: str, *, every: float | None = None, queue: str | None = None
) -> Callable[[Callable[[Context], Any]], Callable[[Context], Any]]:
    """Register a task under its constant name; `every` counts in beats (`settings.beat_seconds`)."""

    def register(run: Callable[[Context], Any]) -> Callable[[Context], Any]:
        if name in REGISTRY and REGISTRY[name].run.__module__ != run.__module__:
            raise ValueError(f"two tasks are called {name}")
        REGISTRY[name] = Task(name, run, every, queue)
        return run

    return register
