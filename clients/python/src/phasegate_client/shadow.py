"""
Runs a candidate beside what is done today, without anybody noticing.

    classify = Shadow(rules_engine, new_agent, sample=0.2, gate=gate, describe=describe)
    answer = classify(ticket)  # what rules_engine answers, or raises, as fast as it does

The control's result is always returned, and its exception raised. The candidate runs afterwards, in a thread or task of
its own, bounded in number; it may hang, raise or be wrong. Where there is no room it is left out, and counted.

A candidate that raised, or took too long, is evidence like any other: of a case that it did not do.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import operator
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from phasegate_client import threads
from phasegate_client.observing import Describe, Observation, ShadowCounts, Watched, as_told, rules_for

if TYPE_CHECKING:
    from phasegate_client.client import AsyncPhasegate, Phasegate

__all__ = ["AsyncShadow", "Describe", "Observation", "Shadow", "ShadowCounts"]

log = logging.getLogger("phasegate_client")

P = ParamSpec("P")
T = TypeVar("T")


class Shadow(Generic[P, T]):
    """
    For threads. `workers` candidates run at a time and `waiting` more may wait; one that takes longer than `timeout`
    seconds has failed, and as no thread can be stopped, it keeps its worker until it ends.

    `copied` copies arguments and results, while the caller waits (None: the candidate gets the very same objects and
    must not change them). `on_observation` gets what was seen, in the worker. With a `gate` it is told to Phasegate as
    well, see `Describe`: also of one that failed, with the error as its output. What `counts` calls dropped or untold
    is not told of.
    """

    def __init__(
        self,
        control: Callable[P, T],
        candidate: Callable[P, Any],
        *,
        compare: Callable[[Any, Any], bool] = operator.eq,
        sample: float = 1.0,
        timeout: float = 10.0,
        workers: int = 2,
        waiting: int = 100,
        copied: Callable[[Any], Any] | None = copy.deepcopy,
        on_observation: Callable[[Observation], object] | None = None,
        gate: Phasegate | None = None,
        describe: Describe | None = None,
    ) -> None:
        if (gate is None) != (describe is None):
            raise ValueError("a gate needs to know how a case is described, and the other way round")
        self._control, self._candidate = control, candidate
        self._rules = rules_for(compare, sample, timeout, copied)
        self._on_observation, self._gate, self._describe = on_observation, gate, describe
        self._workers, self._most_waiting = workers, waiting
        self.start_afresh()
        threads.renew_in_children(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        watched = self._rules.begin(args, kwargs)
        started = time.monotonic()
        try:
            result = self._control(*args, **kwargs)
        except BaseException:
            if watched is not None:
                self._rules.count("control_raised")
            raise
        seen = self._rules.seen(watched, result, time.monotonic() - started) if watched is not None else None
        if seen is not None:
            self._hand_in(seen)
        return result

    @property
    def counts(self) -> ShadowCounts:
        with self._rules.lock:
            return copy.copy(self._rules.counts)

    def join(self, timeout: float) -> bool:
        """Wait until no candidate is running or waiting; False when the time was over before."""
        until = time.monotonic() + timeout
        with self._queue.all_tasks_done:
            while self._queue.unfinished_tasks:
                if not self._queue.all_tasks_done.wait(max(0.0, until - time.monotonic())):
                    return not self._queue.unfinished_tasks
        return True

    def start_afresh(self) -> None:
        """Also in a forked child, see `threads`."""
        self._rules.lock = threading.Lock()
        self._queue: queue.Queue[Watched] = queue.Queue(self._most_waiting)
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()

    def _hand_in(self, seen: Watched) -> None:
        try:
            self._queue.put_nowait(seen)
            with self._starting:
                if len(self._threads) < self._workers:
                    self._threads.append(threads.start(self._work, "phasegate-shadow"))
        except queue.Full:
            self._rules.drop(f"{self._most_waiting} are waiting")
        except Exception as error:  # noqa: BLE001 - no thread to be had; what waits is done by the next
            log.debug("no further worker: %r", error)

    def _work(self) -> None:
        waiting = self._queue
        while True:
            watched = waiting.get()
            try:
                Context().run(self._observe, watched)
            except BaseException:
                log.exception("a defect in the shadow of a call")
            finally:
                waiting.task_done()

    def _observe(self, watched: Watched) -> None:
        started = time.monotonic()
        if started - watched.since > self._rules.timeout:
            self._rules.drop("it waited too long")
            return
        result: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        try:
            running = threads.start(lambda: result.put(Context().run(self._try, watched)), "phasegate-candidate")
        except RuntimeError as no_thread:  # no further thread to be had
            self._rules.drop("it could not be started", no_thread)
            return
        candidate, error, late = None, None, False
        try:
            candidate, error = result.get(timeout=self._rules.timeout)
        except queue.Empty:
            late = True
        self._hand_on(self._rules.judge(watched, candidate, error, time.monotonic() - started, late=late))
        running.join()

    def _try(self, watched: Watched) -> tuple[Any, BaseException | None]:
        try:
            return self._candidate(*watched.args, **watched.kwargs), None
        except BaseException as raised:  # noqa: BLE001 - whatever it does, it does to itself
            return None, raised

    def _hand_on(self, seen: Observation) -> None:
        try:
            if self._on_observation is not None:
                self._on_observation(seen)
            if self._gate is not None and self._describe is not None:
                done, fields = as_told(seen, self._describe)
                self._gate.observe(done, **fields)
        except Exception as failed:  # noqa: BLE001 - the candidate never hurts
            self._rules.untold(failed)


class AsyncShadow(Generic[P, T]):
    """
    `Shadow` for asyncio: control and candidate are awaited, and one that takes longer than `timeout` is cancelled. A
    candidate that computes without awaiting holds up the loop, and with it everybody: give such a one to a `Shadow`.
    """

    def __init__(
        self,
        control: Callable[P, Awaitable[T]],
        candidate: Callable[P, Awaitable[Any]],
        *,
        compare: Callable[[Any, Any], bool] = operator.eq,
        sample: float = 1.0,
        timeout: float = 10.0,
        workers: int = 2,
        waiting: int = 100,
        copied: Callable[[Any], Any] | None = copy.deepcopy,
        on_observation: Callable[[Observation], object] | None = None,
        gate: AsyncPhasegate | None = None,
        describe: Describe | None = None,
    ) -> None:
        if (gate is None) != (describe is None):
            raise ValueError("a gate needs to know how a case is described, and the other way round")
        self._control, self._candidate = control, candidate
        self._rules = rules_for(compare, sample, timeout, copied)
        self._on_observation, self._gate, self._describe = on_observation, gate, describe
        self._room = asyncio.Semaphore(workers)
        self._most = workers + waiting
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        watched = self._rules.begin(args, kwargs)
        started = time.monotonic()
        try:
            result = await self._control(*args, **kwargs)
        except BaseException:
            if watched is not None:
                self._rules.count("control_raised")
            raise
        seen = self._rules.seen(watched, result, time.monotonic() - started) if watched is not None else None
        if seen is not None:
            self._hand_in(seen)
        return result

    @property
    def counts(self) -> ShadowCounts:
        return copy.copy(self._rules.counts)

    async def join(self, timeout: float) -> bool:
        """See `Shadow.join`."""
        tasks = list(self._tasks)
        return not tasks or not (await asyncio.wait(tasks, timeout=timeout))[1]

    def _hand_in(self, seen: Watched) -> None:
        if len(self._tasks) >= self._most:
            self._rules.drop(f"{self._most} are under way")
            return
        task = Context().run(asyncio.get_running_loop().create_task, self._observe(seen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _observe(self, watched: Watched) -> None:
        async with self._room:
            started = time.monotonic()
            if started - watched.since > self._rules.timeout:
                self._rules.drop("it waited too long")
                return
            candidate, error, late = None, None, False
            try:
                candidate, error = await asyncio.wait_for(self._try(watched), self._rules.timeout)
            except asyncio.TimeoutError:
                late = True
            seen = self._rules.judge(watched, candidate, error, time.monotonic() - started, late=late)
        await self._hand_on(seen)

    async def _try(self, watched: Watched) -> tuple[Any, BaseException | None]:
        try:
            return await self._candidate(*watched.args, **watched.kwargs), None
        except asyncio.CancelledError:
            raise  # its time is over, or the loop is ending
        except BaseException as raised:  # noqa: BLE001 - a SystemExit would end the loop from here
            return None, raised

    async def _hand_on(self, seen: Observation) -> None:
        try:
            if self._on_observation is not None:
                self._on_observation(seen)
            if self._gate is not None and self._describe is not None:
                done, fields = as_told(seen, self._describe)
                await self._gate.observe(done, **fields)
        except Exception as failed:  # noqa: BLE001 - the candidate never hurts
            self._rules.untold(failed)
