"""
How a person wants to be told of waiting cases, and the pages behind the links of a message.

Opening a link changes nothing, since mail programs and chats open links by themselves; its button does. Only turning
notifications off works without signing in: whoever gets messages must be able to end them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from kit.context import Context
from kit.errors import Invalid, Place
from kit.http import Ctx
from kit.wire import invalid_from
from review_ui import words
from review_ui.pages import (
    AnybodysForm,
    FormDep,
    SignInNeeded,
    Viewer,
    ViewerDep,
    find_viewer,
    go,
    posted_form,
    render,
)
from routing.notifications import links, queries, service
from routing.notifications.schemas import KINDS, NotificationsIn, NotificationsOut
from routing.notifications.tables import NotificationLink
from routing.reviews import queries as review_queries
from routing.reviews.api import lease_of
from routing.reviews.tables import ReviewItem

router = APIRouter(prefix="/notifications", include_in_schema=False)

Token = Annotated[str, Path(max_length=200)]

WAYS = (
    ("none", "Not at all"),
    ("email", "By e-mail"),
    ("slack", "In Slack, by an incoming webhook"),
    ("webhook", "To a program, by a signed webhook"),
)
ABOUT = {
    "urgent": "New urgent cases",
    "due": "Cases whose time is nearly over and that nobody looks at",
    "escalated": "Cases that reached the second line",
}
PACES = (
    ("soon", "As it happens, at most every five minutes"),
    ("hourly", "Together, at most once an hour"),
    ("daily", "Together, once a day"),
)


@router.get("")
def show(request: Request, viewer: ViewerDep, ctx: Ctx) -> Response:
    viewer.actor.require("review")
    with ctx.db.read() as session:
        now_set = service.shown(queries.settings_of(session, viewer.login))
    return _page(request, viewer, ctx, now_set, _typed(now_set))


@router.post("")
def save(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Keep what was chosen. The secret of a new webhook is on the page that answers, and nowhere after it."""
    typed = {name: form.text(name).strip() for name in _NAMES} | {"about": [k for k in KINDS if form.has(f"about_{k}")]}
    now = ctx.clock.now()
    try:
        ask = _ask(typed)
        with ctx.db.begin() as session:
            saved = service.save(session, ask, actor=viewer.actor, config=ctx.settings, now=now)
            now_set = service.shown(saved.settings, saved.secret)
    except Invalid as problem:
        with ctx.db.read() as session:
            now_set = service.shown(queries.settings_of(session, viewer.login))
        return _page(request, viewer, ctx, now_set, typed, errors=_errors(problem), status=422)
    if saved.secret is not None:
        return _page(request, viewer, ctx, now_set, _typed(now_set))
    return go("/notifications", said=f"Saved. {_goes_out(saved.confirmation_at, now)}".strip())


@router.post("/confirmation")
def ask_again(viewer: ViewerDep, ctx: Ctx, _form: FormDep) -> Response:
    """Send the link to confirm the address once more."""
    now = ctx.clock.now()
    with ctx.db.begin() as session:
        at = service.ask_again(session, actor=viewer.actor, now=now)
    return go("/notifications", said=_goes_out(at, now))


_NAMES = ("way", "address", "agents", "pace", "daily_at", "quiet_begins", "quiet_ends", "zone")


def _ask(typed: Mapping[str, Any]) -> NotificationsIn:
    begins, ends = typed["quiet_begins"], typed["quiet_ends"]
    if bool(begins) != bool(ends):
        half = Place("quiet", "one of the two times is missing", "give both, like 22:00 and 07:00, or neither")
        raise Invalid("the quiet hours need a beginning and an end", places=[half])
    fields = {
        "way": typed["way"],
        "address": typed["address"],
        "about": typed["about"],
        "agents": [name for name in typed["agents"].replace(",", " ").split() if name],
        "pace": typed["pace"],
        "daily_at": typed["daily_at"] or "08:00",
        "quiet": {"begins": begins, "ends": ends} if begins or ends else None,
        "zone": typed["zone"] or "UTC",
    }
    try:
        return NotificationsIn.model_validate(fields)
    except ValidationError as error:
        raise invalid_from(error.errors()) from None


def _errors(problem: Invalid) -> dict[str, str]:
    """What is wrong, by the field where it stands on the page."""
    found: dict[str, str] = {}
    for place in problem.places:
        name = place.place.split(".")[0].split("/")[0]
        found.setdefault(name, f"{words.sentence(place.problem)} {words.sentence(place.mend)}".strip())
    return found


def _typed(row: NotificationsOut) -> dict[str, Any]:
    return {
        "way": row.way,
        "address": row.address,
        "about": list(row.about),
        "agents": ", ".join(row.agents),
        "pace": row.pace,
        "daily_at": row.daily_at,
        "quiet_begins": row.quiet.begins if row.quiet else "",
        "quiet_ends": row.quiet.ends if row.quiet else "",
        "zone": row.zone,
    }


def _goes_out(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    if at <= now:
        return "A message with a link is on its way; confirm the address there."
    minutes = words.largest_unit(at - now)
    return f"The message to confirm the address goes out in {minutes}, five minutes after the last one."


def _page(
    request: Request,
    viewer: Viewer,
    ctx: Context,
    now_set: NotificationsOut,
    typed: Mapping[str, Any],
    *,
    errors: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    return render(
        request,
        "notifications/page.html",
        viewer=viewer,
        status=status,
        now_set=now_set,
        typed=typed,
        errors=errors or {},
        ways=[(value, label, value == "email" and ctx.settings.smtp_url is None) for value, label in WAYS],
        about=[(kind, ABOUT[kind]) for kind in ABOUT if kind != "escalated" or viewer.may("escalated")],
        paces=PACES,
        before=words.count(ctx.settings.notify_before_minutes),
        now=ctx.clock.now(),
    )


@dataclass(frozen=True, slots=True)
class CaseToTake:
    """The case that a message named, as it stands now."""

    case_id: str
    agent: str
    segment: str
    ended: str  # how, or "" while it waits
    holder: str  # "" when free
    mine: bool
    ends_at: datetime


@router.get("/links/{token}")
def show_link(request: Request, token: Token, ctx: Ctx) -> Response:
    """What its button would do. Looking changes nothing."""
    with ctx.db.read() as session:
        link = service.link_of(session, token, secret=ctx.secret)
        viewer = _viewer_for(request, ctx, link)
        now = ctx.clock.now()
        row = service.shown(queries.settings_of(session, link.login))
        case = _case(session, link, now)
    return render(
        request,
        f"notifications/{link.does}.html",
        viewer=viewer,
        address=f"{links.PATH}{token}",
        over=service.is_over(link, now),
        link=link,
        now_set=row,
        case=case,
        now=now,
    )


@router.post("/links/{token}")
def use_link(request: Request, token: Token, ctx: Ctx, form: AnybodysForm) -> Response:
    """Do what the link is for, once. Mail programs post here, too, when somebody turns notifications off in them."""
    with ctx.db.read() as session:
        link = service.link_of(session, token, secret=ctx.secret)
    viewer = _viewer_for(request, ctx, link)
    if link.does == "off":
        with ctx.db.begin() as session:
            service.turn_off(session, link, now=ctx.clock.now())
        return render(request, "notifications/off_now.html", viewer=viewer)
    if viewer is None:
        raise _sign_in_first()
    posted_form(request, viewer, form)
    with ctx.db.begin() as session:
        if link.does == "take":
            item = service.take(session, link, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx))
            gone_to = f"/review?item={item.id}", ""
        else:
            service.confirm(session, link, actor=viewer.actor, now=ctx.clock.now())
            gone_to = "/notifications", "Confirmed. Messages go there from now on."
    return go(gone_to[0], said=gone_to[1])


def _viewer_for(request: Request, ctx: Context, link: NotificationLink) -> Viewer | None:
    """Who is signed in. Links that act in somebody's name are for that person only."""
    viewer = find_viewer(request, ctx)
    if link.does == "off":
        return viewer
    if viewer is None:
        raise _sign_in_first()
    service.require_addressee(link, viewer.login)
    return viewer


def _sign_in_first() -> SignInNeeded:
    return SignInNeeded("sign in, and the link goes on from there")


def _case(session: Session, link: NotificationLink, now: datetime) -> CaseToTake | None:
    if link.item_id is None:
        return None
    item: ReviewItem = review_queries.get_item(session, link.item_id)
    held = item.claimed_by is not None and (item.claimed_until or now) >= now
    return CaseToTake(
        case_id=item.case_id,
        agent=item.agent,
        segment=item.segment,
        ended="" if item.state == "waiting" else item.state,
        holder=item.claimed_by or "" if held else "",
        mine=held and item.claimed_by == link.login,
        ends_at=item.expires_at or item.escalates_at or item.due_at,
    )
