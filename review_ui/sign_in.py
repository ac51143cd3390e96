"""Signing in and out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from governance.people import service as people
from kit.context import Context
from kit.errors import Unavailable
from kit.http import Ctx
from review_ui.pages import COOKIE, AnybodysForm, FormDep, ViewerDep, find_viewer, go, local_path, render
from routing.reviews import service as reviews

router = APIRouter(include_in_schema=False)

HOME = "/agents"
_AT_THE_DOOR = 5.0  # seconds to wait while others sign in
Next = Annotated[str, Query(alias="next", max_length=2000)]


@router.get("/")
def home() -> RedirectResponse:
    return go(HOME)


@router.get("/sign-in")
def show_sign_in(request: Request, ctx: Ctx, wanted: Next = "", ended: bool = False) -> Response:
    if find_viewer(request, ctx) is not None:
        return go(local_path(wanted, HOME))
    return render(request, "sign_in/page.html", wanted=wanted, login="", problem="", ended=ended)


@router.post("/sign-in")
def sign_in(request: Request, ctx: Ctx, form: AnybodysForm) -> Response:
    """A cookie with a random token, of which only the digest is stored."""
    login, wanted = form.text("login").strip(), form.text("next")
    try:
        token = _enter(ctx, login, form.text("password"), request.client.host if request.client else "")
    except people.SignInRefused as refused:
        return render(
            request, "sign_in/page.html", status=401, wanted=wanted, login=login, problem=refused.detail, ended=False
        )
    response = go(local_path(wanted, HOME))
    _set_cookie(response, ctx, token, max_age=ctx.settings.session_hours * 3600)
    return response


def _enter(ctx: Context, login: str, password: str, address: str) -> str:
    """Look up, check, write: the password is checked while nobody waits for the database. A refusal is noted."""
    if not people.DOOR.acquire(timeout=_AT_THE_DOOR):
        raise Unavailable("too many people sign in at this moment; try again")
    try:
        with ctx.db.read() as session:
            caller = people.look_up(session, login, now=ctx.clock.now(), address=address)
        people.check_password(caller, password)
        with ctx.db.begin() as session:
            token, _ = people.sign_in(session, caller, now=ctx.clock.now(), hours=ctx.settings.session_hours)
    except people.SignInLocked:
        raise
    except people.SignInRefused:
        with ctx.db.begin() as session:
            people.note_refused_sign_in(session, login, now=ctx.clock.now(), address=address)
        raise
    finally:
        people.DOOR.release()
    return token


@router.post("/sign-out")
def sign_out(viewer: ViewerDep, ctx: Ctx, _form: FormDep) -> RedirectResponse:
    """Whoever goes gives back all they hold, the case on the desk too."""
    with ctx.db.begin() as session:
        people.sign_out(session, viewer.token, now=ctx.clock.now())
        reviews.leave(session, actor=viewer.actor, everything=True)
    response = go("/sign-in")
    _set_cookie(response, ctx, "", max_age=0)
    return response


def _set_cookie(response: Response, ctx: Context, token: str, *, max_age: int) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=max_age,
        path="/",
        httponly=True,
        samesite="lax",
        secure=ctx.settings.secure_cookies,
    )
