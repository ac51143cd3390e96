"""
`asgi.Governed` for WSGI: the same headers, the same answers, with a `Phasegate` in place of an `AsyncPhasegate`.

    gate = Phasegate(url, key, agent="triage", version="1.0.0", headers=trace_headers)
    app = Governed(app, gate, paths=["/classify"])

`environ["phasegate.run"]` is the run.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from phasegate_client.adapters import _endpoint
from phasegate_client.adapters._endpoint import Answer, Asked, Describe, trace_headers
from phasegate_client.client import Phasegate

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Asked", "Describe", "Governed", "trace_headers"]


class Governed:
    """See `asgi.Governed`. A request that is held for a ruling holds a worker of the server, so `wait` is best 0."""

    def __init__(
        self,
        app: WSGIApplication,
        gate: Phasegate,
        *,
        paths: Iterable[str],
        describe: Describe | None = None,
        wait: float = 0.0,
        decisions: str = "/decisions",
    ) -> None:
        self._app, self._gate = app, gate
        self._rules = _endpoint.rules(paths, decisions, describe, wait)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        asked = _asked(environ)
        token = asked.bind()
        try:
            if self._rules.govern(asked):
                return _say(start_response, self._govern(environ, asked))
            if (decision_id := self._rules.asks_for(asked)) is not None:
                return _say(start_response, self._look(decision_id, environ))
            return self._app(environ, start_response)
        finally:
            _endpoint.unbind(token)

    def _govern(self, environ: WSGIEnvironment, asked: Asked) -> Answer:
        if not asked.case_id:
            return _endpoint.NO_CASE
        if not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" in environ:
            return _endpoint.NO_LENGTH  # WSGI does not say where such a body ends
        length = environ.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) > _endpoint.LARGEST_BODY:
            return _endpoint.TOO_LARGE
        body = environ["wsgi.input"].read(int(length))
        asked = replace(asked, body=_endpoint.read(body))
        name, parent = f"{asked.method} {asked.path}", asked.headers.get("traceparent")
        fields = {"case_id": asked.case_id, "input": asked.body}
        with self._gate.run(name=name, traceparent=parent, **fields) as run:
            proposed = _call(self._app, {**environ, "wsgi.input": io.BytesIO(body), "phasegate.run": run})
            if not proposed.is_proposal:
                return proposed
            output = _endpoint.read(proposed.body)
            if output is None:
                return _endpoint.NOT_JSON
            decision = run.decide(output, **self._rules.about(asked, proposed, output))
            if decision.is_waiting and self._rules.wait > 0:
                decision = self._gate.wait(decision, self._rules.wait)
            return _endpoint.answer(self._rules, decision, proposed)

    def _look(self, decision_id: str, environ: WSGIEnvironment) -> Answer:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        decision = self._gate.wait(decision_id, _endpoint.seconds(query.get("wait", ["0"])[0]))
        return _endpoint.answer(self._rules, decision, None)


def _asked(environ: WSGIEnvironment) -> Asked:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Asked(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), headers)


def _call(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    """What the app answers, through any of the ways in which WSGI lets it."""
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Any:  # noqa: ARG001 - PEP 3333
        started.append((status, headers))
        return written.append

    parts = app(environ, start)
    try:
        body = b"".join([*parts])
    finally:
        if (close := getattr(parts, "close", None)) is not None:
            close()
    status, headers = started[-1]
    return Answer(int(status.split(" ", 1)[0]), list(headers), b"".join(written) + body)


def _say(start_response: StartResponse, answer: Answer) -> list[bytes]:
    try:
        words = HTTPStatus(answer.status).phrase
    except ValueError:
        words = "Unknown"
    headers = [(name, value.encode("latin-1", "replace").decode("latin-1")) for name, value in answer.headers]
    start_response(f"{answer.status} {words}", headers)
    return [answer.body]
