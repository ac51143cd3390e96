"""
All keys of the installation in memory, so that a call costs no query to know its caller.

A key that is not found is looked up by itself, so that a new one works at its first use in every process; a flood of
wrong ones may ask the database so often a second and no more. A revoked key is gone with the next `refresh`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.people import queries, service
from kit.context import Context
from kit.errors import Unauthenticated

_LOOKS_PER_SECOND = 50


class KeyMissing(Unauthenticated):
    code = "key-missing"
    title = "A key is needed"


class KeyUnknown(Unauthenticated):
    code = "key-unknown"
    title = "The key is not known"


class KeyRevoked(Unauthenticated):
    code = "key-revoked"
    title = "The key was revoked"


class Keyring:
    """Digest of a key to the actor behind it. Replaced whole, so readers need no lock."""

    def __init__(self, ctx: Context, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ctx = ctx
        self._monotonic = monotonic  # real seconds, also where the demo's clock runs a thousand times faster
        self._actors: dict[str, Actor | None] = {}  # None: revoked, or its person is disabled
        self._seen: Sequence[Any] = ()
        self._looks: deque[float] = deque(maxlen=_LOOKS_PER_SECOND)  # when the last ones were
        self._missed: deque[tuple[float, str]] = deque(maxlen=_LOOKS_PER_SECOND)  # when, and what was not found
        self._looking = threading.Lock()
        ctx.listen(service.KEYS_CHANGED, self.reload)

    def refresh(self, session: Session) -> None:
        """Read all keys, if any changed. The refresher of the routing snapshot calls this, beside the ring itself."""
        seen = queries.keys_at_a_glance(session)
        if seen == self._seen:
            return
        self._actors = {
            key.digest: service.actor_of_key(key, person) for key, person in queries.keys_with_people(session)
        }
        self._seen = seen  # last: what was seen before it was read may be older, never newer

    def reload(self) -> None:
        with self._ctx.db.read() as session:
            self.refresh(session)

    def known(self, authorization: str | None) -> Actor | None:
        """The actor, from memory alone; None may still mean a key that was made a moment ago."""
        secret = _bearer(authorization)
        return self._actors.get(service.digest_of(secret)) if secret is not None else None

    def actor(self, authorization: str | None) -> Actor:
        """The actor behind an Authorization header; raises Unauthenticated. May read the database."""
        secret = _bearer(authorization)
        if secret is None:
            raise KeyMissing("send your key in the header: Authorization: Bearer pgk_…; an admin can make one")
        digest = service.digest_of(secret)
        actors = self._actors
        if digest not in actors:
            self._look_up(digest, actors)
        found = actors.get(digest)
        if found is not None:
            return found
        if digest in actors:
            raise KeyRevoked("this key was revoked, or its person is disabled; ask an admin for a new one")
        raise KeyUnknown("no key like this was ever made here; look for a missing end, or ask an admin for one")

    def _look_up(self, digest: str, actors: dict[str, Actor | None]) -> None:
        """Written where it was missed: what was replaced since may know better, say that it was revoked."""
        now = self._monotonic()
        with self._looking:
            if any(digest == other and now - at < 1 for at, other in self._missed):
                return  # the same wrong key again
            if len(self._looks) == self._looks.maxlen and now - self._looks[0] < 1:
                raise KeyUnknown(
                    "too many keys that are not known are tried just now; if yours is new, try in a second"
                )
            self._looks.append(now)
        with self._ctx.db.read() as session:
            found = queries.key_of_digest(session, digest)
        if found is not None:
            actors[digest] = service.actor_of_key(*found)
            return
        with self._looking:
            self._missed.append((now, digest))


def _bearer(authorization: str | None) -> str | None:
    scheme, _, secret = (authorization or "").partition(" ")
    secret = secret.strip()
    return secret if scheme.lower() == "bearer" and secret else None
