"""
Tells agents how their cases ended: an outbox row in the ruling's transaction, then a signed webhook.

The body is fixed when the row is written and the message keeps its id, so a repeat after a crash is the
same to the letter and the receiver can drop it (Standard Webhooks: `webhook-id`).
"""

from datetime import datetime, timedelta
from uuid import UUID

import httpx2
import orjson
import structlog
from sqlalchemy.orm import Session
from standardwebhooks import Webhook as Signer

from kit.db import send_after_commit
from routing.cases.outcomes import outcome_of
from routing.cases.schemas import decision_out
from routing.cases.tables import Decision
from routing.delivery import queries
from routing.delivery.tables import OutboxMessage, Webhook

log = structlog.get_logger(__name__)

# Standard Webhooks 1.0.0 recommends: at once, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
_WAITS = tuple(timedelta(seconds=s) for s in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400))
_GONE = 410


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


def deliver_due(session: Session, client: httpx2.Client, *, now: datetime, limit: int = 20) -> int:
    """Send what is due; each message ends delivered, dead, or with a time to try again."""
    messages = queries.due_messages(session, now, limit)
    for message in messages:
        webhook = session.get(Webhook, UUID(message.subject))
        if webhook is None or not webhook.active:
            message.state, message.last_error = "nobody", "the webhook is gone"
            continue
        _attempt(client, message, webhook, now)
    return len(messages)


def _attempt(client: httpx2.Client, message: OutboxMessage, webhook: Webhook, now: datetime) -> None:
    body = orjson.dumps(message.body)
    signature = Signer(webhook.secret).sign(str(message.id), now, body.decode())
    headers = {
        "content-type": "application/json",
        "webhook-id": str(message.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    message.attempts += 1
    try:
        answer = client.post(webhook.url, content=body, headers=headers, follow_redirects=False)
    except httpx2.HTTPError as error:
        _again(message, f"{type(error).__name__}: {error}", now)
        return
    if answer.is_success:
        message.state, message.delivered_at, message.last_error = "delivered", now, None
    elif answer.status_code == _GONE:
        webhook.active = False
        message.state, message.last_error = "nobody", "the receiver answered 410 and wants no more"
    else:
        _again(message, f"the receiver answered {answer.status_code}", now)


def _again(message: OutboxMessage, error: str, now: datetime) -> None:
    message.last_error = error[:500]
    if message.attempts > len(_WAITS):
        message.state = "dead"
        log.error("a message could not be delivered", message=str(message.id), agent=message.agent, error=error)
        return
    message.due_at = now + _WAITS[message.attempts - 1]
