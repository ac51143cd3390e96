"""
The two clients, for threads and for asyncio. What a call does is in `calls.py`; here its steps are carried out.

`decide`, `wait` and `governed` never raise unless `raise_errors` is set; all other calls raise `PhasegateError`.
"""

from __future__ import annotations

import asyncio
import math
import random  # noqa: TID251 - only spreads retries in time, decides nothing
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from phasegate_client import governed
from phasegate_client.answers import StoredHumanOutput
from phasegate_client.calls import Call, Calls, Pause, Result
from phasegate_client.connection import Address, AsyncConnection, Connection
from phasegate_client.decisions import Decision
from phasegate_client.governed import C
from phasegate_client.requests import HumanOutput, Proposal, Severity

if TYPE_CHECKING:
    from typing_extensions import Self  # Python 3.10 has none; not needed when running

_T = TypeVar("_T")


class Phasegate:
    """
    Asks Phasegate who answers a case. Make one for the process; threads may share it.

    `agent` and `version` are the defaults of every call. `timeout` is the most a call takes, in seconds, with all
    its retries; `wait` adds the time it is told to wait. `transport` is httpx2's, for tests and unusual networks.
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
    ) -> None:
        self._connection = Connection(Address(base_url, key), transport)
        self._calls = _calls(agent, version, timeout, raise_errors)

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
    ) -> StoredHumanOutput:
        """Tell what a person did for the case, before or after `decide`. Raises when it is not stored."""
        item = HumanOutput(case_id, output, person, occurred_at)
        return self._run(self._calls.add_human_outputs([item], agent))[0]

    def human_outputs(self, items: Iterable[HumanOutput], *, agent: str | None = None) -> list[StoredHumanOutput]:
        """
        The same for many, 1,000 to a request, each request with the full time. When one raises, those before it
        are stored; send all of them again, what is there already answers `unchanged`.
        """
        return self._run(self._calls.add_human_outputs(list(items), agent))

    def report_failure(
        self, decision: Decision | str, severity: Severity, description: str, correct_output: Any = None
    ) -> dict[str, Any]:
        """
        Report that this decision went wrong in production. Raises when it is not stored, and after `Unanswered`
        it may be: look before reporting again.
        """
        return self._run(self._calls.report_failure(decision, severity, description, correct_output))

    def case(self, case_id: str, *, agent: str | None = None) -> dict[str, Any]:
        """Everything known of a case, as the API answers it."""
        return self._run(self._calls.show_case(case_id, agent))

    def governed(
        self,
        *,
        describe: governed.Describe[C],
        act: governed.Act[C],
        hand_over: governed.HandOver[C],
        wait: float | None = None,
    ) -> Callable[[governed.Compute[C]], Callable[[C], Decision]]:
        """
        Make a function from a case to `(output, confidence)` act by the decision on it.

        `describe` gives the other arguments of `decide`, `case_id` at least. `act(case, output)` is called when
        the decision or the reviewer lets the output pass, `hand_over(case, decision)` when a person does the case,
        neither while a review is still open after `wait` seconds. The decision is returned.
        """
        return governed.governed(self.decide, lambda decision: self.wait(decision, wait), describe, act, hand_over)

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Call[_T]) -> _T:
        result: Result = None
        while True:
            try:
                step = call.send(result)
            except StopIteration as answered:
                return answered.value  # type: ignore[no-any-return]
            if isinstance(step, Pause):
                time.sleep(step.seconds)
                result = None
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
    ) -> None:
        self._connection = AsyncConnection(Address(base_url, key), transport)
        self._calls = _calls(agent, version, timeout, raise_errors)

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
    ) -> StoredHumanOutput:
        """See `Phasegate.human_output`."""
        item = HumanOutput(case_id, output, person, occurred_at)
        return (await self._run(self._calls.add_human_outputs([item], agent)))[0]

    async def human_outputs(self, items: Iterable[HumanOutput], *, agent: str | None = None) -> list[StoredHumanOutput]:
        """See `Phasegate.human_outputs`."""
        return await self._run(self._calls.add_human_outputs(list(items), agent))

    async def report_failure(
        self, decision: Decision | str, severity: Severity, description: str, correct_output: Any = None
    ) -> dict[str, Any]:
        """See `Phasegate.report_failure`."""
        return await self._run(self._calls.report_failure(decision, severity, description, correct_output))

    async def case(self, case_id: str, *, agent: str | None = None) -> dict[str, Any]:
        """See `Phasegate.case`."""
        return await self._run(self._calls.show_case(case_id, agent))

    def governed(
        self,
        *,
        describe: governed.Describe[C],
        act: governed.AsyncAct[C],
        hand_over: governed.AsyncHandOver[C],
        wait: float | None = None,
    ) -> Callable[[governed.AsyncCompute[C]], Callable[[C], Awaitable[Decision]]]:
        """See `Phasegate.governed`; `act` and `hand_over` are awaited, `describe` is not."""
        return governed.governed_async(
            self.decide, lambda decision: self.wait(decision, wait), describe, act, hand_over
        )

    async def close(self) -> None:
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, call: Call[_T]) -> _T:
        result: Result = None
        while True:
            try:
                step = call.send(result)
            except StopIteration as answered:
                return answered.value  # type: ignore[no-any-return]
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
                result = None
            else:
                result = await self._connection.send(step)


def _calls(agent: str | None, version: str | None, timeout: float, raise_errors: bool) -> Calls:
    if not (0 < timeout < math.inf):
        raise ValueError(f"timeout is {timeout!r}, expected seconds above zero")
    return Calls(agent, version, timeout, raise_errors, clock=time.monotonic, jitter=random.random)
