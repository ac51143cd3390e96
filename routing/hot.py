"""
The route-decision endpoint: validate, decide from memory, hand the row to the writer, wait for the commit.

Nothing here touches the database but the writer. Everything that can be wrong with a request is found
before anything is stored. The framework documents this call and takes whatever is odd about it; the plain one goes
past it, because finding a route and solving dependencies took longer than the decision (ADR 22).
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import APIRouter, Path, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from governance.actors import Actor, Verb
from governance.people.keyring import Keyring
from kit import asgi, json_body
from kit.context import Context
from kit.errors import NotFound
from kit.wire import invalid_from
from routing.cases.answers import decision_body, to_json
from routing.cases.prepare import prepare
from routing.cases.schemas import CaseIn, DecisionOut
from routing.cases.service import Stored
from routing.snapshot import SnapshotHolder
from routing.writer import Writer

router = APIRouter(prefix="/v1", tags=["decisions"])

_LONGEST_NAME = 128
_A_MOMENT = 0.01  # seconds: a clock of the loop may be a little ahead
AgentName = Annotated[str, Path(max_length=_LONGEST_NAME)]
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": CaseIn.model_json_schema()}}}}
WANTS_A_KEY: dict[str, Any] = {"security": [{"key": []}]}  # said by hand, since the key is looked up by hand

_PLAIN_PATH = re.compile(rf"/v1/agents/([^/\x00]{{1,{_LONGEST_NAME}}})/decisions")


@dataclass(frozen=True, slots=True)
class Answered:
    status: int
    location: str
    body: bytes


class HotPath:
    """What the endpoint needs, made once per process."""

    def __init__(self, ctx: Context, keyring: Keyring, holder: SnapshotHolder, writer: Writer) -> None:
        self.ctx = ctx
        self.keyring = keyring
        self.holder = holder
        self.writer = writer
        settings = ctx.settings
        self.bodies = asgi.Bodies(max(settings.max_bodies_bytes, settings.max_body_bytes))
        self._look_to_come: asyncio.Future[None] | None = None
        self._one_look = asyncio.Lock()

    async def actor(self, request: Request) -> Actor:
        """Who calls; from memory, with one look at the database for a key not seen before."""
        return await self.actor_of(request.headers.get("authorization"))

    async def actor_of(self, authorization: str | None) -> Actor:
        actor = self.keyring.known(authorization)
        return actor if actor is not None else await run_in_threadpool(self.keyring.actor, authorization)

    async def known_agent(self, authorization: str | None, agent: str, *, may: Verb = "decide") -> Actor:
        """Who calls, if they may do this for this agent, and if there is one."""
        actor = await self.actor_of(authorization)
        actor.require(may, agent)
        if not self.holder.current.has_agent(agent):
            await self._look_again()  # it may have been registered a moment ago, and a refusal can wait
        if not self.holder.current.has_agent(agent):
            raise NotFound(f"there is no agent “{agent}”")
        return actor

    async def decide(self, actor: Actor, agent: str, case: CaseIn, *, size: int) -> Stored:
        """Route one case and return once its decision is committed. `size`: bytes of the body in which it came."""
        if not self.holder.current.has_version(agent, case.version) and self._may_look_now():
            await self._look_again()  # it may have been registered a moment ago, too; else a person does the case
        now = self.ctx.clock.now()
        entry = prepare(self.holder.current, agent, case, secret=self.ctx.secret, now=now)
        return await self.writer.store(entry, actor.name, size=size)

    async def _look_again(self) -> None:
        """Return after a look that began after this call; there is one a second at most, for all who wait."""
        if self._look_to_come is None:
            self._look_to_come = asyncio.ensure_future(self._look_when_due())
        await asyncio.shield(self._look_to_come)

    def _may_look_now(self) -> bool:
        return self.holder.may_look_again() and not self._one_look.locked()

    async def _look_when_due(self) -> None:
        async with self._one_look:
            if (seconds := self.holder.seconds_to_next_look()) > 0.0:
                await asyncio.sleep(seconds + _A_MOMENT)
            self._look_to_come = None  # whoever comes from now on may be of something that this one does not see
            await run_in_threadpool(self.holder.look_again)

    async def answer(self, agent: str, actor: Actor, raw: bytes) -> Answered:
        """The whole call, but for HTTP."""
        stored = await self.decide(actor, agent, read_case(raw), size=len(raw))
        body = to_json(decision_body(stored.decision))
        return Answered(201 if stored.new else 200, f"/v1/decisions/{stored.decision.id}", body)

    async def serve(self, agent: str, scope: Scope, receive: Receive, send: Send) -> None:
        """A plain call, straight from the server and back."""
        # Broad on purpose: each error gets the answer it would get from the framework.
        limit = self.ctx.settings.max_body_bytes
        with self.holder.answers.call():
            try:
                asgi.check_length(scope, limit)
                actor = await self.known_agent(asgi.header(scope, b"authorization"), agent)
                raw = await asgi.read_body(receive, limit, self.bodies)  # of nobody whom we do not know
                found = await self.answer(agent, actor, raw)
            except Exception as error:  # noqa: BLE001
                await asgi.send_error(error, scope, receive, send)
            else:
                await asgi.send_json(send, found.status, found.body, found.location)


def plain_agent(scope: Scope) -> str | None:
    """The agent of a call to decide that has nothing odd about it; None where the framework has to look."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"] or scope.get("root_path"):
        return None
    found = _PLAIN_PATH.fullmatch(scope["path"])
    return found[1] if found is not None and asgi.header(scope, b"content-encoding") is None else None


def read_case(raw: bytes) -> CaseIn:
    """A body as a case; only the confidence may be NaN, which is stored and means a person."""
    return case_from(json_body.parse(raw, nan_allowed_at=("confidence", "amount")))


def case_from(body: Any) -> CaseIn:
    """A parsed body as a case."""
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
    actor = await hot.known_agent(request.headers.get("authorization"), agent)
    found = await hot.answer(agent, actor, await request.body())
    headers = {"Location": found.location}
    return Response(found.body, status_code=found.status, headers=headers, media_type="application/json")
