"""
What the server said: one reader for each answer, no I/O. Unknown fields are ignored, known ones are believed
only in the shape the API promises.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar

from phasegate_client import errors
from phasegate_client.decisions import Decision, Outcome, Reason, Route, State
from phasegate_client.errors import MalformedAnswer, PhasegateError, Unavailable, UnknownRoute
from phasegate_client.json_text import decode, encode

_T = TypeVar("_T")

_TRY_LATER = {408, 425, 429}
_REFUSALS = {
    400: errors.Invalid,
    401: errors.NotAllowed,
    403: errors.NotAllowed,
    404: errors.NotFound,
    409: errors.Conflict,
    413: errors.Invalid,
    415: errors.Invalid,
    422: errors.Invalid,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read to its end."""

    status: int
    body: bytes = b""
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a decision must be about to be the answer to our question; None where we cannot know."""

    agent: str | None = None
    case_id: str | None = None
    version: str | None = None
    attempt: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class StoredHumanOutput:
    """`spooled`: kept on disk here and told to the server later; then it has no id and no revision yet."""

    id: str
    case_id: str
    revision: int
    status: Literal["created", "unchanged", "corrected", "spooled"]


def trouble_in(reply: Reply) -> PhasegateError | None:
    """The error an answer stands for, or None when it is a success."""
    if reply.status in {200, 201}:
        return None
    if reply.status in _TRY_LATER or reply.status >= 500:  # noqa: PLR2004 - RFC 9110, section 15.6
        said = _problem(reply)
        return Unavailable(_sentence(reply.status, said), reply.status, _seconds(reply.retry_after))
    if reply.status >= 400:  # noqa: PLR2004 - RFC 9110, section 15.5
        said = _problem(reply)
        kind = _REFUSALS.get(reply.status, errors.Refused)
        problem = str(said.get("type", "")).rpartition("/")[2]
        return kind(_sentence(reply.status, said), reply.status, problem, _places(said))
    return MalformedAnswer(f"the server answered {reply.status}, which is not an answer of the API")


def _problem(reply: Reply) -> dict[str, Any]:
    """problem+json if it is one; a proxy in between answers with pages of its own."""
    try:
        said = decode(reply.body)
    except MalformedAnswer:
        return {}
    return said if isinstance(said, dict) else {}


def _sentence(status: int, said: dict[str, Any]) -> str:
    title, detail = said.get("title"), said.get("detail")
    words = ": ".join(text for text in (title, detail) if isinstance(text, str) and text)
    sentence = f"the server answered {status}" + (f", {words}" if words else "")
    for place in _places(said):
        sentence += f"; {place.get('place')}: {place.get('problem')}"
    return sentence


def _places(said: dict[str, Any]) -> tuple[dict[str, object], ...]:
    places = said.get("errors")
    return tuple(place for place in places if isinstance(place, dict)) if isinstance(places, list) else ()


def _seconds(retry_after: str | None) -> float | None:
    """Phasegate sends seconds. Anything else is read as "not soon": waiting too long beats hammering."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        return math.inf
    return seconds if seconds >= 0 else math.inf


def read_decision(reply: Reply, expected: Expected) -> Decision:
    return _decision(decode(reply.body), expected)


def read_decisions(reply: Reply, expected: Sequence[Expected]) -> list[Decision | PhasegateError]:
    """One for each question, in order; what is wrong with one is no matter of the others."""
    items = _Fields(decode(reply.body), "the answer").need("items", list)
    if len(items) != len(expected):
        raise MalformedAnswer(f"{len(expected)} cases were sent, {len(items)} were answered")
    return [_decision_or_trouble(item, wanted) for item, wanted in zip(items, expected, strict=False)]


def _decision_or_trouble(item: Any, expected: Expected) -> Decision | PhasegateError:
    try:
        fields = _Fields(item, "an item")
        status = fields.need("status", int)
        trouble = trouble_in(Reply(status, encode(fields.maybe("problem", dict) or {})))
        return trouble if trouble is not None else _decision(fields.need("decision", dict), expected)
    except PhasegateError as malformed:
        return malformed


def _decision(given: Any, expected: Expected) -> Decision:
    fields = _Fields(given, "the decision")
    attempt = fields.need("attempt", int)
    decision = Decision(
        id=fields.need("id", str),
        agent=fields.need("agent", str),
        case_id=fields.need("case_id", str),
        version=fields.need("version", str),
        attempt=attempt,
        route=_route(fields.need("route", str)),
        reasons=tuple(_reason(item) for item in fields.need("reasons", list)),
        is_final=fields.one_of("status", ("final", "waiting")) == "final",
        outcome=_outcome(fields.maybe("outcome", dict)),
        policy_revision=fields.maybe("policy_revision", int),
        phase=fields.maybe("phase", str),
        threshold=fields.number("threshold"),
        audit_probability=_audit_probability(fields.maybe("audit", dict)),
        ramp_share=fields.number("ramp_share"),
        decided_at=fields.instant("decided_at"),
    )
    _is_about(decision, expected)
    return decision


def _is_about(decision: Decision, expected: Expected) -> None:
    """A mixed-up answer (a cache, a crossed connection) could let the wrong case proceed."""
    for name in ("agent", "case_id", "version", "attempt", "id"):
        wanted, got = getattr(expected, name), getattr(decision, name)
        if wanted is not None and wanted != got:
            raise MalformedAnswer(f"the answer is about another decision: its {name} is {got!r}, not {wanted!r}")


def _route(word: str) -> Route:
    try:
        return Route(word)
    except ValueError:
        raise UnknownRoute(f"the route {word!r} is not known to this release of the client") from None


def _reason(item: Any) -> Reason:
    fields = _Fields(item, "a reason")
    return Reason(fields.need("code", str), fields.need("words", str))


def _audit_probability(audit: dict[str, Any] | None) -> float | None:
    return None if audit is None else _Fields(audit, "the audit").number("probability")


def _outcome(given: dict[str, Any] | None) -> Outcome | None:
    if given is None:
        return None
    fields = _Fields(given, "the outcome")
    state = State(fields.one_of("state", tuple(state.value for state in State)))
    outcome = Outcome(
        state=state,
        output=given.get("output"),
        reason_code=fields.maybe("reason_code", str),
        note=fields.maybe("note", str),
        decided_by=fields.maybe("decided_by", str),
        at=fields.instant("at"),
        edited=fields.maybe("edited", bool) or False,
    )
    if outcome.is_cleared and "output" not in given:
        raise MalformedAnswer("the outcome lets an output pass and does not say which")
    return outcome


def read_human_outputs(reply: Reply, case_ids: list[str]) -> list[StoredHumanOutput]:
    items = _Fields(decode(reply.body), "the answer").need("items", list)
    stored = [_stored_human_output(item) for item in items]
    if [item.case_id for item in stored] != case_ids:
        raise MalformedAnswer(f"{len(case_ids)} human outputs were sent, the answer is about others")
    return stored


def _stored_human_output(item: Any) -> StoredHumanOutput:
    fields = _Fields(item, "a human output")
    status = fields.one_of("status", ("created", "unchanged", "corrected"))
    return StoredHumanOutput(
        fields.need("id", str),
        fields.need("case_id", str),
        fields.need("revision", int),
        status,  # type: ignore[arg-type]
    )


def check_receipt(reply: Reply, key: str | None) -> None:
    """That this is the server's own word for having stored a spooled request; a key is that of its decision."""
    fields = _Fields(decode(reply.body), "the answer")
    if key is None:
        fields.need("items", list)
        return
    fields.need("id", str)
    told = [fields.fields.get(name) for name in ("agent", "case_id", "version", "attempt")]
    if told != json.loads(key):
        raise MalformedAnswer(f"the answer is about another decision: {told!r}")


def read_object(reply: Reply) -> dict[str, Any]:
    """An answer handed on as it is."""
    return _Fields(decode(reply.body), "the answer").fields


class _Fields:
    """Reads typed fields out of a JSON object, and names the one that is not as promised."""

    def __init__(self, given: Any, what: str) -> None:
        if not isinstance(given, dict):
            raise MalformedAnswer(f"{what} is {type(given).__name__}, not an object")
        self.fields: dict[str, Any] = given
        self.what = what

    def need(self, name: str, kind: type[_T]) -> _T:
        value = self.maybe(name, kind)
        if value is None:
            raise MalformedAnswer(f"{self.what} has no {name}")
        return value

    def maybe(self, name: str, kind: type[_T]) -> _T | None:
        value = self.fields.get(name)
        # A bool is an int to Python and not to the API.
        if value is None or (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
            return value
        raise MalformedAnswer(f"{self.what} has {value!r} as its {name}")

    def number(self, name: str) -> float | None:
        value = self.fields.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise MalformedAnswer(f"{self.what} has {value!r} as its {name}")
        return float(value)

    def one_of(self, name: str, words: tuple[str, ...]) -> str:
        word = self.need(name, str)
        if word not in words:
            raise MalformedAnswer(f"{self.what} has {word!r} as its {name}, which this release does not know")
        return word

    def instant(self, name: str) -> datetime | None:
        text = self.maybe(name, str)
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(_for_python_3_10(text))
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            raise MalformedAnswer(f"{self.what} has {text!r} as its {name}, not a time with a zone")
        return moment


def _for_python_3_10(text: str) -> str:
    """Python 3.10 reads neither a Z nor a fraction of other than 3 or 6 digits."""
    body, zone = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    seconds, dot, fraction = body.partition(".")
    return seconds + (f".{fraction[:6]:0<6}" if dot else "") + zone
