"""
People, their passwords and sign-ins, and the keys of programs.

A sign-in is three steps, so that nobody holds the database while a password is checked: `look_up` reads,
`check_password` works without the database, `sign_in` writes. A refusal is noted with `note_refused_sign_in` in a
transaction of its own; ten such notes from one address in a quarter of an hour lock the login for that address.
"""

import hashlib
import re
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import cast
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.orm import Session

from governance.actors import ROLES, SYSTEM, Actor, Role, Verb, name_of, of_agent
from governance.audit import queries as audit_queries
from governance.audit import service as audit
from governance.people import queries
from governance.people.tables import Key, Person, SignIn
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, Place, Unauthenticated

KEYS_CHANGED = "keys:changed"
KEY_PREFIX = "pgk_"
PASSWORD_LENGTH = range(8, 1025)  # argon2 would hash a megabyte too, but nobody types one
REFUSALS_ALLOWED = 10  # from one address
REFUSALS_ANYWHERE = 100  # from all addresses together
REFUSALS_WITHIN = timedelta(minutes=15)

# Lower case, so that Alice and alice are one; no colon, so that no login looks like the key of an agent.
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
_RESERVED = frozenset({SYSTEM.name})
_REFUSED = "person.sign_in_refused"

# At most so many at once from looking a login up to noting its refusal; a check takes 64 MiB and a core.
DOOR = threading.BoundedSemaphore(4)


class LoginTaken(Conflict):
    code = "login-taken"
    title = "The login is taken"


class SignInRefused(Unauthenticated):
    code = "sign-in-refused"
    title = "Sign-in refused"


class SignInLocked(SignInRefused):
    code = "sign-in-locked"
    title = "Too many tries"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who wants to sign in, and what their password must fit; None where no password fits."""

    login: str
    password_hash: str | None = field(repr=False)


@lru_cache(maxsize=1)
def _passwords() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


@lru_cache(maxsize=1)
def _nobodys_hash() -> str:
    """What a password is checked against where there is none, so that both take the same time."""
    return _passwords().hash(secrets.token_hex(16))


def digest_of(secret: str) -> str:
    """Keys and tokens are long and random, so one plain hash is enough for them."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def others_who_may(session: Session, verb: Verb, login: str) -> list[str]:
    """Everybody but this person who may do that, by login."""
    return [
        person.login
        for person in queries.active_people(session)
        if person.login != login and actor_of(person).allows(verb)
    ]


def actor_of(person: Person) -> Actor:
    return Actor(person.login, "person", cast("frozenset[Role]", frozenset(person.roles) & frozenset(ROLES)))


def add_person(
    session: Session,
    login: str,
    name: str,
    *,
    roles: Iterable[str],
    password: str | None = None,
    by: Actor | str,
    now: datetime,
) -> Person:
    """Without a password the person can hold keys but not sign in."""
    if not _LOGIN.fullmatch(login) or login in _RESERVED:
        raise _invalid("login", "it is not a login", "use a-z, 0-9 and . _ @ + - with a letter or digit first")
    if not 1 <= len(name.strip()) <= 200:  # noqa: PLR2004 - the column's width
        raise _invalid("name", "it is empty or longer than 200 characters", "give the name people know them by")
    if queries.find_person(session, login) is not None:
        raise LoginTaken(f"there is already a person with the login {login}")
    person = Person(
        login=login,
        name=name.strip(),
        roles=_checked(roles),
        password_hash=_hashed(password) if password is not None else None,
        created_at=now,
    )
    session.add(person)
    audit.record(session, by, "person.added", login, now=now, name=person.name, roles=person.roles)
    return person


def set_password(session: Session, login: str, password: str, *, by: Actor | str, now: datetime) -> None:
    """Whoever is signed in with the old one is signed out."""
    queries.get_person(session, login).password_hash = _hashed(password)
    queries.delete_sign_ins_of(session, login)
    audit.record(session, by, "person.password_set", login, now=now)


def set_roles(session: Session, login: str, roles: Iterable[str], *, by: Actor | str, now: datetime) -> Person:
    person = queries.get_person(session, login)
    before, person.roles = person.roles, _checked(roles)
    audit.record(session, by, "person.roles_set", login, now=now, before=before, roles=person.roles)
    send_after_commit(session, KEYS_CHANGED)
    return person


def disable(session: Session, login: str, *, by: Actor | str, now: datetime) -> Person:
    """From now on neither password nor keys of this person are worth anything. The records stay."""
    person = queries.get_person(session, login)
    if person.disabled_at is None:
        person.disabled_at = now
        queries.delete_sign_ins_of(session, login)
        audit.record(session, by, "person.disabled", login, now=now)
        send_after_commit(session, KEYS_CHANGED)
    return person


def enable(session: Session, login: str, *, by: Actor | str, now: datetime) -> Person:
    person = queries.get_person(session, login)
    if person.disabled_at is not None:
        person.disabled_at = None
        audit.record(session, by, "person.enabled", login, now=now)
        send_after_commit(session, KEYS_CHANGED)
    return person


def look_up(session: Session, login: str, *, now: datetime, address: str = "") -> Caller:
    """
    Who wants to sign in, before the password is looked at; raises SignInLocked after too many refusals.

    Counted per address, so that whoever guesses does not lock the owner of the login out as well; and over all
    addresses with a far higher limit. Tries at the same moment do not see each other, so a limit can be passed by
    as many as `DOOR` lets in at once in each process.
    """
    tried = _tried(login)
    places = audit_queries.details_since(session, tried, _REFUSED, now - REFUSALS_WITHIN, limit=REFUSALS_ANYWHERE)
    here = sum(detail.get("address", "") == address for detail in places)
    if here >= REFUSALS_ALLOWED or len(places) >= REFUSALS_ANYWHERE:
        raise SignInLocked("too many wrong passwords for this login; wait a quarter of an hour and try again")
    person = queries.find_person(session, tried)
    usable = person is not None and person.disabled_at is None
    return Caller(tried, person.password_hash if person is not None and usable else None)


def check_password(caller: Caller, password: str) -> None:
    """
    Raise SignInRefused unless the password fits. Takes a tenth of a second on purpose: never inside a transaction.

    The answer takes as long for a login that does not exist, and says the same.
    """
    fits = len(password) in PASSWORD_LENGTH and _passwords().verify(password, caller.password_hash or _nobodys_hash())
    if caller.password_hash is None or not fits:
        raise SignInRefused("login and password do not fit together")


def sign_in(session: Session, caller: Caller, *, now: datetime, hours: int) -> tuple[str, SignIn]:
    """
    The token for the cookie, and its stored sign-in, for a caller whose password was checked.

    Raises SignInRefused when the person was disabled or the password changed since it was looked at.
    """
    person = queries.find_person_locked(session, caller.login)
    if person is None or person.disabled_at is not None or person.password_hash != caller.password_hash:
        raise SignInRefused("login and password do not fit together")
    token = secrets.token_urlsafe(32)
    row = SignIn(
        digest=digest_of(token),
        login=person.login,
        form_token=secrets.token_urlsafe(32),
        created_at=now,
        expires_at=now + timedelta(hours=hours),
        preferences={},
    )
    queries.delete_expired_sign_ins(session, now)
    session.add(row)
    audit.record(session, actor_of(person), "person.signed_in", person.login, now=now)
    return token, row


def note_refused_sign_in(session: Session, login: str, *, now: datetime, address: str = "") -> None:
    """Count a refused sign-in, in a transaction of its own."""
    audit.record(session, "nobody", _REFUSED, _tried(login), now=now, address=address)


def sign_out(session: Session, token: str, *, now: datetime) -> None:
    login = queries.delete_sign_in(session, digest_of(token))
    if login is not None:
        audit.record(session, login, "person.signed_out", login, now=now)


def person_of_token(session: Session, token: str, *, now: datetime) -> tuple[Person, SignIn] | None:
    """Who holds this token, while the sign-in lasts and the person is not disabled."""
    return queries.sign_in_of(session, digest_of(token), now)


def create_key(
    session: Session,
    name: str,
    *,
    agent: str | None = None,
    login: str | None = None,
    by: Actor | str,
    now: datetime,
) -> tuple[Key, str]:
    """A key of an agent or of a person, and its secret, which nobody can read again."""
    if (agent is None) == (login is None):
        raise _invalid("agent", "a key is either an agent's or a person's", "give agent or login, not both")
    if login is not None and queries.get_person(session, login).disabled_at is not None:
        raise Conflict(f"{login} is disabled; a key would be worth nothing")
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = Key(
        name=name,
        digest=digest_of(secret),
        hint=f"{secret[:8]}…",
        agent=agent,
        login=login,
        created_at=now,
        created_by=name_of(by),
    )
    session.add(key)
    session.flush()  # gives the key its id, which the event names
    audit.record(session, by, "key.created", key.id, now=now, agent=agent, name=name, login=login)
    send_after_commit(session, KEYS_CHANGED)
    return key, secret


def revoke_key(session: Session, key_id: UUID, *, by: Actor | str, now: datetime) -> Key:
    key = queries.get_key(session, key_id)
    if key.revoked_at is None:
        key.revoked_at = now
        audit.record(session, by, "key.revoked", key.id, now=now, agent=key.agent, name=key.name, login=key.login)
        send_after_commit(session, KEYS_CHANGED)
    return key


def actor_of_key(key: Key, person: Person | None) -> Actor | None:
    """Who acts with this key; None when it was revoked or its person disabled."""
    if key.revoked_at is not None:
        return None
    if key.agent is not None:
        return of_agent(key.agent)
    return actor_of(person) if person is not None and person.disabled_at is None else None


def _tried(login: str) -> str:
    """A login as it is stored; what cannot be one (a password in the wrong field) is not written down."""
    login = login.strip().lower()
    return login if _LOGIN.fullmatch(login) else "(not a login)"


def _hashed(password: str) -> str:
    if len(password) not in PASSWORD_LENGTH:
        raise _invalid("password", "it has fewer than 8 or more than 1024 characters", "choose a longer one")
    return _passwords().hash(password)


def _checked(roles: Iterable[str]) -> list[str]:
    wanted = set(roles)
    if unknown := sorted(wanted - set(ROLES)):
        raise _invalid("roles", f"there is no role {unknown[0]}", f"choose from {', '.join(ROLES)}")
    return [role for role in ROLES if role in wanted]


def _invalid(place: str, problem: str, mend: str) -> Invalid:
    return Invalid(f"{place}: {problem}", places=[Place(place, problem, mend)])
