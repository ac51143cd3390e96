"""
What every page shares: who is looking, the form token of every POST, rendering, and going elsewhere.

A page handler opens its transaction itself; nothing here does, but for the one look at who is signed in.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from pathlib import Path
from secrets import compare_digest
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jinja2
from fastapi import Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict

from governance.actors import Actor
from governance.people import service as people
from kit.context import Context
from kit.errors import Forbidden, Invalid, Place, Unauthenticated
from kit.http import Ctx
from review_ui import words
from review_ui.shown import beside
from review_ui.static_files import asset

COOKIE = "phasegate_session"
SAID = "phasegate_said"
ZONE = "phasegate_zone"
"""In which time zone the reader's browser is; the page's script says it."""
BACKGROUND = "phasegate-background"
"""The header with which the page's script asks; it gets fragments and problem+json instead of whole pages."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it browsers send "Origin: null" with our own forms, and we check the origin.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


class SignInNeeded(Unauthenticated):
    code = "sign-in-needed"
    title = "Sign in first"


class FormTokenWrong(Forbidden):
    code = "form-token-wrong"
    title = "This form is not from this page"


@dataclass(frozen=True, slots=True)
class Viewer:
    """The person who is signed in."""

    login: str
    name: str
    actor: Actor
    form_token: str
    token: str

    def may(self, verb: Any) -> bool:
        return self.actor.allows(verb)


def find_viewer(request: Request, ctx: Context) -> Viewer | None:
    """Who holds the cookie's sign-in, if it still lasts."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    with ctx.db.read() as session:
        found = people.person_of_token(session, token, now=ctx.clock.now())
        if found is None:
            return None
        person, sign_in = found
        return Viewer(person.login, person.name, people.actor_of(person), sign_in.form_token, token)


def current_viewer(request: Request, ctx: Ctx) -> Viewer:
    viewer = find_viewer(request, ctx)
    if viewer is None:
        raise SignInNeeded("you are not signed in, or your sign-in has ended; nothing was changed")
    return viewer


ViewerDep = Annotated[Viewer, Depends(current_viewer)]


class Posted(BaseModel):
    """Any form of ours. The fields of an output are not known beforehand, so all names are let in."""

    model_config = ConfigDict(extra="allow")

    form_token: str = ""

    def text(self, name: str) -> str:
        """The value of a field, with line ends as everywhere but in forms; empty where it is missing."""
        value = (self.model_extra or {}).get(name, "")
        return value.replace("\r\n", "\n") if isinstance(value, str) else ""

    def has(self, name: str) -> bool:
        return isinstance((self.model_extra or {}).get(name), str)


def check_origin(request: Request) -> None:
    """Refuse what another site's page sent. A caller without an Origin is no browser, or an old one with a token."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise FormTokenWrong("the form was sent from another site; nothing was changed")
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise FormTokenWrong("the form was sent from another site; nothing was changed")


def readable(form: Posted) -> Posted:
    """Refuse what no database stores."""
    for name, value in (form.model_extra or {}).items():
        if "\x00" in name or (isinstance(value, str) and "\x00" in value):
            raise Invalid("the form holds a NUL character", places=[Place("form", "a NUL character", "remove it")])
    return form


def anybodys_form(request: Request, form: Annotated[Posted, Form()]) -> Posted:
    """The form of somebody who is not signed in yet."""
    check_origin(request)
    return readable(form)


def posted_form(request: Request, viewer: ViewerDep, form: Annotated[Posted, Form()]) -> Posted:
    """The form of the person who is signed in; without the token of their own sign-in nothing happens."""
    check_origin(request)
    if not compare_digest(form.form_token.encode(errors="replace"), viewer.form_token.encode()):
        raise FormTokenWrong("the form is from an older sign-in; nothing was changed, reload the page and repeat")
    return readable(form)


FormDep = Annotated[Posted, Depends(posted_form)]
AnybodysForm = Annotated[Posted, Depends(anybodys_form)]


def in_background(request: Request) -> bool:
    return BACKGROUND in request.headers


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """The templates; found beside the packages, wherever the process was started."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS)
    made.filters["beside"] = beside
    return made


def render(
    request: Request, template: str, *, viewer: Viewer | None = None, status: int = 200, **values: Any
) -> HTMLResponse:
    """A page or fragment, with the headers that keep it on its own."""
    said = unquote(request.cookies.get(SAID, ""))
    html = environment().get_template(template).render(viewer=viewer, asset=asset, said=said, **values)
    response = HTMLResponse(html, status_code=status, headers=SECURITY_HEADERS)
    if said:
        response.delete_cookie(SAID, path="/")
    return response


def go(address: str, *, said: str = "") -> RedirectResponse:
    """To a page of ours, which then says what was done. In a cookie, since anybody can write a link."""
    response = RedirectResponse(address, status_code=303, headers={"Cache-Control": "no-store"})
    if said:
        response.set_cookie(SAID, quote(said), max_age=60, path="/", httponly=True, samesite="lax")
    return response


def day_begins(request: Request, now: datetime) -> datetime:
    """Midnight where the reader is; of UTC, where their browser did not say."""
    try:
        zone: tzinfo = ZoneInfo(request.cookies.get(ZONE, "UTC"))
    except (ValueError, OSError, ZoneInfoNotFoundError):
        zone = UTC
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def local_path(wanted: str | None, otherwise: str) -> str:
    """A path on this site, or the other one; never an address that leads away."""
    if not wanted or not wanted.startswith("/") or wanted.startswith(("//", "/\\", "/sign-")):
        return otherwise
    if any(ord(char) < 32 or char == "\\" for char in wanted) or wanted.startswith("/v1"):  # noqa: PLR2004
        return otherwise
    return wanted
