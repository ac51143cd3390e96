"""
HTTP manners shared by the API and the pages: answers to errors, size limits, strict routes; `kit.wire` has the bodies.

A route never builds an error answer; it raises a `kit.errors` kind and this module gives it its status.
"""

import functools
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, cast

import orjson
import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from kit import errors, json_body
from kit.asgi import Bodies, Body, check_length, header
from kit.context import Context
from kit.errors import Place, Problem
from kit.wire import entity_tag, invalid_from, problem_body, problem_of

log = structlog.get_logger(__name__)


def problem_response(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps(body), status_code=body["status"], headers=headers, media_type="application/problem+json"
    )


def answer(problem: Problem) -> Response:
    """A Problem as problem+json."""
    headers = {}
    if isinstance(problem, errors.Unavailable):
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return problem_response(problem_of(problem), headers)


def install(app: FastAPI) -> None:
    """Give every error of the application its answer."""

    async def on_problem(_request: Request, error: Exception) -> Response:
        return answer(cast("Problem", error))

    async def on_validation(_request: Request, error: Exception) -> Response:
        return answer(_from_validation(cast("RequestValidationError", error).errors()))

    async def on_http(_request: Request, error: Exception) -> Response:
        known = cast("HTTPException", error)
        if isinstance(known.__cause__, Problem):  # FastAPI wraps what goes wrong while a body is read
            return answer(known.__cause__)
        title = HTTPStatus(known.status_code).phrase
        body = problem_body(title.lower().replace(" ", "-"), title, known.status_code, str(known.detail))
        return problem_response(body, dict(known.headers or {}))

    async def on_stale(_request: Request, _error: Exception) -> Response:
        return answer(errors.Conflict("somebody else changed it in the same moment; look again and repeat"))

    async def on_database(_request: Request, error: Exception) -> Response:
        log.error("database did not answer", exc_info=error)
        # Its last word may have been the commit, so nobody can say that nothing was changed.
        words = "the database did not answer; it is not known whether anything was stored: look, or send the same again"
        return answer(errors.Unavailable(words, retry_after=2))

    async def on_broken(request: Request, error: Exception) -> Response:
        away = cast("DBAPIError", error).connection_invalidated
        return await (on_database if away else on_surprise)(request, error)

    async def on_surprise(_request: Request, error: Exception) -> Response:
        log.error("unexpected error", exc_info=error)
        return problem_response(problem_body("internal", "Internal error", 500, "this is our mistake; it was logged"))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(StaleDataError, on_stale)
    app.add_exception_handler(IntegrityError, on_stale)
    app.add_exception_handler(OperationalError, on_database)
    app.add_exception_handler(PoolTimeout, on_database)
    app.add_exception_handler(DBAPIError, on_broken)
    app.add_exception_handler(Exception, on_surprise)
    app.add_middleware(NoNul)


def _from_validation(found: Sequence[Any]) -> errors.Invalid:
    return invalid_from(found, skip=("body", "query", "path", "header"))


class StrictRequest(Request):
    """A request whose JSON is read by `kit.json_body` instead of the lenient parser."""

    async def json(self) -> Any:
        if not hasattr(self, "_strict_json"):
            self._strict_json = json_body.parse(await self.body())
        return self._strict_json


class StrictRoute(APIRoute):
    """Routes of the API use this class, so that every JSON body is read strictly."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


class NoNul:
    """
    Refuses a NUL in a path or a query, for every route at once.

    PostgreSQL stores none, so it cannot even look for one; a body has its own reader, which refuses it too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        where = _nul_in(scope) if scope["type"] == "http" else None
        if where is None:
            await self._app(scope, receive, send)
            return
        place = Place(where, "it holds a NUL character", "leave it out")
        problem = errors.Invalid(f"{where}: it holds a NUL character", places=[place])
        await _refuse(problem, scope, receive, send)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """From a middleware: with the application's own answer, so that a person gets a page."""
    respond = scope["app"].exception_handlers[Problem]
    response = await respond(Request(scope, receive), problem)
    await response(scope, receive, send)


def _nul_in(scope: Scope) -> str | None:
    if "\x00" in scope["path"]:
        return "path"
    return "query" if b"%00" in scope["query_string"] or b"\x00" in scope["query_string"] else None


@dataclass(frozen=True, slots=True)
class Room:
    """
    How large a body may be on these paths, and all of them together. `admit` raises Unauthenticated for callers whom
    we do not know: a route knows its caller only once the body is read, and where much comes that is too late.
    """

    path: re.Pattern[str]
    limit: int
    bodies: Bodies
    admit: Callable[[str | None], Awaitable[object]] | None = None


class BodyLimit:
    """
    Refuses bodies before they fill the memory, also when no length was announced. The first room that has a path
    counts; the last one should have them all.
    """

    def __init__(self, app: ASGIApp, *, rooms: Sequence[Room], streamed: re.Pattern[str] | None = None) -> None:
        self._app = app
        self._rooms = rooms
        self._streamed = streamed  # paths that read their body piece by piece and keep none of it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (self._streamed is not None and self._streamed.fullmatch(scope["path"])):
            await self._app(scope, receive, send)
            return
        room = next(room for room in self._rooms if room.path.fullmatch(scope["path"]))
        try:
            check_length(scope, room.limit)
        except Problem as refused:
            await answer(refused)(scope, receive, send)
            return
        admit = room.admit and functools.partial(room.admit, header(scope, b"authorization"))
        body = Body(receive, room.limit, room.bodies, admit)
        try:
            await self._app(scope, body.receive, send)
        finally:
            body.give_back()


async def get_context(request: Request) -> Context:
    """The process's context, put there by the composition root. On the loop: a thread for it takes far longer."""
    return cast("Context", request.app.state.ctx)


Ctx = Annotated[Context, Depends(get_context)]


def check_match(request: Request, current: Any) -> None:
    """Refuse an edit that was made on an older state; an edit without If-Match is taken as it is."""
    given = request.headers.get("if-match")
    if given is not None and given not in {"*", entity_tag(current)}:
        raise errors.Conflict("it was changed since you read it; read it again and repeat your edit")
