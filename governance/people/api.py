"""Who is calling (`ActorDep`), and the routes for people and keys; keys are made in `rollout.keys`."""

from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from governance.actors import Actor
from governance.people import queries, service
from governance.people.keyring import Keyring
from governance.people.schemas import (
    KeyOut,
    KeysOut,
    MeOut,
    NewPerson,
    PeopleOut,
    PersonOut,
)
from kit.errors import Invalid, Place
from kit.http import Ctx, StrictRoute
from kit.wire import decode_cursor, encode_cursor

_scheme = HTTPBearer(auto_error=False, scheme_name="key", description="A key of an agent or of a person.")


async def current_actor(
    request: Request,
    _documented: Annotated[HTTPAuthorizationCredentials | None, Security(_scheme)],
) -> Actor:
    """Who is calling; a key nobody knows is refused in words. From memory on the loop, else in a thread."""
    keyring, authorization = cast("Keyring", request.app.state.keyring), request.headers.get("authorization")
    known = keyring.known(authorization)
    return known if known is not None else await run_in_threadpool(keyring.actor, authorization)


ActorDep = Annotated[Actor, Depends(current_actor)]
Limit = Annotated[int, Query(ge=1, le=200)]

router = APIRouter(prefix="/v1", tags=["people"], route_class=StrictRoute)


@router.get("/me")
def me(actor: ActorDep) -> MeOut:
    """Whose key this is and what it may do."""
    return MeOut(name=actor.name, kind=actor.kind, roles=sorted(actor.roles), agent=actor.agent)


@router.get("/people")
def list_people(actor: ActorDep, ctx: Ctx, cursor: str | None = None, limit: Limit = 50) -> PeopleOut:
    actor.require("administer")
    with ctx.db.read() as session:
        found = queries.people(session, after=decode_cursor(cursor), limit=limit + 1)
        items = [PersonOut.model_validate(person) for person in found[:limit]]
    return PeopleOut(items=items, next_cursor=encode_cursor(items[-1].login) if len(found) > limit else None)


@router.post("/people", status_code=201)
def add_person(body: NewPerson, actor: ActorDep, ctx: Ctx) -> PersonOut:
    actor.require("administer")
    with ctx.db.begin() as session:
        person = service.add_person(
            session,
            body.login,
            body.name,
            roles=body.roles,
            password=body.password,
            by=actor,
            now=ctx.clock.now(),
        )
        return PersonOut.model_validate(person)


@router.get("/keys")
def list_keys(actor: ActorDep, ctx: Ctx, cursor: str | None = None, limit: Limit = 50) -> KeysOut:
    actor.require("administer")
    with ctx.db.read() as session:
        found = queries.keys(session, after=_key_after(cursor), limit=limit + 1)
        items = [KeyOut.model_validate(key) for key in found[:limit]]
    return KeysOut(items=items, next_cursor=encode_cursor(str(items[-1].id)) if len(found) > limit else None)


@router.delete("/keys/{key_id}")
def revoke_key(key_id: UUID, actor: ActorDep, ctx: Ctx) -> KeyOut:
    """The key stays in the list, as revoked; calls with it are refused from now on."""
    actor.require("administer")
    with ctx.db.begin() as session:
        return KeyOut.model_validate(service.revoke_key(session, key_id, by=actor, now=ctx.clock.now()))


def _key_after(cursor: str | None) -> UUID | None:
    position = decode_cursor(cursor)
    try:
        return UUID(position) if position is not None else None
    except ValueError:
        place = Place("cursor", "it is not one of ours", "use next_cursor of an earlier answer")
        raise Invalid("cursor: it is not one of ours", places=[place]) from None
