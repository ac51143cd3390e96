"""The queue over HTTP: claim next, claim one, renew, release, leave, rule, undo."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from governance.people.api import ActorDep
from kit.context import Context
from kit.errors import Invalid, NotFound, Place
from kit.http import Ctx, StrictRoute
from kit.wire import Out, decode_cursor, encode_cursor
from routing.domain.judging import JUDGEMENT
from routing.domain.sampling import BLIND
from routing.gold.dealing import Dealer
from routing.judgements import service as judgements
from routing.judgements.service import Judged
from routing.opinions import service as opinions
from routing.reviews import judging, queries, service
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import Narrow, Spot
from routing.reviews.schemas import (
    ClaimedOut,
    ClaimIn,
    HeldOut,
    ItemOut,
    JudgementIn,
    JudgementOut,
    LeftOut,
    OpinionOut,
    PairOut,
    QueueOut,
    RulingIn,
    RulingOut,
    SaidOut,
    ShownKind,
    UndoneOut,
)
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry, SnapshotHolder
from routing.supervision import veil

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["reviews"])

Kind = Literal[ShownKind, "escalated"]
_RULING = tuple(name for name in RulingOut.model_fields if name != "undo_until")

_TELLING = ("output", "action", "amount", "confidence", "trace")
"""What tells what the agent said."""


def agent_entry(request: Request, name: str) -> AgentEntry:
    """The agent's settings from this process's snapshot."""
    holder = cast("SnapshotHolder", request.app.state.holder)
    entry = holder.agent(name)
    if entry is None:
        raise NotFound(f"there is no agent “{name}”")
    return entry


def dealer_of(request: Request, ctx: Context) -> Dealer:
    """What gold cases are laid out by."""
    return Dealer(cast("SnapshotHolder", request.app.state.holder).current, ctx.secret)


def lease_of(ctx: Context) -> timedelta:
    return timedelta(seconds=ctx.settings.lease_seconds)


def held_out(session: Session, item: ReviewItem, decision: Any = None) -> HeldOut:
    """An item with the evidence that the reviewer who holds it needs, and may see by now."""
    decision = decision or queries.decision_of(session, item)
    line = ItemOut.model_validate(item).model_dump()
    if item.kind == JUDGEMENT:
        nothing = dict.fromkeys(_TELLING) | {"reasons": []}
        pair = PairOut.model_validate(judgements.pair_of(session, item, decision))
        return HeldOut(**line, **nothing, input=decision.input, fingerprint=item.fingerprint, pair=pair)
    answer = veil.answer_of(session, item, item.claimed_by or "")
    if item.arm == BLIND and answer is None:
        withheld = dict.fromkeys(_TELLING) | {"fingerprint": None, "reasons": [], "answer_first": True}
        return HeldOut(**line, **withheld, input=decision.input)
    shown = {name: getattr(decision, name) for name in _TELLING}
    own: dict[str, Any] = {"opinions": [OpinionOut.model_validate(one) for one in opinions.both(session, item)]}
    if answer is not None:
        own |= {"own_answer": answer.output, "own_answer_equal": answer.equal}
    return HeldOut(**line, **shown, **own, input=decision.input, fingerprint=item.fingerprint, reasons=decision.reasons)


@router.get("/queue")
def show_queue(
    actor: ActorDep,
    ctx: Ctx,
    agent: Annotated[str | None, Query(max_length=128)] = None,
    segment: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    kind: Annotated[Kind | None, Query(description="escalated: what waits in the second line")] = None,
    urgent: Annotated[bool, Query(description="only what goes before the ordinary work")] = False,
    due_within: Annotated[int | None, Query(ge=0, le=525_600, description="minutes; 0: what is late")] = None,
    case_id: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QueueOut:
    """What waits, in the order in which it will be handed out. A segment is one of an agent, of any kind."""
    actor.require("review")
    narrow = Narrow(
        agent=agent,
        segment=segment,
        kind=None if kind == "escalated" else kind,
        level=2 if kind == "escalated" else None,
        urgent=urgent,
        due_before=None if due_within is None else ctx.clock.now() + timedelta(minutes=due_within),
        case_id=case_id,
    )
    narrow.check()
    with ctx.db.read() as session:
        reach = service.reach_of(session, actor)
        rows = dealing.open_page(
            session, narrow=narrow, reach=reach, beyond=spot_in(cursor), limit=limit + 1, login=actor.name
        )
        more = cursor_at(rows[limit - 1]) if len(rows) > limit else None
        items = [ItemOut.model_validate(row) for row in rows[:limit]]
        return QueueOut(items=items, waiting=queries.waiting_counts(session, reach), next_cursor=more)


def cursor_at(item: ReviewItem) -> str:
    """From which the queue goes on behind this item, or back before it."""
    return encode_cursor(f"{item.priority} {item.due_at.isoformat()} {item.id}")


def spot_in(cursor: str | None) -> Spot | None:
    position = decode_cursor(cursor)
    if position is None:
        return None
    try:
        priority, due_at, item_id = position.split(" ")
        return Spot(int(priority[:9]), datetime.fromisoformat(due_at).astimezone(UTC), UUID(item_id))
    except (ValueError, OverflowError):
        place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
        raise Invalid("cursor: it is not one of ours", places=[place]) from None


@router.post("/queue/claim", responses={204: {"description": "Nothing waits."}}, response_model=ClaimedOut)
def claim_next(request: Request, body: ClaimIn, actor: ActorDep, ctx: Ctx) -> Response:
    """
    The next case in turn, held for you; the one you hold already, if there is one. With `ahead`, the ones after it
    are held for you for a minute at least each time you ask. What you gave back is free at once, and may be the next
    for you too: name it under `given_back`, and others come first, as they do at the desk.
    """
    actor.require("review")
    now = ctx.clock.now()
    with ctx.db.begin() as session:
        dealer = dealer_of(request, ctx)
        until, needs = now + lease_of(ctx), dealer.snapshot.needs
        part = Narrow(body.agent, body.segment)
        wish = service.Wish(actor, now, until, part, body.given_back, dealer=dealer, needs=needs)
        item, after = service.claim_with_ahead(session, wish, body.ahead)
        if item is None and body.given_back:
            item, after = service.claim_with_ahead(session, replace(wish, but=()), body.ahead)
        if item is None:
            return Response(status_code=204)
        shown = queries.outputs_of(session, [item, *after])
        held, *following = (held_out(session, one, shown.get(one.decision_id)) for one in (item, *after))
        return _json(ClaimedOut(**dict(held), next=following))


def _json(body: Out, status: int = 200) -> Response:
    """The answer as it goes out: the framework would look at it once more, in a thread of its own."""
    return Response(body.model_dump_json(), status_code=status, media_type="application/json")


@router.post("/queue/leave")
def leave(
    actor: ActorDep,
    ctx: Ctx,
    everything: Annotated[bool, Query(alias="all", description="also the case you look at")] = False,
) -> LeftOut:
    """Give back what is held ahead for you, or all you hold; for who closes the page."""
    actor.require("review")
    with ctx.db.begin() as session:
        return LeftOut(released=service.leave(session, actor=actor, everything=everything))


@router.post("/reviews/{item_id}/claim")
def claim(item_id: UUID, actor: ActorDep, ctx: Ctx) -> HeldOut:
    """Hold this case."""
    actor.require("review")
    with ctx.db.begin() as session:
        item = service.claim(session, item_id, actor=actor, now=ctx.clock.now(), lease=lease_of(ctx))
        return held_out(session, item)


@router.post("/reviews/{item_id}/renew")
def renew(item_id: UUID, actor: ActorDep, ctx: Ctx) -> ItemOut:
    """Hold on to a case you are still looking at."""
    actor.require("review")
    with ctx.db.begin() as session:
        item = service.renew(session, item_id, actor=actor, now=ctx.clock.now(), lease=lease_of(ctx))
        return ItemOut.model_validate(item)


@router.post("/reviews/{item_id}/release", status_code=204)
def release(request: Request, item_id: UUID, actor: ActorDep, ctx: Ctx) -> None:
    """Give a case back."""
    actor.require("review")
    with ctx.db.begin() as session:
        entry = agent_entry(request, queries.get_item(session, item_id).agent)
        service.release(session, item_id, agent=entry, actor=actor, now=ctx.clock.now())


@router.post(
    "/reviews/{item_id}/ruling",
    status_code=201,
    response_model=RulingOut,
    responses={200: {"model": RulingOut, "description": "You had said just that before; it was recorded once."}},
)
def rule(request: Request, item_id: UUID, body: RulingIn, actor: ActorDep, ctx: Ctx) -> Response:
    """
    Approve, edit, reject or escalate a case you hold. The agent is told when you can no longer undo it. The same sent
    again, after an answer that got lost, is answered with the same ruling.
    """
    actor.require("review")
    said = service.Said(body.ruling, body.fingerprint, body.output, body.reason_code, body.note)
    with ctx.db.begin() as session:
        item = queries.get_item(session, item_id)
        entry = agent_entry(request, item.agent)
        given = service.give(session, item, said, agent=entry, actor=actor, now=ctx.clock.now())
        out = RulingOut(**{name: getattr(given.ruling, name) for name in _RULING}, undo_until=given.undo_until)
    return _json(out, 201 if given.new else 200)


@router.post(
    "/reviews/{item_id}/judgement",
    status_code=201,
    responses={
        200: {"model": JudgementOut, "description": "You had said just that before; it was recorded once."},
        409: {"description": "It is not held by you, changed since it was shown, or asks for a ruling instead."},
    },
)
def judge(
    request: Request, item_id: UUID, body: JudgementIn, actor: ActorDep, ctx: Ctx, response: Response
) -> JudgementOut:
    """
    Say which of two outputs is right, of a case of kind `judgement` that you hold: the agent's and a person's, and you
    are not told which is whose. The same sent again is answered with the same judgement.
    """
    actor.require("review")
    said = Judged(body.right, body.fingerprint, body.output, body.note)
    with ctx.db.begin() as session:
        entry = agent_entry(request, queries.get_item(session, item_id).agent)
        given = judging.judge(session, item_id, said, agent=entry, actor=actor, now=ctx.clock.now())
        response.status_code = 201 if given.new else 200
        told = {name: getattr(given.ruling, name) for name in _RULING if name in JudgementOut.model_fields}
        return JudgementOut(**told, right=body.right, undo_until=given.undo_until)


@router.post("/reviews/{item_id}/undo")
def undo(item_id: UUID, actor: ActorDep, ctx: Ctx) -> UndoneOut:
    """Take your ruling back before the agent is told of it; the case is yours again."""
    actor.require("review")
    with ctx.db.begin() as session:
        item = service.undo(session, item_id, actor=actor, now=ctx.clock.now(), lease=lease_of(ctx))
        said = queries.undone_by(session, item_id, actor.name)
        undone = SaidOut.model_validate(said) if said is not None else None
        return UndoneOut(**held_out(session, item).model_dump(), undone=undone)
