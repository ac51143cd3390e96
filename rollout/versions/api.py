"""Routes for versions and their routing rules."""

from fastapi import APIRouter, Request, Response

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute, check_match
from kit.wire import entity_tag
from rollout.agents.queries import get_agent
from rollout.domain.policy import Rules
from rollout.params import AgentPath, Cursor, Limit, VersionPath, after_id, after_number, cut
from rollout.processes.following import Following
from rollout.versions import queries, service
from rollout.versions.schemas import NewVersion, PoliciesOut, PolicyChanged, PolicyOut, VersionOut, VersionsOut
from rollout.versions.tables import PolicyRevision, Rollout, Version

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["versions"])


@router.get("/agents/{agent}/versions")
def list_versions(agent: AgentPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50) -> VersionsOut:
    """The versions of an agent, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        rows = queries.versions(session, agent, before=after_id(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row[0].id)
        return VersionsOut(items=[_version(*row) for row in page], next_cursor=more)


@router.post("/agents/{agent}/versions", status_code=201)
def register_version(agent: AgentPath, body: NewVersion, actor: ActorDep, ctx: Ctx, response: Response) -> VersionOut:
    """A new build. The first becomes stable, the next is the candidate; a second candidate has to wait."""
    with ctx.db.begin() as session:
        rollout = service.register(
            session,
            get_agent(session, agent),
            body.label,
            digest=body.digest,
            about=body.about,
            rules=body.rules,
            small_change=body.small_change,
            actor=actor,
            now=ctx.clock.now(),
        )
        response.headers["Location"] = f"/v1/agents/{agent}/versions/{body.label}"
        return _version(queries.get_version(session, agent, body.label), rollout)


@router.get("/agents/{agent}/versions/{version}")
def show_version(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> VersionOut:
    actor.require("read", agent)
    with ctx.db.read() as session:
        found = queries.get_version(session, agent, version)
        return _version(found, queries.get_rollout(session, agent, version))


@router.get("/agents/{agent}/versions/{version}/policy")
def show_policy(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx, response: Response) -> PolicyOut:
    """The policy in force, with the rules that PUT replaces."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = queries.get_rollout(session, agent, version)
        policy = _policy(queries.get_policy(session, rollout.id, rollout.policy_revision))
        response.headers["ETag"] = _tag(policy.rules)
        return policy


@router.put("/agents/{agent}/versions/{version}/policy")
def change_policy(
    agent: AgentPath,
    version: VersionPath,
    body: Rules,
    actor: ActorDep,
    ctx: Ctx,
    in_force: Following,
    request: Request,
    response: Response,
) -> PolicyChanged:
    """
    Replace the rules; the next policy revision. With If-Match, only on the rules that were read.

    Past shadow, rules that give more autonomy are for the named owner or second of the agent.
    """
    with ctx.db.begin() as session:
        rollout = queries.get_rollout(session, agent, version)
        actor.require("read", agent)
        present = _policy(queries.get_policy(session, rollout.id, rollout.policy_revision))
        check_match(request, _rules_body(present.rules))
        policy = _policy(service.change_rules(session, rollout, body, actor=actor, now=ctx.clock.now()))
    response.headers["ETag"] = _tag(policy.rules)
    return PolicyChanged(**dict(policy), in_force=in_force())


@router.get("/agents/{agent}/versions/{version}/policies")
def list_policies(
    agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50
) -> PoliciesOut:
    """Every policy a version ever had, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = queries.get_rollout(session, agent, version)
        rows = queries.policies(session, rollout.id, before=after_number(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.revision)
        return PoliciesOut(items=[_policy(row) for row in page], next_cursor=more)


def _version(version: Version, rollout: Rollout) -> VersionOut:
    return VersionOut(
        id=version.id,
        agent=version.agent,
        label=version.label,
        digest=version.digest,
        about=version.about,
        standing=rollout.standing,
        phase=rollout.phase,
        created_at=version.created_at,
        created_by=version.created_by,
    )


def _policy(row: PolicyRevision) -> PolicyOut:
    shown = ("version", "standing", "phase", "epoch", "frozen", "ramp_share", "rules")
    return PolicyOut(
        revision=row.revision,
        cause=row.cause,
        created_at=row.created_at,
        created_by=row.created_by,
        glass=row.body.get("glass"),
        **{name: row.body[name] for name in shown},
    )


def _rules_body(rules: Rules) -> object:
    """Sets in a fixed order, so that the same rules have the same entity tag."""
    body = rules.model_dump(mode="json")
    for group in (body, body["scope"]):
        group.update({name: sorted(value) for name, value in group.items() if isinstance(value, list)})
    return body


def _tag(rules: Rules) -> str:
    return entity_tag(_rules_body(rules))
