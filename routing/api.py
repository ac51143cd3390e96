"""How far the work behind the answers has come; for operators."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from kit.wire import Out
from routing import queries

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["operations"])


class Backlog(Out):
    """All zero but `reviews_waiting`: the workers are through."""

    unsettled_decisions: int
    unsettled_human_outputs: int
    messages_due: int
    rulings_to_conclude: int
    reviews_in_trouble: int
    reviews_waiting: int


@router.get("/backlog")
def show_backlog(actor: ActorDep, ctx: Ctx) -> Backlog:
    """What waits for the workers, for receivers of messages, and for people."""
    actor.require("read")
    with ctx.db.read() as session:
        return Backlog(**queries.backlog(session, ctx.clock.now()))
