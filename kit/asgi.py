"""One call straight from the server and back, for the path on which the framework's own way is too long."""

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from kit.wire import too_large

log = structlog.get_logger(__name__)


def header(scope: Scope, name: bytes) -> str | None:
    """The first header of this name, in small letters."""
    for known, value in scope["headers"]:
        if known == name:
            return str(value.decode("latin-1"))
    return None


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """The whole body; raises TooLarge as soon as it is known to be larger than `limit` bytes."""
    announced = header(scope, b"content-length") or "0"
    if announced.isdecimal() and int(announced) > limit:
        raise too_large(limit)
    parts, seen, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        more = message.get("more_body", False)
        seen += len(part)
        if seen > limit:
            raise too_large(limit)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


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
