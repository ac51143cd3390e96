"""
The review desk: take the next case, look, rule.

The page's script sends the same forms in the background and gets the next case as fragments; without it they
are ordinary forms. Either way a ruling and the taking of the next case are two transactions: what was ruled
stays ruled when there is no next.
"""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from kit.context import Context
from kit.errors import Invalid
from kit.http import Ctx
from review_ui import desk_views as views
from review_ui import words
from review_ui.forms import out_fields, read_output
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, go, in_background, render
from routing.cases.tables import Decision
from routing.reviews import queries, service
from routing.reviews.api import agent_entry, lease_of
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry

router = APIRouter(prefix="/review", include_in_schema=False)

AgentQuery = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]


@router.get("")
def show(request: Request, viewer: ViewerDep, ctx: Ctx, agent: AgentQuery = "", item: UUID | None = None) -> Response:
    """The case this person holds. Looking takes none: that is a POST."""
    viewer.actor.require("review")
    with ctx.db.read() as session:
        held = _held(session, viewer, ctx, agent, item)
        view = _case(request, session, held, ctx) if held is not None else None
        status = views.status_of(session, viewer, ctx.clock.now(), agent)
    return _desk(request, viewer, view, status, ctx)


@router.post("/next")
def take_next(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Hold the next case in turn."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.claim_next(
            session, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx), agent=form.text("agent") or None
        )
    return _to_desk(request, viewer, ctx, form.text("agent"))


@router.post("/{item_id}/claim")
def claim(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Hold this case, out of turn."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.claim(session, item_id, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx))
    return _to_desk(request, viewer, ctx, form.text("agent"), item=item_id)


@router.post("/{item_id}/renew")
def renew(item_id: UUID, viewer: ViewerDep, ctx: Ctx, _form: FormDep) -> JSONResponse:
    """A sign of life: the case stays this person's for another while. A conflict says who has it."""
    viewer.actor.require("review")
    now = ctx.clock.now()
    with ctx.db.begin() as session:
        item = service.renew(session, item_id, actor=viewer.actor, now=now, lease=lease_of(ctx))
        until = item.claimed_until or now
    return JSONResponse({"seconds": int((until - now).total_seconds()), "until": words.stamp(until)})


@router.post("/{item_id}/release")
def release(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Give the case back and take another one, if there is another."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.release(session, item_id, actor=viewer.actor)
    with ctx.db.begin() as session:
        service.claim_next(
            session,
            actor=viewer.actor,
            now=ctx.clock.now(),
            lease=lease_of(ctx),
            agent=form.text("agent") or None,
            but=(item_id,),
        )
    return _to_desk(request, viewer, ctx, form.text("agent"), said="Given back to the queue.")


@router.post("/{item_id}/rule")
def rule(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Approve, approve with edits, reject or escalate; then the next case."""
    viewer.actor.require("review")
    try:
        with ctx.db.begin() as session:
            said = _rule(request, session, item_id, viewer, ctx, form)
    except Invalid as problem:
        return _once_more(request, item_id, viewer, ctx, form, problem)
    with ctx.db.begin() as session:
        service.claim_next(
            session, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx), agent=form.text("agent") or None
        )
    return _to_desk(request, viewer, ctx, form.text("agent"), said=said)


def _rule(request: Request, session: Session, item_id: UUID, viewer: Viewer, ctx: Context, form: Posted) -> str:
    """What was ruled, in words. The output is read from the form; unchanged, an approve stays an approve."""
    item = queries.get_item(session, item_id)
    decision = queries.get_decision(session, item.decision_id)
    entry = agent_entry(request, item.agent)
    ruling, _, reason = form.text("ruling").partition(":")
    said = _said(form, ruling, reason, decision, entry)
    service.rule(session, item_id, said, agent=entry, actor=viewer.actor, now=ctx.clock.now())
    return _in_words(said, entry)


def _said(form: Posted, ruling: str, reason: str, decision: Decision, entry: AgentEntry) -> service.Said:
    fingerprint, note = form.text("fingerprint"), form.text("note")[:4000]
    match ruling:
        case "approve":
            fields = out_fields(decision.output, entry.settings.fields.output, entry.settings.output_schema)
            output = read_output(decision.output, fields, form)
            if output != decision.output:
                return service.Said("edit", fingerprint, output=output, note=note)
            return service.Said("approve", fingerprint, note=note)
        case "reject":
            return service.Said("reject", fingerprint, reason_code=reason or form.text("reason"), note=note)
        case "escalate":
            return service.Said("escalate", fingerprint, note=note)
    raise Invalid("say what you rule: approve, reject with a reason, or escalate")


def _in_words(said: service.Said, entry: AgentEntry) -> str:
    if said.ruling == "reject":
        reason = next((r.words for r in entry.settings.reasons if r.code == said.reason_code), said.reason_code or "")
        return f"Rejected: {reason[:1].lower() + reason[1:]}."
    return {"approve": "Approved.", "edit": "Approved with edits.", "escalate": "Escalated."}[said.ruling]


def _held(session: Session, viewer: Viewer, ctx: Context, agent: str, item_id: UUID | None) -> ReviewItem | None:
    """The named case if this person holds it, else the first they hold."""
    now = ctx.clock.now()
    if item_id is not None:
        item = queries.get_item(session, item_id)
        if item.state == "waiting" and item.claimed_by == viewer.login and (item.claimed_until or now) >= now:
            return item
    return queries.held_by(session, viewer.login, now, agent=agent or None)


def _case(request: Request, session: Session, item: ReviewItem, ctx: Context) -> views.CaseView:
    decision = queries.get_decision(session, item.decision_id)
    passed_on = item.level > 1 and queries.was_escalated_by_a_person(session, item)
    return views.case_of(item, decision, agent_entry(request, item.agent), ctx.clock.now(), passed_on=passed_on)


def _to_desk(
    request: Request, viewer: Viewer, ctx: Context, agent: str, *, item: UUID | None = None, said: str = ""
) -> Response:
    """The desk as it stands now: as fragments for the script, else by going there."""
    if not in_background(request):
        asked = [f"{key}={quote(str(value))}" for key, value in (("agent", agent), ("item", item)) if value]
        return go("/review" + ("?" + "&".join(asked) if asked else ""), said=said)
    with ctx.db.read() as session:
        held = _held(session, viewer, ctx, agent, item)
        view = _case(request, session, held, ctx) if held is not None else None
        status = views.status_of(session, viewer, ctx.clock.now(), agent)
    return _desk(request, viewer, view, status, ctx, ruled=f"{said} {words.many(status.left)} left." if said else "")


def _once_more(
    request: Request, item_id: UUID, viewer: Viewer, ctx: Context, form: Posted, problem: Invalid
) -> Response:
    """The same case with the draft in it and the reasons why it could not be stored."""
    with ctx.db.read() as session:
        item = queries.get_item(session, item_id)
        view = views.with_problem(_case(request, session, item, ctx), form, problem)
        status = views.status_of(session, viewer, ctx.clock.now(), form.text("agent"))
    return _desk(request, viewer, view, status, ctx, http_status=422)


def _desk(
    request: Request,
    viewer: Viewer,
    view: views.CaseView | None,
    status: views.Status,
    ctx: Context,
    *,
    ruled: str = "",
    http_status: int = 200,
) -> Response:
    return render(
        request,
        "desk/_regions.html" if in_background(request) else "desk/page.html",
        viewer=viewer,
        status=http_status,
        case=view,
        queue=status,
        lease_seconds=ctx.settings.lease_seconds,
        dwell_ms=views.DWELL_MS,
        ruled=ruled,
    )
