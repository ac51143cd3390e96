"""
An agent's own HTTP service, governed: its handlers go on answering outputs, their callers get what is decided on.

    gate = AsyncPhasegate(url, key, agent="triage", version="1.0.0", headers=trace_headers)
    app = Governed(app, gate, paths=["/classify"])

A POST to one of the paths names its case in the header `Case-Id`; its JSON body is the case's input and the handler's
JSON answer the output, with the confidence in the header `Phasegate-Confidence`. What the caller gets is in the table
of `_endpoint`. Steps that the handler records with `current_step().step(…)` go along; `scope["phasegate.run"]` is the
run. Everything else passes untouched. Put it inside what checks who is asking: it hands out rulings too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from phasegate_client.adapters import _endpoint
from phasegate_client.adapters._endpoint import Answer, Asked, Describe, trace_headers
from phasegate_client.client import AsyncPhasegate

__all__ = ["Asked", "Describe", "Governed", "Receive", "Scope", "Send", "trace_headers"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Governed:
    """
    `describe(asked, output)` gives further arguments of `decide`, such as a segment; `wait` is how many seconds a
    request is held for a ruling before it is answered 202; rulings are asked for at `decisions` plus their id.
    """

    def __init__(
        self,
        app: App,
        gate: AsyncPhasegate,
        *,
        paths: Iterable[str],
        describe: Describe | None = None,
        wait: float = 0.0,
        decisions: str = "/decisions",
    ) -> None:
        self._app, self._gate = app, gate
        self._rules = _endpoint.rules(paths, decisions, describe, wait)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = _asked(scope)
        token = asked.bind()
        try:
            if self._rules.govern(asked):
                await _send(send, await self._govern(scope, asked, receive))
            elif (decision_id := self._rules.asks_for(asked)) is not None:
                await _send(send, await self._look(decision_id, scope))
            else:
                await self._app(scope, receive, send)
        finally:
            _endpoint.unbind(token)

    async def _govern(self, scope: Scope, asked: Asked, receive: Receive) -> Answer:
        if not asked.case_id:
            return _endpoint.NO_CASE
        body = await _whole(receive)
        if body is None:
            return _endpoint.TOO_LARGE
        asked = replace(asked, body=_endpoint.read(body))
        name, parent = f"{asked.method} {asked.path}", asked.headers.get("traceparent")
        fields = {"case_id": asked.case_id, "input": asked.body}
        async with self._gate.run(name=name, traceparent=parent, **fields) as run:
            proposed = await _call(self._app, {**scope, "phasegate.run": run}, body, receive)
            if not proposed.is_proposal:
                return proposed
            output = _endpoint.read(proposed.body)
            if output is None:
                return _endpoint.NOT_JSON
            decision = await run.decide(output, **self._rules.about(asked, proposed, output))
            if decision.is_waiting and self._rules.wait > 0:
                decision = await self._gate.wait(decision, self._rules.wait)
            return _endpoint.answer(self._rules, decision, proposed)

    async def _look(self, decision_id: str, scope: Scope) -> Answer:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        decision = await self._gate.wait(decision_id, _endpoint.seconds(query.get("wait", ["0"])[0]))
        return _endpoint.answer(self._rules, decision, None)


def _asked(scope: Scope) -> Asked:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Asked(scope["method"], scope["path"], headers, mount=scope.get("root_path", "").rstrip("/"))


async def _whole(receive: Receive) -> bytes | None:
    """The body; None when it is too large, or the caller has gone."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or len(body) > _endpoint.LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return bytes(body)


async def _call(app: App, scope: Scope, body: bytes, receive: Receive) -> Answer:
    """What the app answers to a request whose body has been read already."""
    left = [{"type": "http.request", "body": body, "more_body": False}]
    start: Message = {}
    parts: list[bytes] = []

    async def replay() -> Message:
        return left.pop() if left else await receive()

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, replay, keep)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start.get("headers", [])]
    return Answer(start.get("status", 500), headers, b"".join(parts))


async def _send(send: Send, answer: Answer) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
