"""The page that watches a version at work: how near its guardrails are, and what has changed about its cases."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from kit.context import Context
from kit.http import Ctx
from review_ui import evidence_views, watch_views
from review_ui.agent import AgentName, Version, head_of, names_of
from review_ui.pages import ViewerDep, render
from rollout.agents import queries as agent_queries
from rollout.domain.phase import Phase
from rollout.gates import queries as gate_queries
from rollout.gates.fleet import fleet_of
from rollout.gates.status import closed_segments
from rollout.versions.tables import Rollout
from routing.audits import service as audits
from routing.drift import service as drift

router = APIRouter(include_in_schema=False)


@router.get("/agents/{name}/watch")
def show_watch(request: Request, name: AgentName, viewer: ViewerDep, ctx: Ctx, version: Version = "") -> Response:
    viewer.actor.require("read")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        head = head_of(session, agent, version, names_of(session), now)
        shown = _shown(session, head.shown, ctx) if head.shown is not None else {}
    return render(
        request, "watch/page.html", viewer=viewer, head=head, now=now, tab="watch", actions=[], **shown
    )  # fmt: skip


def _shown(session: Session, rollout: Rollout, ctx: Context) -> dict[str, Any]:
    now = ctx.clock.now()
    snapshot = gate_queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None
    report = drift.report(session, rollout, now=now)
    return {
        "phase": rollout.phase,
        "automated": Phase(rollout.phase) >= Phase.CONFIDENCE,
        "guardrails": evidence_views.guardrails_of(snapshot.body) if snapshot is not None else [],
        "closed": closed_segments(session, rollout),
        "report": report,
        "cards": watch_views.cards(report),
        "weeks": watch_views.weeks(report),
        "draws": watch_views.draws(report),
        "audits": watch_views.audits(audits.report(session, rollout, now=now)),
        "fleet": fleet_of(session, ctx.settings.false_alarms_per_year),
    }
