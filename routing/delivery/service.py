"""
Tells agents how their cases ended: an outbox row in the ruling's transaction, then a signed webhook.

The body is fixed when the row is written and the message keeps its id, so a repeat after a crash is the
same to the letter and the receiver can drop it (Standard Webhooks: `webhook-id`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import orjson
import structlog
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Signer

from kit.db import send_after_commit
from kit.ids import new_id
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.schemas import ChangeOut
from rollout.versions.tables import PhaseChange
from routing.a2i import shapes
from routing.cases.outcomes import outcome_of
from routing.cases.schemas import decision_out
from routing.cases.tables import Decision
from routing.delivery import queries
from routing.delivery.courier import Courier, Undeliverable
from routing.delivery.schemas import AuditRulingOut
from routing.delivery.tables import OutboxMessage, Webhook

log = structlog.get_logger(__name__)

# Standard Webhooks 1.0.0 recommends: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
_WAITS = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
_TAKEN, _ELSEWHERE = 200, 300  # taken: from here to below there
_GONE = 410
GLASS_BROKEN = "rollout.glass_broken"
_NEWS = timedelta(days=30)  # after so long an outage, what was open for at most a day is history
_TAKEN_FOR = timedelta(minutes=2)  # far longer than the ten seconds that one message may take
_LEFT_ALONE = _WAITS[0]  # a receiver that did not answer: its other messages let everybody else's go first


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way: all that sending needs, nothing of the database."""

    message_id: UUID
    webhook_id: UUID
    url: str
    secret: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Sent:
    message_id: UUID
    webhook_id: UUID
    status: int | None
    error: str | None  # None: it was taken


def tell(
    session: Session,
    decision: Decision,
    *,
    kind: str,
    now: datetime,
    ruling: AuditRulingOut | None = None,
    webhooks: Sequence[Webhook] | None = None,
) -> None:
    """
    Write the message; it is sent once this transaction is stored, and by the sweep in any case.

    The data is the decision as the API shows it. An audit leaves the decision as it was, so the message brings the
    `ruling` beside it. A human loop that ended is told once more, as Amazon A2I would tell it. `webhooks`: the agent's,
    where they are known.
    """
    webhooks = queries.active_webhooks(session, decision.agent) if webhooks is None else webhooks
    if not webhooks:
        return
    data = decision_out(decision, outcome_of(decision)).model_dump(mode="json")
    if ruling is not None:
        data["audit_ruling"] = ruling.model_dump(mode="json")
    told = {kind: data}
    if shapes.is_loop(decision) and kind.startswith("decision."):
        told[shapes.STATUS_CHANGE] = shapes.event(decision, new_id(), now)
    for webhook in webhooks:
        for name, said in told.items():
            session.add(
                OutboxMessage(
                    agent=decision.agent,
                    kind=name,
                    subject=str(webhook.id),
                    body={"type": name, "timestamp": now.isoformat(), "data": said},
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


def take_due(session: Session, *, now: datetime) -> Parcel | None:
    """
    Take the next message whose time has come, for two minutes: if this worker dies on the way, it comes up again.

    One at a time, so that none waits taken behind a slow one. It is sent outside any transaction, so a slow receiver
    holds no lock.
    """
    while message := queries.next_due(session, now):
        webhook = session.get(Webhook, UUID(message.subject))
        if webhook is None or not webhook.active:
            message.state, message.last_error = "nobody", "the webhook is gone"
            session.flush()  # or it would be the next one again
            continue
        message.attempts += 1
        message.due_at = now + _TAKEN_FOR
        return Parcel(message.id, webhook.id, webhook.url, webhook.secret, orjson.dumps(message.body))
    return None


def send(courier: Courier, parcel: Parcel, *, now: datetime) -> Sent:
    """One signed POST. Never raises: what went wrong is part of the answer."""
    headers = {
        "content-type": "application/json",
        "webhook-id": str(parcel.message_id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(parcel.secret).sign(str(parcel.message_id), now, parcel.body.decode()),
    }
    try:
        status = courier.post(parcel.url, parcel.body, headers)
    except Undeliverable as error:
        return Sent(parcel.message_id, parcel.webhook_id, None, str(error))
    words = None if _TAKEN <= status < _ELSEWHERE else f"the receiver answered {status}"
    return Sent(parcel.message_id, parcel.webhook_id, status, words)


def record_sent(session: Session, sent: Sent, *, now: datetime) -> None:
    """Delivered, dead, or a time to try again; after no answer at all, the receiver is left alone for a moment."""
    if sent.status is None:
        queries.postpone(session, sent.webhook_id, now=now, until=now + _LEFT_ALONE)
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
