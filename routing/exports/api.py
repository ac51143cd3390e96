"""Exports over HTTP: lines that are found while they are sent."""

from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from governance.actors import Actor
from governance.people.api import ActorDep
from kit.context import Context
from kit.http import Ctx, StrictRoute
from kit.wire import Moment
from rollout.params import AgentPath, NameQuery
from routing.exports import service
from routing.exports.queries import Scope
from routing.exports.service import Export, Form, What

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["exports"])

_MEDIA = {Form.JSONL: "application/x-ndjson", Form.CSV: "text/csv; charset=utf-8"}
_LINES = {"schema": {"type": "string"}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A line for each; cut off where the connection breaks before its end.",
        "content": {"application/x-ndjson": _LINES, "text/csv": _LINES},
    }
}

Since = Annotated[Moment | None, Query(alias="from", description="from here on")]
Until = Annotated[Moment | None, Query(alias="to", description="before this")]
As = Annotated[Form, Query(alias="format")]


class Asked(NamedTuple):
    scope: Scope
    form: Form


def _asked(
    agent: AgentPath, version: NameQuery = None, since: Since = None, until: Until = None, form: As = Form.JSONL
) -> Asked:
    return Asked(Scope(agent, version, since, until), form)


@router.get("/agents/{agent}/rulings:export", response_class=StreamingResponse, responses=_ANSWERS)
def export_rulings(asked: Annotated[Asked, Depends(_asked)], actor: ActorDep, ctx: Ctx) -> StreamingResponse:
    """
    What reviewers said, beside what they were shown, edits also as JSON Patch (RFC 6902). By the time of the ruling.
    For owners, admins and auditors; that it was exported is on record.
    """
    return _sent(ctx, actor, What.RULINGS, asked)


@router.get("/agents/{agent}/labels:export", response_class=StreamingResponse, responses=_ANSWERS)
def export_labels(asked: Annotated[Asked, Depends(_asked)], actor: ActorDep, ctx: Ctx) -> StreamingResponse:
    """Every verdict with its provenance, and whether it is the one that counts. By the time of the decision."""
    return _sent(ctx, actor, What.LABELS, asked)


@router.get("/agents/{agent}/training:export", response_class=StreamingResponse, responses=_ANSWERS)
def export_training(asked: Annotated[Asked, Depends(_asked)], actor: ActorDep, ctx: Ctx) -> StreamingResponse:
    """
    Cases with a verdict: input, output, what was right, and with which probability anybody looked, so that each can be
    given its weight. By the time of the decision.
    """
    return _sent(ctx, actor, What.TRAINING, asked)


def _sent(ctx: Context, actor: Actor, what: What, asked: Asked) -> StreamingResponse:
    export = Export(what, asked.form, asked.scope)
    with ctx.db.begin() as session:
        service.begin(session, export, actor=actor, now=ctx.clock.now())
    named = {"Content-Disposition": f'attachment; filename="{what.value}.{export.form.value}"'}
    return StreamingResponse(service.pieces(ctx.db, export), media_type=_MEDIA[export.form], headers=named)
