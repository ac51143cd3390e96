"""The gold cases of an agent: what there is to deal, what reviewers find of it, and the making of more."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError
from sqlalchemy.orm import Session

from evidence.agreement.kappa import Share
from evidence.agreement.reviewers import GOLD_NEEDED
from kit.context import Context
from kit.errors import Invalid, NotFound, Place
from kit.http import Ctx
from kit.json_body import parse
from kit.wire import invalid_from
from review_ui import words
from review_ui.agent import AgentName, head_of, names_of
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, go, render
from review_ui.people_views import Figure, figure
from review_ui.shown import pretty
from rollout.agents import queries as agent_queries
from rollout.reviewers import service as reviewers
from rollout.reviewers.schemas import ReviewerOut, ReviewersOut, ShareOut
from routing.gold import queries, service
from routing.gold.queries import Answers
from routing.gold.schemas import GoldCaseIn, GoldReportOut
from routing.gold.tables import GoldCase
from routing.gold.unfit import left_out
from routing.reviews.api import agent_entry

router = APIRouter(include_in_schema=False)

State = Literal["active", "retired"]
Text = Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")]
PAGE, REPORTS = 50, 20
_JSON = ("input", "output", "correct_output")
_TEXT = ("decision_id", "case_id", "segment", "output_is", "why")


@dataclass(frozen=True, slots=True)
class Row:
    """One gold case of the list."""

    id: UUID
    case_id: str
    made_from: str
    right: bool
    output: str
    correct: str
    why: str
    answers: str
    reports: int
    left_out: str
    made: GoldCase
    retired: bool


@dataclass(frozen=True, slots=True)
class Finds:
    """What one reviewer, or all together, found."""

    name: str
    errors: Figure
    right: Figure
    passed_on: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What a person typed, and what is wrong with it, by field."""

    typed: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@router.get("/agents/{name}/gold")
def show_gold(
    request: Request,
    name: AgentName,
    viewer: ViewerDep,
    ctx: Ctx,
    state: State = "active",
    decision: Text = "",
    before: UUID | None = None,
    older: UUID | None = None,
) -> Response:
    """`before`, `older`: behind which gold case, and behind which report, the lists go on."""
    service.require_keeper(viewer.actor)
    draft = Draft({"decision_id": decision})
    return _page(request, name, viewer, ctx, draft, state=state, before=before, older=older)


@router.post("/agents/{name}/gold")
def make(request: Request, name: AgentName, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """A gold case from what was typed; what cannot be is told beside the field."""
    service.require_keeper(viewer.actor)
    try:
        with ctx.db.begin() as session:
            entry = agent_entry(request, name)
            made = service.make(session, entry, _given(form), actor=viewer.actor, now=ctx.clock.now())
    except (Invalid, NotFound) as problem:
        return _page(request, name, viewer, ctx, _draft(form, problem))
    said = "It is dealt from now on." if made.new else "There is such a gold case already."
    return go(f"/agents/{name}/gold", said=said)


@router.post("/agents/{name}/gold/{gold_case_id}/retire")
def retire(name: AgentName, gold_case_id: UUID, viewer: ViewerDep, ctx: Ctx, _form: FormDep) -> Response:
    service.require_keeper(viewer.actor)
    with ctx.db.begin() as session:
        service.retire(session, gold_case_id, actor=viewer.actor, now=ctx.clock.now())
    return go(f"/agents/{name}/gold", said="Retired. What was said of it stays.")


def _given(form: Posted) -> GoldCaseIn:
    """What was typed; empty fields are left out."""
    body: dict[str, Any] = {name: form.text(name).strip() for name in _TEXT if form.text(name).strip()}
    wrong = []
    for name in _JSON:
        if text := form.text(name).strip():
            try:
                body[name] = parse(text.encode())
            except Invalid as error:
                wrong.append(Place(name, f"it is not valid JSON: {error.detail}", ""))
    if "decision_id" in body and not _is_id(body["decision_id"]):
        wrong.append(Place("decision_id", "it is not the id of a decision", ""))
    if wrong:
        raise Invalid(wrong[0].problem, places=wrong)
    try:
        return GoldCaseIn.model_validate({"why": ""} | body)
    except ValidationError as error:
        raise invalid_from(error.errors()) from None


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _draft(form: Posted, problem: Invalid | NotFound) -> Draft:
    typed = {name: form.text(name) for name in (*_TEXT, *_JSON)}
    errors = {place.place.split("/")[0].split(".")[0]: place.problem for place in problem.places}
    if isinstance(problem, NotFound):
        errors = {"decision_id": problem.detail}
    known = {name: said for name, said in errors.items() if name in typed}
    return Draft(typed, known, "" if known else problem.detail)


def _page(
    request: Request,
    name: str,
    viewer: Viewer,
    ctx: Context,
    draft: Draft,
    *,
    state: State = "active",
    before: UUID | None = None,
    older: UUID | None = None,
) -> Response:
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        head = head_of(session, agent, "", names, now)
        found = queries.cases(session, name, active=state == "active", before=before, limit=PAGE + 1)
        rows = _rows(session, found[:PAGE])
        pool = service.pool_of(session, agent_entry(request, name))
        finds = _finds(reviewers.reviewers(session, name), pool.passed_on, names)
        reports = service.reports_of(session, name, actor=viewer.actor, before=older, limit=REPORTS + 1)
    return render(
        request,
        "gold/page.html",
        viewer=viewer,
        status=422 if draft.errors or draft.problem else 200,
        head=head,
        rows=rows,
        more=found[PAGE - 1].id if len(found) > PAGE else None,
        state=state,
        pool=pool,
        dealt=words.share(pool.gold / pool.rulings) if pool.rulings else "",
        asked=words.share(pool.share),
        finds=finds,
        reports=[(one, _correct(one)) for one in reports[:REPORTS]],
        older=reports[REPORTS - 1].id if len(reports) > REPORTS else None,
        needed=GOLD_NEEDED,
        draft=draft,
        by_hand=bool(draft.typed.get("case_id")) or "case_id" in draft.errors,
        names=names,
        actions=[],
        tab="gold",
        now=now,
    )


def _correct(report: GoldReportOut) -> str:
    return pretty(report.correct_output) if report.correct_output is not None else ""


def _rows(session: Session, cases: Any) -> list[Row]:
    counted, unfit = service.answers_of(session, cases), left_out(session, cases)
    reports = queries.reports_by_case(session, [case.id for case in cases])
    return [
        Row(
            id=case.id,
            case_id=case.case_id,
            made_from="a decision" if case.decision_id is not None else "by hand",
            right=case.output_is == "right",
            output=pretty(case.output),
            correct=pretty(case.correct_output) if case.correct_output is not None else "",
            why=case.why,
            answers=_answers(counted.get(case.id, Answers())),
            reports=reports.get(case.id, 0),
            left_out=unfit.get(case.id, ""),
            made=case,
            retired=case.retired_at is not None,
        )
        for case in cases
    ]


def _answers(found: Answers) -> str:
    """To pass a case on is neither right nor wrong."""
    said = [f"{found.knew:,} of {found.answers:,} knew"] if found.answers else []
    said += [f"{found.passed_on:,} passed it on"] if found.passed_on else []
    return ", ".join(said) or "nobody yet"


def _finds(found: ReviewersOut, passed_on: Mapping[str, int], names: Mapping[str, str]) -> list[Finds]:
    """By name; all together first, where there is more than one."""
    answered = {one.reviewer for one in found.items}
    nothing = ReviewerOut(reviewer=None, sensitivity=_NONE, specificity=_NONE, warning=None)
    others = [nothing.model_copy(update={"reviewer": login}) for login in passed_on if login not in answered]
    every = sorted([*found.items, *others], key=lambda one: one.reviewer or "")
    shown = [found.together, *every] if len(every) > 1 else every
    return [
        Finds(
            names.get(one.reviewer, one.reviewer) if one.reviewer else "All together",
            figure(_share(one.sensitivity)),
            figure(_share(one.specificity)),
            passed_on.get(one.reviewer, 0) if one.reviewer else sum(passed_on.values()),
        )
        for one in shown
    ]


_NONE = ShareOut(part=0, whole=0, share=None, lower=0.0, upper=1.0)


def _share(out: ShareOut) -> Share:
    return Share(out.part, out.whole, out.share, out.lower, out.upper)
