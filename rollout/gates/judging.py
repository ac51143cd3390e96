"""
Gathers everything known of a rollout, judges it, and keeps what was judged.

Reads totals, runs, failures and answers; never decisions, so judging costs the same for ten cases as for ten
million. A source that cannot be read is told to the rules, which then hold.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

import evidence
from evidence.reviewers import Seeded
from kit.ids import new_id
from rollout.domain.judge import Judgement, Reason, judge
from rollout.domain.metrics import METRICS, Kind
from rollout.domain.phase import FreezeMode, Lane, Phase, Severity, Standing
from rollout.domain.plan import Plan
from rollout.domain.situation import NO_GOLD, Answer, Answered, Situation, Source, SuiteRun
from rollout.domain.thresholds import NO_THRESHOLDS, Thresholds
from rollout.domain.totals import Cohort, Counts, Totals
from rollout.domain.verdict import Conclusion, digest_of, plain_numbers
from rollout.evaluation import queries as evaluation_queries
from rollout.failures import queries as failure_queries
from rollout.gates import queries
from rollout.gates.tables import EvidenceSnapshot
from rollout.oversight import queries as oversight_queries
from rollout.reviewers import service as reviewers
from rollout.versions import queries as version_queries
from rollout.versions import steps
from rollout.versions.tables import Rollout

_WITHOUT_PLAN_LOOK_AGAIN = timedelta(days=1)
_SPARING = timedelta(minutes=1)


def judge_now(session: Session, rollout: Rollout, now: datetime) -> Judgement:
    """The verdict on a rollout at this moment. Writes nothing."""
    plan = steps.plan_of(session, rollout)
    found = situation(session, rollout, plan, now)
    if plan is None:
        return _without_plan(found)
    return _once_per_failure(session, rollout, judge(plan, found))


def situation(session: Session, rollout: Rollout, plan: Plan | None, now: datetime) -> Situation:
    """One rollout at one moment, from what is stored."""
    broken: dict[Source, str] = {}
    return Situation(
        version=rollout.version,
        phase=Phase(rollout.phase),
        phase_since=rollout.phase_since,
        now=now,
        epoch=rollout.epoch,
        standing=Standing(rollout.standing),
        ramp_step=rollout.ramp_step,
        ramp_since=rollout.ramp_since,
        totals=read_totals(session, rollout, broken),
        suite_runs=_suite_runs(session, rollout, plan),
        open_failures=_open_failures(session, rollout, broken),
        readiness=_readiness(session, rollout),
        reviews_held=tuple(oversight_queries.reviews_held(session, rollout.agent)),
        first_phase_at=version_queries.first_left_evaluation(session, rollout.agent),
        frozen=FreezeMode(rollout.frozen) if rollout.frozen else None,
        glass_until=rollout.glass_until,
        thresholds=_thresholds(session, rollout, plan),
        broken=broken,
        seeded=_seeded(session, rollout, plan),
    )


def keep(
    session: Session, rollout: Rollout, judgement: Judgement, now: datetime, *, sparing: bool = False
) -> EvidenceSnapshot:
    """
    The snapshot that says this: the newest one if it says just the same, or a new one.

    `sparing` is for the sweep: while only counts grow, it stores one snapshot a minute, not one every look.
    """
    body = _body(session, rollout, judgement)
    digest = digest_of(body)
    newest = queries.find_evidence(session, rollout.evidence_id) if rollout.evidence_id is not None else None
    if newest is not None and newest.digest == digest:
        newest.seen_again_at = now
        return newest
    if sparing and newest is not None and now - newest.at < _SPARING and gist(newest.body) == gist(body):
        return newest
    snapshot = EvidenceSnapshot(
        id=new_id(),
        rollout_id=rollout.id,
        epoch=judgement.epoch,
        phase=judgement.phase.value,
        ramp_step=judgement.ramp_step,
        verdict=judgement.verdict.value,
        digest=digest,
        body=body,
        at=now,
        seen_again_at=now,
    )
    session.add(snapshot)
    session.flush()  # rollouts, history and signatures name it
    return snapshot


def gist(body: Mapping[str, Any]) -> str:
    """What was concluded, without the counts: the verdicts and the reasons behind them."""
    parts = [
        body["verdict"],
        body["plan_digest"],
        body["rules_digest"],
        body["target"],
        [(reason["code"], reason["about"]) for reason in body["reasons"]],
        [(part["name"], part["verdict"]) for kind in ("gates", "guardrails") for part in body[kind]],
        [(item["key"], item["done"]) for item in body["readiness"]],
    ]
    return json.dumps(plain_numbers(parts), sort_keys=True)


def rules_digest(session: Session, rollout: Rollout) -> str:
    """The same for two policies exactly if people wrote the same rules."""
    rules = steps.rules_of(session, rollout).model_dump(mode="json", exclude={"calibrated"})
    ordered = {name: sorted(value) if isinstance(value, list) else value for name, value in rules.items()}
    ordered["scope"] = {
        name: sorted(value) if isinstance(value, list) else value for name, value in rules["scope"].items()
    }
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()


def _body(session: Session, rollout: Rollout, judgement: Judgement) -> dict[str, Any]:
    return {
        **judgement.to_dict(),
        "plan_id": str(rollout.plan_id) if rollout.plan_id is not None else None,
        "rules_digest": rules_digest(session, rollout),
        "engine": evidence.__version__,
    }


def read_totals(session: Session, rollout: Rollout, broken: dict[Source, str]) -> Totals:
    """What was counted in the present epoch; none, with a word in `broken`, where it cannot be read."""
    try:
        return {
            Cohort(Lane(row.lane), row.segment, row.day): _counts(row)
            for row in queries.totals(session, rollout.id, rollout.epoch)
        }
    except ValueError as error:  # a lane that nobody knows; counting was not done by this program
        broken[Source.TOTALS] = f"the totals cannot be read: {error}"
        return {}


def _counts(row: Row[Any]) -> Counts:
    return Counts(
        cases=row.cases,
        agreed=row.agreed,
        overridden=row.overridden,
        severe=row.severe,
        void=row.void,
        invalid_output=row.invalid_output,
        invalid_confidence=row.invalid_confidence,
        minor=row.minor,
        low_confidence=row.low_confidence,
    )


def _thresholds(session: Session, rollout: Rollout, plan: Plan | None) -> Thresholds:
    """Read from the policies only where a guardrail of the phase asks for it; most do not."""
    guardrails = plan.phase(Phase(rollout.phase)).guardrails if plan is not None else ()
    asked = any(rail.segments is not None or _is_calibrated(rail.metric) for rail in guardrails)
    return steps.thresholds_of(session, rollout) if asked else NO_THRESHOLDS


def _is_calibrated(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].calibrated


def _suite_runs(session: Session, rollout: Rollout, plan: Plan | None) -> tuple[SuiteRun, ...]:
    """The newest runs of this version, and of the stable one, which shows that the suite as such is run."""
    if plan is None or not any(gate.suite for gate in plan.phase(Phase(rollout.phase)).gates):
        return ()
    stable = version_queries.of_standing(session, rollout.agent, Standing.STABLE)
    versions: dict[UUID, str] = {rollout.id: rollout.version}
    if stable is not None:
        versions[stable.id] = stable.version
    now = {suite.name: suite.id for suite in evaluation_queries.newest_suites(session, rollout.agent)}
    return tuple(
        SuiteRun(
            suite=run.suite,
            version=versions[run.rollout_id],
            score=run.score,
            cases=run.cases,
            at=run.at,
            baseline=run.baseline_score,
            current=now.get(run.suite) == run.suite_id,
        )
        for run in evaluation_queries.newest_runs(session, list(versions))
    )


def _seeded(session: Session, rollout: Rollout, plan: Plan | None) -> Seeded:
    """What reviewers said of gold cases, where a gate of this phase is corrected by it."""
    if plan is None or not any(gate.corrected_for_reviewers for gate in plan.phase(Phase(rollout.phase)).gates):
        return NO_GOLD
    return reviewers.seeded(session, rollout.agent)


def _open_failures(session: Session, rollout: Rollout, broken: dict[Source, str]) -> Mapping[Severity, int]:
    try:
        counted = failure_queries.open_by_severity(session, rollout.id)
        return {Severity(severity): count for severity, count in counted.items()}
    except ValueError as error:
        broken[Source.FAILURES] = f"the failures cannot be read: {error}"
        return {}


def _readiness(session: Session, rollout: Rollout) -> dict[str, Answered]:
    return {
        row.item: Answered(Answer(row.answer), row.link, row.owner, row.due)
        for row in oversight_queries.answers(session, rollout.id)
    }


def _without_plan(found: Situation) -> Judgement:
    """Nobody said what must be shown, and no evidence is never a pass."""
    reason = Reason("no_plan", "There is no plan, so nothing says what must be shown.", "A plan is applied.")
    return Judgement(
        verdict=Conclusion.HOLD,
        reasons=(reason,),
        gates=(),
        guardrails=(),
        readiness=(),
        target=None,
        without_signature=False,
        next_look_at=found.now + _WITHOUT_PLAN_LOOK_AGAIN,
        at=found.now,
        version=found.version,
        phase=found.phase,
        epoch=found.epoch,
        ramp_step=found.ramp_step,
        share=steps.share_of(None, found.phase, found.ramp_step),
        days_in_phase=found.days_since(found.phase_since),
        settle_days=0,
        plan_digest="",
    )


def _once_per_failure(session: Session, rollout: Rollout, judgement: Judgement) -> Judgement:
    """
    A failure takes one phase, not one at every look until somebody has closed it.

    Rates begin anew with each phase; a reported failure stays open. One that was reported before the phase began
    has already cost the phase above, or was known when this one was entered: it holds, and no longer demotes.
    """
    breached = [result for result in judgement.guardrails if result.breached]
    if judgement.verdict is not Conclusion.DEMOTE or any(result.kind is not Kind.COUNT for result in breached):
        return judgement
    reported = failure_queries.newest_open_report(session, rollout.id, Severity.CRITICAL)
    if reported is not None and reported > rollout.phase_since:
        return judgement
    reasons = tuple(
        Reason("critical_failure_open", result.words, result.what_would_change, result.name) for result in breached
    )
    return replace(judgement, verdict=Conclusion.HOLD, target=None, reasons=reasons)
