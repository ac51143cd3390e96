"""
Carries out single requests with httpx2, and turns whatever goes wrong there into one of our errors.

httpx2's time-outs are for each read and write, so a server that sends a byte a second would never run into one, and
looking up a host name has none at all. Both clients therefore hold the time of an exchange from outside.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import platform
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import nullcontext
from contextvars import copy_context
from queue import Empty, SimpleQueue

import httpx2

from phasegate_client import threads
from phasegate_client.answers import Reply
from phasegate_client.calls import Keep, Send
from phasegate_client.errors import MalformedAnswer, PhasegateError, TimedOut, Unexpected, Unreachable, Unspooled
from phasegate_client.pools import LIMITS, Pools
from phasegate_client.release import __version__
from phasegate_client.spool import Spool

log = logging.getLogger("phasegate_client")

Headers = Callable[[], Mapping[str, str]]
_WHO = f"phasegate-client/{__version__} python/{'.'.join(platform.python_version_tuple()[:2])}"
_OURS = {"authorization", "accept", "user-agent", "content-type", "content-length", "host", "idempotency-key"}

LARGEST_ANSWER = 32 * 1024 * 1024  # bytes; a body without end must not eat the agent's memory

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


class Address:
    """Where the server is and what to say who we are. Checked at once: a typing error belongs to the start-up."""

    def __init__(self, base_url: str, key: str, headers: Headers | None = None) -> None:
        url = httpx2.URL(base_url)
        if url.scheme not in {"http", "https"} or not url.host:
            raise ValueError(f"base_url is {base_url!r}, expected something like https://phasegate.example.com")
        if url.userinfo or url.query or url.fragment:
            raise ValueError("base_url must not hold a password, a query or a fragment")
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("key is empty or has characters that no key has")
        self.base_url = str(url).rstrip("/")
        self._key = key
        self._headers = headers

    def request(self, step: Send) -> httpx2.Request:
        headers = self._more_headers() | {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json, application/problem+json",
            "User-Agent": _WHO,
        }
        if step.request.body is not None:
            headers["Content-Type"] = "application/json"
        if step.request.idempotency_key is not None:
            headers["Idempotency-Key"] = step.request.idempotency_key
        return httpx2.Request(
            step.request.method,
            self.base_url + step.request.path,
            headers=headers,
            content=step.request.body,
            extensions={"timeout": httpx2.Timeout(step.seconds).as_dict()},
        )

    def _more_headers(self) -> dict[str, str]:
        """Of whoever made the client, such as traceparent; what is wrong there stops no request."""
        if self._headers is None:
            return {}
        try:
            given = {str(name): str(value) for name, value in self._headers().items()}
            httpx2.Headers(given)  # raises where one cannot be sent
        except Exception:
            log.exception("the headers of the caller are left out")
            return {}
        return {name: value for name, value in given.items() if name.lower() not in _OURS}


class Connection:
    """
    Each exchange has a thread of its own, which the caller leaves behind when the time is over. The pools of httpx2
    limit how many of them can hang at a time: further ones find no free connection and end by themselves.

    What is parked has pools of its own, or a hundred waits would keep every decision waiting. A transport of the
    caller's is used for both.
    """

    def __init__(self, address: Address, transport: httpx2.BaseTransport | None) -> None:
        self._address = address
        self._transport = transport
        self._connect()

    def _connect(self) -> None:
        self._parked: Pools[httpx2.Client] | None = None
        if self._transport is not None:
            self._http = httpx2.Client(transport=self._transport)
        else:
            tls = httpx2.create_ssl_context()  # takes its time, so one for all
            self._http = httpx2.Client(verify=tls)
            self._parked = Pools(lambda: httpx2.Client(verify=tls, limits=LIMITS))
        self._process = os.getpid()  # last, or another thread of a child would take the parent's connections

    def send(self, step: Send) -> Reply | PhasegateError:
        results: SimpleQueue[Reply | PhasegateError] = SimpleQueue()
        if os.getpid() != self._process and self._transport is None:
            # After a fork, parent and child must not talk over the same sockets.
            self._connect()
        context = copy_context()
        try:
            threads.start(lambda: results.put(context.run(self._exchange, step)), "phasegate-call")
            return results.get(timeout=step.seconds)
        except Empty:
            return _timed_out(step)
        except RuntimeError as error:  # no further thread to be had, or the interpreter is shutting down
            return Unreachable(f"the request was not sent: {error}", never_sent=True)

    def _exchange(self, step: Send) -> Reply | PhasegateError:
        deadline = time.monotonic() + step.seconds
        parked = self._parked if step.request.parked else None
        try:
            with parked.one() if parked is not None else nullcontext(self._http) as http:
                answer = http.send(self._address.request(step), stream=True)
                try:
                    return _reply(answer, b"".join(_until(deadline, answer)))
                finally:
                    answer.close()
        except Exception as error:  # noqa: BLE001 - an error in a thread would be lost; as a value it is dealt with
            return error_from(error, step)

    def close(self) -> None:
        for http in (self._http, *(self._parked.all() if self._parked is not None else ())):
            http.close()


class AsyncConnection:
    """For one event loop, as httpx2's own client is. Cancelling the caller cancels the exchange."""

    def __init__(self, address: Address, transport: httpx2.AsyncBaseTransport | None) -> None:
        self._address = address
        self._parked: Pools[httpx2.AsyncClient] | None = None
        if transport is not None:
            self._http = httpx2.AsyncClient(transport=transport)
        else:
            tls = httpx2.create_ssl_context()
            self._http = httpx2.AsyncClient(verify=tls)
            self._parked = Pools(lambda: httpx2.AsyncClient(verify=tls, limits=LIMITS))

    async def send(self, step: Send) -> Reply | PhasegateError:
        try:
            return await asyncio.wait_for(self._exchange(step), step.seconds)
        except Exception as error:  # noqa: BLE001 - as above
            return error_from(error, step)

    async def _exchange(self, step: Send) -> Reply:
        parked = self._parked if step.request.parked else None
        with parked.one() if parked is not None else nullcontext(self._http) as http:
            answer = await http.send(self._address.request(step), stream=True)
            try:
                return _reply(answer, b"".join([part async for part in _not_endless(answer)]))
            finally:
                await answer.aclose()

    async def close(self) -> None:
        for http in (self._http, *(self._parked.all() if self._parked is not None else ())):
            await http.aclose()


def _until(deadline: float, answer: httpx2.Response) -> Iterator[bytes]:
    """The body, given up at the deadline, so that a thread left behind ends too."""
    size = 0
    for part in answer.iter_bytes():
        if time.monotonic() > deadline:
            raise httpx2.ReadTimeout("the answer came too slowly")
        size += len(part)
        _check_size(size)
        yield part


async def _not_endless(answer: httpx2.Response) -> AsyncIterator[bytes]:
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        _check_size(size)
        yield part


def _check_size(size: int) -> None:
    if size > LARGEST_ANSWER:
        raise MalformedAnswer(f"the answer is larger than {LARGEST_ANSWER} bytes")


def _reply(answer: httpx2.Response, body: bytes) -> Reply:
    return Reply(answer.status_code, body, answer.headers.get("Retry-After"))


def _timed_out(step: Send) -> TimedOut:
    return TimedOut(f"no answer within {step.seconds:.3g} s")


def error_from(error: Exception, step: Send) -> PhasegateError:
    if isinstance(error, PhasegateError):
        return error
    if isinstance(error, (asyncio.TimeoutError, httpx2.TimeoutException)):
        return _timed_out(step)
    if isinstance(error, httpx2.DecodingError):
        return MalformedAnswer(f"the answer cannot be decompressed: {error}")
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, (httpx2.HTTPError, OSError)):
        return Unreachable(f"the server was not reached: {words}", isinstance(error, _NEVER_SENT))
    return Unexpected(f"the request failed: {words}")


def keep(spool: Spool, step: Keep) -> list[PhasegateError | None]:
    kept = [spool.append(entry) for entry in step.entries]
    concurrent.futures.wait(kept, step.seconds)
    return [_became_of(one, step) for one in kept]


async def keep_async(spool: Spool, step: Keep) -> list[PhasegateError | None]:
    """Cancelling the caller leaves the spool to finish."""
    kept = [spool.append(entry) for entry in step.entries]
    waiting = [asyncio.wrap_future(one) for one in kept]
    for one in waiting:  # looked at, also when nobody waits any more
        one.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait(waiting, timeout=step.seconds)
    return [_became_of(one, step) for one in kept]


def _became_of(kept: concurrent.futures.Future[None], step: Keep) -> PhasegateError | None:
    if not kept.done():
        return Unspooled(f"the disk took longer than {step.seconds:.3g} s; it may still be kept")
    error = kept.exception()
    return error if error is None or isinstance(error, PhasegateError) else Unexpected(repr(error))
