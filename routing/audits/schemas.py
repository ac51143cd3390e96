"""What goes over the wire about audits."""

from datetime import datetime

from kit.wire import Out


class EstimateOut(Out):
    rate: float
    variance: float


class StatementOut(Out):
    """At most `wrong` of the `cases` are wrong; `rate` is the share of that."""

    wrong: int
    cases: int
    rate: float


class StratumOut(Out):
    """The cases that were drawn with one probability."""

    probability: float
    cases: int
    drawn: int
    audited: int
    wrong: int


class AuditsOut(Out):
    """
    The automated lane from `first` up to but not including `end`.

    `at_most` holds with the confidence, by the exact hypergeometric bound; `wrong_expected` is an estimate and no
    bound. `nothing_found` is what no error in so many audits leaves possible; null where one was found, or
    where audits were drawn at several rates, for which only `at_most` holds.
    """

    first: datetime
    end: datetime
    present_epoch: bool
    confidence: float
    cases: int
    drawn: int
    audited: int
    open: int
    wrong: int
    weighted: EstimateOut | None
    ratio: EstimateOut | None
    wrong_expected: float | None
    at_most: StatementOut
    at_most_if_open_are_wrong: StatementOut
    nothing_found: float | None
    risk: float
    audits_needed: int
    rate_needed: float | None
    strata: list[StratumOut]
