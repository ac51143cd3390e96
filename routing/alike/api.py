"""The routes for one ruling on several cases: what may be ruled on together, and the ruling."""

from collections.abc import Mapping
from typing import cast
from uuid import UUID

from fastapi import APIRouter, Request

from governance.actors import Actor
from governance.people.api import ActorDep
from kit.context import Context
from kit.errors import Problem
from kit.http import Ctx, StrictRoute
from rollout.params import NameQuery
from routing.alike import service
from routing.alike.schemas import (
    AlikeItemOut,
    BulkItemOut,
    BulkRulingIn,
    BulkRulingOut,
    GroupOut,
    GroupsOut,
    RefusedOut,
)
from routing.reviews.api import agent_entry, lease_of
from routing.reviews.service import Said
from routing.snapshot import AgentEntry, SnapshotHolder

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["reviews"])


def agents_of(request: Request) -> dict[str, AgentEntry]:
    """Every agent's settings, from this process's snapshot."""
    holder = cast("SnapshotHolder", request.app.state.holder)
    return dict(holder.current.agents)


def rule_each(
    ctx: Context, fingerprints: Mapping[UUID, str], note: str, *, signature: str, agent: AgentEntry, actor: Actor
) -> list[BulkItemOut]:
    """Approve each, in a transaction of its own, so that one which cannot be ruled on harms no other."""
    service.check(list(fingerprints), agent)
    found = []
    for item_id, fingerprint in fingerprints.items():
        one = Said("approve", fingerprint, note=note, bulk=True)
        try:
            with ctx.db.begin() as session:
                given = service.rule_one(
                    session, item_id, one, signature=signature, agent=agent, actor=actor, now=ctx.clock.now(),
                    lease=lease_of(ctx),
                )  # fmt: skip
            status = "ruled" if given.new else "unchanged"
            found.append(BulkItemOut(id=item_id, status=status, undo_until=given.undo_until, problem=None))
        except Problem as problem:
            why = RefusedOut(code=problem.code, title=problem.title, detail=problem.detail)
            found.append(BulkItemOut(id=item_id, status="refused", undo_until=None, problem=why))
    return found


@router.get("/reviews:alike")
def show_alike(request: Request, actor: ActorDep, ctx: Ctx, agent: NameQuery = None) -> GroupsOut:
    """Cases that you had before you within a day and gave back, by signature: what may be ruled on together."""
    actor.require("review")
    agents = agents_of(request)
    with ctx.db.read() as session:
        groups = service.groups(session, actor, agents, ctx.clock.now(), agent=agent)
        return GroupsOut(
            items=[
                GroupOut(
                    signature=group.signature, agent=group.agent, version=group.version,
                    output=group.decision.output, action=group.decision.action, reasons=group.decision.reasons,
                    most=agents[group.agent].settings.supervision.bulk_most,
                    items=[AlikeItemOut.model_validate(item) for item in group.items],
                )
                for group in groups
            ]
        )  # fmt: skip


@router.post("/reviews:bulk-ruling")
def rule_together(request: Request, body: BulkRulingIn, actor: ActorDep, ctx: Ctx) -> BulkRulingOut:
    """
    Approve cases of one signature, each of which you opened; what each of them came to is said by itself.

    No evidence: it ends the cases and counts for nothing, neither of the agent nor of you. Sent again it is one ruling.
    """
    actor.require("review")
    entry = agent_entry(request, body.agent)
    shown = {item.id: item.fingerprint for item in body.items}
    items = rule_each(ctx, shown, body.note, signature=body.signature, agent=entry, actor=actor)
    return BulkRulingOut(items=items, ruled=sum(item.status != "refused" for item in items))
