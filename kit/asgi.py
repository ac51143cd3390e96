"""
One call straight from the server and back, for the path on which the framework's own way is too long; and the bodies
that are on their way in, on whichever path.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Counter
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive, Scope, Send

from kit.errors import Invalid, Unavailable
from kit.wire import too_large

log = structlog.get_logger(__name__)

_IDLE = 60.0  # seconds without a byte after which nobody waits for the rest of a body
_REFUSED = Counter("phasegate_refused_bodies", "Bodies that were answered 503 since too many were on their way.")


class NothingCame(Invalid):
    code = "nothing-came"
    title = "Nothing came for too long"


class Bodies:
    """The bytes of all bodies that are on their way into a process: who would make them more than `most` gets 503."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.held = 0

    def take(self, size: int) -> None:
        if self.held + size > self._most:
            _REFUSED.inc()
            raise Unavailable("too many bodies are on their way here just now; try again")
        self.held += size

    def give_back(self, size: int) -> None:
        self.held -= size


class Body:
    """
    One body of `limit` bytes at most: `receive` for whoever reads it, `give_back` once it is not held any more.

    One that comes in one piece, as most do, is here already and takes none of the room. Of more than one piece,
    `admit` is asked before the second is read; it raises Unauthenticated.
    """

    __slots__ = ("_admit", "_bodies", "_held", "_limit", "_more", "_receive")

    def __init__(
        self, receive: Receive, limit: int, bodies: Bodies, admit: Callable[[], Awaitable[object]] | None = None
    ) -> None:
        self._receive, self._limit, self._bodies, self._admit = receive, limit, bodies, admit
        self._held = 0
        self._more = True

    async def receive(self) -> Message:
        if not self._more:
            return await self._receive()  # for the end of the connection one may wait as long as it takes
        try:
            # Before the first piece nothing is held, so it may take its time.
            async with asyncio.timeout(_IDLE if self._held else None):
                message = await self._receive()
        except TimeoutError:
            raise NothingCame(f"nothing came for {_IDLE:g} s, so the rest of the body is not waited for") from None
        if message.get("more_body", False) and self._admit is not None:
            await self._admit()
            self._admit = None
        self.take(message)
        return message

    def take(self, message: Message) -> None:
        """One more piece of it came."""
        size, self._more = len(message.get("body", b"")), message.get("more_body", False)
        if self._held + size > self._limit:
            raise too_large(self._limit)
        if self._more or self._held:
            self._bodies.take(size)
            self._held += size

    def give_back(self) -> None:
        self._bodies.give_back(self._held)


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name, in small letters."""
    for known, value in scope["headers"]:
        if known == name:
            return str(value.decode("latin-1"))
    return None


def check_length(scope: Scope, limit: int) -> None:
    """Raises TooLarge where a body of more than `limit` bytes is announced."""
    announced = header(scope, b"content-length") or "0"
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)


async def read_body(receive: Receive, limit: int, bodies: Bodies) -> bytes:
    """The whole body; raises TooLarge as soon as it is known to be larger than `limit` bytes."""
    message = await receive()
    if not message.get("more_body", False):  # as most do: without more ado
        whole = _piece(message)
        if len(whole) > limit:
            raise too_large(limit)
        return whole
    body = Body(receive, limit, bodies)
    try:
        body.take(message)
        parts = [_piece(message)]
        while message.get("more_body", False):
            message = await body.receive()
            parts.append(_piece(message))
    finally:
        body.give_back()
    return b"".join(parts)


def _piece(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    piece: bytes = message.get("body", b"")
    return piece


async def send_json(send: Send, status: int, body: bytes, location: str) -> None:
    """An answer with a body of JSON. It is given to the server without a pause."""
    headers = [
        (b"location", location.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"content-type", b"application/json"),
    ]
    try:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
    except RuntimeError:  # what a closed connection is to the event loop
        log.info("a caller left before the answer", location=location)


async def send_error(error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
    """The answer that the application has for this error; one that nobody expected is raised all the same."""
    if isinstance(error, ClientDisconnect):
        return  # nobody is there to be told, and nothing was handed over yet
    known = scope["app"].exception_handlers
    kind = next(kind for kind in type(error).__mro__ if kind in known)
    response = await known[kind](Request(scope, receive), error)
    await response(scope, receive, send)
    if kind is Exception:
        raise error
