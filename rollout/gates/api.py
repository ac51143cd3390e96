"""Routes about where a version stands: status, evidence, and every step up, down and aside."""

from uuid import UUID

from fastapi import APIRouter

from governance.actors import Actor
from governance.people.api import ActorDep
from kit.errors import NotFound
from kit.http import Ctx, StrictRoute
from rollout.agents.queries import get_agent
from rollout.gates import glass, queries, service, status
from rollout.gates.fleet import fleet_of
from rollout.gates.schemas import (
    AdvanceIn,
    AnsweredOut,
    BreakGlassIn,
    ChangeMade,
    DemoteIn,
    EvidenceOut,
    EvidencePage,
    EvidenceRecord,
    FalseAlarmsOut,
    FreezeIn,
    ReasonIn,
    RefuseIn,
    RolledBack,
    RolloutStatus,
)
from rollout.params import AgentPath, Cursor, Limit, VersionPath, after_id, cut
from rollout.processes.following import Following
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions.queries import get_rollout
from rollout.versions.schemas import ChangeOut, HistoryOut
from rollout.versions.tables import PhaseChange

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["rollout"])

_ROLLOUT = "/agents/{agent}/versions/{version}/rollout"


@router.get(_ROLLOUT)
def show_status(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> RolloutStatus:
    """Where a version stands: every gate's evidence as of the last look, and who is waited for."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        return service.status(session, get_rollout(session, agent, version), now=ctx.clock.now())


@router.get("/false-alarms")
def show_false_alarms(actor: ActorDep, ctx: Ctx) -> FalseAlarmsOut:
    """How often the guardrails of all agents together may fire by mistake; to an agent's key, its own."""
    actor.require("read", actor.agent)
    with ctx.db.read() as session:
        return FalseAlarmsOut.model_validate(fleet_of(session, ctx.settings.false_alarms_per_year, agent=actor.agent))


@router.post(f"{_ROLLOUT}/look")
def look(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> EvidenceOut:
    """Judge the version now. What follows without people (a demotion on measured harm) follows at once."""
    actor.require("configure" if actor.allows("configure") else "advance", agent)
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        snapshot = service.look(session, rollout, now=ctx.clock.now())
        return status.newest_evidence_out(session, rollout, snapshot, ctx.clock.now())


@router.post(f"{_ROLLOUT}/advance")
def advance(agent: AgentPath, version: VersionPath, body: AdvanceIn, actor: ActorDep, ctx: Ctx) -> AnsweredOut:
    """Sign for the step on this evidence, or ask for it where the caller may only ask. The last signature takes it."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        answered = service.advance(
            session, rollout, body.evidence_id, actor=actor, now=ctx.clock.now(), reason=body.reason
        )
        return _answered(answered)


@router.post(f"{_ROLLOUT}/ask")
def ask(agent: AgentPath, version: VersionPath, body: AdvanceIn, actor: ActorDep, ctx: Ctx) -> AnsweredOut:
    """Ask the owner for the step on this evidence. Whoever asks is not the second person."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        answered = service.ask(session, rollout, body.evidence_id, actor=actor, now=ctx.clock.now(), reason=body.reason)
        return _answered(answered)


@router.post(f"{_ROLLOUT}/refuse")
def refuse(agent: AgentPath, version: VersionPath, body: RefuseIn, actor: ActorDep, ctx: Ctx) -> AnsweredOut:
    """Say no to the step on this evidence. It takes new evidence to ask again."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        answered = service.refuse(
            session, rollout, body.evidence_id, actor=actor, now=ctx.clock.now(), reason=body.reason
        )
        return _answered(answered)


@router.post(f"{_ROLLOUT}/demote")
def demote(
    agent: AgentPath, version: VersionPath, body: DemoteIn, actor: ActorDep, ctx: Ctx, in_force: Following
) -> ChangeMade:
    """One phase back, or to the lower phase that is named, at once."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        change = versions.demote(
            session, rollout, actor=actor, now=ctx.clock.now(), reason=body.reason, to=body.to, seen=body.seen
        )
    return _made(change, in_force)


@router.post(f"{_ROLLOUT}/break-glass")
def break_glass(agent: AgentPath, version: VersionPath, body: BreakGlassIn, actor: ActorDep, ctx: Ctx) -> ChangeOut:
    """
    For a few hours more autonomy than the evidence carries: the next phase, or the whole ramp of this one.

    For the named owner or second, or an admin. It ends by itself, tells every webhook of the agent, and leaves a
    failure to be reviewed. Evidence taken meanwhile advances nothing.
    """
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        change = glass.break_glass(
            session, rollout, actor=actor, now=ctx.clock.now(), reason=body.reason, hours=body.hours, to=body.to
        )
        return _change(change)


@router.post(f"{_ROLLOUT}/freeze")
def freeze(
    agent: AgentPath, version: VersionPath, body: FreezeIn, actor: ActorDep, ctx: Ctx, in_force: Following
) -> ChangeMade:
    """
    `routing`: every case goes to a person, and nothing advances. `advancing`: only advancing stops.

    With `wait=true`, and where the answer says `in_force.done`, no web process routes a case otherwise any more. Who
    repeats a call for a case that was decided before gets the stored answer, as ever.
    """
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        change = versions.freeze(session, rollout, body.mode, actor=actor, now=ctx.clock.now(), reason=body.reason)
    return _made(change, in_force)


@router.post(f"{_ROLLOUT}/unfreeze")
def unfreeze(agent: AgentPath, version: VersionPath, body: ReasonIn, actor: ActorDep, ctx: Ctx) -> ChangeOut:
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        return _change(versions.unfreeze(session, rollout, actor=actor, now=ctx.clock.now(), reason=body.reason))


@router.post(f"{_ROLLOUT}/stop")
def stop(agent: AgentPath, version: VersionPath, body: ReasonIn, actor: ActorDep, ctx: Ctx) -> RolloutStatus:
    """A candidate goes no further, which makes room for another."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        versions.stop_candidate(session, rollout, actor=actor, now=ctx.clock.now(), reason=body.reason)
        return service.status(session, rollout, now=ctx.clock.now())


@router.post("/agents/{agent}/rollback")
def rollback(agent: AgentPath, body: ReasonIn, actor: ActorDep, ctx: Ctx, in_force: Following) -> RolledBack:
    """The stable version goes, the one before comes back with the phase it had. The answer is where that one stands."""
    with ctx.db.begin() as session:
        found = get_agent(session, agent)
        restored = versions.rollback(session, found, actor=actor, now=ctx.clock.now(), reason=body.reason)
        stands = service.status(session, restored, now=ctx.clock.now())
    return RolledBack(**dict(stands), in_force=in_force())


@router.get(f"{_ROLLOUT}/evidence")
def list_evidence(
    agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 20
) -> EvidencePage:
    """The stored evidence of a version, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = get_rollout(session, agent, version)
        rows = queries.evidence(session, rollout.id, before=after_id(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.id)
        return EvidencePage(items=[status.evidence_out(row) for row in page], next_cursor=more)


@router.get(f"{_ROLLOUT}/evidence/{{evidence_id}}")
def show_evidence(agent: AgentPath, version: VersionPath, evidence_id: UUID, actor: ActorDep, ctx: Ctx) -> EvidenceOut:
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = get_rollout(session, agent, version)
        snapshot = queries.get_evidence(session, rollout.id, evidence_id)
        return status.newest_evidence_out(session, rollout, snapshot, ctx.clock.now())


@router.get("/evidence/{evidence_id}")
def find_evidence(evidence_id: UUID, actor: ActorDep, ctx: Ctx) -> EvidenceRecord:
    """One stored evidence snapshot, by its id alone."""
    with ctx.db.read() as session:
        snapshot, agent = queries.get_evidence_of_any(session, evidence_id)
        _refuse_unless_reader(actor, agent, evidence_id)
        return status.evidence_record(snapshot, agent)


@router.get(f"{_ROLLOUT}/history")
def show_history(
    agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx, cursor: Cursor = None, limit: Limit = 50
) -> HistoryOut:
    """Everything that happened to a version, the newest first."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = get_rollout(session, agent, version)
        rows = version_queries.history(session, rollout.id, before=after_id(cursor), limit=limit + 1)
        page, more = cut(rows, limit, lambda row: row.id)
        return HistoryOut(items=[_change(row) for row in page], next_cursor=more)


def _refuse_unless_reader(actor: Actor, agent: str, evidence_id: UUID) -> None:
    """To the key of another agent it is not there: an id must not tell whose it is."""
    if not actor.allows("read", agent):
        raise NotFound(f"there is no evidence {evidence_id}")


def _change(change: PhaseChange) -> ChangeOut:
    return ChangeOut.model_validate(change)


def _made(change: PhaseChange, in_force: Following) -> ChangeMade:
    """What was changed; told once it is in force, where the caller wants to wait for that."""
    return ChangeMade(**dict(_change(change)), in_force=in_force())


def _answered(answered: service.Answered) -> AnsweredOut:
    return AnsweredOut(
        approval=status.approval_out(answered.asked, answered.approval),
        step=_change(answered.change) if answered.change is not None else None,
    )
