"""
The agent's ten lines as a decorator: compute, decide, act on `auto`, wait on `review`, hand over otherwise.

It holds no rule of its own: `decision.may_proceed` says whether to act, `decision.is_waiting` whether nobody has
ruled yet.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from phasegate_client.decisions import Decision
from phasegate_client.run import AsyncRun, Run

C = TypeVar("C")
"""The agent's own kind of case."""

Compute = Callable[[C], tuple[Any, float | None]]
Describe = Callable[[C], Mapping[str, Any]]
Act = Callable[[C, Any], object]
HandOver = Callable[[C, Decision], object]

AsyncCompute = Callable[[C], Awaitable[tuple[Any, float | None]]]
AsyncAct = Callable[[C, Any], Awaitable[object]]
AsyncHandOver = Callable[[C, Decision], Awaitable[object]]


def governed(
    start: Callable[[], Run],
    wait: Callable[[Decision], Decision],
    describe: Describe[C],
    act: Act[C],
    hand_over: HandOver[C],
) -> Callable[[Compute[C]], Callable[[C], Decision]]:
    def decorate(compute: Compute[C]) -> Callable[[C], Decision]:
        @functools.wraps(compute)
        def run(case: C) -> Decision:
            with start() as steps:
                output, confidence = compute(case)
                decision = steps.decide(output, confidence, **describe(case))
            if decision.is_waiting:
                decision = wait(decision)
            if decision.may_proceed:
                act(case, output_of(decision, output))
            elif not decision.is_waiting:
                hand_over(case, decision)
            return decision

        return run

    return decorate


def governed_async(
    start: Callable[[], AsyncRun],
    wait: Callable[[Decision], Awaitable[Decision]],
    describe: Describe[C],
    act: AsyncAct[C],
    hand_over: AsyncHandOver[C],
) -> Callable[[AsyncCompute[C]], Callable[[C], Awaitable[Decision]]]:
    def decorate(compute: AsyncCompute[C]) -> Callable[[C], Awaitable[Decision]]:
        @functools.wraps(compute)
        async def run(case: C) -> Decision:
            async with start() as steps:
                output, confidence = await compute(case)
                decision = await steps.decide(output, confidence, **describe(case))
            if decision.is_waiting:
                decision = await wait(decision)
            if decision.may_proceed:
                await act(case, output_of(decision, output))
            elif not decision.is_waiting:
                await hand_over(case, decision)
            return decision

        return run

    return decorate


def output_of(decision: Decision, proposed: Any) -> Any:
    """A ruling's output goes before the agent's own: the reviewer may have edited it."""
    return proposed if decision.outcome is None else decision.outcome.output
