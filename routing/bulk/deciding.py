"""
Many cases at once: each is judged, decided and stored as a single call would, and goes its own way.

What is handed to the writer together is one unit there; the writer shares its commits between such units and the
single calls.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from kit.errors import Problem, Unavailable
from kit.wire import status_of
from routing.cases.prepare import Entry, prepare
from routing.cases.schemas import NAN_ALLOWED_AT, CaseIn
from routing.cases.service import Stored
from routing.hot import HotPath, case_from

log = structlog.get_logger(__name__)

Judged = Entry | Problem
Result = Stored | Problem

_AT_A_TIME = 50  # cases after which others get their turn on the event loop
_A_PART = 125  # cases that are handed over together


async def decide_all(hot: HotPath, actor: Actor, agent: str, bodies: Sequence[Any], *, size: int) -> list[Result]:
    """
    One result for each, in order. What was decided is being stored while the next part is decided: the database and
    the interpreter work side by side.
    """
    cases = await _cases(hot, agent, bodies)
    under_way: list[asyncio.Future[list[Result]]] = []
    for start in range(0, len(cases), _A_PART):
        some = cases[start : start + _A_PART]
        judged = await _decide(hot, agent, some)
        share = size * len(some) // len(cases)
        handed = await _hand_over(hot, actor, judged, share)
        if handed.done() and under_way:  # no room beside the parts before; without them, there may be
            await asyncio.wait(under_way)
            if not any(isinstance(result, Unavailable) for part in under_way for result in part.result()):
                handed = await _hand_over(hot, actor, judged, share)
        under_way.append(handed)
    return [result for part in under_way for result in await part]


async def _hand_over(hot: HotPath, actor: Actor, judged: Sequence[Judged], size: int) -> asyncio.Future[list[Result]]:
    """What comes of it; it is there already where nothing was taken."""
    found = asyncio.ensure_future(store(hot, actor, judged, size=size))
    await asyncio.sleep(0)
    return found


async def judge(hot: HotPath, agent: str, bodies: Sequence[Any]) -> list[Judged]:
    """What is to be stored, or what is wrong; a body that is a Problem already stays one."""
    return await _decide(hot, agent, await _cases(hot, agent, bodies))


async def _cases(hot: HotPath, agent: str, bodies: Sequence[Any]) -> list[CaseIn | Problem]:
    cases = [_case(body) for body in bodies]
    current = hot.holder.current
    if any(isinstance(case, CaseIn) and not current.has_version(agent, case.version) for case in cases):
        try:
            await run_in_threadpool(hot.holder.look_again)  # it may have been registered a moment ago
        except (OperationalError, InterfaceError, PoolTimeout):
            log.warning("could not look for a version; deciding by what is known", agent=agent)
    return cases


async def _decide(hot: HotPath, agent: str, cases: Sequence[CaseIn | Problem]) -> list[Judged]:
    found: list[Judged] = []
    for number, case in enumerate(cases, start=1):
        if isinstance(case, CaseIn):
            now = hot.ctx.clock.now()
            found.append(prepare(hot.holder.current, agent, case, secret=hot.ctx.secret, now=now))
        else:
            found.append(case)
        if number % _AT_A_TIME == 0:
            await asyncio.sleep(0)
    return found


def _case(body: Any) -> CaseIn | Problem:
    if isinstance(body, Problem):
        return body
    try:
        return case_from(body)
    except Problem as refused:
        return refused


async def store(hot: HotPath, actor: Actor, judged: Sequence[Judged], *, size: int) -> list[Result]:
    """One result for each, in order; each of them Unavailable while there is no room for their `size` in bytes."""
    entries = [one for one in judged if isinstance(one, Entry)]
    try:
        stored = iter(await hot.writer.store_many(entries, actor.name, size=size))
    except Unavailable as full:
        stored = iter([full] * len(entries))
    return [next(stored) if isinstance(one, Entry) else one for one in judged]


def status(result: Result) -> int:
    """As the single call would answer it."""
    if isinstance(result, Stored):
        return 201 if result.new else 200
    return status_of(result)


@dataclass(frozen=True, slots=True)
class Deciding:
    """Lines of a stream that are cases."""

    hot: HotPath
    actor: Actor
    agent: str
    nan_allowed_at: tuple[str, ...] = NAN_ALLOWED_AT

    def under_way(self) -> AbstractContextManager[None]:
        return self.hot.holder.answers.call()

    async def judge(self, bodies: Sequence[Any]) -> list[Judged]:
        return await judge(self.hot, self.agent, bodies)

    async def store(self, judged: Sequence[Judged], *, size: int) -> list[Result]:
        return await store(self.hot, self.actor, judged, size=size)

    def told(self, judged: Judged, result: Result) -> dict[str, Any]:
        told: dict[str, Any] = {"status": status(result)}
        if isinstance(judged, Entry):
            told["case_id"] = judged.row["case_id"]
        if isinstance(result, Stored):
            told |= {"decision_id": result.decision.id, "route": result.decision.route}
        return told
