"""What the two clients have in common: the settings, the calls, the breaker, the spool and its delivery."""

from __future__ import annotations

import math
import os
import random  # noqa: TID251 - only spreads retries in time, decides nothing
import time
from collections.abc import Callable
from dataclasses import dataclass

from phasegate_client.answers import Reply
from phasegate_client.breaker import FAILURES, FIRST_PAUSE, Breaker, Circuit
from phasegate_client.calls import Calls, Send
from phasegate_client.delivery import Delivery
from phasegate_client.errors import PhasegateError
from phasegate_client.spool import BYTES, ENTRIES, Spool, SpoolState

Folder = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Settings:
    """See `Phasegate`, which takes them one by one."""

    agent: str | None = None
    version: str | None = None
    timeout: float = 2.0
    raise_errors: bool = False
    spool: Folder | None = None
    spool_entries: int = ENTRIES
    spool_bytes: int = BYTES
    open_after: int = FAILURES
    open_for: float = FIRST_PAUSE


@dataclass(frozen=True, slots=True)
class Health:
    """
    How a client stands. `circuit` is open after `failures` calls in a row without an answer, for `seconds_left`.
    `delivery` is what ended the last try to deliver what is spooled, None when all was told.
    """

    circuit: Circuit
    failures: int
    seconds_left: float
    spool: SpoolState | None
    delivery: PhasegateError | None


class Core:
    """`send` carries out single requests from a thread; only what is spooled is sent by it."""

    def __init__(
        self, base_url: str, settings: Settings, send: Callable[[Send], Reply | PhasegateError] | None
    ) -> None:
        if not 0 < settings.timeout < math.inf:
            raise ValueError(f"timeout is {settings.timeout!r}, expected some seconds")
        self.breaker = Breaker(time.monotonic, random.random, failures=settings.open_after, pause=settings.open_for)
        self.spool: Spool | None = None
        self.delivery: Delivery | None = None
        if settings.spool is not None:
            if send is None:
                raise ValueError("a spool is delivered by a thread, so it needs a transport that does without asyncio")
            self.spool = Spool(settings.spool, base_url, entries=settings.spool_entries, size=settings.spool_bytes)
            self.delivery = Delivery(self.spool, send, random.random)
        self.calls = Calls(
            settings.agent,
            settings.version,
            settings.timeout,
            settings.raise_errors,
            time.monotonic,
            random.random,
            self.breaker,
            self.spool,
        )

    def health(self) -> Health:
        return Health(
            self.breaker.state,
            self.breaker.failures,
            self.breaker.seconds_left(),
            self.spool.state() if self.spool is not None else None,
            self.delivery.trouble if self.delivery is not None else None,
        )

    def waiting(self) -> int:
        return self.spool.state().waiting if self.spool is not None else 0

    def start(self) -> None:
        """Before the first call: what an earlier process left in the spool is delivered, too."""
        if self.delivery is not None:
            self.delivery.start()

    def close(self) -> None:
        if self.delivery is not None:
            self.delivery.stop()
        if self.spool is not None:
            self.spool.close()
