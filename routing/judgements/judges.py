"""Who is left to judge what waits: whoever works its queue and knows nothing of whose output is whose."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from routing.domain.scope import Scope
from routing.judgements import queries
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills


def for_nobody(session: Session, scope: Scope) -> int:
    """How many wait though there is nobody who may judge them, of the oldest."""
    items = queries.waiting_items(session, scope)
    left = left_for(session, items, [item.level for item in items])
    return sum(not left[item.id] for item in items)


def left_for(session: Session, items: Sequence[ReviewItem], levels: Sequence[int]) -> dict[UUID, frozenset[str]]:
    """Who may judge each of these items in that line."""
    knowing = queries.who_knows(session, [item.id for item in items])
    found: dict[UUID, frozenset[str]] = {}
    for agent in {item.agent for item in items}:
        own = [(item, level) for item, level in zip(items, levels, strict=True) if item.agent == agent]
        dealt = skills.dealt_to(session, agent, [(item.segment, level) for item, level in own])
        found |= {item.id: dealt[item.segment, level] - knowing[item.id] for item, level in own}
    return found
