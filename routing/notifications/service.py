"""
How a person wants to be told, and what the links of a message do.

A person has one way to be told, so that one message is one message. An address counts only after a link that was sent
there has been opened and confirmed by that person: nobody is written to who does not know why.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from governance.people import queries as people
from kit.db import send_after_commit
from kit.errors import Conflict, Forbidden, Invalid, NotFound, Place
from kit.ids import new_id
from kit.settings import Settings
from rollout.agents import queries as agents
from routing.delivery.courier import objection
from routing.domain.telling import Hours, is_quiet_at, next_time
from routing.notifications import links, queries
from routing.notifications.hours import hours_of, read_clock
from routing.notifications.schemas import NotificationsIn, NotificationsOut, QuietHours
from routing.notifications.tables import Notification, NotificationLink, NotificationSettings
from routing.reviews import service as reviews
from routing.reviews.tables import ReviewItem

SEND = "routing.send_notifications"
_CONFIRM_WITHIN = timedelta(days=1)
_DAY = timedelta(days=1)
_CONFIRMATIONS_A_DAY = 5  # an address may be a stranger's
OFF_WITHIN = timedelta(days=30)
_LONGEST_EMAIL = 254  # RFC 5321


class LinkOver(Conflict):
    code = "link-over"
    title = "This link does nothing any more"


class NotYours(Forbidden):
    code = "link-of-another"
    title = "This link was sent to somebody else"


class NothingToConfirm(Conflict):
    code = "nothing-to-confirm"
    title = "There is no address to confirm"


class AskedOften(Conflict):
    code = "asked-often"
    title = "Enough messages to confirm an address went out today"


class NoSuchLink(NotFound):
    code = "no-such-link"
    title = "There is no such link"


@dataclass(frozen=True, slots=True)
class Saved:
    """What is in force now, and when the message to confirm it goes out; None where none is needed."""

    settings: NotificationSettings
    secret: str | None
    confirmation_at: datetime | None


def shown(row: NotificationSettings | None, secret: str | None = None) -> NotificationsOut:
    """As the API and the page show it; who never said anything is told nothing."""
    if row is None:
        ask = NotificationsIn(way="none")
        fields = ask.model_dump() | {"confirmed_at": None, "told_at": None, "problem": None, "secret": None}
        return NotificationsOut.model_validate(fields)
    begins, ends = row.quiet_from, row.quiet_until
    quiet = QuietHours(begins=begins, ends=ends) if begins is not None and ends is not None else None
    return NotificationsOut(
        way=row.way, address=row.address, confirmed_at=row.confirmed_at, about=row.about, agents=row.agents,
        pace=row.pace, daily_at=row.daily_at, quiet=quiet, zone=row.zone, told_at=row.told_at, problem=row.problem,
        secret=secret,
    )  # fmt: skip


def save(session: Session, ask: NotificationsIn, *, actor: Actor, config: Settings, now: datetime) -> Saved:
    """Keep how this person wants to be told. A new address is asked for its consent first."""
    actor.require("review")
    if actor.kind != "person":
        raise Forbidden("notifications are for people; use the key of a person")
    _check(session, ask, config)
    row = queries.settings_of(session, actor.name, lock=True)
    if row is None:
        row = NotificationSettings(
            login=actor.name, way="none", address="", told_through=queries.newest_notice(session), next_at=now
        )
        session.add(row)
    hours = Hours(
        ask.zone, ask.pace, read_clock(ask.daily_at),
        read_clock(ask.quiet.begins) if ask.quiet else None, read_clock(ask.quiet.ends) if ask.quiet else None,
    )  # fmt: skip
    row.about, row.agents = list(ask.about), list(ask.agents)
    row.pace, row.daily_at, row.zone = ask.pace, ask.daily_at, ask.zone
    row.quiet_from, row.quiet_until = (ask.quiet.begins, ask.quiet.ends) if ask.quiet else (None, None)
    row.next_at = next_time(hours, row.told_at, now)
    elsewhere = (ask.way, ask.address if ask.way != "none" else "") != (row.way, row.address)
    secret, at = _move(session, row, ask, now) if elsewhere else (None, None)
    session.flush()  # the message refers to nothing of it, but the row must be there for who sends
    audit.record(session, actor, "notifications.set", actor.name, now=now, way=row.way, new_address=elsewhere)
    return Saved(row, secret, at)


def _move(
    session: Session, row: NotificationSettings, ask: NotificationsIn, now: datetime
) -> tuple[str | None, datetime | None]:
    """To another address, or to none: what was on its way is not sent any more, and old links confirm nothing."""
    queries.give_up_on(session, row.login, now)
    row.way, row.address = ask.way, ask.address if ask.way != "none" else ""
    row.confirmed_at, row.problem, row.secret = None, None, None
    if row.way == "none":
        return None, None
    if row.way == "webhook":
        row.secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return row.secret, _ask_consent(session, row, now)


def ask_again(session: Session, *, actor: Actor, now: datetime) -> datetime:
    """
    Another message to confirm the address; returns when it goes out. While one is on its way, that is the one. Older
    links stay good.
    """
    actor.require("review")
    row = queries.settings_of(session, actor.name, lock=True)
    if row is None or row.way == "none":
        raise NothingToConfirm("notifications are off; say first where messages shall go")
    if row.confirmed_at is not None:
        raise NothingToConfirm("the address is confirmed already")
    on_the_way = queries.confirmation_on_the_way(session, row.login)
    if on_the_way is not None:
        return on_the_way.due_at
    at = _ask_consent(session, row, now)
    audit.record(session, actor, "notifications.asked_again", row.login, now=now, way=row.way)
    return at


def _ask_consent(session: Session, row: NotificationSettings, now: datetime) -> datetime:
    """A message with a link to confirm the address. It counts as one in five minutes, and there are few of them."""
    if queries.confirmations_sent(session, row.login, now - _DAY) >= _CONFIRMATIONS_A_DAY:
        raise AskedOften(f"{_CONFIRMATIONS_A_DAY} messages to confirm an address went out in a day; try again tomorrow")
    due = next_time(Hours(), row.told_at, now)
    message = Notification(
        id=new_id(), login=row.login, kind="confirm", facts=[], state="waiting", attempts=0, due_at=due, created_at=now
    )
    session.add(message)
    session.add(_link(message, "confirm", now + _CONFIRM_WITHIN))
    session.add(_link(message, "off", now + OFF_WITHIN))
    send_after_commit(session, SEND)
    return due


def _link(message: Notification, does: str, expires_at: datetime, item_id: UUID | None = None) -> NotificationLink:
    return NotificationLink(
        id=new_id(), notification_id=message.id, login=message.login, does=does, item_id=item_id, expires_at=expires_at
    )


def add_links(session: Session, message: Notification, *, take: UUID, until: datetime, now: datetime) -> None:
    """The links of a message with news: take this case, and no more messages."""
    session.add(_link(message, "take", until, take))
    session.add(_link(message, "off", now + OFF_WITHIN))


def link_of(session: Session, token: str, *, secret: bytes) -> NotificationLink:
    """The link that goes with a token. Whether it was used, or is too old, is for whoever uses it."""
    link_id = links.id_in(token)
    link = queries.find_link(session, link_id) if link_id is not None else None
    if link is None or not links.is_ours(secret, link, token):
        raise NoSuchLink("the link is not whole, or too old to be known")
    return link


def is_over(link: NotificationLink, now: datetime) -> bool:
    return link.used_at is not None or link.expires_at <= now


def require_addressee(link: NotificationLink, login: str) -> None:
    if link.login != login:
        raise NotYours("it works only for the person it was sent to; the queue has all that waits")


def _use(session: Session, link: NotificationLink, now: datetime) -> None:
    if not queries.try_use(session, link.id, now):
        raise LinkOver("it was used before, or its time is over; nothing was changed")


def confirm(session: Session, link: NotificationLink, *, actor: Actor, now: datetime) -> NotificationSettings:
    """From now on messages go there."""
    require_addressee(link, actor.name)
    row = queries.settings_of(session, link.login, lock=True)
    _use(session, link, now)
    if row is None or row.way == "none":
        raise LinkOver("notifications were turned off meanwhile")
    row.confirmed_at = now
    row.next_at = next_time(hours_of(row), row.told_at, now)
    audit.record(session, actor, "notifications.confirmed", link.login, now=now, way=row.way)
    return row


def turn_off(session: Session, link: NotificationLink, *, now: datetime) -> None:
    """No more messages, and the address is forgotten. Whoever got the message may do it, without signing in."""
    row = queries.settings_of(session, link.login, lock=True)
    _use(session, link, now)
    if row is not None and row.way != "none":
        queries.give_up_on(session, link.login, now)
        row.way, row.address, row.secret, row.confirmed_at, row.problem = "none", "", None, None, None
        audit.record(session, link.login, "notifications.turned_off", link.login, now=now, by_link=True)


def take(session: Session, link: NotificationLink, *, actor: Actor, now: datetime, lease: timedelta) -> ReviewItem:
    """Hold the case that the message named. Where that cannot be, the link is not used up."""
    actor.require("review")
    require_addressee(link, actor.name)
    _use(session, link, now)
    if link.item_id is None:
        raise LinkOver("it names no case")
    return reviews.claim(session, link.item_id, actor=actor, now=now, lease=lease)


def person_of(session: Session, link: NotificationLink) -> str:
    return people.get_person(session, link.login).name


def _check(session: Session, ask: NotificationsIn, config: Settings) -> None:
    """What the page and the API promise: a place for every mistake."""
    places = [*_address_places(ask, config), *_time_places(ask)]
    if ask.way != "none" and not ask.about:
        places.append(Place("about", "it names nothing to be told of", "choose at least one, or the way none"))
    unknown = [name for name in ask.agents if agents.find_agent(session, name) is None]
    if unknown:
        places.append(Place("agents", f"there is no agent {unknown[0]}", "leave it empty to hear of all"))
    if places:
        raise Invalid(f"{places[0].place}: {places[0].problem}", places=places)


def _address_places(ask: NotificationsIn, config: Settings) -> list[Place]:
    if ask.way == "none":
        return []
    if ask.way == "email":
        if config.smtp_url is None:
            return [Place("way", "this service sends no e-mail", "an operator sets PHASEGATE_SMTP_URL")]
        return (
            []
            if _is_email(ask.address)
            else [Place("address", "it is no e-mail address", "write one like ana@example.org")]
        )
    reason = objection(ask.address, allow_private=config.webhooks_allow_private) if ask.address else "it is empty"
    return [Place("address", reason, "give a public https address")] if reason else []


def _is_email(text: str) -> bool:
    """One plain address of ASCII letters, as every mail server takes it; no names, no groups, no second line."""
    if (
        not text.isascii()
        or not text.isprintable()
        or len(text) > _LONGEST_EMAIL
        or any(c in text for c in ' ,;<>()"\\')
    ):
        return False
    try:
        found = Address(addr_spec=text)
    except (MessageError, ValueError, IndexError):
        return False
    return bool(found.username and found.domain)


def _time_places(ask: NotificationsIn) -> list[Place]:
    try:
        ZoneInfo(ask.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [Place("zone", "it is not a time zone", "write one like Europe/Zurich")]
    if ask.quiet is None:
        return []
    if ask.quiet.begins == ask.quiet.ends:
        return [Place("quiet", "it begins when it ends", "leave both empty, or choose no notifications")]
    hours = Hours(quiet_from=read_clock(ask.quiet.begins), quiet_until=read_clock(ask.quiet.ends))
    if ask.pace == "daily" and is_quiet_at(hours, read_clock(ask.daily_at)):
        return [Place("daily_at", "it lies in the quiet hours", "choose a time outside them")]
    return []
