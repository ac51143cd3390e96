"""What a process reads to route: agents, the newest policy of every version, and marks that tell of changes."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from rollout.agents.tables import Agent
from rollout.versions.tables import PolicyRevision, Rollout


def marks(session: Session) -> tuple[int, ...]:
    """Grows with every change of a policy or an agent; two cheap statements."""
    policies = session.scalar(select(func.max(PolicyRevision.sequence))) or 0
    agents, revisions = session.execute(
        select(func.count(), func.coalesce(func.sum(Agent.revision), 0)).select_from(Agent)
    ).one()
    return int(policies), int(agents), int(revisions)


def agents(session: Session) -> Sequence[Agent]:
    return session.scalars(select(Agent)).all()


def newest_policies(session: Session) -> Sequence[PolicyRevision]:
    """The revision in force of every version."""
    in_force = (Rollout.id == PolicyRevision.rollout_id) & (Rollout.policy_revision == PolicyRevision.revision)
    return session.scalars(select(PolicyRevision).join(Rollout, in_force)).all()
