"""
Writes a flow once for both worlds: a generator that yields what it calls, with the result or an awaitable of it.

Made with a `Phasegate` it is run by `run`, made with an `AsyncPhasegate` by `run_async`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

_T = TypeVar("_T")
Flow = Generator[Any, Any, _T]


def run(flow: Flow[_T]) -> _T:
    result: Any = None
    try:
        while True:
            result = flow.send(result)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def run_async(flow: Flow[_T]) -> _T:
    """An error of what is awaited is raised where the flow asked for it, as it is without `await`."""
    awaitable: Any = None
    try:
        awaitable = flow.send(None)
        while True:
            try:
                result = await awaitable
            except Exception as error:  # noqa: BLE001, PERF203 - the flow raises it unless it knows better
                awaitable = flow.throw(error)
            else:
                awaitable = flow.send(result)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
