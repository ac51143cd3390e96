"""Routes for thresholds: what the labels allow, and putting it in force."""

from uuid import UUID

from fastapi import APIRouter

from governance.people.api import ActorDep
from kit.errors import NotFound
from kit.http import Ctx, StrictRoute
from rollout.params import AgentPath, VersionPath
from rollout.versions.queries import get_rollout
from routing.thresholds import queries, service
from routing.thresholds.schemas import CalibrationOut, CalibrationRecord, CalibrationsOut
from routing.thresholds.tables import Calibration

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["thresholds"])

_CALIBRATIONS = "/agents/{agent}/versions/{version}/calibrations"


@router.get(_CALIBRATIONS)
def list_calibrations(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> CalibrationsOut:
    """Every look at the threshold of a version, the newest first, and at how many labels the next one is."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        rollout = get_rollout(session, agent, version)
        outlook = service.outlook(session, rollout, now=ctx.clock.now())
        rows = queries.calibrations(session, rollout.id)
        return CalibrationsOut(
            items=[CalibrationOut.model_validate(row) for row in rows],
            next_labels=outlook.next_labels,
            settled_labels=outlook.settled_labels,
        )


@router.post(f"{_CALIBRATIONS}/look")
def take_due_looks(agent: AgentPath, version: VersionPath, actor: ActorDep, ctx: Ctx) -> CalibrationsOut:
    """Take the declared looks that are due now, instead of at the next sweep. Usually there is none."""
    actor.require("configure" if actor.allows("configure") else "advance", agent)
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        taken = service.take_due(session, rollout, secret=ctx.secret, now=ctx.clock.now())
        outlook = service.outlook(session, rollout, now=ctx.clock.now())
        return CalibrationsOut(
            items=[CalibrationOut.model_validate(row) for row in taken],
            next_labels=outlook.next_labels,
            settled_labels=outlook.settled_labels,
        )


@router.get("/calibrations/{calibration_id}")
def find_calibration(calibration_id: UUID, actor: ActorDep, ctx: Ctx) -> CalibrationRecord:
    """One look at a threshold, by its id alone, computed again from its labels."""
    with ctx.db.read() as session:
        row = queries.get_calibration_of_any(session, calibration_id)
        if not actor.allows("read", row.agent):  # an id must not tell whose it is
            raise NotFound(f"there is no calibration {calibration_id}")
        return _record(row)


@router.get(f"{_CALIBRATIONS}/{{calibration_id}}")
def show_calibration(
    agent: AgentPath, version: VersionPath, calibration_id: UUID, actor: ActorDep, ctx: Ctx
) -> CalibrationRecord:
    """One look with the labels it rests on, computed again from them."""
    actor.require("read", agent)
    with ctx.db.read() as session:
        return _record(queries.get_calibration(session, get_rollout(session, agent, version).id, calibration_id))


@router.post(f"{_CALIBRATIONS}/{{calibration_id}}/apply")
def apply_calibration(
    agent: AgentPath, version: VersionPath, calibration_id: UUID, actor: ActorDep, ctx: Ctx
) -> CalibrationOut:
    """Put the threshold in force: the next policy revision. For the named owner or second of the agent."""
    actor.require("read", agent)
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, version)
        row = queries.get_calibration(session, rollout.id, calibration_id)
        service.apply(session, rollout, row, actor=actor, now=ctx.clock.now())
        return CalibrationOut.model_validate(row)


def _record(row: Calibration) -> CalibrationRecord:
    shown = CalibrationOut.model_validate(row).model_dump()
    return CalibrationRecord(**shown, data=row.data, agrees=service.agrees_with_itself(row))
