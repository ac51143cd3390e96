"""The list of agents: where each stands, the figure that decides, why no further, when the next look is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from governance.people import queries as people_queries
from kit.http import Ctx
from review_ui import agent_views, charts, evidence_views
from review_ui.agent_views import PathStep
from review_ui.charts import Spark
from review_ui.pages import Viewer, ViewerDep, render
from rollout.agents import queries as agent_queries
from rollout.agents.tables import Agent
from rollout.domain.approval import Person, may_sign
from rollout.domain.phase import Standing
from rollout.failures import queries as failure_queries
from rollout.failures.tables import Failure
from rollout.gates import queries as gate_queries
from rollout.gates import signing
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.tables import Rollout

router = APIRouter(include_in_schema=False)

PAGE = 50
_SPARK_LOOKS = 24
After = Annotated[str, Query(max_length=128, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class AgentRow:
    name: str
    title: str
    owner: str
    version: str
    candidate: str
    path: list[PathStep]
    stay: str
    who: str
    figure: str
    limit: str
    spark: Spark | None
    spark_words: str
    tone: str
    icon: str
    state: str
    why: str
    next_look: datetime | None


@dataclass(frozen=True, slots=True)
class Todo:
    tone: str
    icon: str
    words: str
    aside: str
    at: datetime | None
    button: str
    address: str
    primary: bool = False


@router.get("/agents")
def show_agents(request: Request, viewer: ViewerDep, ctx: Ctx, after: After = "") -> Response:
    now = ctx.clock.now()
    viewer.actor.require("read")
    with ctx.db.read() as session:
        agents = agent_queries.agents(session, after=after or None, limit=PAGE + 1)
        names = {person.login: person.name for person in people_queries.people(session, limit=1000)}
        rows, todos = [], []
        for agent in agents[:PAGE]:
            rollouts = version_queries.rollouts_under_way(session, agent.name)
            rows.append(_row(session, agent, rollouts, names, now))
            todos += _todos(session, agent, rollouts, viewer)
    ready = sum(row.state == "Ready" for row in rows)
    return render(
        request,
        "agents/page.html",
        viewer=viewer,
        rows=rows,
        todos=sorted(todos, key=lambda todo: not todo.primary),
        ready=ready,
        demoted=sum(row.state == "Demoted" for row in rows),
        more=agents[PAGE - 1].name if len(agents) > PAGE else "",
        now=now,
        address=str(request.base_url).rstrip("/"),
    )


def _row(session: Session, agent: Agent, rollouts: Sequence[Rollout], names: dict[str, str], now: datetime) -> AgentRow:
    stable = next((rollout for rollout in rollouts if rollout.standing == Standing.STABLE), None)
    candidate = next((rollout for rollout in rollouts if rollout.standing == Standing.CANDIDATE), None)
    shown = stable or candidate
    if shown is None:
        return _without_version(agent, names)
    plan = steps.plan_of(session, shown)
    snapshot = _snapshot(session, shown)
    history = version_queries.history(session, shown.id, limit=30)
    demoted = agent_views.newest_demotion(history, shown)
    body = snapshot.body if snapshot is not None else None
    tone, icon, state = agent_views.state_of(shown, body, demoted)
    gate = evidence_views.deciding_gate(body["gates"]) if body is not None else None
    spark = _spark(session, shown, gate)
    return AgentRow(
        name=agent.name,
        title=agent.title,
        owner=names.get(agent.owner, agent.owner),
        version=shown.version,
        candidate=candidate.version if candidate is not None and candidate is not shown else "",
        path=agent_views.path_of(shown, plan, history),
        stay=agent_views.stay(shown, now),
        who=agent_views.share_of(shown, plan),
        figure=evidence_views.short_figure(gate) if gate is not None else "no gate judged yet",
        limit=evidence_views.limit_of(gate) if gate is not None else "",
        spark=spark,
        spark_words=f"{evidence_views.title_of(gate)}: {evidence_views.short_figure(gate)}" if gate else "",
        tone=tone,
        icon=icon,
        state=state,
        why=agent_views.why(body),
        next_look=shown.next_look_at,
    )


def _without_version(agent: Agent, names: dict[str, str]) -> AgentRow:
    return AgentRow(
        name=agent.name, title=agent.title, owner=names.get(agent.owner, agent.owner), version="no version yet",
        candidate="", path=[], stay="", who="", figure="nothing measured yet", limit="", spark=None, spark_words="",
        tone="", icon="none", state="No version",
        why="Register its first version; it starts in Evaluation.", next_look=None,
    )  # fmt: skip


def _snapshot(session: Session, rollout: Rollout) -> EvidenceSnapshot | None:
    return gate_queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None


def _spark(session: Session, rollout: Rollout, gate: Mapping[str, Any] | None) -> Spark | None:
    if gate is None or gate.get("kind") not in evidence_views.COUNTED or gate.get("bound") is None:
        return None
    looks = gate_queries.evidence(session, rollout.id, limit=_SPARK_LOOKS)
    points = evidence_views.points_of([look for look in looks if look.epoch == rollout.epoch], gate)
    return charts.spark(points, gate["limit"], gate["direction"])


def _todos(session: Session, agent: Agent, rollouts: Sequence[Rollout], viewer: Viewer) -> list[Todo]:
    """What this person, and only this person or their role, can do about the agent now."""
    todos: list[Todo] = []
    for rollout in rollouts:
        snapshot = _snapshot(session, rollout)
        if snapshot is None:
            continue
        if viewer.may("advance"):
            todos += _to_sign(session, agent, rollout, snapshot, viewer)
        if viewer.login == agent.owner and not any(todo.icon == "wait" for todo in todos):
            todos += _overdue(agent, rollout, snapshot)
    if viewer.login == agent.owner:
        todos += [
            _to_investigate(agent, failure)
            for failure in failure_queries.failures(session, agent.name, state="open", limit=3)
            if failure.severity in {"severe", "critical"}
        ]
    return todos


def _to_sign(
    session: Session, agent: Agent, rollout: Rollout, snapshot: EvidenceSnapshot, viewer: Viewer
) -> list[Todo]:
    plan = steps.plan_of(session, rollout)
    if plan is None or snapshot.verdict != "advance" or snapshot.body.get("without_signature"):
        return []
    asked = next(iter(signing.open_requests(session, rollout, agent, plan)), None)
    asked = asked or signing.request_on(session, agent, plan, snapshot)
    answered = {row.login for row in asked.rows if row.answer != signing.ASKED}
    target = asked.request.evidence.target
    if may_sign(Person(viewer.login), asked.request).capacity is None or viewer.login in answered or target is None:
        return []
    return [
        Todo("accent", "sign", f"Sign: {agent.title} to {target.words}", "Evidence is valid until",
             asked.request.valid_until, "Read and sign", _address(agent, rollout.version, "advance"), primary=True)
    ]  # fmt: skip


def _overdue(agent: Agent, rollout: Rollout, snapshot: EvidenceSnapshot) -> list[Todo]:
    late = [reason for reason in snapshot.body["reasons"] if reason["code"] == "review_overdue"]
    return [
        Todo("warn", "wait", f"Hold the review of {agent.title}", reason["words"], None, "Open",
             f"/agents/{agent.name}/do/review?version={quote(rollout.version)}")
        for reason in late[:1]
    ]  # fmt: skip


def _to_investigate(agent: Agent, failure: Failure) -> Todo:
    first = failure.description.splitlines()[0][:90] if failure.description else "no description"
    return Todo(
        "bad", "alert", f"Investigate: {first}", f"{agent.title} · {failure.severity}, reported", failure.reported_at,
        "Investigate", f"/agents/{agent.name}/failures/{failure.id}",
    )  # fmt: skip


def _address(agent: Agent, version: str, place: str) -> str:
    return f"/agents/{agent.name}?version={quote(version)}#{place}"
