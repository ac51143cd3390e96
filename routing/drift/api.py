"""The route about changes of what comes in."""

from dataclasses import asdict

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.params import AgentPath, VersionPath
from rollout.versions.queries import get_rollout
from routing.drift import service
from routing.drift.schemas import AttributeOut, DrawOut, DriftOut, ValueOut, WeekOut, WindowOut
from routing.drift.service import AttributeDrift, Report, Week

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["drift"])


@router.get("/agents/{agent}/versions/{version}/drift")
def show_drift(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> DriftOut:
    """Whether the cases that come in, and the router's draws, are still what they were when it was calibrated."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        return _out(service.report(session, get_rollout(session, agent, version), now=ctx.clock.now()))


def _out(report: Report) -> DriftOut:
    return DriftOut(
        reference=WindowOut(**asdict(report.reference)) if report.reference is not None else None,
        week=WindowOut(**asdict(report.week)),
        attributes=[_attribute(one) for one in report.attributes],
        weeks=[_week(one) for one in report.weeks],
        draws=[
            DrawOut(
                what=one.what, probability=one.probability, drawn=one.drawn, cases=one.cases,
                health=one.split.health.value, p_value=one.split.p_value,
            )
            for one in report.draws
        ],
    )  # fmt: skip


def _attribute(one: AttributeDrift) -> AttributeOut:
    found = one.found
    return AttributeOut(
        attribute=one.attribute,
        alarmed=found.alarmed,
        stability=found.stability,
        level=found.level,
        p_value=found.p_value,
        unseen=found.unseen,
        reason=found.reason,
        before=one.before,
        now=one.now,
        values=[ValueOut.model_validate(value) for value in one.values],
    )


def _week(one: Week) -> WeekOut:
    return WeekOut(
        metric=one.metric.name,
        words=one.metric.words,
        before=one.before,
        before_interval=(one.found.before.lower, one.found.before.upper),
        now=one.now,
        now_interval=(one.found.now.lower, one.found.now.upper),
        p_value=one.found.p_value,
        changed=one.found.changed,
    )
