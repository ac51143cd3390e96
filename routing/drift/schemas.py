"""What goes over the wire about changes of what comes in."""

from datetime import date

from kit.wire import Out


class WindowOut(Out):
    """From `first` up to but not including `end`, whole days in UTC."""

    first: date
    end: date
    why: str


class ValueOut(Out):
    value: str
    before: int
    now: int


class AttributeOut(Out):
    """
    One attribute. `stability` is the population stability index; from `level` on it raises the alarm.

    The level follows from the number of cases and the false alarms one is ready to bear; a fixed one would not.
    """

    attribute: str
    alarmed: bool
    stability: float | None
    level: float | None
    p_value: float | None
    unseen: int
    reason: str
    before: int
    now: int
    values: list[ValueOut]


class WeekOut(Out):
    """A rate in the last seven days and the seven before, as (bad, cases), each with its 95 % interval."""

    metric: str
    words: str
    before: tuple[int, int]
    before_interval: tuple[float, float]
    now: tuple[int, int]
    now_interval: tuple[float, float]
    p_value: float
    changed: bool


class DrawOut(Out):
    """`what`: audit or ramp. A draw that does not fall as configured makes every estimate that rests on it wrong."""

    what: str
    probability: float
    drawn: int
    cases: int
    health: str
    p_value: float


class DriftOut(Out):
    reference: WindowOut | None
    week: WindowOut
    attributes: list[AttributeOut]
    weeks: list[WeekOut]
    draws: list[DrawOut]
