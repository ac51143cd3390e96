"""The route that tells a reviewer how their rulings hold up."""

from typing import Annotated

from fastapi import APIRouter, Path

from governance.people.api import ActorDep
from governance.people.queries import get_person
from kit.http import Ctx, StrictRoute
from routing.people.api import Since, Until
from routing.reviewer import service
from routing.reviewer.schemas import ReviewerFiguresOut, figures_out

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["people"])

Login = Annotated[str, Path(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]


@router.get("/reviewers/{login}")
def show_reviewer(
    login: Login, actor: ActorDep, ctx: Ctx, since: Since = None, until: Until = None
) -> ReviewerFiguresOut:
    """
    How one person's rulings hold up: errors found, agreement with others, rulings that were overturned, and why.

    For the person, and for owners, leads and auditors; how long rulings took is for the person only.
    """
    service.require_reader(actor, login)
    scope = service.scope_of(login, since, until, ctx.clock.now())
    with ctx.db.read() as session:
        get_person(session, login)
        return figures_out(service.report(session, scope, own=service.is_own(actor, login)))
