"""
One failure on a page of its own: what happened, what was found out, and what a suite learns from it.

Whoever closes one takes a brake off, so the page asks for the cause first, in words that stay on record.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from kit.context import Context
from kit.errors import Invalid, Place
from kit.http import Ctx
from kit.json_body import parse
from review_ui.agent import AgentName, head_of, names_of
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, go, render
from review_ui.shown import pretty
from rollout.agents import queries as agent_queries
from rollout.evaluation import queries as suite_queries
from rollout.evaluation import service as evaluation
from rollout.evaluation.schemas import SuiteName
from rollout.failures import queries, service
from rollout.failures.tables import Failure
from rollout.versions import queries as version_queries
from routing.gold import reports
from routing.supervision import veil

router = APIRouter(include_in_schema=False)

_SUITE: TypeAdapter[str] = TypeAdapter(SuiteName)
_LONGEST = 10_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person typed, and what is wrong with it, by field: cause, suite or correct_output."""

    cause: str
    suite: str
    correct_output: str
    errors: dict[str, str]


@router.get("/agents/{name}/failures/{failure_id}")
def show_failure(request: Request, name: AgentName, failure_id: UUID, viewer: ViewerDep, ctx: Ctx) -> Response:
    viewer.actor.require("read")
    return _page(request, name, failure_id, viewer, ctx)


@router.post("/agents/{name}/failures/{failure_id}/investigate")
def investigate(
    name: AgentName, failure_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep, request: Request
) -> Response:
    """Write down what is known so far; it still counts as open."""
    try:
        with ctx.db.begin() as session:
            failure = _open_failure(session, name, failure_id, viewer)
            service.investigate(session, failure, _cause(form), actor=viewer.actor, now=ctx.clock.now())
    except Invalid as problem:
        return _page(request, name, failure_id, viewer, ctx, form=form, problem=problem)
    return go(_address(name, failure_id), said="Written down. It still counts as open.")


@router.post("/agents/{name}/failures/{failure_id}/close")
def close(name: AgentName, failure_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep, request: Request) -> Response:
    """It is understood; the brake it put on comes off."""
    try:
        with ctx.db.begin() as session:
            failure = _open_failure(session, name, failure_id, viewer)
            service.close(session, failure, _cause(form), actor=viewer.actor, now=ctx.clock.now())
    except Invalid as problem:
        return _page(request, name, failure_id, viewer, ctx, form=form, problem=problem)
    return go(_address(name, failure_id), said="Closed. The cause is on record.")


@router.post("/agents/{name}/failures/{failure_id}/case")
def learn(name: AgentName, failure_id: UUID, viewer: ViewerDep, ctx: Ctx, form: FormDep, request: Request) -> Response:
    """A suite learns the case, so that no version gets past it again."""
    try:
        suite_name, correct = _suite(form), _correct_output(form)
        with ctx.db.begin() as session:
            failure = _open_failure(session, name, failure_id, viewer)
            suite = evaluation.learn(
                session, failure, suite_name, correct_output=correct, actor=viewer.actor, now=ctx.clock.now()
            )
            said = f"Suite {suite.name} has it as a case now, in revision {suite.revision}."
    except Invalid as problem:
        return _page(request, name, failure_id, viewer, ctx, form=form, problem=problem)
    return go(_address(name, failure_id), said=said)


def _open_failure(session: Session, name: str, failure_id: UUID, viewer: Viewer) -> Failure:
    """One of a case that is not closed to who asks."""
    failure = queries.get_failure(session, failure_id, of=name)
    veil.require_open(session, failure, viewer.actor)
    return failure


def _address(name: str, failure_id: UUID) -> str:
    return f"/agents/{name}/failures/{failure_id}"


def _cause(form: Posted) -> str:
    cause = form.text("cause").strip()
    if not cause or len(cause) > _LONGEST:
        problem = "say what the cause was, or what is known so far" if not cause else "it is longer than a page"
        raise Invalid(problem, places=[Place("cause", problem, "")])
    return cause


def _suite(form: Posted) -> str:
    try:
        return _SUITE.validate_python(form.text("suite").strip())
    except ValidationError:
        problem = "write the name of the suite with a-z, 0-9 and . _ - only"
        raise Invalid(problem, places=[Place("suite", problem, "")]) from None


def _correct_output(form: Posted) -> Any:
    """The right answer as JSON; none where the one that was reported stands."""
    text = form.text("correct_output").strip()
    if not text:
        return None
    try:
        return parse(text.encode())
    except Invalid as error:
        problem = f"it is not valid JSON: {error.detail}"
        raise Invalid(problem, places=[Place("correct_output", problem, "")]) from None


def _page(
    request: Request,
    name: str,
    failure_id: UUID,
    viewer: Viewer,
    ctx: Context,
    *,
    form: Posted | None = None,
    problem: Invalid | None = None,
) -> Response:
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        failure = reports.find(session, failure_id, viewer.actor, of=name)
        failure = failure or queries.get_failure(session, failure_id, of=name)
        veil.require_open(session, failure, viewer.actor)
        names = names_of(session)
        head = head_of(session, agent, _version(session, failure), names, now)
        suites = [suite.name for suite in suite_queries.newest_suites(session, name)]
    return render(
        request,
        "agent/failure.html",
        viewer=viewer,
        status=422 if problem is not None else 200,
        head=head,
        failure=failure,
        shown_input=pretty(failure.input) if failure.input is not None else "",
        draft=_draft(failure, suites, form, problem),
        suites=suites,
        names=names,
        actions=[],
        tab="",
        now=now,
    )


def _version(session: Session, failure: Failure) -> str:
    """The version it is about, where that one is registered."""
    known = failure.rollout_id is not None and version_queries.rollout_by_id(session, failure.rollout_id) is not None
    return failure.version if known else ""


def _draft(failure: Failure, suites: list[str], form: Posted | None, problem: Invalid | None) -> Draft:
    correct = pretty(failure.correct_output) if failure.correct_output is not None else ""
    suite = suites[0] if suites else "failures"
    if form is None or problem is None:
        return Draft(failure.cause, suite, correct, {})
    errors = {place.place: place.problem for place in problem.places} or {"cause": problem.detail}
    return Draft(
        form.text("cause") if form.has("cause") else failure.cause,
        form.text("suite") if form.has("suite") else suite,
        form.text("correct_output") if form.has("correct_output") else correct,
        errors,
    )
