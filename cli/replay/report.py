"""What would have happened, as JSON for scripts and as tables for owners."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy.orm import Session

from cli.output import good, print_table, say
from cli.replay.engine import Run
from cli.replay.tally import Stay
from review_ui.words import confidence
from rollout.domain import words
from rollout.versions import queries as version_queries
from rollout.versions.tables import PhaseChange, Rollout

ALL = 1_000_000  # history rows of one throwaway agent
_TOLD = 20  # broken lines told one by one

ASSUMED = (
    "The owner signs, and where the plan asks for it a second person too, as soon as every gate passes.",
    "Where the plan declares how the threshold is found, the owner puts each answer in force on the same day.",
    "The readiness checklist is answered yes, and the periodic reviews are held weekly.",
    "People rule within the batch: they approve an output equal to the recorded answer, and else edit it to that.",
    "What people did for cases that went alone is evidence only where an audit was drawn; here it is the truth.",
    "A failure recorded by a demotion stays open, since the record does not say what was found.",
)


def build(session: Session, run: Run, seconds: float) -> dict[str, Any]:
    """The whole report. Times are aware; the printer of JSON writes them in UTC."""
    recording, house = run.recording, run.house
    changes = version_queries.history_of_agent(session, house.agent, limit=ALL)[::-1]
    shown = [_change(change) for change in changes]
    stays = run.tally.stays
    cases = sum(stay.cases for stay in stays)
    return {
        "agent": house.agent,
        "plan": {"name": house.plan.name, "digest": house.plan.digest},
        "rules": house.rules.model_dump(mode="json"),
        "lines": {
            "total": recording.lines,
            "used": cases,
            "repeated": run.repeated,
            "broken": len(run.rejects.found),
            "out_of_order": recording.out_of_order,
        },
        "from": min((stay.first_at for stay in stays), default=None),
        "to": max((stay.last_at for stay in stays), default=None),
        "changes": shown,
        "demotions": [change for change in shown if change["kind"] == "demoted"],
        "thresholds": run.looks.thresholds,
        "gates_passed": list(run.looks.passed.values()),
        "stays": [stay.to_dict() for stay in stays],
        "reviews_needed": sum(stay.lanes["review"] for stay in stays),
        "audits_needed": sum(stay.lanes["audit"] for stay in stays),
        "automation_rate": run.tally.automated.cases / cases if cases else None,
        "automated": run.tally.automated.to_dict(),
        "now": [_standing(rollout, run) for _, rollout in version_queries.versions(session, house.agent, limit=ALL)][
            ::-1
        ],
        "not_registered": run.not_registered,
        "looks": run.looks.count,
        "assumed": list(ASSUMED),
        "broken": [broken.to_dict() for broken in sorted(run.rejects.found, key=lambda broken: broken.number)],
        "broken_kept_in": str(run.rejects.path) if run.rejects.found else None,
        "seconds": round(seconds, 3),
    }


def _change(change: PhaseChange) -> dict[str, Any]:
    return {
        "at": change.at,
        "version": change.version,
        "kind": change.kind,
        "left": change.left,
        "entered": change.entered,
        "share": change.share,
        "reason": change.reason,
        "by": change.by,
        "evidence_id": change.evidence_id,
    }


def _standing(rollout: Rollout, run: Run) -> dict[str, Any]:
    """Where a version stands at the end, and what the newest look says of it."""
    return {
        "version": rollout.version,
        "standing": rollout.standing,
        "phase": rollout.phase,
        "phase_since": rollout.phase_since,
        "newest_look": run.looks.newest.get(rollout.version),
    }


def show(report: dict[str, Any], stays: list[Stay]) -> None:
    """For people: the phases, the gates, what was taken back, and why it is not further."""
    lines = report["lines"]
    good(
        f"{lines['used']:,} cases of {report['agent']} from {_day(report['from'])} to {_day(report['to'])}, "
        f"{report['looks']:,} looks, in {report['seconds']:.1f} s."
    )
    good("")
    columns = (
        "version",
        "phase",
        "from",
        "cases",
        "shadow",
        "review",
        "alone",
        "human",
        "audits",
        "automated",
        "error alone",
    )
    print_table("Where the cases went", columns, [_stay_row(stay) for stay in stays], right=range(3, 11))
    good("")
    print_table("Steps", ("when", "version", "what", "why"), [_step_row(change) for change in report["changes"]])
    good("")
    rows = [_gate_row(gate) for gate in report["gates_passed"]]
    print_table("Gates, when they first passed", ("when", "version", "phase", "gate", "on what"), rows)
    _show_thresholds(report)
    _show_alone(report)
    _show_now(report)
    _show_broken(report)


def _stay_row(stay: Stay) -> tuple[Any, ...]:
    routes, alone = stay.routes, stay.automated
    counts = [routes.get(name, 0) or "" for name in ("shadow", "review", "auto", "human")]
    rate = words.seen(stay.automation_rate) if alone.cases and stay.automation_rate is not None else ""
    error = (
        f"{alone.wrong:,} of {alone.compared:,}: {words.seen(alone.error_rate)}" if alone.error_rate is not None else ""
    )
    return (stay.version, stay.phase, _day(stay.first_at), stay.cases, *counts, stay.lanes["audit"] or "", rate, error)


def _step_row(change: dict[str, Any]) -> tuple[Any, ...]:
    what = change["kind"]
    if change["entered"]:
        what += f" to {change['entered']}"
    if change["share"] is not None:
        what += f" to {words.percent(change['share'])}"
    return (_day(change["at"]), change["version"], what, change["reason"])


def _gate_row(gate: dict[str, Any]) -> tuple[Any, ...]:
    step = f", step {gate['ramp_step'] + 1}" if gate["ramp_step"] else ""
    return (_day(gate["passed_at"]), gate["version"], f"{gate['phase']}{step}", gate["gate"], gate["words"])


def _show_thresholds(report: dict[str, Any]) -> None:
    if not report["thresholds"]:
        return
    good("")
    columns = ("when", "version", "segment", "labels", "alone from", "share", "why not lower")
    print_table("Thresholds, as the labels allowed them", columns, map(_threshold_row, report["thresholds"]))


def _threshold_row(found: dict[str, Any]) -> tuple[Any, ...]:
    alone = confidence(found["threshold"])
    share = words.seen(found["coverage"])
    return (_day(found["at"]), found["version"], found["segment"], found["labels"], alone, share, found["words"])


def _show_alone(report: dict[str, Any]) -> None:
    alone = report["automated"]
    good("")
    good(f"People were needed for {report['reviews_needed']:,} reviews and {report['audits_needed']:,} audits.")
    if alone["error_rate"] is None:
        why = (
            ""
            if report["rules"]["threshold"] is not None
            else "; no threshold was given (--threshold, rules in a file, or a threshold section in the plan)"
        )
        good(f"No case went alone{why}.")
        return
    good(
        f"{alone['cases']:,} cases went alone ({words.seen(report['automation_rate'])} of all); "
        f"{alone['wrong']:,} of {alone['compared']:,} were wrong ({words.seen(alone['error_rate'])}), "
        f"{alone['severe']:,} severely. The audits found {alone['audited_wrong']:,} of {alone['audited']:,}."
    )


def _show_now(report: dict[str, Any]) -> None:
    good("")
    for version in report["now"]:
        good(f"Version {version['version']} ends as {version['standing']} in {version['phase']}.")
        newest = version["newest_look"]
        for reason in newest["reasons"] if newest and newest["verdict"] != "advance" else ():
            good(f"  {reason['words']}")
    for version, why in report["not_registered"].items():
        good(f"Version {version} was never routed: {why}.")


def _show_broken(report: dict[str, Any]) -> None:
    broken, lines = report["broken"], report["lines"]
    if lines["repeated"]:
        say(f"{lines['repeated']:,} lines repeat a case of the same version and were not counted again.")
    if lines["out_of_order"]:
        say(f"{lines['out_of_order']:,} lines were out of order; the cases were taken in the order of their times.")
    if not broken:
        return
    say(
        f"{len(broken):,} of {lines['total']:,} lines are broken and were not counted; "
        f"they are in {report['broken_kept_in']}."
    )
    for one in broken[:_TOLD]:
        found = one["errors"][0]
        say(f"  line {one['line']}: {found['place']}: {found['problem']}")


def _day(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at is not None else ""


def as_bytes(report: dict[str, Any]) -> bytes:
    return orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z, default=str)
