"""The forms of an agent's page. Each is one verb of the services, with a reason that is kept."""

from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from kit.context import Context
from kit.errors import Invalid, NotFound, Place
from kit.http import Ctx
from review_ui import actions, advance_views, words
from review_ui.actions import Action
from review_ui.agent import AgentName, Version, head_of, names_of
from review_ui.pages import FormDep, Posted, Viewer, ViewerDep, go, render
from rollout.agents import queries as agent_queries
from rollout.domain.phase import FreezeMode, Phase
from rollout.gates import queries as gate_queries
from rollout.gates import service as gates
from rollout.oversight import service as oversight
from rollout.processes.following import wait_until_in_force
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions.tables import Rollout

router = APIRouter(include_in_schema=False)

_TAKES_BACK = {"freeze", "demote", "rollback"}  # who presses these wants to know when nobody goes alone any more
_PATIENCE = 3.0  # seconds


@router.get("/agents/{name}/do/{verb}")
def show_form(
    request: Request, name: AgentName, verb: str, viewer: ViewerDep, ctx: Ctx, version: Version = ""
) -> Response:
    """One form on a page of its own."""
    viewer.actor.require("read")
    return _form_page(request, name, verb, version, viewer, ctx, reason="", error="", status=200)


@router.post("/agents/{name}/do/{verb}")
def do(request: Request, name: AgentName, verb: str, viewer: ViewerDep, ctx: Ctx, form: FormDep) -> Response:
    """Do it; what the form lacks is told beside the field."""
    version = form.text("version")
    if verb not in _DOERS:
        raise NotFound(f"there is nothing called {verb} to do with an agent")
    try:
        with ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, name, version)
            said = _DOERS[verb](session, rollout, viewer, ctx, form)
    except Invalid as problem:
        return _form_page(
            request, name, verb, version, viewer, ctx, reason=form.text("reason"), error=problem.detail, status=422
        )
    if verb in _TAKES_BACK:
        said = f"{said} {wait_until_in_force(ctx, _PATIENCE).words}"
    anywhere = verb in {"rollback", "stop"}  # the version looked at is not the one in charge any more
    return go(f"/agents/{name}" + ("" if anywhere else f"?version={quote(version)}"), said=said)


def _form_page(
    request: Request,
    name: str,
    verb: str,
    version: str,
    viewer: Viewer,
    ctx: Context,
    *,
    reason: str,
    error: str,
    status: int,
) -> Response:
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        head = head_of(session, agent, version, names, now)
        if head.shown is None:
            raise NotFound(f"agent {name} has no version yet")
        panel = advance_views.panel_of(session, agent, head.shown, viewer, now, names)
        action = _named(actions.of(session, agent, head.shown, viewer, panel), verb, viewer)
    return render(
        request,
        "agent/action.html",
        viewer=viewer,
        status=status,
        head=head,
        action=action,
        reason=reason,
        error=error,
        actions=[],
        tab="",
        now=now,
    )


def _named(found: list[Action], verb: str, viewer: Viewer) -> Action:
    action = next((one for one in found if one.key == verb), None)
    if verb not in _DOERS:
        raise NotFound(f"there is nothing called {verb} to do with an agent")
    if action is None:
        viewer.actor.require("advance" if verb in {"sign", "refuse", "ask", "review"} else "demote")
        raise NotFound(f"{verb} is not possible now; look at the agent's page for what is")
    return action


def _sign(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    if form.text("read") != "yes":
        raise Invalid("tick that you have read the evidence; you sign for it by name")
    done = gates.sign(
        session, rollout, _evidence(form), actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason")
    )
    return _advanced(done)


def _ask(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    done = gates.ask(
        session, rollout, _evidence(form), actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason")
    )
    return f"Asked. {done.approval.words}"


def _refuse(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    gates.refuse(session, rollout, _evidence(form), actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason"))
    return "Refused. The reason is kept with the evidence."


def _demote(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    phases = [phase.value for phase in Phase]
    to = _one_of(form.text("to"), phases, "to") if form.text("to") else None
    change = versions.demote(
        session,
        rollout,
        actor=viewer.actor,
        now=ctx.clock.now(),
        reason=form.text("reason"),
        to=Phase(to) if to else None,
        seen=Phase(_one_of(form.text("from"), phases, "from")) if form.text("from") else None,
    )
    return f"Demoted to {words.word(change.entered or '')}."


def _freeze(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    mode = FreezeMode(_one_of(form.text("mode"), [mode.value for mode in FreezeMode], "mode"))
    versions.freeze(session, rollout, mode, actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason"))
    if mode is FreezeMode.ROUTING:
        return "Frozen. Every case goes to a person; guardrails go on working."
    return "Frozen. Nothing advances; guardrails go on working."


def _unfreeze(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    versions.unfreeze(session, rollout, actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason"))
    return "The freeze is lifted."


def _rollback(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    agent = agent_queries.get_agent(session, rollout.agent)
    earlier = versions.rollback(session, agent, actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason"))
    return f"Rolled back to version {earlier.version}."


def _stop(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    versions.stop_candidate(session, rollout, actor=viewer.actor, now=ctx.clock.now(), reason=form.text("reason"))
    return f"Candidate {rollout.version} is stopped."


def _review(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, form: Posted) -> str:
    decision = form.text("reason").strip()
    if not decision:
        raise Invalid("say what was decided, in a sentence")
    agent = agent_queries.get_agent(session, rollout.agent)
    newest = gate_queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None
    oversight.hold_review(
        session,
        agent,
        decision=decision[:200],
        note=decision[200:],
        figures={"version": rollout.version, "evidence_id": str(newest.id) if newest is not None else None},
        actor=viewer.actor,
        now=ctx.clock.now(),
    )
    return "The review is signed."


def _look(session: Session, rollout: Rollout, viewer: Viewer, ctx: Context, _form: Posted) -> str:
    if not (viewer.may("configure") or viewer.may("advance")):
        viewer.actor.require("demote")
    snapshot = gates.look(session, rollout, now=ctx.clock.now())
    return f"Looked: {words.word(snapshot.verdict).lower()}."


_DOERS = {
    "sign": _sign,
    "ask": _ask,
    "refuse": _refuse,
    "demote": _demote,
    "freeze": _freeze,
    "unfreeze": _unfreeze,
    "rollback": _rollback,
    "stop": _stop,
    "review": _review,
    "look": _look,
}


def _advanced(done: gates.Answered) -> str:
    if done.change is None:
        return f"Signed. {done.approval.words}"
    entered = words.word(done.change.entered) if done.change.entered else "the next step"
    return f"Signed. Advanced to {entered}."


def _evidence(form: Posted) -> UUID:
    try:
        return UUID(form.text("evidence_id"))
    except ValueError:
        raise NotFound("the form names no evidence; go back and reload the page") from None


def _one_of(given: str, known: list[str], name: str) -> str:
    if given not in known:
        place = Place(name, "it is not one of the choices", f"choose {' or '.join(known)}")
        raise Invalid(f"choose {' or '.join(known)}", places=[place])
    return given
