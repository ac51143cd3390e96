"""
How often all guardrails of all agents together may cry wolf, and how often that may be: one number for the house.

Each guardrail has its own mean time to a false alarm, and the expectations simply add up, however the guardrails depend
on each other. A fleet that gives each of a thousand guardrails a false alarm every three years has one a day.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from evidence.alarms.fleet import fleet_rate
from rollout.domain.metrics import METRICS, Kind
from rollout.domain.phase import Phase
from rollout.domain.plan import FALSE_ALARM_DAYS
from rollout.versions import queries as version_queries
from rollout.versions import steps

DAYS_A_YEAR = 365


@dataclass(frozen=True, slots=True)
class Stream:
    """One guardrail that is judged by chance as well as by harm. Its segments share its false alarms."""

    agent: str
    version: str
    phase: str
    guardrail: str
    false_alarm_days: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """
    False alarms to be expected in a year at most, all guardrails together, and how many the house allows.

    `days_needed`: the `false_alarm_days` at which as many guardrails keep to that; None without any guardrail.
    """

    streams: tuple[Stream, ...]
    per_year: float
    allowed_per_year: float
    days_needed: float | None

    @property
    def within(self) -> bool:
        return self.per_year <= self.allowed_per_year

    @property
    def words(self) -> str:
        many = f"{len(self.streams):,} guardrail{'s' if len(self.streams) != 1 else ''}"
        said = (
            f"{many} together: at most {self.per_year:.3g} false alarms a year, {self.allowed_per_year:g} are allowed."
        )
        if self.within or self.days_needed is None:
            return said
        return f"{said} With false_alarm_days of {self.days_needed:,.0f} each they would keep to it."


def fleet_of(session: Session, allowed_per_year: float, *, agent: str | None = None) -> Fleet:
    """The guardrails that are looked at now: those of every version that is not retired, in its present phase."""
    streams = []
    for rollout in version_queries.rollouts_under_way(session, agent):
        plan = steps.plan_of(session, rollout)
        for rail in plan.phase(Phase(rollout.phase)).guardrails if plan is not None else ():
            metric = METRICS.get(rail.metric)
            if metric is not None and metric.kind is Kind.RATE:
                days = rail.false_alarm_days or FALSE_ALARM_DAYS
                streams.append(Stream(rollout.agent, rollout.version, rollout.phase, rail.label, days))
    return fleet(tuple(streams), allowed_per_year)


def fleet(streams: tuple[Stream, ...], allowed_per_year: float) -> Fleet:
    """Summed up; pure."""
    needed = None
    if streams:  # what is a case to a detector is a day to a guardrail
        of_one = DAYS_A_YEAR / allowed_per_year
        needed = fleet_rate(of_one, len(streams), DAYS_A_YEAR * len(streams)).cases_between_alarms
    return Fleet(streams, sum(DAYS_A_YEAR / stream.false_alarm_days for stream in streams), allowed_per_year, needed)
