"""
The circuit breaker: after several calls in a row without an answer, the next ones are not even tried for a while.

Closed, every call goes through. Open, none does, and each is answered at once by the one law: a person. When the pause
is over one call at a time may try (half-open); an answer closes the circuit, none opens it for twice as long.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from enum import Enum

from phasegate_client import threads
from phasegate_client.errors import CircuitOpen

FAILURES = 5  # in a row
FIRST_PAUSE = 5.0  # seconds
LONGEST_PAUSE = 60.0  # seconds
PROBE_FORGOTTEN = 30.0  # seconds after which a probe that never came back holds up nobody


class Circuit(str, Enum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """
    `clock` counts seconds from any start, `jitter` draws from 0 to 1: each pause is a half to one and a half of what
    it is by rule, so that the agents that were turned away together do not come back together.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        *,
        failures: int = FAILURES,
        pause: float = FIRST_PAUSE,
    ) -> None:
        if failures < 1 or not pause > 0:
            raise ValueError("a circuit opens after at least one failure, for some seconds")
        self._clock, self._jitter = clock, jitter
        self._limit, self._first_pause = failures, pause
        self.start_afresh()
        threads.renew_in_children(self)
        self.failures = 0
        """Calls in a row that got no answer."""
        self._opened = 0  # times in a row, which double the pause
        self._closed_again_at = -math.inf  # the end of the pause
        self._probe_since: float | None = None

    def start_afresh(self) -> None:
        """What the parent knew of the server, a forked child knows too."""
        self._lock = threading.Lock()

    @property
    def state(self) -> Circuit:
        with self._lock:
            return self._state(self._clock())

    def seconds_left(self) -> float:
        """Of the pause; 0 when a call may try."""
        with self._lock:
            return max(0.0, self._closed_again_at - self._clock()) if self.failures >= self._limit else 0.0

    def admit(self) -> None:
        """Let a call through or raise `CircuitOpen`. Whoever is let through says what came of it."""
        with self._lock:
            now = self._clock()
            state = self._state(now)
            if state is Circuit.CLOSED:
                return
            if state is Circuit.OPEN:
                left = self._closed_again_at - now
                words = f"the last {self.failures} calls got no answer; the next is tried in {left:.1f} s"
                raise CircuitOpen(words)
            if self._probe_since is not None and now - self._probe_since < PROBE_FORGOTTEN:
                raise CircuitOpen(f"the last {self.failures} calls got no answer; another call is just trying")
            self._probe_since = now

    def succeeded(self) -> None:
        """An answer came, whatever it said."""
        with self._lock:
            self.failures = self._opened = 0
            self._probe_since = None

    def failed(self, retry_after: float | None = None) -> None:
        """No answer came, or one that says the server cannot; it may name the seconds it wants to be left alone."""
        with self._lock:
            was_probe = self._probe_since is not None
            self._probe_since = None
            self.failures += 1
            if self.failures < self._limit or (not was_probe and self._clock() < self._closed_again_at):
                return  # one that was under way when the circuit opened adds nothing
            pause = min(LONGEST_PAUSE, self._first_pause * 2 ** min(self._opened, 10))
            pause *= 0.5 + self._jitter()
            if retry_after is not None:
                pause = max(pause, min(retry_after, LONGEST_PAUSE))
            self._opened += 1
            self._closed_again_at = self._clock() + pause

    def gave_up(self) -> None:
        """The caller went away before anything came of it: the next one may try."""
        with self._lock:
            self._probe_since = None

    def _state(self, now: float) -> Circuit:
        if self.failures < self._limit:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self._closed_again_at else Circuit.HALF_OPEN
