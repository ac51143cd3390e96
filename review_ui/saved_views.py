"""Saved views of the queue: links on its page, and the forms that save and remove them."""

from dataclasses import dataclass

from fastapi import APIRouter, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from kit.context import Context
from kit.errors import Invalid, Place
from kit.http import Ctx
from review_ui.pages import FormDep, Viewer, ViewerDep, go
from review_ui.wanted import Wanted
from routing.views import service as views
from routing.views.schemas import Name, ViewIn
from routing.views.tables import QueueView

router = APIRouter(prefix="/review", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved view as a link."""

    name: str
    address: str
    mine: bool
    opens: bool
    owner: str
    shown_to: str
    current: bool


def views_of(session: Session, viewer: Viewer, wanted: Wanted) -> list[Saved]:
    """What this person saved or is shown, as links."""
    return [_saved(view, viewer.login, wanted.address()) for view in views.seen_by(session, viewer.actor)]


def seen_first(ctx: Context, viewer: Viewer) -> str | None:
    """The address of the view that this person chose to see first."""
    with ctx.db.read() as session:
        view = views.first_of(session, viewer.actor)
        return Wanted(**view.wanted).address() if view is not None else None


def _saved(view: QueueView, login: str, address: str) -> Saved:
    own = Wanted(**view.wanted).address()
    shown = {None: "", views.EVERYBODY: "everybody"}.get(view.team, f"team {view.team}")
    return Saved(view.name, own, view.login == login, view.opens, view.login, shown, own == address)


@router.post("/views")
def save_view(viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Save what is shown under a name."""
    viewer.actor.require("review")
    said: dict[str, object] = {name: form.text(name) for name in ("agent", "segment", "kind")}
    said |= {name: form.text(name) == "1" for name in ("urgent", "late", "opens")}
    try:
        name = TypeAdapter(Name).validate_python(form.text("name"))
        view = ViewIn.model_validate(said | {"team": form.text("team") or None})
    except ValidationError as error:
        place = Place("name", "it is empty, longer than 64 characters, or has a slash in it", "give a short name")
        raise Invalid("the view was not saved", places=[place]) from error
    with ctx.db.begin() as session:
        saved = views.save(session, name, view, by=viewer.actor, now=ctx.clock.now())
        address = Wanted(**saved.wanted).address()
    return go(address, said=f"Saved as {name}.")


@router.post("/views/remove")
def remove_view(viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        views.remove(session, form.text("name"), by=viewer.actor)
    return go("/review/queue?everything=1", said=f"{form.text('name')} is removed.")
