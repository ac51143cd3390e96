"""How the person whose key this is wants to be told of waiting cases."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.errors import Forbidden
from kit.http import Ctx, StrictRoute
from routing.notifications import queries, service
from routing.notifications.schemas import ConfirmationOut, NotificationsIn, NotificationsOut

router = APIRouter(prefix="/v1/me", route_class=StrictRoute, tags=["notifications"])


@router.get("/notifications")
def show_notifications(actor: ActorDep, ctx: Ctx) -> NotificationsOut:
    if actor.kind != "person":
        raise Forbidden("notifications are for people; use the key of a person")
    with ctx.db.read() as session:
        return service.shown(queries.settings_of(session, actor.name))


@router.put("/notifications")
def set_notifications(body: NotificationsIn, actor: ActorDep, ctx: Ctx) -> NotificationsOut:
    """A new address gets a message with a link; nothing else goes there before that person has confirmed it."""
    with ctx.db.begin() as session:
        saved = service.save(session, body, actor=actor, config=ctx.settings, now=ctx.clock.now())
        return service.shown(saved.settings, saved.secret)


@router.post("/notifications/confirmation", status_code=202)
def ask_again(actor: ActorDep, ctx: Ctx) -> ConfirmationOut:
    """Another message with a link to confirm the address, five a day at most; while one is on its way, that one."""
    with ctx.db.begin() as session:
        return ConfirmationOut(goes_out_at=service.ask_again(session, actor=actor, now=ctx.clock.now()))
