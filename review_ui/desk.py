"""
The review desk: take the next case, look, rule.

The page's script sends the same forms in the background. It gets the cases that follow with every answer, held for
this person for a minute and a half and not yet seen, and shows the first of them before a ruling is stored; so it names
the case it shows, and that one is claimed when the ruling is. Without the script they are ordinary forms. Either way a
ruling and the taking of the next case are two transactions: what was ruled stays ruled when there is no next.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from kit.context import Context
from kit.errors import Conflict, Invalid, NotFound
from kit.http import Ctx
from review_ui import asked_form, words
from review_ui import desk_views as views
from review_ui.blind_form import read_answer
from review_ui.forms import read_output
from review_ui.given_back import given_back, remember
from review_ui.gold_desk import told_of
from review_ui.opinions_views import one_of_two
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, day_begins, go, in_background, render
from review_ui.wanted import Part
from routing.cases.prepare import same
from routing.cases.tables import Decision
from routing.domain.judging import JUDGEMENT, Right
from routing.gold import service as gold
from routing.judgements import service as judgements
from routing.judgements.service import Judged
from routing.opinions import service as opinions
from routing.reviews import judging, queries, service
from routing.reviews.api import agent_entry, dealer_of, lease_of
from routing.reviews.dealing import queries as dealing
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry
from routing.supervision import service as supervision
from routing.supervision import veil

router = APIRouter(prefix="/review", include_in_schema=False)

AgentQuery = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]
SegmentQuery = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]
KindQuery = Annotated[str, Query(max_length=32)]

_AHEAD = 3  # cases that are in the page before their turn


@router.get("")
def show(
    request: Request,
    viewer: ViewerDep,
    ctx: Ctx,
    agent: AgentQuery = "",
    segment: SegmentQuery = "",
    kind: KindQuery = "",
    urgent: bool = False,
    item: UUID | None = None,
) -> Response:
    """The case this person holds. Looking takes none: that is a POST."""
    viewer.actor.require("review")
    part = Part.of(agent, segment, kind, urgent=urgent)
    with ctx.db.read() as session:
        held = _held(session, viewer, ctx.clock.now(), part, item)
        shown = _shown(request, session, viewer, ctx, part, held)
    return _desk(request, viewer, shown)


@router.post("/next")
def take_next(request: Request, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Hold the next case in turn."""
    viewer.actor.require("review")
    return _go_on(request, viewer, ctx, form)


@router.post("/{item_id}/claim")
def claim(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Hold this case, out of turn."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.claim(session, item_id, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx))
    return _go_on(request, viewer, ctx, form, item=item_id)


@router.post("/{item_id}/renew")
def renew(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """A sign of life: the case stays this person's for another while. A conflict says who has it."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.renew(session, item_id, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx))
    return _go_on(request, viewer, ctx, form, item=item_id)


@router.post("/{item_id}/release")
def release(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Give the case back to others, and take another one, if there is another."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        entry = agent_entry(request, queries.get_item(session, item_id).agent)
        service.release(session, item_id, agent=entry, actor=viewer.actor, now=ctx.clock.now())
    response = _go_on(request, viewer, ctx, form, but=item_id, said="Given back to the queue.")
    remember(response, request, item_id, ctx)
    return response


@router.post("/leave", status_code=204)
def leave(viewer: ViewerDep, ctx: Ctx, _form: FormDep) -> None:
    """Give back what was held ahead; the page is closed or out of sight."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.leave(session, actor=viewer.actor)


@router.post("/{item_id}/rule")
def rule(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Approve, approve with edits, reject or escalate; then the next case."""
    viewer.actor.require("review")
    try:
        with ctx.db.begin() as session:
            said = _rule(request, session, item_id, viewer, ctx, form)
    except Invalid as problem:
        return _once_more(request, item_id, viewer, ctx, form, problem)
    return _go_on(request, viewer, ctx, form, said=said)


@router.post("/{item_id}/judge")
def judge(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Say which of two outputs is right; then the next case."""
    viewer.actor.require("review")
    try:
        with ctx.db.begin() as session:
            _judge(request, session, item_id, viewer, ctx, form)
    except Invalid as problem:
        return _once_more(request, item_id, viewer, ctx, form, problem)
    return _go_on(request, viewer, ctx, form, said="Judged.")


@router.post("/{item_id}/answer")
def answer(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Store what this person says before they see the output; then the same case with the output."""
    viewer.actor.require("review")
    try:
        with ctx.db.begin() as session:
            _answer(request, session, item_id, viewer, ctx, form)
    except Invalid as problem:
        return _once_more(request, item_id, viewer, ctx, form, problem)
    return _go_on(request, viewer, ctx, form, item=item_id, said="Your answer is stored.", again=True)


@router.post("/{item_id}/undo")
def undo(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Take a ruling back before the agent is told; the case is on the desk again."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.undo(session, item_id, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx))
    return _go_on(request, viewer, ctx, form, item=item_id, said="" if in_background(request) else "Undone.")


def _answer(request: Request, session: Session, item_id: UUID, viewer: Viewer, ctx: Context, form: Posted) -> None:
    item = queries.get_item(session, item_id)
    case = _case(request, session, item, viewer, ctx.clock.now())
    supervision.answer(
        session,
        item_id,
        read_answer(case.fields, form) if case.veiled else None,
        agent=agent_entry(request, item.agent),
        actor=viewer.actor,
        now=ctx.clock.now(),
        lease=lease_of(ctx),
    )


def _judge(request: Request, session: Session, item_id: UUID, viewer: Viewer, ctx: Context, form: Posted) -> None:
    item = queries.get_item(session, item_id)
    entry, now = agent_entry(request, item.agent), ctx.clock.now()
    fields = [] if item.kind != JUDGEMENT else _case(request, session, item, viewer, now).fields
    typed = any(form.text(one.name).strip() for one in fields)
    said = Judged(
        _right(form.text("right")),
        form.text("fingerprint"),
        read_answer(fields, form) if typed else None,
        form.text("note")[:4000],
    )
    judging.judge(session, item_id, said, agent=entry, actor=viewer.actor, now=now)


def _right(text: str) -> Right:
    match text:
        case "A" | "B" | "both" | "neither":
            return text
    raise Invalid("say which is right: A, B, both or neither")


def _rule(request: Request, session: Session, item_id: UUID, viewer: Viewer, ctx: Context, form: Posted) -> str:
    """What was ruled, in words. The output is read from the form; unchanged, an approve stays an approve."""
    item = queries.get_item(session, item_id)
    veil.require_answer(session, item, viewer.login)
    decision = queries.decision_of(session, item)
    entry = agent_entry(request, item.agent)
    ruling, _, reason = form.text("ruling").partition(":")
    said = _said(form, ruling, reason, decision, entry)
    service.rule(session, item_id, said, agent=entry, actor=viewer.actor, now=ctx.clock.now())
    return "Answered in the tool's place." if ruling == "respond" else _in_words(said, entry)


def _said(form: Posted, ruling: str, reason: str, decision: Decision, entry: AgentEntry) -> service.Said:
    fingerprint, note = form.text("fingerprint"), form.text("note")[:4000]
    match ruling:
        case "approve":
            asked_form.require_no_response(form)
            output = read_output(decision.output, asked_form.fields_of(decision, entry.settings), form)
            if not same(output, decision.output):
                return service.Said("edit", fingerprint, output=output, note=note)
            return service.Said("approve", fingerprint, note=note)
        case "respond":
            return service.Said("edit", fingerprint, output=asked_form.response(form), note=note)
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


def _held(session: Session, viewer: Viewer, now: datetime, part: Part, item_id: UUID | None) -> ReviewItem | None:
    """The named case if this person holds it, else the first they hold."""
    if item_id is not None:
        item = queries.get_item(session, item_id)
        if item.state == "waiting" and item.claimed_by == viewer.login and (item.claimed_until or now) >= now:
            return item
    return dealing.held_by(session, viewer.login, now, narrow=part.narrow)


def _go_on(
    request: Request,
    viewer: Viewer,
    ctx: Context,
    form: Posted,
    *,
    item: UUID | None = None,
    but: UUID | None = None,
    said: str = "",
    again: bool = False,
) -> Response:
    """
    The case to look at now: this one, else the one the page shows already, else the next in turn. What they gave back
    a while ago comes when nothing else is there; `but`, which they gave back now, does not.
    """
    part, now, dealer = _part(form), ctx.clock.now(), dealer_of(request, ctx)
    just = [] if but is None else [but]
    unwanted = [*given_back(request), *just]
    with ctx.db.begin() as session:
        held, gone = queries.get_item(session, item) if item is not None else None, ""
        if item is None:
            held, gone = _claim_shown(session, viewer, ctx, form)

        def take(but: list[UUID]) -> ReviewItem | None:
            return service.claim_next(
                session,
                actor=viewer.actor,
                now=now,
                lease=lease_of(ctx),
                narrow=part.narrow,
                but=but,
                dealer=dealer,
            )

        held = held or take(unwanted) or (take(just) if len(unwanted) > len(just) else None)
    if not in_background(request):
        return go(part.address(item), said=said)
    with ctx.db.begin() as session:
        ahead = []
        if held:
            ahead = service.ahead(
                session,
                actor=viewer.actor,
                now=now,
                count=_AHEAD,
                narrow=part.narrow,
                but=unwanted,
                dealer=dealer,
            )
    with ctx.db.read() as session:
        held = queries.get_item(session, held.id) if held is not None else None
        shown = _shown(request, session, viewer, ctx, part, held, ahead=[one.id for one in ahead])
    shown.have = frozenset(form.text("have").split())
    shown.again, shown.gone = again, gone
    shown.ruled = said if again else f"{said} {words.many(shown.queue.left)} left." if said else ""
    return _desk(request, viewer, shown)


def _part(form: Posted) -> Part:
    return Part.of(form.text("agent"), form.text("segment"), form.text("kind"), urgent=form.text("urgent") == "1")


def _claim_shown(session: Session, viewer: Viewer, ctx: Context, form: Posted) -> tuple[ReviewItem | None, str]:
    """The case that the page shows by now; if this person may not have it any more, none, and why."""
    try:
        shown = UUID(form.text("shown"))
    except ValueError:
        return None, ""
    try:
        return service.claim(session, shown, actor=viewer.actor, now=ctx.clock.now(), lease=lease_of(ctx)), ""
    except (NotFound, Conflict) as problem:
        return None, words.sentence(problem.detail)


def _once_more(
    request: Request, item_id: UUID, viewer: Viewer, ctx: Context, form: Posted, problem: Invalid
) -> Response:
    """The same case with the draft in it and the reasons why it could not be stored."""
    with ctx.db.read() as session:
        item = queries.get_item(session, item_id)
        service.require_held(item, viewer.actor)
        shown = _shown(request, session, viewer, ctx, _part(form), item)
    if shown.case is not None:
        shown.case = views.with_problem(shown.case, form, problem)
    shown.again = True
    return _desk(request, viewer, shown, status=422)


def _shown(
    request: Request,
    session: Session,
    viewer: Viewer,
    ctx: Context,
    part: Part,
    held: ReviewItem | None,
    *,
    ahead: list[UUID] | None = None,
) -> views.Desk:
    """All that the page shows, read in one transaction."""
    now = ctx.clock.now()
    if held is not None and ahead is not None:
        following = [queries.get_item(session, item_id) for item_id in ahead]
        taken = dealing.looked_at(session, viewer.login, now, narrow=part.narrow)
        following[:0] = [one for one in taken if one.id != held.id]
    else:
        following = []
    _at_hand = queries.decisions_by_hand(session, following if held is None else [held, *following])
    ruled = queries.may_undo(session, viewer.login, now)
    return views.Desk(
        case=_case(request, session, held, viewer, now) if held is not None else None,
        ahead=[_case(request, session, one, viewer, now) for one in following],
        prefetched=ahead is not None,
        queue=views.status_of(session, viewer, now, part, since=day_begins(request, now)),
        undo_item=ruled.id if ruled is not None else None,
        undo_seconds=views.seconds_until(ruled.concludes_at, now) if ruled is not None else 0,
        lease_seconds=ctx.settings.lease_seconds,
        gold=told_of(gold.untold(session, viewer.login, now)),
    )


def _case(request: Request, session: Session, item: ReviewItem, viewer: Viewer, now: datetime) -> views.CaseView:
    decision = queries.decision_of(session, item)
    passed_on = item.level > 1 and queries.was_escalated_by_a_person(session, item)
    given = veil.answer_of(session, item, viewer.login)
    entry = agent_entry(request, item.agent)
    two = [one_of_two(one, decision, entry) for one in opinions.both(session, item)]
    pair = judgements.pair_of(session, item, decision) if item.kind == JUDGEMENT else None
    return views.case_of(item, decision, entry, now, passed_on=passed_on, answer=given, opinions=two, pair=pair)


def _desk(request: Request, viewer: Viewer, shown: views.Desk, *, status: int = 200) -> Response:
    template = "desk/_regions.html" if in_background(request) else "desk/page.html"
    return render(request, template, viewer=viewer, status=status, desk=shown, case=shown.case, queue=shown.queue)
