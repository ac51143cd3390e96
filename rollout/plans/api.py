"""Routes for plans: YAML or JSON, the pages' other door."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute, check_match
from kit.wire import entity_tag
from rollout.agents.queries import get_agent
from rollout.domain.plan import Plan
from rollout.domain.plan_yaml import dump_plan, load_plan, plan_from_data, plan_json_schema
from rollout.params import AgentPath, Cursor, Limit, VersionPath, after_number, cut
from rollout.plans import queries, service
from rollout.plans.schemas import AdoptIn, AppliedOut, ChangeOut, PlanOut, PlansOut, ValidOut
from rollout.plans.tables import PlanRevision
from rollout.versions.queries import get_rollout

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["plans"])

# JSON comes parsed, everything else as bytes, which are read as YAML.
PlanBody = Annotated[Any, Body(media_type="application/yaml", description="A plan as YAML, or as JSON.")]


@router.get("/agents/{agent}/plan", responses={200: {"content": {"application/yaml": {}}}})
def show_plan(
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    request: Request,
    response: Response,
    revision: Annotated[int | None, Query(ge=1, le=1_000_000_000)] = None,
) -> Any:
    """The plan of an agent, or an earlier revision of it; as YAML where the caller accepts that first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        row = service.get_plan(session, agent, revision)
        tag = entity_tag(row.body)
        if request.headers.get("accept", "").startswith("application/yaml"):
            return Response(service.export(row), media_type="application/yaml", headers={"ETag": tag})
        response.headers["ETag"] = tag
        return _out(row)


@router.put("/agents/{agent}/plan")
def apply_plan(
    agent: AgentPath, body: PlanBody, actor: ActorDep, ctx: Ctx, request: Request, dry_run: bool = False
) -> AppliedOut:
    """Make this the agent's plan; with dry_run, only say what would change. Refused with a line for every problem."""
    actor.require("configure", agent)
    with ctx.db.begin() as session:
        found = get_agent(session, agent)
        present = queries.newest(session, agent)
        check_match(request, present.body if present is not None else None)
        if dry_run:
            plan, _ = service.read(agent, body)
            changes = service.preview(session, found, plan)
            return _applied(plan, changes, stored=False, revision=present.revision if present is not None else 0)
        applied = service.apply(session, found, body, actor=actor, now=ctx.clock.now())
        plan = Plan.from_body(applied.revision.body)
        return _applied(plan, applied.changes, stored=applied.is_new, revision=applied.revision.revision)


@router.get("/agents/{agent}/plans")
def list_plans(agent: AgentPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 20) -> PlansOut:
    """Every plan an agent ever had, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        rows = queries.revisions(session, agent, before=after_number(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.revision)
        return PlansOut(items=[_out(row) for row in page], next_cursor=more)


@router.post("/agents/{agent}/versions/{version}/rollout/adopt-plan")
def adopt_plan(agent: AgentPath, version: VersionPath, body: AdoptIn, actor: ActorDep, ctx: Ctx) -> PlanOut:
    """Hold a version that is under way to the newest plan from now on. Open signatures fall."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        return _out(service.adopt(session, rollout, actor=actor, now=ctx.clock.now(), reason=body.reason))


@router.post("/plans/validate")
def validate_plan(body: PlanBody, actor: ActorDep) -> ValidOut:
    """Read a plan and store nothing: what it means, or every problem with its line."""
    actor.require("read", actor.agent)
    plan = load_plan(body) if isinstance(body, bytes) else plan_from_data(body)
    return ValidOut(valid=True, agent=plan.agent, plan=plan.body(), yaml=dump_plan(plan))


@router.get("/plans/schema")
def show_schema() -> dict[str, Any]:
    """JSON Schema of a plan, for editors."""
    return plan_json_schema()


def _out(row: PlanRevision) -> PlanOut:
    return PlanOut(
        id=row.id,
        agent=row.agent,
        revision=row.revision,
        plan=row.body,
        yaml=service.export(row),
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _applied(plan: Plan, changes: Any, *, stored: bool, revision: int) -> AppliedOut:
    told = [ChangeOut.model_validate(change) for change in changes]
    return AppliedOut(stored=stored, revision=revision, changes=told, plan=plan.body())
