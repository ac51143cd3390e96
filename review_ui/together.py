"""
One ruling on several cases of the queue: a page that lists them, and what became of each.

The queue chooses, this page asks once more. Cases that cannot be ruled on together are named with the reason before
anything happens, and again afterwards where something has changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from kit.errors import Conflict, Invalid
from kit.http import Ctx
from review_ui import words
from review_ui.forms import out_fields
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, render
from review_ui.shown import Shown
from routing.alike import service
from routing.alike.api import agents_of, rule_each
from routing.alike.schemas import BulkItemOut
from routing.alike.service import Group
from routing.reviews import queries
from routing.reviews import service as desk
from routing.reviews.api import agent_entry, lease_of
from routing.snapshot import AgentEntry

router = APIRouter(prefix="/review", include_in_schema=False)

_MOST = 200
_ITEM, _TOLD, _CASE = "item-", "told-", "case-"
Items = Annotated[list[UUID], Query(alias="item", max_length=_MOST)]


@dataclass(frozen=True, slots=True)
class Line:
    """A case that is ruled on with the others."""

    id: UUID
    case_id: str
    segment: str
    created_at: datetime
    due_at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Left:
    case_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What stands on the page: the cases of the signature that most of the chosen ones have."""

    group: Group
    said: list[Shown]
    reasons: list[str]
    lines: list[Line]
    left: list[Left]


@dataclass(frozen=True, slots=True)
class Result:
    """
    `status`: ruled, refused, undone since, or void where the case ended before the ruling was passed on. `why` it was
    refused, or could not be undone; `undo_until`: None where it no longer can be.
    """

    id: UUID
    case_id: str
    status: str
    why: str
    undo_until: datetime | None


@router.get("/together")
def choose(request: Request, viewer: ViewerDep, ctx: Ctx, items: Items = []) -> Response:  # noqa: B006 - FastAPI copies it
    """The cases that were chosen in the queue, to look at once more."""
    viewer.actor.require("review")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        chosen = _chosen(request, session, viewer, items, now)
        entry = agent_entry(request, chosen.group.agent) if chosen else None
    return render(
        request,
        "alike/page.html",
        viewer=viewer,
        chosen=chosen,
        settings=entry.settings if entry else None,
        most=entry.settings.supervision.bulk_most if entry else 0,
        now=now,
    )


@router.post("/together")
def rule(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Approve each of them, and say what became of each. Sent again it is one ruling."""
    viewer.actor.require("review")
    entry = agent_entry(request, form.text("agent"))
    found = rule_each(
        ctx, _fingerprints(form), form.text("note")[:4000], signature=form.text("signature"), agent=entry,
        actor=viewer.actor,
    )  # fmt: skip
    with ctx.db.read() as session:
        names = service.known(session, [one.id for one in found], viewer.actor)
        results = [_result(one, names.get(one.id, "–"), ctx.clock.now()) for one in found]
    return _done(request, viewer, results)


@router.post("/together/undo")
def undo(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """
    Take one of the rulings back, and stay with the list. The case is on the desk again; where it is too late, the list
    says so beside it.
    """
    viewer.actor.require("review")
    now = ctx.clock.now()
    item_id = _uuid(form.text("undo"))
    refused: Conflict | None = None
    try:
        with ctx.db.begin() as session:
            desk.undo(session, item_id, actor=viewer.actor, now=now, lease=lease_of(ctx))
    except Conflict as problem:
        refused = problem
    with ctx.db.read() as session:
        results = _as_they_stand(session, viewer, form, now)
    if refused is None:
        return _done(request, viewer, results)
    if item_id not in {one.id for one in results}:
        raise refused
    why = words.sentence(refused.detail)
    results = [replace(one, why=one.why or why) if one.id == item_id else one for one in results]
    return _done(request, viewer, results, status=409)


def _done(request: Request, viewer: Viewer, results: Sequence[Result], *, status: int = 200) -> Response:
    done = sum(one.status == "ruled" for one in results)
    return render(request, "alike/done.html", viewer=viewer, status=status, results=results, done=done)


def selectable(session: Session, viewer: Viewer, agents: Mapping[str, AgentEntry], now: datetime) -> dict[UUID, str]:
    """The cases that this person may rule on with others, and the beginning of the signature of each."""
    groups = service.groups(session, viewer.actor, dict(agents), now)
    return {item.id: group.signature[:12] for group in groups for item in group.items}


def _chosen(request: Request, session: Session, viewer: Viewer, items: Sequence[UUID], now: datetime) -> Chosen | None:
    wanted = set(items)
    groups = service.groups(session, viewer.actor, agents_of(request), now)
    group = max(groups, key=lambda one: sum(item.id in wanted for item in one.items), default=None)
    if group is None or not any(item.id in wanted for item in group.items):
        return None
    entry = agent_entry(request, group.agent)
    shown = [item for item in group.items if item.id in wanted]
    most = entry.settings.supervision.bulk_most
    other = {item.id for one in groups if one is not group for item in one.items}
    kept = {item.id for item in shown[:most]}
    names = service.known(session, wanted - kept, viewer.actor)
    left = [
        Left(names[item_id], _why_left(item_id, other, {item.id for item in shown}))
        for item_id in dict.fromkeys(items)
        if item_id in names
    ]
    settings = entry.settings
    return Chosen(
        group=group,
        said=[one.shown for one in out_fields(group.decision.output, settings.fields.output, settings.output_schema)],
        reasons=[str(reason["words"]) for reason in group.decision.reasons],
        lines=[
            Line(item.id, item.case_id, item.segment, item.created_at, item.due_at, item.fingerprint)
            for item in shown[:most]
        ],
        left=left,
    )


def _why_left(item_id: UUID, other: set[UUID], alike: set[UUID]) -> str:
    if item_id in alike:
        return "There are more than may be ruled on at once; it comes with the next ones."
    if item_id in other:
        return "The agent said something else of it, or for other reasons."
    return "You have not opened it today, somebody looks at it, or it is ruled on by itself."


def _fingerprints(form: Posted) -> dict[UUID, str]:
    return _by_item(form, _ITEM)


def _by_item(form: Posted, prefix: str) -> dict[UUID, str]:
    names = [name for name in form.model_extra or {} if name.startswith(prefix)]
    return {_uuid(name.removeprefix(prefix)): form.text(name)[:200] for name in names[:_MOST]}


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid("the form names a case that is none; go back to the queue") from None


def _result(one: BulkItemOut, case_id: str, now: datetime) -> Result:
    why = one.problem.title if one.problem is not None else ""
    until = one.undo_until if one.undo_until is not None and one.undo_until > now else None
    status = "refused" if one.status == "refused" else "ruled"
    return Result(one.id, case_id, status, why, until)


def _as_they_stand(session: Session, viewer: Viewer, form: Posted, now: datetime) -> list[Result]:
    """
    The same after one of them was taken back. What was left out is said again as the list said it; of the others only
    those that this person ruled on are looked up, since a form can name any case.
    """
    names = _by_item(form, _CASE)
    found = [
        Result(item_id, names.get(item_id, ""), "refused", why, None)
        if why
        else _as_it_stands(session, viewer, item_id, now)
        for item_id, why in _by_item(form, _TOLD).items()
    ]
    return [one for one in found if one is not None]


def _as_it_stands(session: Session, viewer: Viewer, item_id: UUID, now: datetime) -> Result | None:
    ruling = queries.standing_rulings(session, [item_id]).get(item_id)
    if ruling is None or ruling.login != viewer.login:
        undone = queries.undone_by(session, item_id, viewer.login) is not None
        return Result(item_id, queries.get_item(session, item_id).case_id, "undone", "", None) if undone else None
    item = queries.get_item(session, item_id)
    if item.state != desk.ENDS[ruling.ruling]:
        return Result(item_id, item.case_id, "void", "The case ended before your ruling was passed on.", None)
    until = item.concludes_at if item.concludes_at is not None and item.concludes_at > now else None
    return Result(item_id, item.case_id, "ruled", "", until)
