"""
The route-decision endpoint: validate, decide from memory, hand the row to the writer, wait for the commit.

Nothing here touches the database but the writer. Everything that can be wrong with a request is found
before anything is stored.
"""

from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from governance.people.keyring import Keyring
from kit import json_body
from kit.context import Context
from kit.errors import NotFound
from kit.http import invalid_from
from routing.cases.outcomes import outcome_of
from routing.cases.prepare import prepare
from routing.cases.schemas import CaseIn, DecisionOut, decision_out
from routing.cases.service import Stored
from routing.snapshot import SnapshotHolder
from routing.writer import Writer

router = APIRouter(prefix="/v1", tags=["decisions"])

AgentName = Annotated[str, Path(max_length=128)]
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": CaseIn.model_json_schema()}}}}
WANTS_A_KEY: dict[str, Any] = {"security": [{"key": []}]}  # said by hand, since the key is looked up by hand


class HotPath:
    """What the endpoint needs, made once per process."""

    def __init__(self, ctx: Context, keyring: Keyring, holder: SnapshotHolder, writer: Writer) -> None:
        self.ctx = ctx
        self.keyring = keyring
        self.holder = holder
        self.writer = writer

    async def actor(self, request: Request) -> Actor:
        """Who calls; from memory, with one look at the database for a key not seen before."""
        header = request.headers.get("authorization")
        actor = self.keyring.known(header)
        return actor if actor is not None else await run_in_threadpool(self.keyring.actor, header)

    async def refuse_unknown(self, agent: str) -> None:
        """An agent that was registered a moment ago is looked for once more before it is none."""
        if not self.holder.current.has_agent(agent):
            await run_in_threadpool(self.holder.refresh)
        if not self.holder.current.has_agent(agent):
            raise NotFound(f"there is no agent “{agent}”")

    async def decide(self, actor: Actor, agent: str, case: CaseIn) -> Stored:
        """Route one case and return once its decision is committed."""
        if not self.holder.current.has_version(agent, case.version):
            await run_in_threadpool(self.holder.look_again)  # it may have been registered a moment ago, too
        now = self.ctx.clock.now()
        entry = prepare(self.holder.current, agent, case, secret=self.ctx.secret, now=now)
        return await self.writer.store(entry, actor.name)


def read_case(raw: bytes) -> CaseIn:
    """A body as a case; only the confidence may be NaN, which is stored and means a person."""
    body = json_body.parse(raw, nan_allowed_at=("confidence", "amount"))
    try:
        return CaseIn.model_validate(body)
    except ValidationError as error:
        raise invalid_from(cast("list[Any]", error.errors())) from None


@router.post(
    "/agents/{agent}/decisions",
    openapi_extra=_BODY | WANTS_A_KEY,
    status_code=201,
    responses={
        201: {"model": DecisionOut, "description": "Decided and stored."},
        200: {"model": DecisionOut, "description": "It was decided before; the same stored decision."},
    },
)
async def route_decision(request: Request, agent: AgentName) -> Response:
    """Who answers this case: the agent, a person, or the agent under a person's eyes."""
    hot = cast("HotPath", request.app.state.hot)
    actor = await hot.actor(request)
    actor.require("decide", agent)
    await hot.refuse_unknown(agent)
    stored = await hot.decide(actor, agent, read_case(await request.body()))
    body = decision_out(stored.decision, outcome_of(stored.decision)).model_dump_json()
    headers = {"Location": f"/v1/decisions/{stored.decision.id}"}
    return Response(body, status_code=201 if stored.new else 200, headers=headers, media_type="application/json")
