"""The queue over HTTP: claim next, claim one, renew, release, rule."""

from datetime import timedelta
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from governance.people.api import ActorDep
from kit.context import Context
from kit.errors import Invalid, NotFound, Place
from kit.http import Ctx, StrictRoute, decode_cursor, encode_cursor
from routing.reviews import queries, service
from routing.reviews.schemas import ClaimIn, HeldOut, ItemOut, QueueOut, RulingIn, RulingOut
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry, SnapshotHolder

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["reviews"])


def agent_entry(request: Request, name: str) -> AgentEntry:
    """The agent's settings from this process's snapshot."""
    holder = cast("SnapshotHolder", request.app.state.holder)
    entry = holder.agent(name)
    if entry is None:
        raise NotFound(f"there is no agent “{name}”")
    return entry


def lease_of(ctx: Context) -> timedelta:
    return timedelta(seconds=ctx.settings.lease_seconds)


def held_out(session: Session, item: ReviewItem) -> HeldOut:
    """An item with the evidence a reviewer needs."""
    decision = queries.get_decision(session, item.decision_id)
    shown = {name: getattr(decision, name) for name in ("input", "output", "action", "amount", "confidence", "trace")}
    return HeldOut(**ItemOut.model_validate(item).model_dump(), fingerprint=item.fingerprint, **shown,
                   reasons=decision.reasons)  # fmt: skip


@router.get("/queue")
def show_queue(
    actor: ActorDep,
    ctx: Ctx,
    agent: Annotated[str | None, Query(max_length=128)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> QueueOut:
    """What waits, in the order in which it will be handed out."""
    actor.require("review")
    offset = _offset(decode_cursor(cursor))
    levels = service.levels_of(actor)
    with ctx.db.read() as session:
        rows = queries.open_page(session, agent=agent, levels=levels, offset=offset, limit=limit + 1)
        more = encode_cursor(str(offset + limit)) if len(rows) > limit else None
        items = [ItemOut.model_validate(row) for row in rows[:limit]]
        return QueueOut(items=items, waiting=queries.waiting_counts(session, levels), next_cursor=more)


def _offset(position: str | None) -> int:
    if position is None:
        return 0
    if not position.isdecimal() or len(position) > 9:  # noqa: PLR2004 - a billion is no place in a queue
        place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
        raise Invalid("cursor: it is not one of ours", places=[place])
    return int(position)


@router.post("/queue/claim", responses={204: {"description": "Nothing waits."}}, response_model=HeldOut)
def claim_next(body: ClaimIn, actor: ActorDep, ctx: Ctx) -> Response | HeldOut:
    """The next case in turn, held for you; the one you hold already, if there is one."""
    actor.require("review")
    with ctx.db.begin() as session:
        item = service.claim_next(session, actor=actor, now=ctx.clock.now(), lease=lease_of(ctx), agent=body.agent)
        return held_out(session, item) if item is not None else Response(status_code=204)


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
def release(item_id: UUID, actor: ActorDep, ctx: Ctx) -> None:
    """Give a case back."""
    actor.require("review")
    with ctx.db.begin() as session:
        service.release(session, item_id, actor=actor)


@router.post("/reviews/{item_id}/ruling", status_code=201)
def rule(request: Request, item_id: UUID, body: RulingIn, actor: ActorDep, ctx: Ctx) -> RulingOut:
    """Approve, edit, reject or escalate a case you hold."""
    actor.require("review")
    said = service.Said(body.ruling, body.fingerprint, body.output, body.reason_code, body.note)
    with ctx.db.begin() as session:
        entry = agent_entry(request, queries.get_item(session, item_id).agent)
        ruling = service.rule(session, item_id, said, agent=entry, actor=actor, now=ctx.clock.now())
        return RulingOut.model_validate(ruling)
