"""
How many reviewers it takes to answer within a promised time, hour by hour of the week.

Cases arrive on their own accord, each reviewer takes one at a time, nobody gives up waiting: the Erlang C queue
(M/M/c). Where the reviewers cannot keep up with the arrivals there is no waiting time to speak of, for the queue grows
as long as that lasts; such an hour is "unstable" and has `None` where a number of hours would stand.

All rates are per hour and all times in hours. Each hour of the week is taken as if it had gone on for ever, so a queue
left over from an unstable hour is not carried into the next: the hours after it are worse than they look.

Sources: Erlang (1917); Halfin, Whitt (1981), Operations Research 29, for the square root rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from evidence.binomial import Floats, checked_amount, checked_rate, checked_share, checked_whole

HOURS_OF_A_WEEK = 168

_NEGLIGIBLE = 40.0
"""A term e**-40 times as large as the first is left out of a sum."""


@dataclass(frozen=True, slots=True)
class Queue:
    """
    A queue in its steady state. `load` is the number of reviewers that arrivals alone keep busy.

    When not `stable`, every case waits (`waits` is 1) and `mean_wait` is `None`: it has no end.
    """

    servers: int
    load: float
    stable: bool
    waits: float
    mean_wait: float | None
    relief: float
    """How much faster than arrivals the reviewers are together, in cases per hour; 0 when not stable."""

    def waits_beyond(self, hours: float) -> float:
        """The share of cases that wait longer than `hours` before somebody starts on them; 1 when not stable."""
        hours = checked_amount(hours, "hours")
        return self.waits * math.exp(-self.relief * hours) if self.stable else 1.0


@dataclass(frozen=True, slots=True)
class HourOfWeek:
    """One of the 168 hours, 0 being the first of the week: what arrives, who is there, and who should be."""

    hour: int
    arrivals: float
    queue: Queue
    late: float
    """The share of cases that wait beyond the promised time; 1 when unstable."""
    needed: int

    @property
    def stable(self) -> bool:
        return self.queue.stable

    @property
    def missing(self) -> int:
        """How many reviewers are lacking in this hour."""
        return max(0, self.needed - self.queue.servers)


def erlang_b(load: float, servers: int) -> float:
    """The share of cases turned away when none may wait; `load` is arrivals over the rate of one server."""
    load, servers = checked_amount(load, "load"), checked_whole(servers, "servers")
    if load == 0.0:
        return 1.0 if servers == 0 else 0.0
    if servers <= load:
        return 1.0 / _sum_of_ratios(load, servers)
    log_last = servers * math.log(load) - load - math.lgamma(servers + 1.0)
    return math.exp(log_last) / float(special.gammaincc(servers + 1.0, load))


def erlang_c(arrivals: float, service: float, servers: int) -> Queue:
    """`arrivals` per hour meet `servers` who each finish `service` per hour. No servers and no arrivals is stable."""
    load = _load(arrivals, service)
    servers = checked_whole(servers, "servers")
    if load == 0.0:
        return Queue(servers, 0.0, stable=True, waits=0.0, mean_wait=0.0, relief=servers * service)
    relief = servers * service - arrivals
    if servers <= load or relief <= 0.0:
        return Queue(servers, load, stable=False, waits=1.0, mean_wait=None, relief=0.0)
    blocked = erlang_b(load, servers)
    waits = servers * blocked / (servers - load * (1.0 - blocked))
    return Queue(servers, load, stable=True, waits=waits, mean_wait=waits / relief, relief=relief)


def square_root_staffing(load: float, beta: float = 1.0) -> float:
    """Load + beta * sqrt(load): a rule of thumb, in which beta = 1 makes about one case in four wait."""
    return checked_amount(load, "load") + checked_amount(beta, "beta") * math.sqrt(load)


def reviewers_needed(arrivals: float, service: float, answer_within: float, share: float) -> int:
    """
    The fewest reviewers with whom at least `share` of the cases wait at most `answer_within` hours for one.

    The time of the review itself is not in it: take it off the promise first. 0 when nothing arrives.
    """
    load = _load(arrivals, service)
    answer_within, share = checked_amount(answer_within, "answer_within"), checked_rate(share, "share")
    if load == 0.0:
        return 0

    def enough(servers: int) -> bool:
        queue = erlang_c(arrivals, service, servers)
        return queue.stable and queue.waits_beyond(answer_within) <= 1.0 - share

    low, step = math.floor(load), 1  # as many as the load are too few
    while not enough(low + step):
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def review_arrivals(
    volume: Sequence[float], automation: float, audit_rate: float = 0.0, double_reviews: float = 0.0
) -> Floats:
    """
    What reaches the reviewers per hour: volume * (1 - automation), the audits, and the second opinions.

    `audit_rate` is the share of automated cases that are audited, `double_reviews` the share of everything reviewed
    or audited that a second person sees. All three between 0 and 1. Shape of `volume`.
    """
    cases = np.array([checked_amount(per_hour, f"volume[{hour}]") for hour, per_hour in enumerate(volume)])
    automation, audit_rate = checked_share(automation, "automation"), checked_share(audit_rate, "audit_rate")
    once = (1.0 - automation) + automation * audit_rate
    return np.asarray(cases * once * (1.0 + checked_share(double_reviews, "double_reviews")))


def week(
    arrivals: Sequence[float] | Floats, servers: Sequence[int], service: float, answer_within: float, share: float
) -> tuple[HourOfWeek, ...]:
    """
    Every hour of the week: `arrivals` to the reviewers and `servers` on duty, 168 of each, from the first hour on.

    The rest as in `reviewers_needed`.
    """
    for name, entries in (("arrivals", len(arrivals)), ("servers", len(servers))):
        if entries != HOURS_OF_A_WEEK:
            raise ValueError(f"{name} must have one entry for each of {HOURS_OF_A_WEEK} hours, not {entries}")
    hours = []
    for hour, (given, present) in enumerate(zip(arrivals, servers, strict=True)):
        per_hour = checked_amount(given, f"arrivals[{hour}]")
        queue = erlang_c(per_hour, service, checked_whole(present, f"servers[{hour}]"))
        needed = reviewers_needed(per_hour, service, answer_within, share)
        hours.append(HourOfWeek(hour, per_hour, queue, queue.waits_beyond(answer_within), needed))
    return tuple(hours)


def _sum_of_ratios(load: float, servers: int) -> float:
    """
    1 + c/a + c(c-1)/a**2 + ...: one over Erlang B, for at most as many servers c as the load a.

    Every term is smaller than the one before, and after j of them by e**(-j*j/2a) at least, so a load of a million
    takes ten thousand terms and none of them overflows.
    """
    terms = min(servers, math.ceil(math.sqrt(2.0 * _NEGLIGIBLE * load)) + 1)
    ratios = (servers - np.arange(terms)) / load
    return 1.0 + float(np.cumprod(ratios).sum())


def _load(arrivals: float, service: float) -> float:
    arrivals, service = checked_amount(arrivals, "arrivals"), checked_amount(service, "service")
    if service == 0.0:
        raise ValueError("service must be positive: nobody who finishes nothing can be planned with")
    return arrivals / service
