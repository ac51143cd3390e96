"""
HTTP manners shared by the API and the pages: problems, strict bodies, size limits, cursors, entity tags.

A route never builds an error answer; it raises a `kit.errors` kind and this module gives it its status.
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, cast

import orjson
import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict
from pydantic_core import PydanticCustomError
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kit import errors, json_body
from kit.context import Context
from kit.errors import Place, Problem

log = structlog.get_logger(__name__)

STATUS: dict[type[Problem], int] = {
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.Conflict: 409,
    errors.Unavailable: 503,
}


class Strict(BaseModel):
    """Base of every request body: unknown fields are refused, by name."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


_YEARS = range(1900, 2201)
_MENDS = {
    "extra_forbidden": "remove it, or look for a spelling mistake",
    "missing": "send it, too",
    "timezone_aware": "send a time with its zone, as in 2026-01-05T09:00:00Z",
    "moment_out_of_range": f"send a time in the years {_YEARS[0]} to {_YEARS[-1]}, with its zone",
}
_ANY_MEND = "look up what fits here in /openapi.json"


def _in_utc(given: datetime) -> datetime:
    """Both databases store a time in UTC; at the calendar's edge there may be none."""
    try:
        moment = given.astimezone(UTC)
    except OverflowError:
        raise _out_of_range() from None
    if moment.year not in _YEARS:
        raise _out_of_range()
    return moment


def _out_of_range() -> PydanticCustomError:
    return PydanticCustomError("moment_out_of_range", "it is too far from the present to be a time of work")


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time in a request: with a zone, of which UTC is made, and of a year in which work may have happened."""


class Out(BaseModel):
    """Base of every answer; made from rows or domain values."""

    model_config = ConfigDict(from_attributes=True)


def status_of(problem: Problem) -> int:
    return next(status for kind, status in STATUS.items() if isinstance(problem, kind))


def problem_body(code: str, title: str, status: int, detail: str, places: Sequence[Place] = ()) -> dict[str, Any]:
    """RFC 9457, with `errors` naming the place of each thing that is wrong and its mend."""
    body: dict[str, Any] = {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail}
    if places:
        body["errors"] = [place.to_dict() for place in places]
    return body


def problem_of(problem: Problem) -> dict[str, Any]:
    """The body that tells of it."""
    body = problem_body(problem.code, problem.title, status_of(problem), problem.detail, problem.places)
    return body | problem.extra


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


def invalid_from(found: Sequence[Any], *, skip: tuple[str, ...] = ()) -> errors.Invalid:
    """Pydantic's list of errors as one Invalid with places and mends."""
    places = []
    for item in found:
        location = [str(part) for part in item["loc"]]
        if location and location[0] in skip:
            location = location[1:] or location
        mend = _MENDS.get(item["type"], _ANY_MEND)
        places.append(Place(".".join(location) or "body", item["msg"][0].lower() + item["msg"][1:], mend))
    detail = "; ".join(f"{place.place}: {place.problem}" for place in places[:3])
    return errors.Invalid(detail, places=places)


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
class Larger:
    """Paths whose bodies may be larger, for callers whom `admit` knows: it raises Unauthenticated for all others."""

    path: re.Pattern[str]
    limit: int
    admit: Callable[[str | None], object]


class BodyLimit:
    """
    Refuses bodies over the limit before they fill the memory, also when no length was announced.

    A route knows its caller only once the body is read; where much may come, the key is looked at before that.
    """

    def __init__(
        self, app: ASGIApp, *, limit: int, larger: Larger | None = None, streamed: re.Pattern[str] | None = None
    ) -> None:
        self._app = app
        self._limit = limit
        self._larger = larger
        self._streamed = streamed  # paths that read their body piece by piece and keep none of it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (self._streamed is not None and self._streamed.fullmatch(scope["path"])):
            await self._app(scope, receive, send)
            return
        limit = self._limit
        if self._larger is not None and self._larger.path.fullmatch(scope["path"]):
            try:
                await run_in_threadpool(self._larger.admit, Request(scope).headers.get("authorization"))
            except Problem as refused:
                await _refuse(refused, scope, receive, send)
                return
            limit = self._larger.limit
        length = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if length.isdigit() and int(length) > limit:
            await answer(too_large(limit))(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise too_large(limit)
            return message

        await self._app(scope, counted, send)


def too_large(limit: int) -> errors.TooLarge:
    """The refusal of a body over so many bytes."""
    place = Place("body", f"larger than {limit} bytes", "send less at once, or a link to large documents")
    return errors.TooLarge(f"the body is larger than {limit} bytes", places=[place])


def get_context(request: Request) -> Context:
    """The process's context, put there by the composition root."""
    return cast("Context", request.app.state.ctx)


Ctx = Annotated[Context, Depends(get_context)]


def entity_tag(value: Any) -> str:
    """A strong entity tag over the JSON form of a value."""
    digest = hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
    return f'"{digest[:20]}"'


def check_match(request: Request, current: Any) -> None:
    """Refuse an edit that was made on an older state; an edit without If-Match is taken as it is."""
    given = request.headers.get("if-match")
    if given is not None and given not in {"*", entity_tag(current)}:
        raise errors.Conflict("it was changed since you read it; read it again and repeat your edit")


def encode_cursor(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """The position inside a cursor; an invented cursor is refused."""
    if not cursor:
        return None
    try:
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        position = ""
    if not position or "\x00" in position:
        place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
        raise errors.Invalid("cursor: it is not one of ours", places=[place])
    return position
