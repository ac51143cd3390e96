"""
Waiting for a person: a long poll that holds no database connection and no thread while it waits.

One watcher in each process looks for all who wait. When something was ruled, here or (over Redis) in another process,
it looks for those decisions; and once a second for all that are waited for, so a lost message delays an answer and
never loses it. However many wait, it is one statement at a time.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated, Any, cast
from uuid import UUID

import structlog
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from kit.context import Context
from kit.errors import NotFound, Unavailable
from routing import queries
from routing.cases.answers import decision_body, to_json
from routing.cases.queries import get_decision as stored_decision
from routing.cases.schemas import DecisionOut
from routing.cases.tables import Decision
from routing.hot import WANTS_A_KEY, HotPath
from routing.supervision import veil

router = APIRouter(prefix="/v1", tags=["decisions"])
log = structlog.get_logger(__name__)

_LOOK_EVERY = 1.0  # seconds between two looks for all, and after one that failed
_GATHER = 0.01  # seconds between two looks at least: what is rung meanwhile is looked for together


@dataclass(frozen=True, slots=True)
class Seen:
    """A decision as it was found, ready to be sent to as many as wait for it."""

    agent: str
    final: bool
    body: bytes


@dataclass(eq=False, slots=True)
class _Place:
    """One who waits: told at once what is stored, and then when it has ended."""

    decision_id: UUID
    looked: asyncio.Future[Seen | None]
    ended: asyncio.Future[Seen]

    def tell(self, seen: Seen | None) -> None:
        if not self.looked.done():
            self.looked.set_result(seen)
        if seen is not None and seen.final and not self.ended.done():
            self.ended.set_result(seen)


@dataclass(slots=True)
class _Wanted:
    """What the next look is for."""

    some: set[UUID] = field(default_factory=set)
    everything: bool = False


class Waiters:
    """All who wait in this process, and the one who looks for them. Lives on the event loop; only `ring` may not."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._places: dict[UUID, set[_Place]] = {}
        self._taken = 0
        self._wanted = _Wanted()
        self._rung = asyncio.Event()
        self._away = False  # the last look failed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watcher: asyncio.Task[None] | None = None

    def attach(self) -> None:
        """Called on the event loop that the waiting requests live on."""
        self._loop = asyncio.get_running_loop()
        self._watcher = self._loop.create_task(self._watch())

    def detach(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()

    def ring(self, *decisions: str) -> None:
        """These have ended; without any, some have. From any thread, after the commit."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._ring, decisions)

    def _ring(self, decisions: tuple[str, ...]) -> None:
        try:
            rung = {UUID(one) for one in decisions} & self._places.keys()
        except ValueError:  # from a release that says it in another way
            rung, decisions = set(), ()
        self._want(_Wanted(rung, everything=not decisions and bool(self._places)))

    def _want(self, more: _Wanted) -> None:
        self._wanted = _Wanted(self._wanted.some | more.some, self._wanted.everything or more.everything)
        if more.some or more.everything:
            self._rung.set()

    async def wait(self, decision_id: UUID, actor: Actor, seconds: float, request: Request) -> Seen | None:
        """The decision as soon as it has ended, or as it is when the time is over; None where there is none."""
        now = asyncio.get_running_loop().time()
        until = now + seconds
        patience = max(until, now + self._ctx.settings.answer_seconds)  # the first look may take longer than the wait
        place = self._take(decision_id)
        gone = asyncio.ensure_future(_gone(request))
        try:
            await _first(place.looked, gone, patience)
            seen = place.looked.result() if place.looked.done() else None
            if seen is None:
                if not place.looked.done():
                    raise Unavailable("the database did not answer while you waited; ask again", retry_after=2)
                return None
            _check(actor, decision_id, seen)
            await _first(place.ended, gone, until)
            if place.ended.done():
                return place.ended.result()
            if self._away:
                raise Unavailable("the database does not answer, nobody knows whether it was ruled", retry_after=2)
            return seen
        finally:
            gone.cancel()
            self._leave(place)

    def _take(self, decision_id: UUID) -> _Place:
        if self._taken >= self._ctx.settings.waiters:
            raise Unavailable(f"{self._taken} callers wait here already; ask again in a while", retry_after=5)
        loop = asyncio.get_running_loop()
        place = _Place(decision_id, loop.create_future(), loop.create_future())
        self._taken += 1
        self._places.setdefault(decision_id, set()).add(place)
        self._want(_Wanted({decision_id}))  # only now: what is ruled from here on rings for this place
        return place

    def _leave(self, place: _Place) -> None:
        self._taken -= 1
        here = self._places[place.decision_id]
        here.discard(place)
        if not here:
            del self._places[place.decision_id]

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        all_looked_at = loop.time()
        while True:
            try:
                async with asyncio.timeout_at(all_looked_at + _LOOK_EVERY if self._places else None):
                    await self._rung.wait()
            except TimeoutError:
                self._wanted.everything = bool(self._places)
            began = loop.time()
            if self._wanted.everything or not self._places:
                all_looked_at = began
            await self._look()
            await asyncio.sleep(_LOOK_EVERY if self._away else max(0.0, began + _GATHER - loop.time()))

    async def _look(self) -> None:
        self._rung.clear()
        wanted, self._wanted = self._wanted, _Wanted()
        some = wanted.some & self._places.keys()
        others = self._places.keys() - some if wanted.everything else ()
        if not some and not others:
            return
        # Broad on purpose: whatever happens here, the watcher must live, and look again.
        try:
            found = await run_in_threadpool(self._read, some, others)
        except Exception:
            if not self._away:
                log.warning("could not look for those who wait; looking again every second", exc_info=True)
            self._away = True
            self._want(_Wanted(some, everything=True))
            return
        self._away = False
        for decision_id in some | found.keys():
            for place in self._places.get(decision_id, ()):
                place.tell(found.get(decision_id))

    def _read(self, some: Collection[UUID], others: Collection[UUID]) -> dict[UUID, Seen]:
        with self._ctx.db.read() as session:
            rows = [*queries.decisions(session, some), *queries.decisions(session, others, ended=True)]
            return {row.id: _seen(row) for row in rows}


async def _first(told: asyncio.Future[Any], gone: asyncio.Future[None], until: float) -> None:
    """Until somebody told, the caller has gone, or the time is over."""
    left = until - asyncio.get_running_loop().time()
    await asyncio.wait((told, gone), timeout=max(left, 0.0), return_when=asyncio.FIRST_COMPLETED)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _seen(row: Decision) -> Seen:
    body = decision_body(row)
    return Seen(row.agent, body["status"] == "final", to_json(body))


def _check(actor: Actor, decision_id: UUID, seen: Seen) -> None:
    """Once, when the caller comes: to another agent's key it is not there."""
    if actor.agent is not None and seen.agent != actor.agent:
        raise NotFound(f"there is no decision {decision_id}")
    actor.require("read", seen.agent)


@router.get("/decisions/{decision_id}", openapi_extra=WANTS_A_KEY, response_model=DecisionOut)
async def get_decision(
    request: Request,
    decision_id: UUID,
    wait: Annotated[float, Query(ge=0, le=60, description="Seconds to wait for a ruling.")] = 0.0,
) -> Response:
    """
    The stored decision; with `wait`, as soon as a person has ruled or the time is over. Not for reviewers while the
    case waits for a review that asks for their own answer first (`answer-first`).
    """
    hot = cast("HotPath", request.app.state.hot)
    waiters = cast("Waiters", request.app.state.waiters)
    actor = await hot.actor(request)
    if veil.may_rule(actor):  # an agent waits without a look at anything else
        await run_in_threadpool(_one, hot.ctx, actor, decision_id)
    seen = await waiters.wait(decision_id, actor, wait, request) if wait > 0 else None
    if seen is None or veil.may_rule(actor):  # not waited for, or not there: the one who looks says what that means
        seen = await run_in_threadpool(_one, hot.ctx, actor, decision_id)
    return Response(seen.body, media_type="application/json")


def _one(ctx: Context, actor: Actor, decision_id: UUID) -> Seen:
    with ctx.db.read() as session:
        row = _stored_or_seeming(session, decision_id, actor)
        actor.require("read", row.agent)
        veil.require_answer_of_case(session, row.agent, row.case_id, actor)
        return _seen(*veil.as_before(session, [row], actor))


def _stored_or_seeming(session: Session, decision_id: UUID, actor: Actor) -> Decision:
    """To a person a gold case is a case."""
    try:
        return stored_decision(session, decision_id, actor.agent)
    except NotFound:
        found = queries.decisions(session, [decision_id]) if actor.kind == "person" else ()
        if not found:
            raise
        return found[0]
