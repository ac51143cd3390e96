"""What a reviewer is told of a gold case afterwards: one line on the desk, and a page that says why."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from kit.http import Ctx
from review_ui.pages import FormDep, ViewerDep, go, in_background, render
from review_ui.shown import Shown, show_all
from rollout.reviewers.schemas import Said
from routing.gold import service
from routing.gold.schemas import ResultOut
from routing.reviews.api import agent_entry

router = APIRouter(prefix="/review/gold", include_in_schema=False)

_RULED = {
    "approve": "You approved it",
    "edit": "You approved it with edits",
    "reject": "You rejected it",
    "escalate": "You passed it on",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One result, in words; `knew`: or passed it on, which is never wrong."""

    item_id: UUID
    case_id: str
    knew: bool
    strong: str
    rest: str


def told_of(result: ResultOut | None) -> Told | None:
    if result is None:
        return None
    if result.knew is None:
        strong = "You passed on a case whose answer is known."
    elif result.knew:
        strong = "You found an error that was put in." if _wrong(result) else "You confirmed what is known to be right."
    else:
        strong = "You let an error pass." if _wrong(result) else "You objected to what is known to be right."
    return Told(
        result.item_id, result.case_id, result.knew is not False, strong, f"Case {result.case_id} was a gold case."
    )


def _wrong(result: ResultOut) -> bool:
    return result.output_is is Said.WRONG


@router.get("/{item_id}")
def show_result(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx) -> Response:
    """What was known of a case that this person ruled on; a page that is not there before the ruling stands."""
    viewer.actor.require("review")
    with ctx.db.read() as session:
        result = service.result_of(session, viewer.login, item_id, ctx.clock.now())
    fields = agent_entry(request, result.agent).settings.fields

    def shown(value: Any, name: str) -> list[Shown]:
        return show_all(value, fields.output, name)

    return render(
        request,
        "gold/result.html",
        viewer=viewer,
        result=result,
        told=told_of(result),
        ruled=_RULED.get(result.ruling, "You ruled on it"),
        evidence=show_all(result.input, fields.input, "Input"),
        output=shown(result.output, "Output"),
        correct=shown(result.correct_output, "Correct output") if result.correct_output is not None else [],
    )


@router.post("/{item_id}/seen")
def put_away(request: Request, item_id: UUID, viewer: ViewerDep, ctx: Ctx, _form: FormDep) -> Response:
    """It need not stand on the desk any more."""
    viewer.actor.require("review")
    with ctx.db.begin() as session:
        service.put_away(session, viewer.login, item_id, ctx.clock.now())
    return Response(status_code=204) if in_background(request) else go("/review")
