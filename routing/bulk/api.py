"""
Many cases in one call: `decisions:batch` for up to 1,000 with the whole decisions in the answer, `decisions:stream`
for any number, line by line. What people did comes line by line as well, over `human-outputs:stream`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, cast

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from kit import json_body
from kit.asgi import NothingCame
from kit.errors import Unavailable
from kit.ndjson import Gunzip, Line, Lines, gunzip, is_gzip
from kit.wire import Out, invalid_from, problem_of
from routing.bulk import deciding
from routing.bulk.deciding import Deciding, Result
from routing.bulk.outbox import NobodyReads, Outbox
from routing.bulk.recording import Recording
from routing.bulk.schemas import MOST, BatchIn, BatchOut, EndOut, HumanOutputLineOut, LineOut
from routing.bulk.stream import Slots, Stream, Work
from routing.cases.answers import decision_body, to_json
from routing.cases.schemas import NAN_ALLOWED_AT, CaseIn, HumanOutputIn
from routing.cases.service import Stored
from routing.hot import WANTS_A_KEY, AgentName, HotPath

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/v1", tags=["decisions"])

_CHUNK = 256  # lines that are judged and stored together
_IDLE = 60.0  # seconds without a byte in either direction after which a stream ends
_MOST_UNREAD = 64 * 1024 * 1024
_NDJSON = "application/x-ndjson"


_CASE = CaseIn.model_json_schema()
_BATCH = {"type": "object", "required": ["items"], "additionalProperties": False,
          "properties": {"items": {"type": "array", "minItems": 1, "maxItems": MOST, "items": _CASE}}}  # fmt: skip
_WORK = HumanOutputIn.model_json_schema()


@router.post(
    "/agents/{agent}/decisions:batch",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": _BATCH}}}}
    | WANTS_A_KEY,
    responses={200: {"model": BatchOut, "description": "One result for each item, in order."}},
)
async def route_batch(request: Request, agent: AgentName) -> Response:
    """
    Who answers these cases, up to 1,000. Each is decided as a single call would; a bad one harms no other. Sent
    again, stored ones answer as they did. The body may be gzip.
    """
    hot = cast("HotPath", request.app.state.hot)
    actor = await hot.known_agent(request.headers.get("authorization"), agent)
    raw = await request.body()
    if is_gzip(request.headers.get("content-encoding")):
        raw = gunzip(raw, hot.ctx.settings.max_body_bytes)
    results = await deciding.decide_all(hot, actor, agent, _items(raw), size=len(raw))
    away = next((result for result in results if isinstance(result, Unavailable)), None)
    if away is not None and not any(isinstance(result, Stored) for result in results):
        raise away
    body = to_json({"items": [_item(result) for result in results]})
    return Response(body, media_type="application/json")


def _items(raw: bytes) -> list[Any]:
    """The bodies of the cases, a Problem for each that cannot be one."""
    body, wrong = json_body.parse_list(raw, "items", nan_allowed_at=NAN_ALLOWED_AT)
    try:
        BatchIn.model_validate(body)
    except ValidationError as error:
        raise invalid_from(cast("list[Any]", error.errors())) from None
    return [wrong.get(number, item) for number, item in enumerate(body["items"])]


def _item(result: Result) -> dict[str, Any]:
    status = deciding.status(result)
    if isinstance(result, Stored):
        return {"status": status, "decision": decision_body(result.decision)}
    return {"status": status, "problem": problem_of(result)}


def _by_line(line: dict[str, Any], answer: type[Out]) -> dict[str, Any]:
    """How the document describes a call in lines."""
    told = {"anyOf": [answer.model_json_schema(), EndOut.model_json_schema()]}
    said = {"description": "A line for each line, then a summary.", "content": {_NDJSON: {"schema": told}}}
    body = {"requestBody": {"required": True, "content": {_NDJSON: {"schema": line}}}}
    return {"openapi_extra": body | WANTS_A_KEY, "response_class": Response, "responses": {200: said}}


@router.post("/agents/{agent}/decisions:stream", **_by_line(_CASE, LineOut))
async def route_stream(request: Request, agent: AgentName) -> Response:
    """
    Any number of cases, one JSON object a line, answered line by line while the next ones come. A bad line harms no
    other. The last line is a summary; an answer without one was cut, and the same lines may be sent again. The body
    may be gzip.
    """
    hot = cast("HotPath", request.app.state.hot)
    actor = await hot.known_agent(request.headers.get("authorization"), agent)
    return _line_by_line(request, hot, Deciding(hot, actor, agent))


@router.post("/agents/{agent}/human-outputs:stream", **_by_line(_WORK, HumanOutputLineOut))
async def record_stream(request: Request, agent: AgentName) -> Response:
    """
    What people did for any number of cases, one JSON object a line, in the manner of `decisions:stream`. The same
    output again changes nothing, another one is a correction. The body may be gzip.
    """
    hot = cast("HotPath", request.app.state.hot)
    actor = await hot.known_agent(request.headers.get("authorization"), agent, may="report")
    return _line_by_line(request, hot, Recording(hot.ctx, actor, agent))


def _line_by_line(request: Request, hot: HotPath, work: Work) -> Response:
    gzipped = is_gzip(request.headers.get("content-encoding"))
    chunks = _chunks(request, hot.ctx.settings.max_body_bytes, gzipped=gzipped)
    stream = Stream(work, Outbox(_MOST_UNREAD, _IDLE))
    return _LineByLine(cast("Slots", request.app.state.streams), stream, chunks)


async def _chunks(request: Request, longest: int, *, gzipped: bool) -> AsyncIterator[Sequence[Line]]:
    lines, opened = Lines(longest), Gunzip() if gzipped else None
    parts = request.stream()
    while True:
        try:
            async with asyncio.timeout(_IDLE):
                part = await anext(parts, None)
        except TimeoutError:
            raise NothingCame(f"nothing came for {_IDLE:g} s; send the rest in a new stream") from None
        if part is None:
            break
        for piece in opened.feed(part) if opened is not None else (part,):
            found = lines.feed(piece)
            for start in range(0, len(found), _CHUNK):
                yield found[start : start + _CHUNK]
    if opened is not None:
        opened.finish()
    if last := lines.finish():
        yield last


class _Patience:
    """While lines still come, answers may be read as late as one likes; after that each piece must be taken in time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._no_more_lines = False
        self._sending: asyncio.Timeout | None = None

    def no_more_lines(self) -> None:
        self._no_more_lines = True
        if self._sending is not None:
            self._sending.reschedule(asyncio.get_running_loop().time() + self._seconds)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Around the sending of one piece; NobodyReads where it is not taken."""
        try:
            async with asyncio.timeout(self._seconds if self._no_more_lines else None) as sending:
                self._sending = sending
                try:
                    yield
                finally:
                    self._sending = None
        except TimeoutError:
            raise NobodyReads from None


class _LineByLine(Response):
    """
    Sends while it still receives. Starlette's own streaming answer would listen for the end of the connection
    meanwhile, and take the lines for it.
    """

    def __init__(self, slots: Slots, stream: Stream, chunks: AsyncIterator[Sequence[Line]]) -> None:
        super().__init__(media_type=_NDJSON)
        del self.headers["content-length"]
        self._slots, self._stream, self._chunks = slots, stream, chunks
        self._patience = _Patience(_IDLE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the lines have it
        try:
            with self._slots.one():
                first = await anext(self._chunks, None)  # what is wrong with the beginning has a status of its own
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async with asyncio.TaskGroup() as both_ways:
                    both_ways.create_task(self._stream.run(self._behind(first)))
                    while piece := await self._stream.outbox.get():
                        async with self._patience.one():
                            await send({"type": "http.response.body", "body": piece, "more_body": True})
                async with self._patience.one():
                    await send({"type": "http.response.body", "body": b""})
        except* (ClientDisconnect, NobodyReads):
            log.info("a stream was cut", agent=self._stream.work.agent, **asdict(self._stream.tally))
        finally:
            self._stream.outbox.close()

    async def _behind(self, first: Sequence[Line] | None) -> AsyncIterator[Sequence[Line]]:
        try:
            if first:
                yield first
            async for chunk in self._chunks:
                yield chunk
        finally:
            self._patience.no_more_lines()
