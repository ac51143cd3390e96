"""Register where an agent wants to be told how its cases ended."""

import base64
import secrets
from uuid import UUID

from fastapi import APIRouter

from governance.audit import service as audit
from governance.people.api import ActorDep
from kit.errors import Invalid, NotFound, Place
from kit.http import Ctx, StrictRoute
from kit.ids import new_id
from rollout.agents import service as agents
from routing.delivery import queries
from routing.delivery.courier import objection
from routing.delivery.schemas import WebhookIn, WebhookOut
from routing.delivery.tables import Webhook

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["webhooks"])


@router.post("/agents/{agent}/webhooks", status_code=201)
def add_webhook(agent: str, body: WebhookIn, actor: ActorDep, ctx: Ctx) -> WebhookOut:
    """Messages are signed as Standard Webhooks 1.0.0 says; the secret is shown once."""
    actor.require("configure", agent)
    if reason := objection(str(body.url), allow_private=ctx.settings.webhooks_allow_private):
        raise Invalid("messages cannot be sent there", places=[Place("url", reason, "give a public https address")])
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    with ctx.db.begin() as session:
        agents.get_agent(session, agent)
        now = ctx.clock.now()
        row = Webhook(
            id=new_id(), agent=agent, url=str(body.url), secret=secret, active=True, created_at=now,
            created_by=actor.name,
        )  # fmt: skip
        session.add(row)
        audit.record(session, actor, "webhook.added", row.id, now=now, agent=agent, url=row.url)
        return WebhookOut.model_validate(row)


@router.get("/agents/{agent}/webhooks")
def list_webhooks(agent: str, actor: ActorDep, ctx: Ctx) -> list[WebhookOut]:
    actor.require("read", agent)
    with ctx.db.read() as session:
        agents.get_agent(session, agent)
        rows = [WebhookOut.model_validate(row) for row in queries.active_webhooks(session, agent)]
        return [row.model_copy(update={"secret": None}) for row in rows]


@router.delete("/agents/{agent}/webhooks/{webhook_id}", status_code=204)
def remove_webhook(agent: str, webhook_id: UUID, actor: ActorDep, ctx: Ctx) -> None:
    actor.require("configure", agent)
    with ctx.db.begin() as session:
        row = session.get(Webhook, webhook_id)
        if row is None or row.agent != agent:
            raise NotFound(f"agent {agent} has no webhook {webhook_id}")
        row.active = False
        audit.record(session, actor, "webhook.removed", row.id, now=ctx.clock.now(), agent=agent)
