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
import random  # noqa: TID251 - draws which calls are watched, decides no case
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from phasegate_client import threads
from phasegate_client.requests import HumanOutput

if TYPE_CHECKING:
    from phasegate_client.client import AsyncPhasegate, Phasegate

log = logging.getLogger("phasegate_client")

_LONGEST_WORDS = 1000  # characters told of an error

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observation:
    """
    One call seen twice. A candidate without an answer, for it raised or took too long (a `TimeoutError`), has its
    `error` and is not `equal`. With an answer and an `error` comparing has raised, and `equal` is None.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    control: Any
    candidate: Any
    error: BaseException | None
    equal: bool | None
    control_seconds: float
    candidate_seconds: float
    answered: bool = True


Describe = Callable[[Observation], Mapping[str, Any]]
"""
The arguments of `decide`, `case_id` at least. Unless said, `output` is the candidate's and `done` the control's. It is
also asked about a candidate that is not `answered`: its `candidate` is None, and its output is told as `_failure`.
"""


@dataclass(slots=True)
class ShadowCounts:
    """Calls of the control, and what became of the candidate in each. What is not in any of them is under way."""

    calls: int = 0
    not_sampled: int = 0
    control_raised: int = 0
    dropped: int = 0  # not run and missing from the evidence: no room, could not be copied, or waited too long
    equal: int = 0
    different: int = 0
    raised: int = 0
    timed_out: int = 0
    untold: int = 0  # among the four before, and missing from the evidence: it could not be handed on


@dataclass(frozen=True, slots=True)
class _Watched:
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    control: Any = None
    control_seconds: float = 0.0
    since: float = 0.0


@dataclass(slots=True)
class _Rules:
    """What both kinds have in common; nothing in it raises."""

    compare: Callable[[Any, Any], bool]
    sample: float
    timeout: float
    copied: Callable[[Any], Any]
    counts: ShadowCounts = field(default_factory=ShadowCounts)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> None:
        with self.lock:
            setattr(self.counts, name, getattr(self.counts, name) + 1)

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Watched | None:
        """Copies, since the control or its caller may change what they were given; None where nobody watches."""
        self.count("calls")
        if random.random() >= self.sample:  # noqa: S311 - as above
            self.count("not_sampled")
            return None
        try:
            return _Watched(self.copied(args), self.copied(kwargs))
        except Exception as error:  # noqa: BLE001 - the candidate never hurts
            self.drop("what it was called with cannot be copied", error)
            return None

    def seen(self, watched: _Watched, result: Any, seconds: float) -> _Watched | None:
        try:
            return _Watched(watched.args, watched.kwargs, self.copied(result), seconds, time.monotonic())
        except Exception as error:  # noqa: BLE001 - as above
            self.drop("the result cannot be copied", error)
            return None

    def drop(self, words: str, error: BaseException | None = None) -> None:
        self.count("dropped")
        level = logging.WARNING if self.counts.dropped == 1 else logging.DEBUG
        log.log(level, "a candidate was left out: %s%s", words, f": {error!r}" if error else "")

    def judge(
        self, watched: _Watched, candidate: Any, error: BaseException | None, seconds: float, *, late: bool
    ) -> Observation:
        """What was seen, counted."""
        late = late or seconds > self.timeout
        answered = error is None and not late
        equal: bool | None
        if late:
            name, equal, candidate = "timed_out", False, None
            error = TimeoutError(f"the candidate took longer than {self.timeout:g} s")
        elif error is not None:
            name, equal = "raised", False
        else:
            name, equal, error = self._compared(watched.control, candidate)
        self.count(name)
        return Observation(
            watched.args,
            watched.kwargs,
            watched.control,
            candidate,
            error,
            equal,
            watched.control_seconds,
            seconds,
            answered,
        )

    def _compared(self, control: Any, candidate: Any) -> tuple[str, bool | None, Exception | None]:
        try:
            equal = bool(self.compare(control, candidate))
        except Exception as error:  # noqa: BLE001 - as above
            return "raised", None, error
        return "equal" if equal else "different", equal, None

    def untold(self, error: Exception) -> None:
        self.count("untold")
        log.warning("what a candidate did could not be handed on", exc_info=error)


def _rules(
    compare: Callable[[Any, Any], bool], sample: float, timeout: float, copied: Callable[[Any], Any] | None
) -> _Rules:
    if not 0.0 <= sample <= 1.0:
        raise ValueError(f"sample is {sample!r}, expected a share from 0 to 1")
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout!r}, expected some seconds")
    return _Rules(compare, sample, timeout, copied or (lambda value: value))


def _as_told(seen: Observation, describe: Describe) -> tuple[HumanOutput, dict[str, Any]]:
    fields = {"output": seen.candidate, "done": seen.control, "person": None} | dict(describe(seen))
    if not seen.answered:
        fields |= {"output": _failure(seen.error), "confidence": None}
    return HumanOutput(fields.pop("case_id"), fields.pop("done"), fields.pop("person")), fields


def _failure(error: BaseException | None) -> dict[str, Any]:
    """What is told in place of an output. Not None, which a control may well have answered."""
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - as above
        words = ""
    return {"error": {"kind": type(error).__name__, "words": words[:_LONGEST_WORDS]}}


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
        self._rules = _rules(compare, sample, timeout, copied)
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
        self._queue: queue.Queue[_Watched] = queue.Queue(self._most_waiting)
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()

    def _hand_in(self, seen: _Watched) -> None:
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

    def _observe(self, watched: _Watched) -> None:
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

    def _try(self, watched: _Watched) -> tuple[Any, BaseException | None]:
        try:
            return self._candidate(*watched.args, **watched.kwargs), None
        except BaseException as raised:  # noqa: BLE001 - whatever it does, it does to itself
            return None, raised

    def _hand_on(self, seen: Observation) -> None:
        try:
            if self._on_observation is not None:
                self._on_observation(seen)
            if self._gate is not None and self._describe is not None:
                done, fields = _as_told(seen, self._describe)
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
        self._rules = _rules(compare, sample, timeout, copied)
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

    def _hand_in(self, seen: _Watched) -> None:
        if len(self._tasks) >= self._most:
            self._rules.drop(f"{self._most} are under way")
            return
        task = Context().run(asyncio.get_running_loop().create_task, self._observe(seen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _observe(self, watched: _Watched) -> None:
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

    async def _try(self, watched: _Watched) -> tuple[Any, BaseException | None]:
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
                done, fields = _as_told(seen, self._describe)
                await self._gate.observe(done, **fields)
        except Exception as failed:  # noqa: BLE001 - the candidate never hurts
            self._rules.untold(failed)
