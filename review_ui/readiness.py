"""The answer to one question of the readiness checklist, as a form."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response

from kit.context import Context
from kit.errors import Invalid, NotFound
from kit.http import Ctx
from review_ui.agent import AgentName, Version, head_of, names_of
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, go, render
from rollout.agents import queries as agent_queries
from rollout.domain.situation import Answer
from rollout.gates import service as gates
from rollout.oversight import queries, service
from rollout.versions import queries as version_queries
from rollout.versions import steps

router = APIRouter(include_in_schema=False)

Item = Annotated[str, Path(max_length=128, pattern=r"^[^\x00]*$")]
_LONGEST_LINK = 2000


@router.get("/agents/{name}/readiness/{item}")
def show_question(
    request: Request, name: AgentName, item: Item, viewer: ViewerDep, ctx: Ctx, version: Version = ""
) -> Response:
    viewer.actor.require("configure")
    return _page(request, name, item, version, viewer, ctx)


@router.post("/agents/{name}/readiness/{item}")
def answer(request: Request, name: AgentName, item: Item, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Answer, and look again at once, so that the checklist shows it."""
    version = form.text("version")
    try:
        said, link = _answer(form)
        with ctx.db.begin() as session:
            now = ctx.clock.now()
            rollout = version_queries.get_rollout(session, name, version)
            service.answer_readiness(session, rollout, item, answer=said, link=link, actor=viewer.actor, now=now)
            session.flush()  # the look below reads the answer
            gates.look(session, rollout, now=now)
    except Invalid as problem:
        return _page(request, name, item, version, viewer, ctx, form=form, error=problem.detail)
    return go(f"/agents/{name}?version={quote(version)}#readiness", said="Answered. The checklist shows it.")


def _answer(form: Posted) -> tuple[Answer, str]:
    link = form.text("link").strip()
    try:
        said = Answer(form.text("answer"))
    except ValueError:
        raise Invalid("choose yes, no or unknown") from None
    if said is Answer.YES and not link:
        raise Invalid("a yes needs a link to its evidence")
    if link and (not link.startswith(("https://", "http://")) or len(link) > _LONGEST_LINK):
        raise Invalid("the link is not an address that begins with https://")
    return said, link


def _page(
    request: Request,
    name: str,
    item: str,
    version: str,
    viewer: Viewer,
    ctx: Context,
    *,
    form: Posted | None = None,
    error: str = "",
) -> Response:
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        head = head_of(session, agent, version, names_of(session), now)
        plan = steps.plan_of(session, head.shown) if head.shown is not None else None
        asked = next((one for _, one in plan.readiness() if one.key == item), None) if plan is not None else None
        if head.shown is None or asked is None:
            raise NotFound(f'the plan of agent {name} asks nothing called "{item}"')
        given = queries.find_answer(session, head.shown.id, item)
    return render(
        request,
        "agent/readiness.html",
        viewer=viewer,
        status=422 if error else 200,
        head=head,
        item=item,
        question=asked.question,
        answers=[one.value for one in Answer],
        chosen=form.text("answer") if form is not None else given.answer if given is not None else "",
        link=form.text("link") if form is not None else given.link if given is not None else "",
        error=error,
        actions=[],
        tab="",
        now=now,
    )
