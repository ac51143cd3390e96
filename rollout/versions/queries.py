"""Statements about versions, their rollouts, policies and history."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from kit.errors import NotFound
from rollout.domain.phase import Phase, Standing
from rollout.versions.tables import PhaseChange, PolicyRevision, Rollout, Version

_POLICY_TURN = 0x70686173  # any number will do, as long as nobody else locks the same


def find_rollout(session: Session, agent: str, version: str) -> Rollout | None:
    return session.scalar(select(Rollout).where(Rollout.agent == agent, Rollout.version == version))


def get_rollout(session: Session, agent: str, version: str) -> Rollout:
    rollout = find_rollout(session, agent, version)
    if rollout is None:
        raise NotFound(f"agent {agent} has no version {version}")
    return rollout


def rollout_by_id(session: Session, rollout_id: UUID) -> Rollout | None:
    return session.get(Rollout, rollout_id)


def get_version(session: Session, agent: str, label: str) -> Version:
    version = session.scalar(select(Version).where(Version.agent == agent, Version.label == label))
    if version is None:
        raise NotFound(f"agent {agent} has no version {label}")
    return version


def versions(
    session: Session, agent: str, *, before: UUID | None = None, limit: int = 50
) -> Sequence[tuple[Version, Rollout]]:
    """The newest first, each with its rollout."""
    wanted = (
        select(Version, Rollout)
        .join(Rollout, Rollout.id == Version.id)
        .where(Version.agent == agent)
        .order_by(Version.id.desc())
        .limit(limit)
    )
    if before is not None:
        wanted = wanted.where(Version.id < before)
    return [(version, rollout) for version, rollout in session.execute(wanted).all()]


def of_standing(session: Session, agent: str, standing: Standing) -> Rollout | None:
    """The stable version, or the candidate. Of retired ones there are many; ask for the newest stable instead."""
    return session.scalar(select(Rollout).where(Rollout.agent == agent, Rollout.standing == standing.value))


def rollouts_under_way(session: Session, agent: str | None = None) -> Sequence[Rollout]:
    """Every rollout that is not retired, in a fixed order."""
    wanted = select(Rollout).where(Rollout.standing != Standing.RETIRED.value).order_by(Rollout.agent, Rollout.id)
    return session.scalars(wanted if agent is None else wanted.where(Rollout.agent == agent)).all()


def ids_to_judge(session: Session, now: datetime) -> Sequence[UUID]:
    """
    Rollouts not retired, those that waited longest first.

    One without a plan only when it is time for it: until there is a plan, nothing can come of it.
    """
    due = or_(Rollout.plan_id.is_not(None), Rollout.next_look_at.is_(None), Rollout.next_look_at <= now)
    wanted = select(Rollout.id).where(Rollout.standing != Standing.RETIRED.value, due)
    return session.scalars(wanted.order_by(Rollout.looked_at.is_not(None), Rollout.looked_at, Rollout.id)).all()


def ids_under_a_plan(session: Session) -> Sequence[UUID]:
    """Rollouts not retired that are held to a plan, past evaluation."""
    under = and_(Rollout.plan_id.is_not(None), Rollout.phase != Phase.EVALUATION.value)
    return session.scalars(
        select(Rollout.id).where(Rollout.standing != Standing.RETIRED.value, under).order_by(Rollout.id)
    ).all()


def ids_with_glass_over(session: Session, now: datetime) -> Sequence[UUID]:
    """Rollouts whose break-glass should have ended by now, those that are longest over first."""
    return session.scalars(
        select(Rollout.id).where(Rollout.glass_until <= now).order_by(Rollout.glass_until, Rollout.id)
    ).all()


def newest_change(session: Session, rollout_id: UUID, kind: str) -> PhaseChange | None:
    """The last time this happened to a rollout."""
    wanted = select(PhaseChange).where(PhaseChange.rollout_id == rollout_id, PhaseChange.kind == kind)
    return session.scalar(wanted.order_by(PhaseChange.id.desc()).limit(1))


def changes_since(session: Session, kind: str, since: datetime) -> Sequence[PhaseChange]:
    """What happened to any version since then, the oldest first."""
    wanted = select(PhaseChange).where(PhaseChange.kind == kind, PhaseChange.at >= since)
    return session.scalars(wanted.order_by(PhaseChange.at, PhaseChange.id)).all()


def last_retired_stable(session: Session, agent: str) -> Rollout | None:
    """
    The version that was in charge before the present one: the one retired last, by being replaced.

    A candidate that was stopped, and a version that was rolled back, were not replaced and never come back so.
    """
    later = aliased(PhaseChange)
    leaving = ("retired", "stopped", "rolled_back")
    wanted = (
        select(Rollout)
        .join(PhaseChange, PhaseChange.rollout_id == Rollout.id)
        .outerjoin(
            later,
            and_(
                later.rollout_id == PhaseChange.rollout_id,
                later.kind.in_(leaving),
                or_(later.at > PhaseChange.at, and_(later.at == PhaseChange.at, later.id > PhaseChange.id)),
            ),
        )
        .where(
            Rollout.agent == agent,
            Rollout.standing == Standing.RETIRED.value,
            PhaseChange.kind == "retired",
            later.id.is_(None),
        )
        .order_by(PhaseChange.at.desc(), PhaseChange.id.desc())
        .limit(1)
    )
    return session.scalar(wanted)


def get_policy(session: Session, rollout_id: UUID, revision: int) -> PolicyRevision:
    found = session.get(PolicyRevision, (rollout_id, revision))
    if found is None:
        raise NotFound(f"the version has no policy revision {revision}")
    return found


def policies(
    session: Session, rollout_id: UUID, *, before: int | None = None, limit: int = 50
) -> Sequence[PolicyRevision]:
    """The newest first."""
    wanted = select(PolicyRevision).where(PolicyRevision.rollout_id == rollout_id)
    if before is not None:
        wanted = wanted.where(PolicyRevision.revision < before)
    return session.scalars(wanted.order_by(PolicyRevision.revision.desc()).limit(limit)).all()


def policy_history(session: Session, rollout_id: UUID) -> Sequence[PolicyRevision]:
    """Every policy of a version, the oldest first."""
    wanted = select(PolicyRevision).where(PolicyRevision.rollout_id == rollout_id)
    return session.scalars(wanted.order_by(PolicyRevision.revision)).all()


_NEWEST = select(func.max(PolicyRevision.__table__.c.sequence))  # asked with every batch of decisions


def newest_sequence(session: Session) -> int:
    """Grows with every policy written; a process that holds less has old policies."""
    return session.connection().execute(_NEWEST).scalar() or 0


def next_sequence(session: Session) -> int:
    """
    The next place in the order of all policies, held until the transaction ends.

    Writers take turns, so a higher number is never visible before a lower one: a process that has seen the
    highest has seen all. SQLite has one writer at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_POLICY_TURN)))
    return newest_sequence(session) + 1


def first_left_evaluation(session: Session, agent: str) -> datetime | None:
    """When any version of the agent first entered a phase in which real work is touched."""
    working = [phase.value for phase in Phase if phase > Phase.EVALUATION]
    return session.scalar(
        select(func.min(PhaseChange.at)).where(PhaseChange.agent == agent, PhaseChange.entered.in_(working))
    )


def history(
    session: Session, rollout_id: UUID, *, before: UUID | None = None, limit: int = 50
) -> Sequence[PhaseChange]:
    """What happened to one rollout, the newest first."""
    wanted = select(PhaseChange).where(PhaseChange.rollout_id == rollout_id)
    if before is not None:
        wanted = wanted.where(PhaseChange.id < before)
    return session.scalars(wanted.order_by(PhaseChange.id.desc()).limit(limit)).all()


def history_of_agent(
    session: Session, agent: str, *, before: UUID | None = None, limit: int = 50
) -> Sequence[PhaseChange]:
    wanted = select(PhaseChange).where(PhaseChange.agent == agent)
    if before is not None:
        wanted = wanted.where(PhaseChange.id < before)
    return session.scalars(wanted.order_by(PhaseChange.id.desc()).limit(limit)).all()
