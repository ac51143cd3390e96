"""
What changes on open pages without a reload: how much waits, what is urgent, who holds what. By server-sent events.

However many pages are open, a process looks at the queue once for all whose people work the same part of it, when
something has changed there and at most twice a second; what it saw goes out as the same few bytes to every such page. A
page that reads slowly misses what was overtaken meanwhile. While no page is open, nobody looks.

What other processes change is told over Redis. As long as nobody tells, the process looks by itself every few seconds,
and twice a minute where it hears, since a message may get lost.
"""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, cast

import structlog
from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from governance.actors import Actor
from kit.context import Context
from review_ui.pages import ViewerDep
from routing.domain.reach import Reach
from routing.reviews import queries, service
from routing.reviews.dealing import queries as dealing

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/review", include_in_schema=False)

_MOST_HELD = 500  # that one event names
_BETWEEN = 0.5  # seconds from one look to the next
_AGAIN = 5.0  # seconds after a look that failed
_ALONE = 5.0  # seconds from one look to the next while nobody tells of other processes
_HEARING = 6  # times as long where it hears of them
_HEARTBEAT = 15.0  # seconds; what stands between would else take a silent connection for a dead one
_LONGEST = 600.0  # seconds; then the page asks again, and whoever was signed out is refused
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Live:
    """All open pages of this process, and the one who looks for them. Lives on the event loop; `ring` may not."""

    def __init__(self, ctx: Context) -> None:
        self.hears: Callable[[], bool] = lambda: False  # whether it is told what other processes change
        self._ctx = ctx
        self._pages: Counter[Reach] = Counter()
        self._told: dict[Reach, bytes] = {}
        self._rung = asyncio.Event()
        self._next: asyncio.Future[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def ring(self, *_about: str) -> None:
        """Something changed in the queue. From any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._rung.set)

    def reach_of(self, actor: Actor) -> Reach:
        with self._ctx.db.read() as session:
            return service.reach_of(session, actor)

    async def stream(self, reach: Reach) -> AsyncIterator[bytes]:
        """What one page hears."""
        loop = asyncio.get_running_loop()
        self._enter(reach, loop)
        seen, until = None, loop.time() + _LONGEST
        try:
            yield b"retry: 3000\n\n"
            while (left := until - loop.time()) > 0:
                told = self._told.get(reach)
                if told is not None and told != seen:
                    seen = told
                    yield told
                    continue
                following = cast("asyncio.Future[None]", self._next)
                heard, _ = await asyncio.wait((following,), timeout=min(_HEARTBEAT, left))
                if not heard:
                    yield b": still here\n\n"
        finally:
            self._leave(reach)

    def _enter(self, reach: Reach, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pages[reach] += 1
        if reach not in self._told:
            self._rung.set()
        if self._watcher is None or self._watcher.done():
            self._next = loop.create_future()
            self._watcher = loop.create_task(self._watch())

    def _leave(self, reach: Reach) -> None:
        self._pages[reach] -= 1
        self._pages += Counter()  # without those that nobody reads any more
        for unread in self._told.keys() - self._pages.keys():
            del self._told[unread]
        if not self._pages and self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._change()
            self._rung.clear()
            before = self._told
            # Broad on purpose: whatever happens to the database, the pages must hear of what comes after.
            try:
                self._told = await run_in_threadpool(self._look, tuple(self._pages))
            except Exception:
                log.warning("could not look at the queue for the open pages; looking again soon", exc_info=True)
                loop.call_later(_AGAIN, self._rung.set)
            if self._told != before:
                heard, self._next = self._next, loop.create_future()
                if heard is not None and not heard.done():
                    heard.set_result(None)
            await asyncio.sleep(_BETWEEN)

    async def _change(self) -> None:
        """Until it is rung, or something may have changed of which nobody told."""
        for _ in range(_HEARING):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._rung.wait(), _ALONE)
            if self._rung.is_set() or not self.hears():
                return

    def _look(self, wanted: tuple[Reach, ...]) -> dict[Reach, bytes]:
        now = self._ctx.clock.now()
        with self._ctx.db.read() as session:
            return {reach: _event(queue_now(session, reach, now)) for reach in wanted}


def queue_now(session: Session, reach: Reach, now: datetime, *, most_held: int = _MOST_HELD) -> dict[str, Any]:
    """
    How the queue stands for people who work this part of it. Without `held_all`, a case that `held` does not name may
    be held as well.
    """
    waiting = queries.waiting_counts(session, reach)
    held = queries.held_now(session, reach, now, most_held + 1)
    return {
        "left": min(sum(waiting.values()), dealing.COUNTED_UP_TO),
        "waiting": waiting,
        "urgent": dealing.urgent_count(session, reach),
        "held": {str(item): {"by": login, "until": until.isoformat()} for item, login, until in held[:most_held]},
        "held_all": len(held) <= most_held,
    }


def _event(told: dict[str, Any]) -> bytes:
    return b"event: queue\ndata: " + json.dumps(told, separators=(",", ":")).encode() + b"\n\n"


@router.get("/events")
async def events(request: Request, viewer: ViewerDep) -> StreamingResponse:
    """The stream of one page."""
    viewer.actor.require("review")
    live = cast("Live", request.app.state.live)
    reach = await run_in_threadpool(live.reach_of, viewer.actor)
    stream = live.stream(reach)
    return StreamingResponse(stream, media_type="text/event-stream", headers=_HEADERS)
