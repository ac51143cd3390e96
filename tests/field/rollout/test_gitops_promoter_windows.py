"""
Promotion windows as cron starts with a duration, against our weekly windows.

What a week can express is the same. A dated exclusion is a freeze here, by a person with a reason; and neither ever
stands in the way of a demotion.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rollout.domain.judge import judge
from rollout.domain.phase import FreezeMode, Lane, Phase
from rollout.domain.plan import Plan, Weekday, Window
from rollout.domain.plan_yaml import PlanInvalid, plan_from_data
from rollout.domain.verdict import Conclusion
from rollout.domain.window import is_open, next_opening
from tests.field.rollout.mapping import Case, Divergence, Unmapped
from tests.field.rollout.ramps import at
from tests.unit.rollout.making import LANES, TODAY, harm, plan_data, situation

DAYS = (Weekday.SUN, *tuple(Weekday)[:-1])  # as cron counts them
WHOLE_DAY = 24 * 60


class Dated(Exception):
    """No weekly window says this."""


def hold(case: Case) -> Divergence | None:
    if case["expected"] == "error":
        return malformed(case)
    if case["expected"] == "ungated":
        assert is_open((), datetime(2026, 7, 6, tzinfo=UTC))
        return None
    if case["expected"] not in {"open", "closed"}:
        raise Unmapped(case)
    now = datetime.fromisoformat(case["now"])
    if any(_is_dated(rule["cron"]) for rule in case["include"]):
        raise Unmapped(case)
    try:
        windows = weekly(case)
    except Dated:
        return dated(case, now)
    assert is_open(windows, now) is (case["expected"] == "open")
    never_against_a_demotion(windows, now)
    if "next_transition" not in case:
        return None
    if _always(windows):
        return Divergence.NO_TRANSITION
    changes(windows, now, datetime.fromisoformat(case["next_transition"]))
    return None


def malformed(_case: Case) -> None:
    """An expression that nobody can read is refused at its place when the plan is loaded."""
    for nonsense in (
        {"from": "9 o'clock", "to": "17:00"},
        {"from": "09:00", "to": "25:00"},
        {"from": "09:00", "to": "17:00", "days": ["1-5"]},
        {"cron": "invalid", "hours": 8},
    ):
        with pytest.raises(PlanInvalid, match="windows"):
            plan_from_data(plan_data(windows=[nonsense]))


def dated(case: Case, now: datetime) -> Divergence:
    """Neither a plan nor a window has dates. Somebody freezes advancing, and lifts it again."""
    for given in ({"exclude": case["exclude"]}, {"windows": [{"cron": "0 0 25 12 *", "hours": 48}]}):
        with pytest.raises(PlanInvalid) as refused:
            plan_from_data(plan_data(**given))
        assert any("there is no field" in problem.problem for problem in refused.value.problems)
    windows = weekly({**case, "exclude": [rule for rule in case["exclude"] if not _is_dated(rule["cron"])]})
    covered = any(_began_lately(rule, now.astimezone(ZoneInfo(case["tz"]))) for rule in case["exclude"])
    mode = FreezeMode.ADVANCING if covered else None
    judgement = judge(_plan(windows), at(0, now - timedelta(days=40), now, frozen=mode))
    assert (judgement.verdict is Conclusion.ADVANCE) is (case["expected"] == "open")
    never_against_a_demotion(windows, now)
    return Divergence.NO_DATES


def _began_lately(rule: Case, local: datetime) -> bool:
    """Whether it began within its own length before now."""
    minute, hour, day, month, weekdays = rule["cron"].split()
    for ago in range(int(rule["hours"] * 60)):
        moment = local - timedelta(minutes=ago)
        matches = (
            moment.minute in _numbers(minute, 60)
            and moment.hour in _numbers(hour, 24)
            and moment.day in _numbers(day, 32)
            and moment.month in _numbers(month, 13)
            and moment.isoweekday() % 7 in {number % 7 for number in _numbers(weekdays, 7)}
        )
        if matches:
            return True
    return False


def never_against_a_demotion(windows: Iterable[Window], now: datetime) -> None:
    harmed = {cohort: seen for cohort, seen in harm(LANES[Phase.SUPERVISED]).items() if cohort.day < TODAY}
    known = situation(now=now, totals=harmed, phase_since=now - timedelta(days=60), frozen=FreezeMode.ADVANCING)
    assert judge(_plan(windows), known).verdict is Conclusion.DEMOTE
    assert {cohort.lane for cohort in harmed} == {Lane.REVIEW}


def changes(windows: tuple[Window, ...], now: datetime, moment: datetime) -> None:
    """Nothing changes before the moment, and the answer is another one from it on."""
    before = is_open(windows, now)
    minutes = int((moment - now) / timedelta(minutes=1))
    assert all(is_open(windows, now + timedelta(minutes=minute)) is before for minute in range(minutes))
    assert is_open(windows, moment) is not before
    if not before:
        assert next_opening(windows, now) == moment


_BASE = plan_from_data(plan_data())


def _plan(windows: Iterable[Window]) -> Plan:
    return _BASE.model_copy(update={"windows": tuple(windows)})


def weekly(case: Case) -> tuple[Window, ...]:
    """
    The same times as windows of a week: what is included, or everything, without what is excluded.

    Without includes but with excludes everything else is open, so the windows are what the excludes leave.
    """
    zone = case["tz"]
    included = minutes_of(case["include"]) if case["include"] else set(range(7 * WHOLE_DAY))
    left = included - minutes_of(case["exclude"])
    if not case["include"] and not case["exclude"]:
        return ()
    found = tuple(_windows(left, zone))
    return found or (NEVER,)


NEVER = Window(days=(), opens="00:00", closes="24:00")


def minutes_of(rules: Iterable[Case]) -> set[int]:
    """Minutes of a week that begins with Sunday, in local time."""
    covered: set[int] = set()
    for rule in rules:
        if _is_dated(rule["cron"]):
            raise Dated
        minute, hour, _, _, weekdays = rule["cron"].split()
        for day in _numbers(weekdays, 7):
            for start_hour in _numbers(hour, 24):
                for start_minute in _numbers(minute, 60):
                    start = (day % 7) * WHOLE_DAY + start_hour * 60 + start_minute
                    covered |= _after(start, int(rule["hours"] * 60))
    return covered


def _after(start: int, length: int) -> set[int]:
    return {(start + minute) % (7 * WHOLE_DAY) for minute in range(min(length, 7 * WHOLE_DAY))}


def _is_dated(cron: str) -> bool:
    _, _, day, month, _ = cron.split()
    return (day, month) != ("*", "*")


def _numbers(field: str, below: int) -> Iterator[int]:
    for part in field.split(","):
        span, _, every = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            yield from range(0, below, int(every or 1))
        else:
            yield from range(int(first), int(last if dash else first) + 1, int(every or 1))


def _windows(minutes: set[int], zone: str) -> Iterator[Window]:
    """One window for each run of minutes within a day."""
    for number, day in enumerate(DAYS):
        inside = [minute in minutes for minute in range(number * WHOLE_DAY, (number + 1) * WHOLE_DAY)]
        edges = [
            at for at in range(WHOLE_DAY + 1) if (at < WHOLE_DAY and inside[at]) is not (at > 0 and inside[at - 1])
        ]
        for opens, closes in zip(edges[::2], edges[1::2], strict=True):
            yield Window(days=(day,), opens=_clock(opens), closes=_clock(closes), timezone=zone)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _always(windows: tuple[Window, ...]) -> bool:
    return sum(window.opens == "00:00" and window.closes == "24:00" for window in windows) == len(DAYS)


def test_every_case_has_our_answer(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("gitops_promoter.windows"):
        hold(case)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-03-29T07:30+02:00", False, id="spring: too early by the new time"),
        pytest.param("2026-03-29T09:00+02:00", True, id="spring: nine by the new time"),
        pytest.param("2026-03-29T17:00+02:00", False, id="spring: the end"),
        pytest.param("2026-10-25T08:59+01:00", False, id="autumn: nine by the old time"),
        pytest.param("2026-10-25T09:00+01:00", True, id="autumn: nine by the new time"),
        pytest.param("2026-10-25T16:59+01:00", True, id="autumn: the last minute"),
    ],
)
def test_a_window_follows_the_clocks_of_its_zone(now: str, expected: bool) -> None:
    sunday: dict[str, Any] = {"include": [{"cron": "0 9 * * 0", "hours": 8}], "exclude": [], "tz": "Europe/Berlin"}

    assert is_open(weekly(sunday), datetime.fromisoformat(now)) is expected
