"""The pages: one module per screen, on the templates and the stylesheet of the design reference."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from review_ui import (
    agent,
    agent_forms,
    agents,
    desk,
    failures,
    gold_desk,
    gold_page,
    live,
    notifications,
    past_page,
    people_page,
    plan,
    problems,
    queue,
    readiness,
    reviewer_page,
    saved_views,
    sign_in,
    team_page,
    teams_page,
    threshold,
    together,
    watch,
)
from review_ui.static_files import Static

__all__ = ["ROUTERS", "install"]

ROUTERS = tuple(
    room.router
    for room in (
        sign_in,
        gold_desk,
        saved_views,
        queue,
        live,
        together,
        desk,
        agents,
        agent,
        agent_forms,
        failures,
        gold_page,
        readiness,
        notifications,
        plan,
        past_page,
        people_page,
        reviewer_page,
        team_page,
        teams_page,
        threshold,
        watch,
    )
)
_Handler = Callable[[Request, Exception], Awaitable[Response]]


def install(app: FastAPI) -> None:
    """Add what the pages need to an application that has their routes, and whose errors `kit.http` already answers."""
    app.state.live = live.Live(app.state.ctx)
    app.state.ctx.listen("reviews:changed", app.state.live.ring)
    app.mount("/static", Static(), name="static")
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_pages(cast("Any", handler)))


def _for_pages(answer: _Handler) -> _Handler:
    """The API's answer to an error, as a page where a person looks at it."""

    async def handler(request: Request, error: Exception) -> Response:
        response = await answer(request, error)
        if not problems.is_page(request):
            return response
        return await run_in_threadpool(problems.as_page, request, response)

    return handler
