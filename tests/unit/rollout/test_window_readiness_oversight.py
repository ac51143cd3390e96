from datetime import UTC, date, datetime, timedelta

import pytest

from rollout.domain.oversight import next_review_due
from rollout.domain.phase import Phase
from rollout.domain.plan import Oversight, Weekday, Window
from rollout.domain.plan_yaml import plan_from_data
from rollout.domain.readiness import judge_readiness
from rollout.domain.situation import Answer, Answered
from rollout.domain.window import is_open, next_opening
from tests.unit.rollout.making import YES, plan_data

WEEKDAYS = (Weekday.MON, Weekday.TUE, Weekday.WED, Weekday.THU, Weekday.FRI)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(
    opens: str = "09:00", closes: str = "17:00", days: tuple[Weekday, ...] = WEEKDAYS, zone: str = "UTC"
) -> Window:
    return Window(days=days, opens=opens, closes=closes, timezone=zone)


class TestWindow:
    @pytest.mark.parametrize(
        ("now", "windows", "expected"),
        [
            pytest.param("2026-07-06T10:00", [window()], True, id="inside"),
            pytest.param("2026-07-06T06:00", [window()], False, id="before"),
            pytest.param("2026-07-06T09:00", [window()], True, id="the start is inside"),
            pytest.param("2026-07-06T17:00", [window()], False, id="the end is outside"),
            pytest.param("2026-07-06T16:59:59", [window()], True, id="the last second"),
            pytest.param("2026-07-11T11:00", [window()], False, id="another day"),
            pytest.param("2026-07-11T11:00", [window(), window("10:00", "14:00", (Weekday.SAT,))], True, id="any one"),
            pytest.param("2026-07-06T14:00", [window(zone="America/New_York")], True, id="in New York"),
            pytest.param("2026-07-06T10:00", [window("11:00", "17:00", zone="Europe/Paris")], True, id="in Paris"),
            pytest.param("2026-07-06T23:59", [window("00:00", "24:00")], True, id="until midnight"),
            pytest.param("2026-07-06T10:00", [], True, id="without windows"),
        ],
    )
    def test_open_or_closed(self, now: str, windows: list[Window], expected: bool) -> None:
        assert is_open(windows, utc(now)) is expected

    @pytest.mark.parametrize(
        ("now", "opening"),
        [
            ("2026-07-06T06:00", "2026-07-06T09:00"),
            ("2026-07-06T09:00", "2026-07-07T09:00"),
            ("2026-07-10T17:00", "2026-07-13T09:00"),
            ("2026-07-11T00:00", "2026-07-13T09:00"),
        ],
    )
    def test_the_next_opening(self, now: str, opening: str) -> None:
        assert next_opening([window()], utc(now)) == utc(opening)

    def test_a_weekly_window_opens_again_in_a_week(self) -> None:
        monday = [window(days=(Weekday.MON,))]

        assert next_opening(monday, utc("2026-07-06T09:00")) == utc("2026-07-13T09:00")

    def test_an_opening_follows_the_clocks_of_its_zone(self) -> None:
        berlin = [window(days=(Weekday.MON,), zone="Europe/Berlin")]

        assert next_opening(berlin, utc("2026-10-20T12:00")) == utc(
            "2026-10-26T08:00"
        )  # the night before, an hour more
        assert next_opening(berlin, utc("2026-10-13T12:00")) == utc("2026-10-19T07:00")

    @pytest.mark.parametrize(
        ("opens", "closes", "first", "last"),
        [
            pytest.param("01:00", "05:00", "2026-03-29T00:00", "2026-03-29T02:59", id="an hour less"),
            pytest.param("02:30", "05:00", "2026-03-29T01:00", "2026-03-29T02:59", id="the opening is skipped"),
            pytest.param("01:30", "02:30", "2026-03-29T00:30", "2026-03-29T00:59", id="the closing is skipped"),
            pytest.param("00:00", "24:00", "2026-03-28T23:00", "2026-03-29T21:59", id="all of the short day"),
            pytest.param("01:00", "05:00", "2026-10-24T23:00", "2026-10-25T03:59", id="an hour more"),
            pytest.param("02:30", "05:00", "2026-10-25T00:30", "2026-10-25T03:59", id="opens once, the first time"),
            pytest.param("01:30", "02:30", "2026-10-24T23:30", "2026-10-25T00:29", id="closes once, the first time"),
            pytest.param("00:00", "24:00", "2026-10-24T22:00", "2026-10-25T22:59", id="all of the long day"),
        ],
    )
    def test_on_the_days_on_which_the_clocks_change(self, opens: str, closes: str, first: str, last: str) -> None:
        sundays = [window(opens, closes, (Weekday.SUN,), "Europe/Berlin")]
        start, end = utc(first), utc(last) + timedelta(minutes=1)
        minutes = int((end - start) / timedelta(minutes=1))

        assert next_opening(sundays, start - timedelta(minutes=1)) == start
        assert all(is_open(sundays, start + timedelta(minutes=minute)) for minute in range(minutes))
        assert not is_open(sundays, start - timedelta(seconds=1))
        assert not any(is_open(sundays, end + timedelta(minutes=minute)) for minute in range(300))

    def test_a_window_that_the_clocks_skip_opens_a_week_later(self) -> None:
        skipped = [window("02:00", "03:00", (Weekday.SUN,), "Europe/Berlin")]
        that_day = [utc("2026-03-28T23:00") + timedelta(minutes=minute) for minute in range(23 * 60)]

        assert not any(is_open(skipped, moment) for moment in that_day)
        assert next_opening(skipped, utc("2026-03-22T12:00")) == utc("2026-04-05T00:00")

    def test_nothing_opens_without_windows(self) -> None:
        assert next_opening([], utc("2026-07-06T09:00")) is None


class TestReadiness:
    def judged(self, *answers: Answered) -> list[tuple[bool, str]]:
        data = plan_data()
        data["phases"]["shadow"]["readiness"] = [
            {"key": "q", "category": "security", "question": "Were the rights reviewed?"}
        ]
        given = dict(zip(["q"], answers, strict=False))
        results = judge_readiness(plan_from_data(data).phase(Phase.SHADOW), given)
        return [(result.done, result.words) for result in results]

    def test_an_unknown_is_a_no(self) -> None:
        unanswered = [(False, "Not answered, which counts as a no.")]

        assert self.judged() == unanswered
        assert self.judged(Answered(Answer.UNKNOWN)) == unanswered

    def test_a_yes_needs_a_link_to_its_evidence(self) -> None:
        assert self.judged(Answered(Answer.YES, link=" "))[0][0] is False
        assert self.judged(YES) == [(True, "Yes.")]

    def test_a_no_says_who_sees_to_it(self) -> None:
        given = Answered(Answer.NO, link="x", owner="Maria", due=date(2026, 12, 1))

        assert self.judged(given) == [(False, "No. Maria sees to it, until 2026-12-01.")]
        assert self.judged(Answered(Answer.UNKNOWN, owner="Ines"))[0][1].endswith("Ines sees to it.")
        assert self.judged(Answered(Answer.NO)) == [(False, "No.")]


class TestOversight:
    START = utc("2026-01-05T09:00")

    def due(self, *days: int, weekly_days: int = 90) -> int | None:
        """Of the next review, in days from the start, when reviews were held on these days."""
        held = [self.START + timedelta(days=day, hours=3) for day in days]
        due = next_review_due(Oversight(weekly_days=weekly_days), self.START, held)
        return (due - self.START.date()).days if due else None

    def test_weekly_at_first_and_monthly_afterwards(self) -> None:
        assert self.due() == 7
        assert self.due(7, 14) == 21
        assert self.due(83) == 90
        assert self.due(84) == 84 + 31
        assert self.due(84, 110) == 110 + 31

    def test_the_newest_review_counts_in_whatever_order_they_are_told(self) -> None:
        assert self.due(14, 7) == 21

    def test_without_a_weekly_time_it_is_monthly_at_once(self) -> None:
        assert self.due(weekly_days=0) == 31

    def test_nothing_is_due_before_the_agent_has_left_evaluation(self) -> None:
        assert next_review_due(Oversight(), None, []) is None
