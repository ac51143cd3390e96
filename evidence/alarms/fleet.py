"""
One false-alarm rate for all agents, segments and streams together, set once.

A fleet that gives each of a thousand streams a false alarm a year has three a day, and soon nobody reads them.
"""

from typing import NamedTuple

from evidence.binomial import checked_amount, checked_whole

_MILLION = 1_000_000


class FleetRate(NamedTuple):
    """How often a fleet may cry wolf, at the very edge of what is tolerated; below the edge it is far less."""

    streams: int
    cases_between_alarms: float
    """A of every single stream."""
    per_million_cases: float
    """Most false alarms to be expected in a million cases, counted over all streams together."""
    per_year: float
    """The same in a year, at the volume that was given."""


def fleet_rate(cases_between_alarms: float, streams: int, cases_per_year: int) -> FleetRate:
    """
    Give every stream A = `cases_between_alarms` * `streams`, so that the streams together keep the rate of one.

    While each stream takes n cases the whole fleet has n / `cases_between_alarms` false alarms at most on average,
    however the streams depend on each other (the expectations simply add up). `cases_per_year` counts the cases of
    all streams together; a case that is watched in three streams counts three times.
    """
    streams, volume = checked_whole(streams, "streams"), checked_whole(cases_per_year, "cases_per_year")
    if not streams:
        raise ValueError("streams must be at least 1")
    if not checked_amount(cases_between_alarms, "cases_between_alarms") > 1.0:
        raise ValueError(f"cases_between_alarms must be finite and above 1, not {cases_between_alarms!r}")
    each = cases_between_alarms * streams
    return FleetRate(streams, each, _MILLION / each, volume / each)
