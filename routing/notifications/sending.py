"""
Brings messages to people: e-mail, Slack, or a webhook signed as Standard Webhooks says.

A message is taken for five minutes before it is sent, outside any transaction. Whoever dies on the way loses nothing:
it comes up again, with the same id. So even a repeat keeps the distance of five minutes between two messages.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy.orm import Session

from kit.settings import Settings
from routing.delivery import service as delivery
from routing.delivery.courier import Courier, Undeliverable
from routing.domain.telling import GAP, is_quiet, next_time, quiet_over
from routing.notifications import links, mail, queries, wording
from routing.notifications.hours import hours_of
from routing.notifications.tables import Notification, NotificationSettings
from routing.notifications.wording import Letter

log = structlog.get_logger(__name__)

# News gets stale: what could not be brought within the hour is told anew with the next message.
_WAITS = (GAP, timedelta(minutes=10), timedelta(minutes=30))
_AFTER_A_DEAD_ONE = timedelta(hours=1)  # where four tries failed, a new message will hardly arrive at once
_TAKEN, _ELSEWHERE = 200, 300  # taken: from here to below there
_GONE = 410  # the one answer that says: never again. Others may be a mistake of the receiver, who mends it


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way: all that sending needs, nothing of the database."""

    message_id: UUID
    login: str
    way: str
    address: str
    secret: str
    letter: Letter


@dataclass(frozen=True, slots=True)
class Sent:
    message_id: UUID
    login: str
    error: str | None  # None: it was taken
    gone: bool = False  # nobody will ever take one there


def take_due(session: Session, *, secret: bytes, base: str, now: datetime) -> Parcel | None:
    """Take the next message whose time has come; what was turned off or moved meanwhile is not sent."""
    while found := queries.next_due(session, now):
        message, settings, person = found
        wanted = settings.way != "none" and (message.kind == "confirm" or settings.confirmed_at is not None)
        if not wanted or person.disabled_at is not None:
            message.state = "nobody"
            session.flush()  # or it would be the next one again
            continue
        if message.attempts > len(_WAITS):  # the worker died of it every time
            _give_up(message, settings, now)
            session.flush()
            continue
        hours = hours_of(settings)
        if is_quiet(hours, now) and (message.kind == "news" or message.attempts):  # the first link was asked for now
            message.due_at = quiet_over(hours, now)
            session.flush()
            continue
        message.attempts += 1
        message.due_at = now + GAP
        settings.told_at = now
        letter = _letter(session, message, settings, person.name, secret, base)
        return Parcel(message.id, message.login, settings.way, settings.address, settings.secret or "", letter)
    return None


def _letter(
    session: Session, message: Notification, settings: NotificationSettings, name: str, secret: bytes, base: str
) -> Letter:
    addresses = {
        link.does: f"{base}{links.PATH}{links.token_of(secret, link)}" for link in queries.links_of(session, message.id)
    }
    addresses |= {"queue": f"{base}/review/queue", "settings": f"{base}/notifications"}
    begins, ends = settings.quiet_from, settings.quiet_until
    return Letter(
        kind=message.kind,
        name=name,
        facts=message.facts,
        links=addresses,
        zone=settings.zone,
        quiet=(begins, ends) if begins is not None and ends is not None else None,
        written_at=message.created_at,
    )


def send(parcel: Parcel, config: Settings, *, seconds: float, now: datetime) -> Sent:
    """Never raises for a receiver's sake: what went wrong is part of the answer."""
    courier = Courier(allow_private=config.webhooks_allow_private, seconds=seconds)
    try:
        match parcel.way:
            case "email":
                server = mail.mail_server(config.smtp_url or "")
                mail.send(server, email_of(parcel, config), seconds=seconds)
                return Sent(parcel.message_id, parcel.login, None)
            case "slack":
                body = orjson.dumps(wording.slack(parcel.letter))
                return _answered(parcel, courier.post(parcel.address, body, {"content-type": "application/json"}))
            case _:
                return _signed(parcel, courier, now)
    except (Undeliverable, mail.NoSuchMailServer) as error:
        return Sent(parcel.message_id, parcel.login, str(error))


def _signed(parcel: Parcel, courier: Courier, now: datetime) -> Sent:
    body = orjson.dumps(wording.webhook(parcel.letter))
    sent = delivery.send(
        courier, delivery.Parcel(parcel.message_id, parcel.message_id, parcel.address, parcel.secret, body), now=now
    )
    if sent.status is None:
        return Sent(parcel.message_id, parcel.login, sent.error)
    return _answered(parcel, sent.status)


def _answered(parcel: Parcel, status: int) -> Sent:
    error = None if _TAKEN <= status < _ELSEWHERE else f"the receiver answered {status}"
    return Sent(parcel.message_id, parcel.login, error, gone=status == _GONE)


def email_of(parcel: Parcel, config: Settings) -> EmailMessage:
    """With the headers by which mail programs offer to turn it off (RFC 8058) and drop a repeat."""
    message = EmailMessage()
    message["Subject"] = wording.subject(parcel.letter)
    message["From"] = config.mail_from
    message["To"] = parcel.address
    message["Date"] = format_datetime(parcel.letter.written_at)
    message["Message-ID"] = f"<{parcel.message_id}@{config.mail_from.rpartition('@')[2].rstrip('>')}>"
    message["List-Unsubscribe"] = f"<{parcel.letter.links['off']}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(wording.text(parcel.letter))
    return message


def record_sent(session: Session, sent: Sent, *, now: datetime) -> None:
    """Delivered, given up, or a time to try again; the person reads why on their page."""
    settings = queries.settings_of(session, sent.login, lock=True)
    message: Any = session.get(Notification, sent.message_id)
    if settings is None or message is None or message.state != "waiting":
        return
    settings.problem = sent.error[:500] if sent.error else None
    settings.next_at = max(settings.next_at, next_time(hours_of(settings), now, now))
    if sent.error is None:
        message.state, message.delivered_at = "delivered", now
        settings.told_through = max(settings.told_through, message.through or 0)
    elif sent.gone or message.attempts > len(_WAITS):
        _give_up(message, settings, now)
        if sent.gone:
            settings.confirmed_at = None  # nothing more goes there until it is set and confirmed again
    else:
        message.due_at = now + _WAITS[message.attempts - 1]


def _give_up(message: Notification, settings: NotificationSettings, now: datetime) -> None:
    """Whoever it was for has not heard of it: the next message tells them, if it still waits then."""
    message.state = "dead"
    settings.next_at = max(settings.next_at, now + _AFTER_A_DEAD_ONE)
    log.warning("a notification could not be delivered", message=str(message.id), login=message.login)
