"""What a process hands to its edges: settings, database, clock, secret, and a way to start tasks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kit.clock import Clock, clock_for
from kit.db import Database
from kit.messages import Notifier
from kit.settings import Settings


@dataclass(slots=True)
class Context:
    """Made once by a composition root; a test makes its own."""

    settings: Settings
    db: Database
    clock: Clock
    secret: bytes
    send_task: Callable[[str], None] = field(default=lambda _name: None)  # returns at once, whatever is away
    drain: Callable[[], object] = field(default=lambda: None)  # at the end: lets what was sent go out, briefly
    listeners: dict[str, list[Callable[..., None]]] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)  # what a task of this process keeps until its next run

    def announce(self, name: str) -> None:
        """Tell this process's listeners, then the workers. Called after a commit, never inside one."""
        heard, *about = name.split()
        for listener in self.listeners.get(heard, ()):
            listener(*about)
        self.send_task(name)

    def send_through(self, publisher: Notifier) -> None:
        self.send_task, self.drain = publisher, publisher.drain

    def listen(self, name: str, listener: Callable[..., None]) -> None:
        """Hear of a name; where it says what it is about, the listener is given that."""
        self.listeners.setdefault(name, []).append(listener)


def make_context(settings: Settings, *, clock: Clock | None = None, seconds: float | None = None) -> Context:
    """
    Open the database and hand the pieces together; nothing is created or migrated here.

    `seconds` are how long anybody waits for the database: a worker's patience, where none is given.
    """
    seconds = settings.task_seconds if seconds is None else seconds
    ctx = Context(
        settings=settings,
        db=Database(settings.resolved_database_url, pool_size=settings.pool_size, seconds=seconds),
        clock=clock or clock_for(settings.clock_file),
        secret=settings.resolved_secret(),
    )
    ctx.db.listener = ctx.announce
    return ctx
