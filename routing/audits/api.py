"""The route about audits of the automated lane."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from governance.people.api import ActorDep
from kit.http import Ctx, StrictRoute
from rollout.params import AgentPath, VersionPath
from rollout.versions.queries import get_rollout
from routing.audits import service
from routing.audits.schemas import AuditsOut, EstimateOut, StatementOut, StratumOut
from routing.audits.service import Report

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["audits"])

First = Annotated[date | None, Query(alias="from", ge=date(2000, 1, 1), le=date(2199, 12, 31))]
Until = Annotated[date | None, Query(alias="to", ge=date(2000, 1, 1), le=date(2199, 12, 31))]


@router.get("/agents/{agent}/versions/{version}/audits")
def show_audits(
    agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx, first: First = None, until: Until = None
) -> AuditsOut:
    """What the audits say of the automated lane: of the present epoch, or from one day to another, both included."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = get_rollout(session, agent, version)
        return _out(service.report(session, rollout, first=first, until=until, now=ctx.clock.now()))


def _out(report: Report) -> AuditsOut:
    found = report.found
    return AuditsOut(
        first=report.first,
        end=report.end,
        present_epoch=report.present_epoch,
        confidence=found.confidence,
        cases=found.cases,
        drawn=found.audited + report.open,
        audited=found.audited,
        open=report.open,
        wrong=found.bad,
        weighted=EstimateOut.model_validate(found.weighted) if found.weighted is not None else None,
        ratio=EstimateOut.model_validate(found.ratio) if found.ratio is not None else None,
        wrong_expected=found.wrong_expected,
        at_most=StatementOut.model_validate(report.at_most),
        at_most_if_open_are_wrong=StatementOut.model_validate(report.at_most_if_open_are_wrong),
        nothing_found=found.nothing_found,
        risk=report.risk,
        audits_needed=report.audits_needed,
        rate_needed=report.rate_needed,
        strata=[StratumOut.model_validate(one) for one in report.strata],
    )
