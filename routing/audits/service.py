"""
What the audits say about the automated lane of a period: at most so many of so many outputs are wrong.

The few that were drawn speak for the many, each rate of drawing for the cases that were under it. Audits that nobody
has ruled on yet are told apart, with the bound as it would be if every one of them turned out wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evidence import audits
from evidence.audit_planning import audit_rate, audits_needed
from evidence.audits import AuditReport, Stratum, hypergeometric_upper
from kit.errors import Invalid, Place
from rollout.domain.phase import Phase
from rollout.domain.plan import CONFIDENCE, Plan
from rollout.versions import steps
from rollout.versions.tables import Rollout
from routing.archives.queries import last_archived_day
from routing.audits import queries
from routing.audits.queries import Drawn

_RISK: Final = 0.05
_LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Statement:
    """At most `wrong` of the `cases` are wrong, told with the confidence of the report."""

    wrong: int
    cases: int

    @property
    def rate(self) -> float:
        return self.wrong / self.cases if self.cases else 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """
    `first` up to but not including `end`. `at_most` counts what was ruled on; `at_most_if_open_are_wrong` the rest as
    wrong. `rate_needed` is the audit rate at which a period like this ends in "at most `risk`"; None where it has too
    few cases for that, however many are audited; `audits_needed` is the number of audits that takes.
    """

    first: datetime
    end: datetime
    present_epoch: bool
    strata: tuple[Drawn, ...]
    found: AuditReport
    open: int
    at_most: Statement
    at_most_if_open_are_wrong: Statement
    risk: float
    audits_needed: int
    rate_needed: float | None


def report(
    session: Session, rollout: Rollout, *, first: date | None = None, until: date | None = None, now: datetime
) -> Report:
    """
    The present epoch; or the days from `first` to `until`, both of them included. Never of days whose cases were
    archived, all or some: what is left of them speaks for nobody.
    """
    present = first is None and until is None
    begin = datetime.combine(first, time(), now.tzinfo) if first is not None else rollout.phase_since
    end = datetime.combine(until, time(), now.tzinfo) + timedelta(days=1) if until is not None else now
    if not present:
        _refuse_nonsense(begin, end)
    if (archived := last_archived_day(session, rollout.id)) is not None:
        begin = min(max(begin, datetime.combine(archived, time(), now.tzinfo) + timedelta(days=1)), end)
    epoch = rollout.epoch if present else None
    last = (end - timedelta(microseconds=1)).date()
    drawn = queries.drawn(session, rollout.id, first=begin.date(), last=last, epoch=epoch)
    found = audits.summary([_stratum(one) for one in drawn], _uniform(drawn), CONFIDENCE)
    risk = risk_of(steps.plan_of(session, rollout))
    return Report(
        first=begin,
        end=end,
        present_epoch=present,
        strata=tuple(drawn),
        found=found,
        open=sum(one.drawn - one.audited for one in drawn),
        at_most=_at_most(drawn),
        at_most_if_open_are_wrong=_at_most([_as_if_wrong(one) for one in drawn]),
        risk=risk,
        audits_needed=audits_needed(risk, 1.0 - CONFIDENCE, found.bad),
        rate_needed=audit_rate(found.cases, risk, delta=1.0 - CONFIDENCE, bad=found.bad) if found.cases else None,
    )


def risk_of(plan: Plan | None) -> float:
    """What the lane may get wrong at most: as the threshold was declared, or else as a gate on errors asks for."""
    if plan is None:
        return _RISK
    if plan.threshold is not None:
        return plan.threshold.risk
    limits = [
        gate.at_most
        for phase in (Phase.CONFIDENCE, Phase.FULL)
        for gate in plan.phase(phase).gates
        if gate.metric == "error_rate" and gate.at_most
    ]
    return min(limits, default=_RISK)


def _refuse_nonsense(begin: datetime, end: datetime) -> None:
    if begin >= end:
        place = Place("from", "the period is empty: it begins when it is over", "write a day before the end")
        raise Invalid("from: the period is empty", places=[place])
    if end - begin > _LONGEST:
        place = Place("from", "the period is longer than ten years", "write a later day")
        raise Invalid("from: the period is too long", places=[place])


def _stratum(one: Drawn) -> Stratum:
    return Stratum(f"{one.probability:g}", one.cases, one.audited, one.wrong, one.probability)


def _uniform(drawn: Sequence[Drawn]) -> tuple[int, int] | None:
    """Audits are drawn evenly among the cases of one rate; where it changed, those of a higher rate are too many."""
    if len(drawn) > 1:
        return None
    return sum(one.wrong for one in drawn), sum(one.audited for one in drawn)


def _as_if_wrong(one: Drawn) -> Drawn:
    return one._replace(audited=one.drawn, wrong=one.wrong + one.drawn - one.audited)


def _at_most(drawn: Sequence[Drawn]) -> Statement:
    """Exact for one rate; where it changed, the statements of all rates share the doubt and are added up."""
    delta = (1.0 - CONFIDENCE) / max(len(drawn), 1)
    bounds = [hypergeometric_upper(one.wrong, one.audited, one.cases, 1.0 - delta) for one in drawn]
    return Statement(sum(bound.wrong for bound in bounds), sum(bound.cases for bound in bounds))
