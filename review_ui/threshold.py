"""The page on which an owner sees which threshold the labels allow, and puts it in force."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from kit.errors import NotFound
from kit.http import Ctx
from review_ui import calibration_views, threshold_charts, threshold_costs, threshold_views, words
from review_ui.agent import AgentName, Head, Version, head_of, names_of
from review_ui.pages import FormDep, Viewer, ViewerDep, go, render
from rollout.agents import queries as agent_queries
from rollout.agents.tables import Agent
from rollout.domain.phase import Standing
from rollout.domain.policy import Rules
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.tables import Rollout
from routing.thresholds import queries, records, service
from routing.thresholds.schemas import CalibrationOut, CalibrationRecord
from routing.thresholds.tables import Calibration

router = APIRouter(include_in_schema=False)

Segment = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]
Typed = Annotated[str, Query(max_length=40)]
_POLICIES = 200
_DAYS_A_MONTH = 30


@dataclass(frozen=True, slots=True)
class Costing:
    """The fields of the cost form, as they stand in the address."""

    error: str
    review: str
    cases: str
    people: str


@router.get("/agents/{name}/threshold")
def show_threshold(
    request: Request,
    name: AgentName,
    viewer: ViewerDep,
    ctx: Ctx,
    version: Version = "",
    segment: Segment = "",
    error: Typed = "",
    review: Typed = "",
    cases: Typed = "",
    people: Typed = "",
) -> Response:
    viewer.actor.require("read")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        head = head_of(session, agent, version, names, now)
        costing = Costing(error, review, cases, people)
        shown = _shown(session, agent, head, viewer, names, now, segment, costing) if head.shown is not None else {}
    status = 422 if shown and shown["form"].errors else 200
    return render(
        request, "threshold/page.html", viewer=viewer, status=status, head=head, now=now, tab="threshold", actions=[],
        **_NOTHING | shown,
    )  # fmt: skip


_NOTHING: dict[str, Any] = {"declared": None, "calibration": None, "segments": [], "segment": "", "present": None}


def _shown(
    session: Session,
    agent: Agent,
    head: Head,
    viewer: Viewer,
    names: dict[str, str],
    now: datetime,
    segment: str,
    costing: Costing,
) -> dict[str, Any]:
    rollout = head.shown
    assert rollout is not None
    declared = service.declared(session, rollout)
    every = queries.calibrations(session, rollout.id)
    rows = [row for row in every if row.segment == segment]
    if segment and not rows and (declared is None or segment not in declared.segments):
        raise NotFound(f'the plan of agent {agent.name} asks for no threshold of a segment "{segment}"')
    rules = steps.rules_of(session, rollout)
    outlook = service.outlook(session, rollout, now=now, segment=segment)
    newest = {row.segment: row for row in reversed(every)}
    policies = version_queries.policies(session, rollout.id, limit=_POLICIES)
    present = threshold_views.present_of(rows, rules, segment, policies, names)
    form = threshold_costs.asked(
        costing.error, costing.review, costing.cases, costing.people, round(outlook.per_day * _DAYS_A_MONTH)
    )
    found = {
        "declared": declared,
        "segment": segment,
        "segments": threshold_views.segment_rows(newest, declared.segments if declared else (), rules, segment),
        "present": present,
        "progress": threshold_views.progress_of(outlook, declared, rollout, now) if declared else None,
        "form": form,
        "who": threshold_views.who_may(agent, names),
        "names": names,
        "plan_known": rollout.plan_id is not None,
    }
    return found | (_of_calibration(rows, agent, rollout, viewer, rules, form) if rows else {})


def _of_calibration(
    rows: list[Calibration],
    agent: Agent,
    rollout: Rollout,
    viewer: Viewer,
    rules: Rules,
    form: threshold_costs.Asked,
) -> dict[str, Any]:
    newest = rows[0]
    value = threshold_views.in_force(rules, newest.segment)
    groups = records.counted(newest.declared, newest.data)
    first = records.go_live(newest.declared, newest.data)
    return {
        "calibration": newest,
        "answer": calibration_views.answer_of(newest, groups),
        "tests": calibration_views.tests_of(newest),
        "why_stopped": calibration_views.why_stopped(newest),
        "assumption": calibration_views.assumption_of(newest, groups),
        "cautions": calibration_views.cautions_of(rows),
        "worth": threshold_charts.worth_of(groups),
        "course": threshold_charts.course_of(groups, newest.threshold, value, newest.declared["risk"]),
        "costs": threshold_costs.costs_of(form, first, newest.labels, groups, newest.threshold),
        "looks": threshold_views.look_rows(rows, newest),
        "agrees": service.agrees_with_itself(newest, first),
        "may_apply": _may_apply(agent, rollout, viewer),
        "change": threshold_views.change_of(newest, rollout, value, groups),
    }


def _may_apply(agent: Agent, rollout: Rollout, viewer: Viewer) -> bool:
    named = steps.is_named(agent, viewer.actor) and viewer.may("advance")
    return named and rollout.standing != Standing.RETIRED


@router.get("/agents/{name}/threshold/{calibration_id}/record")
def show_record(name: AgentName, calibration_id: UUID, viewer: ViewerDep, ctx: Ctx, version: Version = "") -> Response:
    """The whole record as the API gives it, for whoever has no key but is signed in."""
    viewer.actor.require("read")
    with ctx.db.read() as session:
        row = queries.get_calibration(session, _rollout(session, name, version).id, calibration_id)
        shown = CalibrationOut.model_validate(row).model_dump()
        record = CalibrationRecord(**shown, data=row.data, agrees=service.agrees_with_itself(row))
    return JSONResponse(record.model_dump(mode="json"), headers={"Cache-Control": "no-store"})


@router.get("/agents/{name}/threshold/{calibration_id}/apply")
def ask(
    request: Request, name: AgentName, calibration_id: UUID, viewer: ViewerDep, ctx: Ctx, version: Version = ""
) -> Response:
    """What would change, on a page of its own."""
    viewer.actor.require("read")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        rollout = _rollout(session, name, version)
        row = queries.get_calibration(session, rollout.id, calibration_id)
        names = names_of(session)
        head = head_of(session, agent, version, names, now)
        value = threshold_views.in_force(steps.rules_of(session, rollout), row.segment)
        groups = records.counted(row.declared, row.data)
        who = threshold_views.who_may(agent, names)
        change = threshold_views.change_of(row, rollout, value, groups)
        answer = calibration_views.answer_of(row, groups)
        may_apply = _may_apply(agent, rollout, viewer)
    return render(
        request, "threshold/apply.html", viewer=viewer, head=head, calibration=row, answer=answer, change=change,
        may_apply=may_apply, who=who, tab="threshold", actions=[], now=now,
    )  # fmt: skip


@router.post("/agents/{name}/threshold/{calibration_id}/apply")
def apply(name: AgentName, calibration_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Put it in force; the service says no to everybody but the named owner and second."""
    version = form.text("version")
    with ctx.db.begin() as session:
        rollout = _rollout(session, name, version)
        row = queries.get_calibration(session, rollout.id, calibration_id)
        policy = service.apply(session, rollout, row, actor=viewer.actor, now=ctx.clock.now())
        told = "no case goes alone" if row.threshold is None else f"from {words.confidence(row.threshold)} on"
        said = f"In force as policy {policy.revision}: {told}."
        back = f"/agents/{name}/threshold?version={quote(version)}"
        back += f"&segment={quote(row.segment)}" if row.segment else ""
    return go(back, said=words.initial(said))


def _rollout(session: Session, name: str, version: str) -> Rollout:
    return version_queries.get_rollout(session, name, version)
