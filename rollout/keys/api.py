"""The route that makes keys; they are listed and revoked in `governance.people.api`."""

from fastapi import APIRouter

from governance.people.api import ActorDep
from governance.people.schemas import KeyCreated, KeyOut, NewKey
from kit.http import Ctx, StrictRoute
from rollout.keys import service

router = APIRouter(prefix="/v1", tags=["people"], route_class=StrictRoute)


@router.post("/keys", status_code=201)
def create_key(body: NewKey, actor: ActorDep, ctx: Ctx) -> KeyCreated:
    """Of a registered agent or of a person. The answer holds the secret; it cannot be read again."""
    actor.require("administer")
    with ctx.db.begin() as session:
        key, secret = service.create(
            session, body.name, agent=body.agent, login=body.login, by=actor, now=ctx.clock.now()
        )
        return KeyCreated(**KeyOut.model_validate(key).model_dump(), secret=secret)
