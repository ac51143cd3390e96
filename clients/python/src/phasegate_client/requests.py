"""
What is said to the server: one function for each request, no I/O.

A body is encoded once, so that a retry repeats it to the byte and gets the decision already stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any, Literal
from urllib.parse import quote

from phasegate_client.errors import Unsendable
from phasegate_client.json_text import as_json, confidence_as_json, encode

LARGEST_BATCH = 1000  # items
LONGEST_KEY = 200  # characters
LONGEST_BATCH = 3 * 1024 * 1024  # bytes; the server takes 4 MiB

Severity = Literal["minor", "major", "severe", "critical"]


@dataclass(frozen=True, slots=True)
class Request:
    """
    Sent twice, it changes nothing more than sent once: what it is about says so, or else its `idempotency_key`.
    One that is `parked` is held by the server for as long as it was asked to, and must be in nobody's way meanwhile.
    """

    method: str
    path: str
    body: bytes | None = None
    idempotency_key: str | None = None
    parked: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a version proposes for a case, as the caller gave it."""

    case_id: str
    output: Any
    confidence: Any = None
    input: Any = None
    segment: str | None = None
    action: str | None = None
    amount: float | Decimal | None = None
    risk: str | None = None
    attributes: Mapping[str, Any] | None = None
    signals: Mapping[str, Any] | None = None
    trace: Sequence[Any] | None = None
    usage: Mapping[str, Any] | None = None
    attempt: int = 1
    occurred_at: datetime | None = None
    agent: str | None = None
    version: str | None = None
    handed_over: bool = False
    """A person has the case already; sent only of what was spooled or only watched."""


@dataclass(frozen=True, slots=True)
class HumanOutput:
    """What a person did for a case without the agent's help. A second one for the case is a correction."""

    case_id: str
    output: Any
    person: str | None = None
    occurred_at: datetime | None = None


def decide(proposal: Proposal) -> Request:
    optional = {
        "confidence": confidence_as_json(proposal.confidence),
        "input": as_json(proposal.input, "input"),
        "segment": proposal.segment,
        "action": proposal.action,
        "amount": as_json(_amount(proposal.amount), "amount"),
        "risk": proposal.risk,
        "attributes": as_json(proposal.attributes, "attributes"),
        "signals": as_json(proposal.signals, "signals"),
        "trace": as_json(proposal.trace, "trace"),
        "usage": as_json(proposal.usage, "usage"),
        "occurred_at": _instant(proposal.occurred_at),
        "handed_over": proposal.handed_over or None,
    }
    body = {
        "case_id": _named(proposal.case_id, "case_id"),
        "version": _named(proposal.version, "version"),
        "output": as_json(proposal.output, "output", words_for_non_finite=False),
        "attempt": as_json(proposal.attempt, "attempt"),
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    return Request("POST", f"{_agent(proposal.agent)}/decisions", encode(body))


def batches(asked: Mapping[int, Request]) -> Iterator[list[int]]:
    """The numbers of decisions that go into one request: of one agent, and not more than the server takes."""
    batch: list[int] = []
    path, size = "", 0
    for number, request in asked.items():
        length = len(request.body or b"")
        if batch and (len(batch) == LARGEST_BATCH or request.path != path or size + length > LONGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(number)
        path, size = request.path, size + length
    if batch:
        yield batch


def together(asked: Sequence[Request]) -> Request:
    """Decisions of one agent as one request."""
    items = b",".join(request.body or b"" for request in asked)
    return Request("POST", f"{asked[0].path}:batch", b'{"items":[' + items + b"]}")


def key_of(proposal: Proposal) -> str:
    """What makes it the same decision on the server, as text."""
    return json.dumps([proposal.agent, proposal.case_id, proposal.version, proposal.attempt], default=str)


def look_at_decision(decision_id: str | None, wait: int) -> Request:
    """`wait` in whole seconds, 0 for the decision as it stands."""
    path = f"/v1/decisions/{_segment(_named(decision_id, 'the id of the decision'))}"
    return Request("GET", f"{path}?wait={wait}", parked=True) if wait else Request("GET", path)


def add_human_outputs(agent: str | None, items: Sequence[HumanOutput], *, key: str) -> Request:
    bodies = [_human_output(item, f"items[{index}]") for index, item in enumerate(items)]
    body = bodies[0] if len(bodies) == 1 else {"items": bodies}
    return Request("POST", f"{_agent(agent)}/human-outputs", encode(body), _header(key, "key"))


def _human_output(item: HumanOutput, place: str) -> dict[str, Any]:
    body = {
        "case_id": _named(item.case_id, f"{place}.case_id"),
        "output": as_json(item.output, f"{place}.output", words_for_non_finite=False),
    }
    optional = {"person": item.person, "occurred_at": _instant(item.occurred_at)}
    return body | {name: value for name, value in optional.items() if value is not None}


def report_failure(
    decision_id: str | None, severity: Severity, description: str, correct_output: Any = None, *, key: str
) -> Request:
    body: dict[str, Any] = {"severity": severity, "description": description}
    if correct_output is not None:
        body["correct_output"] = as_json(correct_output, "correct_output", words_for_non_finite=False)
    path = f"/v1/decisions/{_segment(_named(decision_id, 'the id of the decision'))}/failures"
    return Request("POST", path, encode(body), _header(key, "key"))


def show_case(agent: str | None, case_id: str) -> Request:
    return Request("GET", f"{_agent(agent)}/cases/{_segment(_named(case_id, 'case_id'))}")


def _agent(agent: str | None) -> str:
    return f"/v1/agents/{_segment(_named(agent, 'agent'))}"


def _header(text: str, what: str) -> str:
    if not 1 <= len(text) <= LONGEST_KEY or not text.isascii() or not text.isprintable() or text != text.strip():
        raise Unsendable(f"{what} has to be 1 to {LONGEST_KEY} plain characters: {text!r}")
    return text


def _named(name: str | None, what: str) -> str:
    if not isinstance(name, str) or not name:
        raise Unsendable(f"{what} is missing: {name!r} is not a non-empty text")
    return name


def _segment(name: str) -> str:
    """One segment of a path, whatever is in it; a lone dot would be taken for a step in the path."""
    if name in {".", ".."}:
        raise Unsendable(f"{name!r} cannot stand in a URL")
    try:
        return quote(name, safe="")
    except UnicodeEncodeError as error:
        raise Unsendable(f"{name!r} is not valid Unicode") from error


def _amount(amount: float | Decimal | None) -> float | None:
    """A decimal goes out as a number, which is what the limits of a policy are compared with."""
    return float(amount) if isinstance(amount, Decimal) else amount


def _instant(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC. A time without a zone is refused: it could mean two different hours."""
    if moment is None:
        return None
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise Unsendable(f"{moment!r} is not a time with a zone")
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
