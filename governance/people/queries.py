"""Statements about people, keys and sign-ins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from governance.people.tables import Key, Person, SignIn
from kit.errors import NotFound


def find_person(session: Session, login: str) -> Person | None:
    return session.get(Person, login)


def find_person_locked(session: Session, login: str) -> Person | None:
    """The person as they are now, who cannot be disabled or get a new password before this transaction ends."""
    return session.get(Person, login, with_for_update=True)


def get_person(session: Session, login: str) -> Person:
    person = session.get(Person, login)
    if person is None:
        raise NotFound(f"there is no person with the login {login}")
    return person


def people(session: Session, *, after: str | None = None, limit: int = 50) -> Sequence[Person]:
    wanted = select(Person).order_by(Person.login).limit(limit)
    return session.scalars(wanted.where(Person.login > after) if after is not None else wanted).all()


def active_people(session: Session) -> Sequence[Person]:
    """Everybody who was not disabled."""
    return session.scalars(select(Person).where(Person.disabled_at.is_(None)).order_by(Person.login)).all()


def get_key(session: Session, key_id: UUID) -> Key:
    key = session.get(Key, key_id)
    if key is None:
        raise NotFound(f"there is no key {key_id}")
    return key


def keys(session: Session, *, after: UUID | None = None, limit: int = 50) -> Sequence[Key]:
    wanted = select(Key).order_by(Key.id).limit(limit)
    return session.scalars(wanted.where(Key.id > after) if after is not None else wanted).all()


def keys_at_a_glance(session: Session) -> Sequence[Any]:
    """All that makes a difference to what keys allow, without the work of making objects of them."""
    seen = select(Key.digest, Key.agent, Key.revoked_at, Person.login, Person.roles, Person.disabled_at)
    return session.execute(seen.outerjoin(Person).order_by(Key.id)).all()


def keys_with_people(session: Session) -> Sequence[tuple[Key, Person | None]]:
    """Every key, and whose it is where it is a person's."""
    return [(key, person) for key, person in session.execute(select(Key, Person).outerjoin(Person)).all()]


def key_of_digest(session: Session, digest: str) -> tuple[Key, Person | None] | None:
    """The key with this digest, revoked or not, and whose it is where it is a person's."""
    found = session.execute(select(Key, Person).outerjoin(Person).where(Key.digest == digest)).one_or_none()
    return (found[0], found[1]) if found is not None else None


def sign_in_of(session: Session, digest: str, now: datetime) -> tuple[Person, SignIn] | None:
    """The sign-in with this digest that still lasts, and its person unless disabled."""
    row = session.execute(
        select(Person, SignIn)
        .join(SignIn, SignIn.login == Person.login)
        .where(SignIn.digest == digest, SignIn.expires_at > now, Person.disabled_at.is_(None))
    ).one_or_none()
    return (row[0], row[1]) if row is not None else None


def delete_sign_in(session: Session, digest: str) -> str | None:
    """End one sign-in; returns whose it was."""
    return session.scalar(delete(SignIn).where(SignIn.digest == digest).returning(SignIn.login))


def delete_sign_ins_of(session: Session, login: str) -> None:
    session.execute(delete(SignIn).where(SignIn.login == login))


def delete_expired_sign_ins(session: Session, now: datetime) -> None:
    session.execute(delete(SignIn).where(SignIn.expires_at <= now))
