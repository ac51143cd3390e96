"""People at the review desk, for tests: each step its own transaction, as an edge would have it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from governance.actors import Actor
from kit.context import Context
from kit.tasks import REGISTRY
from routing import snapshot
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases.tables import Decision
from routing.delivery.tables import Webhook
from routing.reviews import service
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem, Ruling
from tests import factories

LEASE = timedelta(minutes=10)
A_MOMENT = timedelta(microseconds=1)


def webhook(ctx: Context, agent: str = "claims") -> None:
    with ctx.db.begin() as session:
        session.add(
            Webhook(
                agent=agent,
                url="http://localhost:9/",
                secret="whsec_" + "A" * 32,
                active=True,
                created_at=ctx.clock.now(),
                created_by="tests",
            )
        )


def claim_next(ctx: Context, actor: Actor, **narrowed: Any) -> ReviewItem | None:
    with ctx.db.begin() as session:
        return service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=LEASE, **narrowed)


def ahead(ctx: Context, actor: Actor, count: int = 2, **narrowed: Any) -> list[str]:
    """The cases that are held ahead for this person."""
    with ctx.db.begin() as session:
        found = service.ahead(session, actor=actor, now=ctx.clock.now(), count=count, **narrowed)
        return [item.case_id for item in found]


def claim(ctx: Context, actor: Actor, item_id: UUID) -> ReviewItem:
    with ctx.db.begin() as session:
        return service.claim(session, item_id, actor=actor, now=ctx.clock.now(), lease=LEASE)


def rule(ctx: Context, actor: Actor, item: ReviewItem, ruling: Any = "approve", **said: Any) -> Ruling:
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents[item.agent]
        what = Said(ruling, **{"fingerprint": item.fingerprint} | said)
        return service.rule(session, item.id, what, agent=agent, actor=actor, now=ctx.clock.now())


def release(ctx: Context, actor: Actor, item: ReviewItem) -> None:
    with ctx.db.begin() as session:
        agent = snapshot.load(session).agents[item.agent]
        service.release(session, item.id, agent=agent, actor=actor, now=ctx.clock.now())


def undo(ctx: Context, actor: Actor, item: ReviewItem) -> ReviewItem:
    with ctx.db.begin() as session:
        return service.undo(session, item.id, actor=actor, now=ctx.clock.now(), lease=LEASE)


def leave(ctx: Context, actor: Actor, *, everything: bool = False) -> int:
    with ctx.db.begin() as session:
        return service.leave(session, actor=actor, everything=everything)


def conclude(ctx: Context) -> int:
    done: int = REGISTRY["routing.conclude"].run(ctx)
    return done


def held(ctx: Context, actor: Actor, case_id: str = "c-1", **fields: Any) -> ReviewItem:
    """A new case, held by this person."""
    decision = factories.decision(ctx, case_id, **fields)
    return claim(ctx, actor, item_of(ctx, decision.id).id)


def item_of(ctx: Context, decision_id: UUID, level: int = 1) -> ReviewItem:
    with ctx.db.read() as session:
        wanted = select(ReviewItem).where(ReviewItem.decision_id == decision_id, ReviewItem.level == level)
        return session.scalars(wanted).one()


def decision_of(ctx: Context, item: ReviewItem) -> Decision:
    with ctx.db.read() as session:
        return session.get_one(Decision, item.decision_id)


def rows(ctx: Context, table: Any) -> list[Any]:
    with ctx.db.read() as session:
        return list(session.scalars(select(table)))
