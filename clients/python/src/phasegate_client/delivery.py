"""
Tells the server, one by one and in order, what was spooled: a thread that tries again until it is told.

What the server refuses for good goes among the dead letters with its reason. Everything else stays where it is, and
holds up what came after it: an answer that nobody can make sense of for a few tries, no answer for as long as it takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from phasegate_client import threads
from phasegate_client.answers import Reply, check_receipt, trouble_in
from phasegate_client.calls import Send
from phasegate_client.errors import (
    MalformedAnswer,
    NotAllowed,
    PhasegateError,
    Refused,
    Unanswered,
    Unavailable,
    Unexpected,
    Unspooled,
)
from phasegate_client.requests import Request
from phasegate_client.spool import Spool
from phasegate_client.spool_store import Kept

log = logging.getLogger("phasegate_client")

IDLE = 1.0  # seconds between two looks at a spool in which nothing waits
ADOPT_EVERY = 30.0  # seconds
PATIENCE = 10.0  # seconds for one request; nobody waits for it
FIRST_PAUSE = 0.5  # seconds, doubled with each pass that ends in trouble
LONGEST_PAUSE = 30.0
_UNKNOWN_KEY = 401
MOST_TRIES = 10  # of an entry whose answers make no sense


class Delivery:
    """`send` carries out one request. Its thread is started when it is first needed, in each process anew."""

    def __init__(
        self, spool: Spool, send: Callable[[Send], Reply | PhasegateError], jitter: Callable[[], float]
    ) -> None:
        self._spool, self._send, self._jitter = spool, send, jitter
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.start_afresh()
        threads.renew_in_children(self)
        self.trouble: PhasegateError | None = None
        """What ended the last pass, None when all was told."""

    def start(self) -> None:
        """Cheap to be called again."""
        if self._thread is not None and self._thread.is_alive():  # it is not in a forked child
            return
        with self._lock:
            if self._stopped or (self._thread is not None and self._thread.is_alive()):
                return
            try:
                self._thread = threads.start(self._run, "phasegate-delivery")
            except RuntimeError as error:  # what is on disk is delivered by the next process
                log.info("what is spooled is not delivered for now: %s", error)

    def flush(self) -> Future[int]:
        """Try now. How many are still waiting after this pass."""
        done: Future[int] = Future()
        self.start()
        with self._lock:
            self._flushes.append(done)
        self._wake.set()
        if self._thread is None or self._stopped:
            self._answer_flushes()
        return done

    def stop(self) -> None:
        """What is under way is left to end by itself; what is spooled stays on disk."""
        self._stopped = True
        self._wake.set()
        self._answer_flushes()

    def start_afresh(self) -> None:
        """Also in a forked child, see `threads`."""
        self._lock = threading.Lock()
        self._thread = None
        self._wake = threading.Event()
        self._flushes: list[Future[int]] = []

    def _run(self) -> None:
        in_vain = 0
        while not self._stopped:
            self._wake.clear()
            flushes = self._taken()
            self.trouble = self._pass()
            left = self._spool.state().waiting
            for done in flushes:
                done.set_result(left)
            in_vain = in_vain + 1 if self.trouble is not None else 0
            self._wake.wait(self._pause(in_vain))
            self._wait_for_work()

    def _wait_for_work(self) -> None:
        """Until something is spooled, or may have been left behind by a process that is no more."""
        until = time.monotonic() + ADOPT_EVERY * (0.5 + self._jitter())
        while not self._wake.is_set() and not self._spool.state().waiting and time.monotonic() < until:
            self._wake.wait(IDLE)

    def _pause(self, in_vain: int) -> float:
        """Until the next pass: a server that is away is left alone for a while, though more is spooled meanwhile."""
        pause: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(in_vain, 10)) * (0.5 + self._jitter())
        asked = self.trouble.retry_after if isinstance(self.trouble, Unavailable) else None
        return pause if asked is None else max(pause, min(asked, LONGEST_PAUSE))

    def _pass(self) -> PhasegateError | None:
        try:
            self._spool.adopt()
            while not self._stopped and (kept := self._spool.first()) is not None:
                trouble = self._tell(kept)
                if trouble is None:
                    self._spool.settle(kept)
                elif _is_final(trouble, kept):
                    self._spool.settle(kept, reason=f"{trouble.code}: {trouble}")
                else:
                    if not _may_pass(trouble):
                        self._spool.tried(kept)
                    return trouble
        except Unspooled as error:
            return error
        except Exception as error:
            log.exception("a defect in the client keeps it from delivering what is spooled")
            return Unexpected(f"{type(error).__name__}: {error}")
        return None

    def _tell(self, kept: Kept) -> PhasegateError | None:
        request = Request("POST", kept.entry.path, kept.entry.body, kept.entry.idempotency_key)
        result = self._send(Send(request, PATIENCE))
        if isinstance(result, PhasegateError):
            return result
        if (trouble := trouble_in(result)) is not None:
            return trouble
        try:
            check_receipt(result, kept.entry.key)
        except MalformedAnswer as error:
            return error
        return None

    def _taken(self) -> list[Future[int]]:
        with self._lock:
            flushes, self._flushes = self._flushes, []
        return flushes

    def _answer_flushes(self) -> None:
        for done in self._taken():
            done.set_result(self._spool.state().waiting)


def _is_final(trouble: PhasegateError, kept: Kept) -> bool:
    """
    Whether trying again will not help. A 4xx that is not Phasegate's own, with no code of a problem, comes from
    something in between; such a one is tried a few times, as is a key that may not do this.
    """
    if _may_pass(trouble):
        return False
    if isinstance(trouble, Refused) and trouble.problem and not isinstance(trouble, NotAllowed):
        return True
    return kept.tries + 1 >= MOST_TRIES


def _may_pass(trouble: PhasegateError) -> bool:
    """No answer, and a key that is unknown: servers come back, and keys are changed."""
    return isinstance(trouble, Unanswered) or (isinstance(trouble, NotAllowed) and trouble.status == _UNKNOWN_KEY)
