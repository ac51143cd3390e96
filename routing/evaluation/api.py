"""
Routes for evaluation suites and runs. A suite learns from failures, and such a case tells what would have been right:
so it is not for a reviewer who is still to say that.
"""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Path, Query, Response
from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.people.api import ActorDep
from kit.errors import Invalid, Place
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.evaluation import queries, service
from rollout.evaluation.schemas import (
    CaseOutput,
    LearnIn,
    NewRun,
    RunOut,
    RunsOut,
    SuiteCaseOut,
    SuiteCasesOut,
    SuiteName,
    SuiteOut,
    SuitesOut,
)
from rollout.evaluation.tables import EvaluationRun
from rollout.failures.queries import get_failure
from rollout.params import AgentPath, Cursor, Limit, NameQuery, after_id, after_name, after_number, cut
from rollout.versions.queries import get_rollout, rollout_by_id
from routing.supervision import veil

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["evaluation"])

Name = Annotated[SuiteName, Path()]
SuiteBody = Annotated[Any, Body(media_type="application/x-ndjson", description="One JSON object a line.")]


@router.get("/agents/{agent}/suites")
def list_suites(agent: AgentPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50) -> SuitesOut:
    """The suites of an agent as they are now."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        rows = queries.newest_suites(session, agent, after=after_name(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.name)
        return SuitesOut(items=[SuiteOut.model_validate(row) for row in page], next_cursor=more)


@router.post("/agents/{agent}/suites/{name}", status_code=201, responses={200: {"model": SuiteOut}})
def store_suite(
    agent: AgentPath, name: Name, body: SuiteBody, actor: ActorDep, ctx: Ctx, response: Response
) -> SuiteOut:
    """Store a suite from JSONL. The same cases again are no new revision (200); broken lines are told by number."""
    actor.require("configure", agent)
    if not isinstance(body, bytes):
        place = Place("body", "it is JSON, not JSONL", "send one case a line, as application/x-ndjson")
        raise Invalid("body: it is JSON, not JSONL", places=[place])
    with ctx.db.begin() as session:
        found = get_agent(session, agent)
        suite, is_new = service.store(session, found, name, body, actor=actor, now=ctx.clock.now())
        response.status_code = 201 if is_new else 200
        response.headers["Location"] = f"/v1/agents/{agent}/suites/{name}?revision={suite.revision}"
        return SuiteOut.model_validate(suite)


@router.get("/agents/{agent}/suites/{name}")
def show_suite(
    agent: AgentPath,
    name: Name,
    actor: ActorDep,
    ctx: Ctx,
    revision: Annotated[int | None, Query(ge=1, le=1_000_000_000)] = None,
) -> SuiteOut:
    actor.require("read", agent)
    with ctx.db.read() as session:
        return SuiteOut.model_validate(queries.get_suite(session, agent, name, revision))


@router.get("/agents/{agent}/suites/{name}/cases")
def list_suite_cases(
    agent: AgentPath, name: Name, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50
) -> SuiteCasesOut:
    """
    The cases of a suite as it is now, in the order of the file. Without those learned from failures of cases that ask a
    reviewer for their own answer first, as long as they do.
    """
    actor.require("read", agent)
    with ctx.db.read() as session:
        suite = queries.get_suite(session, agent, name)
        rows = queries.suite_cases(session, suite.id, after=after_number(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.position)
        closed = veil.learned(session, agent, [row.key for row in page], actor)
        items = [SuiteCaseOut.model_validate(row) for row in page if row.key not in closed]
        return SuiteCasesOut(items=items, next_cursor=more)


@router.post("/agents/{agent}/evaluation-runs", status_code=201)
def run_suite(agent: AgentPath, body: NewRun, actor: ActorDep, ctx: Ctx, response: Response) -> RunOut:
    """Score a version's outputs on a suite as it is now. Cases without an output count as wrong."""
    actor.require("configure", agent)
    outputs = _by_case(body.outputs)
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, body.version)
        suite = queries.get_suite(session, agent, body.suite)
        made = service.run(session, rollout, suite, outputs, actor=actor, now=ctx.clock.now())
        response.headers["Location"] = f"/v1/agents/{agent}/evaluation-runs/{made.id}"
        return _run(session, made, rollout.version, actor)


@router.get("/agents/{agent}/evaluation-runs")
def list_runs(
    agent: AgentPath,
    actor: ActorDep,
    ctx: Ctx,
    version: NameQuery = None,
    suite: NameQuery = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> RunsOut:
    """The runs of an agent's versions, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        get_agent(session, agent)
        of = get_rollout(session, agent, version).id if version is not None else None
        rows = queries.runs(session, agent, rollout_id=of, suite=suite, before=after_id(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.id)
        return RunsOut(
            items=[_run(session, row, _label(session, row.rollout_id), actor) for row in page], next_cursor=more
        )


@router.get("/agents/{agent}/evaluation-runs/{run_id}")
def show_run(agent: AgentPath, run_id: UUID, actor: ActorDep, ctx: Ctx) -> RunOut:
    actor.require("read", agent)
    with ctx.db.read() as session:
        found = queries.get_run(session, agent, run_id)
        return _run(session, found, _label(session, found.rollout_id), actor)


@router.post("/failures/{failure_id}/case", status_code=201)
def learn(failure_id: UUID, body: LearnIn, actor: ActorDep, ctx: Ctx, response: Response) -> SuiteOut:
    """The failure becomes a case of the suite, so that no version gets past it again."""
    with ctx.db.begin() as session:
        failure = get_failure(session, failure_id, of=actor.agent)
        veil.require_open(session, failure, actor)
        suite = service.learn(
            session, failure, body.suite, correct_output=body.correct_output, actor=actor, now=ctx.clock.now()
        )
        response.headers["Location"] = f"/v1/agents/{failure.agent}/suites/{suite.name}?revision={suite.revision}"
        return SuiteOut.model_validate(suite)


def _by_case(given: list[CaseOutput]) -> dict[str, Any]:
    outputs: dict[str, Any] = {}
    for index, entry in enumerate(given):
        if entry.case in outputs:
            place = Place(f"outputs.{index}.case", f'"{entry.case}" stands twice', "send one output for each case")
            raise Invalid(f'outputs: "{entry.case}" stands twice', places=[place])
        outputs[entry.case] = entry.output
    return outputs


def _label(session: Session, rollout_id: UUID) -> str:
    rollout = rollout_by_id(session, rollout_id)
    return rollout.version if rollout is not None else ""


def _run(session: Session, run: EvaluationRun, version: str, actor: Actor) -> RunOut:
    closed = veil.learned(session, run.agent, [one["case"] for one in run.failed_cases], actor)
    fields = {name: getattr(run, name) for name in RunOut.model_fields if name != "version"}
    fields["failed_cases"] = [one for one in run.failed_cases if one["case"] not in closed]
    return RunOut(version=version, **fields)
