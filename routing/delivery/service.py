"""
Tells agents how their cases ended: an outbox row in the ruling's transaction, then a signed webhook.

The body is fixed when the row is written and the message keeps its id, so a repeat after a crash is the
same to the letter and the receiver can drop it (Standard Webhooks: `webhook-id`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import httpx2
import orjson
import structlog
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Signer

from kit.db import send_after_commit
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.schemas import ChangeOut
from rollout.versions.tables import PhaseChange
from routing.cases.outcomes import outcome_of
from routing.cases.schemas import decision_out
from routing.cases.tables import Decision
from routing.delivery import queries
from routing.delivery.tables import OutboxMessage, Webhook

log = structlog.get_logger(__name__)

# Standard Webhooks 1.0.0 recommends: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
_WAITS = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
_GONE = 410
GLASS_BROKEN = "rollout.glass_broken"
_NEWS = timedelta(days=30)  # after so long an outage, what was open for at most a day is history
_TAKEN_FOR = timedelta(minutes=2)  # longer than the parcels of one round may take together
_ROUND = 5


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way: all that sending needs, nothing of the database."""

    message_id: UUID
    url: str
    secret: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    message_id: UUID
    status: int | None
    error: str | None  # None: it was taken


def tell(session: Session, decision: Decision, *, kind: str, now: datetime) -> None:
    """Write the message; it is sent once this transaction is stored, and by the sweep in any case."""
    data = decision_out(decision, outcome_of(decision)).model_dump(mode="json")
    for webhook in queries.active_webhooks(session, decision.agent):
        session.add(
            OutboxMessage(
                agent=decision.agent,
                kind=kind,
                subject=str(webhook.id),
                body={"type": kind, "timestamp": now.isoformat(), "data": data},
                state="waiting",
                attempts=0,
                due_at=now,
                created_at=now,
            )
        )
        send_after_commit(session, "routing.deliver")


def tell_of_glass(session: Session, *, now: datetime) -> int:
    """
    One message to every webhook of the agent for each time its glass was broken; returns how many are new.

    The id follows from the change and the webhook, so that however often this runs, everyone is told once. Webhooks
    that were added later are not told of what was before them.
    """
    messages = [
        _glass_message(change, webhook, now)
        for change in version_queries.changes_since(session, steps.BROKE_GLASS, now - _NEWS)
        for webhook in queries.active_webhooks(session, change.agent)
        if webhook.created_at <= change.at
    ]
    known = queries.known_messages(session, [message["id"] for message in messages])
    told = sum(queries.add_message(session, message) for message in messages if message["id"] not in known)
    if told:
        send_after_commit(session, "routing.deliver")
    return told


def _glass_message(change: PhaseChange, webhook: Webhook, now: datetime) -> dict[str, Any]:
    data = ChangeOut.model_validate(change).model_dump(mode="json")
    return {
        "id": uuid5(change.id, str(webhook.id)),
        "agent": change.agent,
        "kind": GLASS_BROKEN,
        "subject": str(webhook.id),
        "body": {"type": GLASS_BROKEN, "timestamp": data["at"], "data": {"agent": change.agent, **data}},
        "state": "waiting",
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


def take_due(session: Session, *, now: datetime, limit: int = _ROUND) -> list[Parcel]:
    """
    Take messages whose time has come, for two minutes: if this worker dies on the way, they come up again.

    They are sent outside any transaction, so a slow receiver holds no lock.
    """
    parcels = []
    for message in queries.due_messages(session, now, limit):
        webhook = session.get(Webhook, UUID(message.subject))
        if webhook is None or not webhook.active:
            message.state, message.last_error = "nobody", "the webhook is gone"
            continue
        message.attempts += 1
        message.due_at = now + _TAKEN_FOR
        parcels.append(Parcel(message.id, webhook.url, webhook.secret, orjson.dumps(message.body)))
    return parcels


def send(client: httpx2.Client, parcel: Parcel, *, now: datetime) -> Sent:
    """One signed POST. Never raises: what went wrong is part of the answer."""
    headers = {
        "content-type": "application/json",
        "webhook-id": str(parcel.message_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(parcel.secret).sign(str(parcel.message_id), now, parcel.body.decode()),
    }
    try:
        answer = client.post(parcel.url, content=parcel.body, headers=headers, follow_redirects=False)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return Sent(parcel.message_id, None, f"{type(error).__name__}: {error}")
    words = None if answer.is_success else f"the receiver answered {answer.status_code}"
    return Sent(parcel.message_id, answer.status_code, words)


def record_sent(session: Session, sent: Sent, *, now: datetime) -> None:
    """Delivered, dead, or a time to try again."""
    message = session.get(OutboxMessage, sent.message_id)
    if message is None or message.state != "waiting":
        return
    message.last_error = sent.error[:500] if sent.error else None
    if sent.error is None:
        message.state, message.delivered_at = "delivered", now
    elif sent.status == _GONE:
        message.state, message.last_error = "nobody", "the receiver answered 410 and wants no more"
        webhook = session.get(Webhook, UUID(message.subject))
        if webhook is not None:
            webhook.active = False
    elif message.attempts > len(_WAITS):
        message.state = "dead"
        log.error("a message could not be delivered", message=str(message.id), agent=message.agent, error=sent.error)
    else:
        message.due_at = now + _WAITS[message.attempts - 1]
