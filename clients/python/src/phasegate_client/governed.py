"""
The agent's ten lines as a decorator: compute, decide, act on `auto`, wait on `review`, hand over on `human`, stop on
`block`.

It holds no rule of its own: `decision.may_proceed` says whether to act, `decision.is_waiting` whether nobody has
ruled yet, `decision.is_for_a_person` whether to hand over, `decision.is_blocked` whether to stop.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from phasegate_client.decisions import Decision
from phasegate_client.run import AsyncRun, Run

log = logging.getLogger("phasegate_client")

C = TypeVar("C")
"""The agent's own kind of case."""

Compute = Callable[[C], tuple[Any, float | None]]
Describe = Callable[[C], Mapping[str, Any]]
Act = Callable[[C, Any], object]
HandOver = Callable[[C, Decision], object]
Stop = Callable[[C, Decision], object]

AsyncCompute = Callable[[C], Awaitable[tuple[Any, float | None]]]
AsyncAct = Callable[[C, Any], Awaitable[object]]
AsyncHandOver = Callable[[C, Decision], Awaitable[object]]
AsyncStop = Callable[[C, Decision], Awaitable[object]]


def governed(
    start: Callable[[], Run],
    wait: Callable[[Decision], Decision],
    describe: Describe[C],
    act: Act[C],
    hand_over: HandOver[C],
    stop: Stop[C] | None,
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
            elif decision.is_for_a_person:
                hand_over(case, decision)
            elif decision.is_blocked:
                _note(decision)
                if stop is not None:
                    stop(case, decision)
            return decision

        return run

    return decorate


def governed_async(
    start: Callable[[], AsyncRun],
    wait: Callable[[Decision], Awaitable[Decision]],
    describe: Describe[C],
    act: AsyncAct[C],
    hand_over: AsyncHandOver[C],
    stop: AsyncStop[C] | None,
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
            elif decision.is_for_a_person:
                await hand_over(case, decision)
            elif decision.is_blocked:
                _note(decision)
                if stop is not None:
                    await stop(case, decision)
            return decision

        return run

    return decorate


def _note(blocked: Decision) -> None:
    log.warning("case %s is blocked, nobody does it: %s", blocked.case_id, blocked.why)


def output_of(decision: Decision, proposed: Any) -> Any:
    """A ruling's output goes before the agent's own: the reviewer may have edited it."""
    return proposed if decision.outcome is None else decision.outcome.output
