"""The route for answers that are given before the output is seen."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from routing.reviews import queries as reviews
from routing.reviews.api import agent_entry, held_out, lease_of
from routing.reviews.schemas import HeldOut
from routing.supervision import service
from routing.supervision.schemas import AnswerIn

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["reviews"])

_NOT_YET: dict[int | str, dict[str, Any]] = {
    409: {"description": "It is not held by you, shows its output at once, or another answer of yours is stored."}
}


@router.post("/reviews/{item_id}/answer", responses=_NOT_YET)
def answer(request: Request, item_id: UUID, body: AnswerIn, actor: ActorDep, ctx: Ctx) -> HeldOut:
    """
    Say what the output should be, of a case you hold that asks this first; then it is shown, and you rule on it.

    The same answer again is fine. The first one stays.
    """
    actor.require("review")
    with ctx.db.begin() as session:
        entry = agent_entry(request, reviews.get_item(session, item_id).agent)
        item = service.answer(
            session, item_id, body.output, agent=entry, actor=actor, now=ctx.clock.now(), lease=lease_of(ctx)
        )
        session.flush()  # what is shown depends on the answer being there
        return held_out(session, item)
