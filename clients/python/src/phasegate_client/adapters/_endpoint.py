"""
What the ASGI and the WSGI middleware have in common: what an exchange says, and what a decision answers. No I/O.

    auto                       what the handler answered
    review, nobody ruled yet   202, `Location` of where to ask for the ruling
    approved, edited           200 with the output that was ruled
    human, shadow, rejected    409 handed-over: a person does the case
    block                      403 blocked
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from phasegate_client.decisions import Decision, Route
from phasegate_client.errors import MalformedAnswer, Refused
from phasegate_client.json_text import decode

LARGEST_BODY = 4 * 1024 * 1024  # bytes of a request
CASE, CONFIDENCE = "case-id", "phasegate-confidence"
LONGEST_WAIT = 30.0  # seconds that a caller may have a request held

_context: ContextVar[Mapping[str, str] | None] = ContextVar("phasegate_trace_context", default=None)

Headers = list[tuple[str, str]]


def trace_headers() -> dict[str, str]:
    """For `Phasegate(headers=…)`: `traceparent` and `tracestate` of the request that is being answered."""
    return dict(_context.get() or {})


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request. Names of headers are in small letters; `body` is None when it is not JSON. `mount` is where the
    application is mounted; servers differ in whether `path` begins with it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None
    mount: str = ""

    @property
    def paths(self) -> tuple[str, str]:
        """The path as it is, and within the mount. Routes of some frameworks match with a line feed behind, too."""
        path = self.path.rstrip("\n")
        return path, path.removeprefix(self.mount)

    @property
    def case_id(self) -> str:
        return self.headers.get(CASE, "")

    def bind(self) -> Any:
        """From now on `trace_headers` gives this request's trace context; give the result to `unbind`."""
        return _context.set(
            {name: self.headers[name] for name in ("traceparent", "tracestate") if name in self.headers}
        )


def unbind(token: Any) -> None:
    _context.reset(token)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def is_proposal(self) -> bool:
        """Whether it is an output; errors of the handler go to its caller as they are."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def confidence(self) -> Any:
        """A number if it is one; anything else is stored as what it is and means a person."""
        text = self.header(CONFIDENCE)
        try:
            return None if text is None else float(text)
        except ValueError:
            return text


Describe = Callable[[Asked, Any], Mapping[str, Any]]
"""What a case is, in further arguments of `decide`, from the request and the output."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which requests are governed, and where rulings are asked for."""

    paths: frozenset[str]
    decisions: str
    describe: Describe | None
    wait: float

    def govern(self, asked: Asked) -> bool:
        return asked.method == "POST" and any(path.rstrip("/") in self.paths for path in asked.paths)

    def asks_for(self, asked: Asked) -> str | None:
        """The id of the decision whose ruling is asked for."""
        if asked.method != "GET":
            return None
        found = (path.removeprefix(self.decisions) for path in asked.paths if path.startswith(self.decisions))
        return next(found, None) or None

    def about(self, asked: Asked, proposed: Answer, output: Any) -> dict[str, Any]:
        """The arguments of `run.decide` beside the output."""
        return {"confidence": proposed.confidence()} | dict(self.describe(asked, output) if self.describe else {})


def rules(paths: Iterable[str], decisions: str, describe: Describe | None, wait: float) -> Rules:
    if isinstance(paths, str):
        raise TypeError("paths is one text, expected several")
    return Rules(frozenset(path.rstrip("/") for path in paths), f"/{decisions.strip('/')}/", describe, wait)


def read(body: bytes) -> Any:
    """The JSON value of a body; None when it is none, or one that two readers may read in two ways."""
    try:
        return decode(body)
    except MalformedAnswer:
        return None


def seconds(text: str | None) -> float:
    """How long a caller wants to wait for a ruling."""
    try:
        wanted = float(text or 0)
    except ValueError:
        return 0.0
    return min(max(wanted, 0.0), LONGEST_WAIT) if math.isfinite(wanted) else 0.0


def answer(where: Rules, decision: Decision, proposed: Answer | None) -> Answer:
    """`proposed` is what the handler answered, None where only a ruling is asked for."""
    marks = [("phasegate-route", decision.route.value)]
    if decision.id is not None:
        marks.append(("phasegate-decision", decision.id))
    if decision.is_waiting:
        body = {"status": "waiting", "decision_id": decision.id, "why": decision.why}
        return _json(202, body, [*marks, ("location", f"{where.decisions}{decision.id}"), ("retry-after", "5")])
    if decision.may_proceed and decision.outcome is not None:
        return _json(200, decision.outcome.output, marks)
    if decision.may_proceed and proposed is not None:
        headers = [(name, value) for name, value in proposed.headers if name.lower() != CONFIDENCE]
        return Answer(proposed.status, headers + marks, proposed.body)
    if proposed is None and (decision.may_proceed or isinstance(decision.error, Refused)):  # nobody rules on an `auto`
        return problem(404, "no-such-decision", "There is no such decision", "ask at the Location you were given")
    if proposed is None and not decision.certain:
        return problem(503, "unanswered", "Nobody knows at the moment", decision.why, [("retry-after", "5")])
    return _refusal(decision, marks)


def _refusal(decision: Decision, marks: Headers) -> Answer:
    if decision.route is Route.BLOCK:
        return problem(403, "blocked", "This must not happen", decision.why, marks)
    outcome = decision.outcome
    words = decision.why if outcome is None else outcome.note or outcome.reason_code or outcome.state.value
    return problem(409, "handed-over", "A person does this case", words, marks)


def problem(status: int, code: str, title: str, detail: str, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    body = {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail}
    return _json(status, body, headers, "application/problem+json")


def _json(status: int, value: Any, headers: Iterable[tuple[str, str]] = (), kind: str = "application/json") -> Answer:
    body = json.dumps(value).encode()
    return Answer(status, [("content-type", kind), ("content-length", str(len(body))), *headers], body)


NO_CASE = problem(400, "no-case", "The case has no id", f"send it in the header {CASE}")
TOO_LARGE = problem(413, "too-large", "The request is too large", f"at most {LARGEST_BODY} bytes")
NO_LENGTH = problem(411, "no-length", "The length of the request is not known", "send it with a Content-Length")
NOT_JSON = problem(409, "handed-over", "A person does this case", "the agent's answer is not JSON")
