"""The page of one agent, and the page of one evidence snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.orm import Session

from governance.people import queries as people_queries
from kit.errors import NotFound
from kit.http import Ctx
from review_ui import actions, advance_views, agent_views, evidence_views, words
from review_ui.pages import Viewer, ViewerDep, render
from rollout.agents import queries as agent_queries
from rollout.agents.tables import Agent
from rollout.domain.outlook import Outlooks
from rollout.domain.phase import Standing
from rollout.domain.plan import Plan
from rollout.domain.verdict import Verdict
from rollout.failures import queries as failure_queries
from rollout.gates import queries as gate_queries
from rollout.gates import status as gate_status
from rollout.gates.status import closed_segments
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.tables import Rollout
from routing.gold import reports
from routing.supervision import veil

router = APIRouter(include_in_schema=False)

AgentName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=128)]
Version = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]
_LOOKS = 200
_HISTORY = 30
_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Head:
    """What stands on top of every page of an agent."""

    name: str
    title: str
    about: str
    owner: str
    shown: Rollout | None
    stable: Rollout | None
    candidate: Rollout | None
    stay: str


def names_of(session: Session) -> dict[str, str]:
    return {person.login: person.name for person in people_queries.people(session, limit=1000)}


def head_of(session: Session, agent: Agent, version: str, names: dict[str, str], now: datetime) -> Head:
    """The agent with the version that is looked at: the named one, else the stable, else the candidate."""
    stable = version_queries.of_standing(session, agent.name, Standing.STABLE)
    candidate = version_queries.of_standing(session, agent.name, Standing.CANDIDATE)
    shown = version_queries.get_rollout(session, agent.name, version) if version else stable or candidate
    return Head(
        name=agent.name,
        title=agent.title,
        about=agent.about,
        owner=names.get(agent.owner, agent.owner),
        shown=shown,
        stable=stable,
        candidate=candidate,
        stay=agent_views.stay(shown, now) if shown is not None else "",
    )


@router.get("/agents/{name}")
def show_agent(request: Request, name: AgentName, viewer: ViewerDep, ctx: Ctx, version: Version = "") -> Response:
    viewer.actor.require("read")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        head = head_of(session, agent, version, names, now)
        shown = _shown(session, agent, head, viewer, names, now)
    return render(
        request,
        "agent/page.html",
        viewer=viewer,
        head=head,
        now=now,
        tab="overview",
        address=str(request.base_url).rstrip("/"),
        **shown,
    )


def _shown(
    session: Session, agent: Agent, head: Head, viewer: Viewer, names: dict[str, str], now: datetime
) -> dict[str, Any]:
    rollout = head.shown
    if rollout is None:
        return {"actions": []}
    plan = steps.plan_of(session, rollout)
    snapshot = _newest(session, rollout)
    body = snapshot.body if snapshot is not None else None
    gate = evidence_views.deciding_gate(body["gates"]) if body is not None else None
    looks = gate_queries.evidence(session, rollout.id, limit=_LOOKS) if gate is not None else []
    history = version_queries.history_of_agent(session, agent.name, limit=_HISTORY)
    panel = advance_views.panel_of(session, agent, rollout, viewer, now, names)
    demoted = agent_views.newest_demotion(history, rollout)
    found = failure_queries.failures(session, agent.name, limit=_FAILURES)
    found = reports.among(session, agent.name, found, viewer.actor, limit=_FAILURES)
    return {
        "path_steps": agent_views.path_of(
            rollout, plan, [change for change in history if change.rollout_id == rollout.id]
        ),
        "closed": closed_segments(session, rollout),
        "banner": agent_views.banner_of(rollout, body, panel.approval if panel is not None else "", demoted),
        "evidence": evidence_views.view_of(body, _outlooks(session, rollout, plan, snapshot, now))
        if body is not None
        else None,
        "snapshot": snapshot,
        "figure": _figure(gate, looks, rollout),
        "panel": panel,
        "history": [agent_views.history_line(change, names) for change in history],
        "columns": _columns(session, head),
        "failures": agent_views.open_first(veil.failures(session, agent.name, found, viewer.actor)),
        "actions": actions.of(session, agent, rollout, viewer, panel),
        "names": names,
    }


def _figure(
    gate: Mapping[str, Any] | None, looks: Sequence[EvidenceSnapshot], rollout: Rollout
) -> evidence_views.GateFigure | None:
    if gate is None:
        return None
    return evidence_views.gate_figure(gate, [look for look in looks if look.epoch == rollout.epoch])


def _outlooks(
    session: Session, rollout: Rollout, plan: Plan | None, snapshot: EvidenceSnapshot | None, now: datetime
) -> Outlooks | None:
    """Of this phase only: what was counted in another one says nothing about when a gate here could pass."""
    if snapshot is None or snapshot.epoch != rollout.epoch:
        return None
    if not any(gate["verdict"] == Verdict.INCONCLUSIVE for gate in snapshot.body["gates"]):
        return None  # the totals are read for those alone
    return gate_status.outlooks_of(session, rollout, plan, now)


def _newest(session: Session, rollout: Rollout) -> EvidenceSnapshot | None:
    return gate_queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None


def _columns(session: Session, head: Head) -> list[agent_views.VersionColumn]:
    """Stable and candidate side by side; a single version needs no comparison."""
    both = [rollout for rollout in (head.stable, head.candidate) if rollout is not None]
    if head.shown is not None and head.shown not in both:
        both.append(head.shown)
    return [
        agent_views.column(
            version_queries.get_version(session, head.name, rollout.version), rollout, _newest(session, rollout)
        )
        for rollout in both
    ]


@router.get("/agents/{name}/evidence/{evidence_id}")
def show_evidence(request: Request, name: AgentName, evidence_id: UUID, viewer: ViewerDep, ctx: Ctx) -> Response:
    """Exactly what was judged, kept for ever."""
    viewer.actor.require("read")
    now = ctx.clock.now()
    with ctx.db.read() as session:
        agent = agent_queries.get_agent(session, name)
        names = names_of(session)
        snapshot = gate_queries.find_evidence(session, evidence_id)
        rollout = version_queries.rollout_by_id(session, snapshot.rollout_id) if snapshot is not None else None
        if snapshot is None or rollout is None or rollout.agent != agent.name:
            raise NotFound(f"agent {name} has no evidence {evidence_id}")
        head = head_of(session, agent, rollout.version, names, now)
        signatures = gate_queries.signatures(session, snapshot.id)
    return render(
        request,
        "agent/evidence.html",
        viewer=viewer,
        head=head,
        snapshot=snapshot,
        body=snapshot.body,
        evidence=evidence_views.view_of(snapshot.body),
        checks=advance_views.checks_of(snapshot.body),
        signatures=signatures,
        names=names,
        share=words.amount(snapshot.body.get("share"), "rate"),
        now=now,
        actions=[],
        tab="",
    )
