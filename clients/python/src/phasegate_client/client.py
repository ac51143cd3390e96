"""
The two clients, for threads and for asyncio. What a call does is in `calls.py`; here its steps are carried out.

`decide`, `wait` and `governed` never raise unless `raise_errors` is set; all other calls raise `PhasegateError`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from phasegate_client import governed
from phasegate_client.answers import StoredHumanOutput
from phasegate_client.breaker import FAILURES, FIRST_PAUSE
from phasegate_client.calls import Call, Keep, Pause, Result
from phasegate_client.connection import Address, AsyncConnection, Connection, Headers, keep, keep_async
from phasegate_client.core import Core, Folder, Health, Settings
from phasegate_client.decisions import Decision
from phasegate_client.governed import C
from phasegate_client.requests import HumanOutput, Proposal, Severity
from phasegate_client.run import AsyncRun, Run
from phasegate_client.spool import BYTES, ENTRIES

if TYPE_CHECKING:
    from typing_extensions import Self  # Python 3.10 has none; not needed when running

_T = TypeVar("_T")


class Phasegate:
    """
    Asks Phasegate who answers a case. Make one for the process; threads may share it.

    `agent` and `version` are the defaults of every call. `timeout` is the most a call takes, in seconds, with all
    its retries; `wait` adds the time it is told to wait. `transport` is httpx2's, for tests and unusual networks.
    `headers` gives more of them for each request, in the context of the caller.

    `spool` is a folder on a local disk that keeps what could not be sent, at most `spool_entries` of `spool_bytes` in
    all, and delivers it later. After `open_after` calls in a row without an answer none is tried for `open_for`
    seconds, then longer; `decide` answers at once meanwhile.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        agent: str | None = None,
        version: str | None = None,
        timeout: float = 2.0,
        raise_errors: bool = False,
        transport: httpx2.BaseTransport | None = None,
        headers: Headers | None = None,
        spool: Folder | None = None,
        spool_entries: int = ENTRIES,
        spool_bytes: int = BYTES,
        open_after: int = FAILURES,
        open_for: float = FIRST_PAUSE,
    ) -> None:
        settings = Settings(
            agent, version, timeout, raise_errors, spool, spool_entries, spool_bytes, open_after, open_for
        )
        address = Address(base_url, key, headers)
        self._connection = Connection(address, transport)
        self._core = Core(address.base_url, settings, self._connection.send)
        self._calls = self._core.calls

    def decide(
        self,
        *,
        case_id: str,
        output: Any,
        confidence: Any = None,
        input: Any = None,  # noqa: A002 - the word of the API
        segment: str | None = None,
        action: str | None = None,
        amount: float | Decimal | None = None,
        risk: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        signals: Mapping[str, Any] | None = None,
        trace: Sequence[Any] | None = None,
        usage: Mapping[str, Any] | None = None,
        attempt: int = 1,
        occurred_at: datetime | None = None,
        agent: str | None = None,
        version: str | None = None,
    ) -> Decision:
        """
        Who answers this case? Any doubt means a person: `Route.HUMAN`, `certain` False, the `error` beside it.

        The same case, version and attempt with the same body always gets the same decision, so asking again after
        a crash is safe. A changed output for the same case is a new `attempt`.
        """
        proposal = Proposal(
            case_id, output, confidence, input, segment, action, amount, risk,
            attributes, signals, trace, usage, attempt, occurred_at, agent, version,
        )  # fmt: skip
        return self._run(self._calls.decide(proposal))

    def decide_many(self, proposals: Iterable[Proposal]) -> list[Decision]:
        """
        The same for many `Proposal`s, up to 1,000 to a request, each request with the full time. One decision for
        each, in order; whatever is wrong with one or with a request hands those cases to a person, and no others.
        """
        return self._run(self._calls.decide_many(list(proposals)))

    def wait(self, decision: Decision | str, timeout: float | None = None) -> Decision:
        """
        Wait until a person has ruled, or `timeout` seconds (None: as long as it takes; 0: only look).

        Give it the decision, or its id in another process or after a restart. When the time is over the decision
        comes back still waiting; waiting again goes on where it stopped.
        """
        return self._run(self._calls.wait(decision, timeout))

    def human_output(
        self,
        case_id: str,
        output: Any,
        *,
        person: str | None = None,
        occurred_at: datetime | None = None,
        agent: str | None = None,
        key: str | None = None,
    ) -> StoredHumanOutput:
        """
        Tell what a person did for the case, before or after `decide`. Raises when it is not stored, and after
        `Unanswered` it may be. With a `key` of your own, telling it again never overwrites a later correction.
        """
        item = HumanOutput(case_id, output, person, occurred_at)
        return self._run(self._calls.add_human_outputs([item], agent, key))[0]

    def human_outputs(
        self, items: Iterable[HumanOutput], *, agent: str | None = None, key: str | None = None
    ) -> list[StoredHumanOutput]:
        """
        The same for many, 1,000 to a request, each request with the full time. When one raises, those before it
        are stored; send all of them again, with the same `key`: what is there already stays as it is.
        """
        return self._run(self._calls.add_human_outputs(list(items), agent, key))

    def report_failure(
        self,
        decision: Decision | str,
        severity: Severity,
        description: str,
        correct_output: Any = None,
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """
        Report that this decision went wrong in production. Raises when it is not stored, and after `Unanswered`
        it may be. With a `key` of your own, the id of a ticket, reporting again is the same report.
        """
        return self._run(self._calls.report_failure(decision, severity, description, correct_output, key))

    def case(self, case_id: str, *, agent: str | None = None) -> dict[str, Any]:
        """Everything known of a case, as the API answers it."""
        return self._run(self._calls.show_case(case_id, agent))

    def observe(self, done: HumanOutput, *, output: Any, **fields: Any) -> None:
        """
        Tell what a version would have answered for a case that was done without it, and what was done. It is compared
        and counted as evidence, and nobody rules on it. `fields` are the other arguments of `decide`. Raises when it
        is neither stored nor spooled.
        """
        self._run(self._calls.observe(Proposal(done.case_id, output, **fields), done))

    def run(self, *, name: str = "run", traceparent: str | None = None, **fields: Any) -> Run:
        """A run with its steps, for `with`; `fields` are arguments of `decide` that are known beforehand."""
        return Run(self.decide, fields, name, traceparent)

    @property
    def health(self) -> Health:
        """The circuit and the spool, for a page or a metric of the agent's own."""
        return self._core.health()

    def flush(self, timeout: float | None = None) -> int:
        """Try now to deliver what is spooled, for at most so many seconds; how many entries are still waiting."""
        if self._core.delivery is None:
            return 0
        try:
            return self._core.delivery.flush().result(timeout)
        except (concurrent.futures.TimeoutError, TimeoutError):  # two kinds in Python 3.10
            return self._core.waiting()

    def governed(
        self,
        *,
        agent: str | None = None,
        version: str | None = None,
        describe: governed.Describe[C],
        act: governed.Act[C],
        hand_over: governed.HandOver[C],
        stop: governed.Stop[C] | None = None,
        wait: float | None = None,
    ) -> Callable[[governed.Compute[C]], Callable[[C], Decision]]:
        """
        Make a function from a case to `(output, confidence)` act by the decision on it.

        `describe` gives the other arguments of `decide`, `case_id` at least. `act(case, output)` is called when
        the decision or the reviewer lets the output pass, `hand_over(case, decision)` when a person does the case,
        `stop(case, decision)` when it is blocked and nobody may, and none of them while a review is still open after
        `wait` seconds (None: as long as it takes). The decision is returned. Steps that the function records with
        `current_step().step(...)` are sent along.
        """
        return governed.governed(
            lambda: self.run(agent=agent, version=version),
            lambda decision: self.wait(decision, wait),
            describe,
            act,
            hand_over,
            stop,
        )

    def close(self) -> None:
        """What is spooled stays on disk, for the next client with this folder."""
        self._core.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Call[_T]) -> _T:
        self._core.start()
        result: Result = None
        with closing(call):
            while True:
                try:
                    step = call.send(result)
                except StopIteration as answered:
                    return answered.value  # type: ignore[no-any-return]
                if isinstance(step, Pause):
                    time.sleep(step.seconds)
                    result = None
                elif isinstance(step, Keep):
                    assert self._core.spool is not None  # nothing is kept without one
                    result = keep(self._core.spool, step)
                else:
                    result = self._connection.send(step)


class AsyncPhasegate:
    """`Phasegate` for asyncio: the same calls, to be awaited. Make one in each event loop."""

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        agent: str | None = None,
        version: str | None = None,
        timeout: float = 2.0,
        raise_errors: bool = False,
        transport: httpx2.AsyncBaseTransport | None = None,
        headers: Headers | None = None,
        spool: Folder | None = None,
        spool_entries: int = ENTRIES,
        spool_bytes: int = BYTES,
        open_after: int = FAILURES,
        open_for: float = FIRST_PAUSE,
    ) -> None:
        settings = Settings(
            agent, version, timeout, raise_errors, spool, spool_entries, spool_bytes, open_after, open_for
        )
        address = Address(base_url, key, headers)
        self._connection = AsyncConnection(address, transport)
        # What is spooled is delivered by a thread, which outlives a loop that ends or hangs.
        self._thread_connection: Connection | None = None
        if transport is None or isinstance(transport, httpx2.BaseTransport):
            self._thread_connection = Connection(address, transport) if spool is not None else None
        send = self._thread_connection.send if self._thread_connection is not None else None
        self._core = Core(address.base_url, settings, send)
        self._calls = self._core.calls

    async def decide(
        self,
        *,
        case_id: str,
        output: Any,
        confidence: Any = None,
        input: Any = None,  # noqa: A002 - the word of the API
        segment: str | None = None,
        action: str | None = None,
        amount: float | Decimal | None = None,
        risk: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        signals: Mapping[str, Any] | None = None,
        trace: Sequence[Any] | None = None,
        usage: Mapping[str, Any] | None = None,
        attempt: int = 1,
        occurred_at: datetime | None = None,
        agent: str | None = None,
        version: str | None = None,
    ) -> Decision:
        """See `Phasegate.decide`."""
        proposal = Proposal(
            case_id, output, confidence, input, segment, action, amount, risk,
            attributes, signals, trace, usage, attempt, occurred_at, agent, version,
        )  # fmt: skip
        return await self._run(self._calls.decide(proposal))

    async def decide_many(self, proposals: Iterable[Proposal]) -> list[Decision]:
        """See `Phasegate.decide_many`."""
        return await self._run(self._calls.decide_many(list(proposals)))

    async def wait(self, decision: Decision | str, timeout: float | None = None) -> Decision:
        """See `Phasegate.wait`."""
        return await self._run(self._calls.wait(decision, timeout))

    async def human_output(
        self,
        case_id: str,
        output: Any,
        *,
        person: str | None = None,
        occurred_at: datetime | None = None,
        agent: str | None = None,
        key: str | None = None,
    ) -> StoredHumanOutput:
        """See `Phasegate.human_output`."""
        item = HumanOutput(case_id, output, person, occurred_at)
        return (await self._run(self._calls.add_human_outputs([item], agent, key)))[0]

    async def human_outputs(
        self, items: Iterable[HumanOutput], *, agent: str | None = None, key: str | None = None
    ) -> list[StoredHumanOutput]:
        """See `Phasegate.human_outputs`."""
        return await self._run(self._calls.add_human_outputs(list(items), agent, key))

    async def report_failure(
        self,
        decision: Decision | str,
        severity: Severity,
        description: str,
        correct_output: Any = None,
        *,
        key: str | None = None,
    ) -> dict[str, Any]:
        """See `Phasegate.report_failure`."""
        return await self._run(self._calls.report_failure(decision, severity, description, correct_output, key))

    async def case(self, case_id: str, *, agent: str | None = None) -> dict[str, Any]:
        """See `Phasegate.case`."""
        return await self._run(self._calls.show_case(case_id, agent))

    async def observe(self, done: HumanOutput, *, output: Any, **fields: Any) -> None:
        """See `Phasegate.observe`."""
        await self._run(self._calls.observe(Proposal(done.case_id, output, **fields), done))

    def run(self, *, name: str = "run", traceparent: str | None = None, **fields: Any) -> AsyncRun:
        """See `Phasegate.run`; for `async with`, and its `decide` is awaited."""
        return AsyncRun(self.decide, fields, name, traceparent)

    @property
    def health(self) -> Health:
        """See `Phasegate.health`."""
        return self._core.health()

    async def flush(self, timeout: float | None = None) -> int:
        """See `Phasegate.flush`."""
        if self._core.delivery is None:
            return 0
        try:
            flushed = asyncio.wrap_future(self._core.delivery.flush())
            return await asyncio.wait_for(asyncio.shield(flushed), timeout)
        except asyncio.TimeoutError:
            return self._core.waiting()

    def governed(
        self,
        *,
        agent: str | None = None,
        version: str | None = None,
        describe: governed.Describe[C],
        act: governed.AsyncAct[C],
        hand_over: governed.AsyncHandOver[C],
        stop: governed.AsyncStop[C] | None = None,
        wait: float | None = None,
    ) -> Callable[[governed.AsyncCompute[C]], Callable[[C], Awaitable[Decision]]]:
        """See `Phasegate.governed`; `act`, `hand_over` and `stop` are awaited, `describe` is not."""
        return governed.governed_async(
            lambda: self.run(agent=agent, version=version),
            lambda decision: self.wait(decision, wait),
            describe,
            act,
            hand_over,
            stop,
        )

    async def close(self) -> None:
        """See `Phasegate.close`."""
        self._core.close()
        if self._thread_connection is not None:
            self._thread_connection.close()
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, call: Call[_T]) -> _T:
        self._core.start()
        result: Result = None
        with closing(call):  # also when the caller is cancelled: others wait for what this call knows
            while True:
                try:
                    step = call.send(result)
                except StopIteration as answered:
                    return answered.value  # type: ignore[no-any-return]
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    result = None
                elif isinstance(step, Keep):
                    assert self._core.spool is not None  # nothing is kept without one
                    result = await keep_async(self._core.spool, step)
                else:
                    result = await self._connection.send(step)
