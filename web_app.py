"""
Composition root of the web process: settings, context, writer, snapshot, routers.

`uvicorn web_app:app` serves it; tests call `create_app` with their own context.
"""

import contextlib
import functools
import gc
import re
from collections.abc import AsyncIterator
from typing import Any

import structlog
from celery import Celery
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

import review_ui
import routing.notifications.tasks
import routing.tasks  # noqa: F401 - registers them, so that what is sent to them finds its queue
from governance.people import api as people_api
from governance.people.keyring import Keyring
from kit import asgi, http
from kit import logging as kit_logging
from kit.context import Context, make_context
from kit.errors import Unavailable
from kit.http import Ctx
from kit.messages import Listener, publisher
from kit.settings import NoSecret, Settings
from kit.tasks import routes
from rollout.agents import api as agents_api
from rollout.gates import api as gates_api
from rollout.keys import api as keys_api
from rollout.oversight import api as oversight_api
from rollout.plans import api as plans_api
from rollout.reviewers import api as reviewers_api
from rollout.versions import api as versions_api
from routing import api as routing_api
from routing import hot, waiting
from routing.a2i import api as a2i_api
from routing.alike import api as alike_api
from routing.answering import Answering
from routing.audits import api as audits_api
from routing.bulk import api as bulk_api
from routing.bulk.stream import Slots
from routing.cases import api as cases_api
from routing.delivery import api as delivery_api
from routing.drift import api as drift_api
from routing.evaluation import api as evaluation_api
from routing.exports import api as exports_api
from routing.failures import api as failures_api
from routing.gold import api as gold_api
from routing.interrupts import api as interrupts_api
from routing.judgements import api as judgements_api
from routing.notifications import api as notifications_api
from routing.opinions import api as opinions_api
from routing.people import api as verdicts_api
from routing.registrar import Registrar
from routing.reviewer import api as reviewer_api
from routing.reviews import api as reviews_api
from routing.skills import api as skills_api
from routing.snapshot import SnapshotHolder
from routing.staffing import api as staffing_api
from routing.supervision import api as supervision_api
from routing.team import api as team_api
from routing.thresholds import api as thresholds_api
from routing.views import api as views_api
from routing.writer import Writer

log = structlog.get_logger(__name__)

_ROUTERS = (
    hot.router,
    waiting.router,
    bulk_api.router,
    cases_api.router,
    views_api.router,
    reviews_api.router,
    alike_api.router,
    supervision_api.router,
    gold_api.router,
    delivery_api.router,
    a2i_api.router,
    interrupts_api.router,
    routing_api.router,
    gates_api.router,
    versions_api.router,
    plans_api.router,
    evaluation_api.router,
    oversight_api.router,
    failures_api.router,
    reviewers_api.router,
    thresholds_api.router,
    drift_api.router,
    audits_api.router,
    verdicts_api.router,
    judgements_api.router,
    opinions_api.router,
    reviewer_api.router,
    team_api.router,
    exports_api.router,
    staffing_api.router,
    notifications_api.router,
    skills_api.router,
    agents_api.router,
    people_api.router,
    keys_api.router,
)
_probes = APIRouter(tags=["health"], include_in_schema=False)
_PROBLEM = {
    "description": "A problem (RFC 9457), with the place and the mend.",
    "content": {"application/problem+json": {}},
}
_FILES = 65_536
_SUITE = re.compile("/v1/agents/[^/]+/suites/[^/]+")
_STREAM = re.compile("/v1/agents/[^/]+/(decisions|human-outputs):stream")
_API, _ANY = (re.compile(path, re.DOTALL) for path in ("/v1/.*", ".*"))
_ABOUT = "Moves an AI agent from pilot to production: phases, gates, a review queue, and a way back."


class WebApp(FastAPI):
    """The framework's application, but for the one call that every case makes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        agent = hot.plain_agent(scope)
        if agent is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await self.state.hot.serve(agent, scope, receive, send)


def create_app(ctx: Context) -> FastAPI:
    """The whole web process around a context; nothing starts before the application does."""
    app = WebApp(
        title="Phasegate",
        version="1",
        description=_ABOUT,
        lifespan=_lifespan,
        docs_url=None,  # its page would load scripts from a foreign host; /openapi.json is the document
        redoc_url=None,
    )
    app.state.ctx = ctx
    app.state.keyring = Keyring(ctx)
    app.state.holder = SnapshotHolder(ctx, app.state.keyring)
    app.state.registrar = Registrar(ctx, app.state.holder)
    app.state.writer = Writer(ctx, app.state.holder)
    app.state.waiters = waiting.Waiters(ctx)
    app.state.hot = hot.HotPath(ctx, app.state.keyring, app.state.holder, app.state.writer)
    app.state.streams = Slots(ctx.settings.streams_at_once)
    http.install(app)
    app.add_middleware(http.BodyLimit, rooms=_rooms(ctx.settings, app.state.hot), streamed=_STREAM)
    app.add_middleware(Answering, answers=app.state.holder.answers)  # the last one added is the outermost
    app.router.routes.extend(_routes())
    review_ui.install(app)
    return app


def _rooms(settings: Settings, found: hot.HotPath) -> list[http.Room]:
    """The pages' is their own: a form has no key to ask for first, and whoever fills it keeps no agent waiting."""
    limit, most = settings.max_body_bytes, settings.max_import_bytes
    pages = asgi.Bodies(max(settings.max_bodies_bytes, limit))
    return [
        http.Room(_SUITE, most, asgi.Bodies(most), found.actor_of),
        http.Room(_API, limit, found.bodies, found.actor_of),
        http.Room(_ANY, limit, pages),
    ]


@functools.cache
def _routes() -> list[BaseRoute]:
    """
    Of everything, in one list. A router that is included looks through its own for each call, twice for the one it
    has; with forty of them that is half of what the framework does.
    """
    found = [route for router in (*_ROUTERS, *review_ui.ROUTERS, _probes) for route in router.routes]
    for route in found:
        if isinstance(route, APIRoute):
            route.responses = {"4XX": _PROBLEM, **route.responses}
    return found


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    ctx: Context = app.state.ctx
    waiters: waiting.Waiters = app.state.waiters
    waiters.attach()
    app.state.holder.start()
    app.state.registrar.start()
    app.state.writer.start()
    ctx.listen("decisions:ruled", waiters.ring)
    listener = None
    if ctx.settings.redis_url:
        channels = {"policies:changed": app.state.holder.wake, "keys:changed": app.state.holder.wake,
                    "decisions:ruled": waiters.ring, "reviews:changed": app.state.live.ring}  # fmt: skip
        listener = Listener(ctx.settings.redis_url, channels)
        app.state.live.hears = listener.hears
        listener.start()
    try:
        yield
    finally:
        if listener is not None:
            listener.stop()
        waiters.detach()
        app.state.writer.stop()
        app.state.registrar.stop()
        app.state.holder.stop()
        ctx.drain()


@_probes.get("/livez")
async def alive() -> dict[str, str]:
    """On the loop, without a thread: all of those may be waiting for the database."""
    return {"status": "alive"}


@_probes.get("/readyz")
def ready(ctx: Ctx, request: Request) -> dict[str, str]:
    """Ready when the database answers and the policies are loaded."""
    with ctx.db.read() as session:
        session.execute(text("SELECT 1"))
    if not request.app.state.holder.current.marks:
        raise Unavailable("the policies are not loaded yet")
    return {"status": "ready"}


@_probes.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def from_environment() -> FastAPI:
    """What `uvicorn --factory web_app:from_environment` runs."""
    settings = Settings()
    kit_logging.set_up(settings.log_level)
    _room_for_callers()
    try:
        ctx = make_context(settings, seconds=settings.answer_seconds)
    except NoSecret as missing:
        raise SystemExit(missing.detail) from None  # words, not a stack trace
    ctx.send_through(publisher(settings.redis_url, _sender(settings)))
    app = create_app(ctx)
    _leave_alone_what_stays()
    return app


def _leave_alone_what_stays() -> None:
    """
    Looking through everything that was imported for garbage held up all answers for a tenth of a second and more,
    every few thousand calls. It stays for ever, so it is not looked at any more, and the rest less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _room_for_callers() -> None:
    """Each who waits for a ruling has a socket, and the usual limit of a shell is 1,024 of them."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # there is none on Windows, or it cannot be moved
        import resource

        allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
        if allowed != resource.RLIM_INFINITY and allowed < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _sender(settings: Settings) -> Any:
    client = Celery("phasegate", broker=settings.redis_url)
    client.conf.task_routes = routes()
    client.conf.broker_transport_options = {"socket_timeout": 2, "socket_connect_timeout": 1}
    return client.send_task
