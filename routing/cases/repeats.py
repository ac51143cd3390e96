"""
Human outputs that are sent again with their `Idempotency-Key`: answered as they were the first time, nothing changes.

Without a key the same output again changes nothing either, unless somebody corrected it meanwhile: then it would
overwrite the correction.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import Conflict
from routing.cases import queries, service
from routing.cases.prepare import canonical
from routing.cases.schemas import HumanOutputIn, HumanOutputStored
from routing.supervision import veil

KEPT_FOR = timedelta(days=30)
"""How long a key is known. After that the same request is a new one."""


class KeyDiffers(Conflict):
    code = "idempotency-key-differs"
    title = "This Idempotency-Key was used for another request"


def add_human_outputs(
    session: Session, agent: str, items: Sequence[HumanOutputIn], *, key: str | None, actor: Actor, now: datetime
) -> list[HumanOutputStored]:
    """
    Store what people did, once for each key of an agent, whoever sends it again. What is refused is not kept: the same
    request may be sent again when nothing is in its way any more.
    """
    if key is None:
        return service.add_human_outputs(session, agent, items, actor=actor, now=now)
    # Before the key is looked up: whether it fits would tell whoever guesses it what somebody sent with it.
    veil.require_no_part(session, agent, {item.case_id for item in items}, actor)
    digest = hashlib.sha256(canonical([item.model_dump(exclude_unset=True) for item in items])).hexdigest()
    row = {"agent": agent, "key": key, "digest": digest, "answer": [], "answered_at": now}
    before = queries.take_key(session, row)
    if before is not None:
        if before.digest != digest:
            raise KeyDiffers("this key came with other human outputs before; send those again, or use a new key")
        return [HumanOutputStored.model_validate(one) for one in before.answer]
    stored = service.add_looked_up(session, agent, items, actor=actor, now=now)
    queries.answer_key(session, agent, key, [one.model_dump(mode="json") for one in stored])
    return stored


def forget_keys(session: Session, now: datetime, limit: int) -> int:
    """Clear so many keys at most that are no longer promised; how many there were."""
    return queries.forget_keys(session, now - KEPT_FOR, limit)
