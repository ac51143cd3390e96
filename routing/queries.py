"""What a process reads to route: agents, the newest policy of every version, and marks that tell of changes."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from kit.dialects import among, marked
from rollout.agents.tables import Agent
from rollout.versions.tables import PolicyRevision, Rollout
from routing.cases.queries import CHUNK
from routing.cases.tables import Decision, HumanOutput
from routing.delivery.tables import OutboxMessage
from routing.gold import queries as gold
from routing.reviews.tables import ReviewItem, ReviewTrouble


def marks(session: Session) -> tuple[int, ...]:
    """Grows with every change of a policy or an agent; two cheap statements."""
    policies = session.scalar(select(func.max(PolicyRevision.sequence))) or 0
    agents, revisions = session.execute(
        select(func.count(), func.coalesce(func.sum(Agent.revision), 0)).select_from(Agent)
    ).one()
    return int(policies), int(agents), int(revisions)


def agent_revisions(session: Session) -> dict[str, int]:
    return {row.name: row.revision for row in session.execute(select(Agent.name, Agent.revision))}


def agents(session: Session, names: Sequence[str]) -> Iterator[Agent]:
    """Those of these names."""
    for start in range(0, len(names), CHUNK):
        yield from session.scalars(select(Agent).where(Agent.name.in_(names[start : start + CHUNK])))


def newest_policies(session: Session, *, after: int = 0) -> Sequence[tuple[str, str, PolicyRevision]]:
    """Agent, version, and the revision in force of it; with `after` only what was written since that sequence."""
    in_force = (Rollout.id == PolicyRevision.rollout_id) & (Rollout.policy_revision == PolicyRevision.revision)
    wanted = select(Rollout.agent, Rollout.version, PolicyRevision).join(PolicyRevision, in_force)
    found = session.execute(wanted.where(PolicyRevision.sequence > after))
    return [(agent, version, revision) for agent, version, revision in found]


def decisions(session: Session, ids: Collection[UUID], *, ended: bool = False) -> Sequence[Decision]:
    """Those of these decisions that are there; with `ended`, only those on which the last word was said."""
    if not ids:
        return ()
    found = select(Decision).where(among(Decision.id, ids, session.get_bind().dialect.name))
    if ended:
        return session.scalars(found.where(Decision.outcome.is_not(None))).all()
    there = session.scalars(found).all()
    missing = set(ids) - {row.id for row in there}
    return [*there, *gold.decisions_seeming(session, missing)] if missing else there


_IN_TROUBLE = and_(
    ReviewItem.id == ReviewTrouble.item_id, or_(ReviewItem.state == "waiting", ReviewItem.concludes_at.is_not(None))
)


def backlog(session: Session, now: datetime) -> dict[str, int]:
    """What waits: for the workers, for receivers, for people. Served by partial indexes."""
    counts = {
        "unsettled_decisions": select(func.count()).select_from(Decision).where(marked(Decision.unsettled)),
        "unsettled_human_outputs": select(func.count()).select_from(HumanOutput).where(marked(HumanOutput.unsettled)),
        "messages_due": select(func.count())
        .select_from(OutboxMessage)
        .where(OutboxMessage.state == "waiting", OutboxMessage.due_at <= now),
        "rulings_to_conclude": select(func.count()).select_from(ReviewItem).where(ReviewItem.concludes_at <= now),
        "reviews_in_trouble": select(func.count()).select_from(ReviewTrouble).join(ReviewItem, _IN_TROUBLE),
        "reviews_waiting": select(func.count()).select_from(ReviewItem).where(ReviewItem.state == "waiting"),
    }
    found = {name: session.scalar(statement) or 0 for name, statement in counts.items()}
    found["reviews_waiting"] -= gold.held(session)
    return found
