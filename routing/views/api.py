"""Saved views of the queue over HTTP."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from routing.views import service
from routing.views.schemas import Name, ViewIn, ViewOfQueue, ViewOut, ViewsOut
from routing.views.tables import QueueView

router = APIRouter(prefix="/v1/queue/views", route_class=StrictRoute, tags=["reviews"])


@router.get("")
def show(actor: ActorDep, ctx: Ctx) -> ViewsOut:
    """Your saved views of the queue, then those that leads show you."""
    actor.require("review")
    with ctx.db.read() as session:
        return ViewsOut(items=[_shown(view) for view in service.seen_by(session, actor)])


@router.put("/{name}")
def save(name: Name, body: ViewIn, actor: ActorDep, ctx: Ctx) -> ViewOut:
    """Save a view of the queue as yours, in place of the one of that name."""
    actor.require("review")
    with ctx.db.begin() as session:
        return _shown(service.save(session, name, body, by=actor, now=ctx.clock.now()))


@router.delete("/{name}", status_code=204)
def remove(name: Name, actor: ActorDep, ctx: Ctx) -> None:
    """Remove a view of yours."""
    actor.require("review")
    with ctx.db.begin() as session:
        service.remove(session, name, by=actor)


def _shown(view: QueueView) -> ViewOut:
    wanted = ViewOfQueue.model_validate(view.wanted)
    return ViewOut(name=view.name, owner=view.login, team=view.team, opens=view.opens, wanted=wanted)
