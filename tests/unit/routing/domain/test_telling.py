"""When somebody may be written to."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.domain.telling import GAP, Hours, is_quiet, next_time, quiet_over

NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)
ZURICH = "Europe/Zurich"


class TestQuietHours:
    @pytest.mark.parametrize(
        ("hour", "quiet"),
        [(21, False), (22, True), (23, True), (0, True), (6, True), (7, False), (12, False)],
    )
    def test_they_go_over_midnight(self, hour: int, quiet: bool) -> None:
        hours = Hours(quiet_from=time(22), quiet_until=time(7))

        assert is_quiet(hours, NINE.replace(hour=hour)) is quiet

    @pytest.mark.parametrize(("hour", "quiet"), [(11, False), (12, True), (13, False)])
    def test_they_may_lie_within_a_day(self, hour: int, quiet: bool) -> None:
        assert is_quiet(Hours(quiet_from=time(12), quiet_until=time(13)), NINE.replace(hour=hour)) is quiet

    def test_they_are_by_the_clock_on_the_wall_in_winter_and_in_summer(self) -> None:
        hours = Hours(zone=ZURICH, quiet_from=time(22), quiet_until=time(7))

        assert [is_quiet(hours, datetime(2026, month, 5, 5, 30, tzinfo=UTC)) for month in (1, 7)] == [True, False]

    @pytest.mark.parametrize(
        ("now", "over"),
        [
            pytest.param("2026-01-05T21:30Z", "2026-01-06T06:00Z", id="over midnight"),
            pytest.param("2026-01-06T03:00Z", "2026-01-06T06:00Z", id="after midnight"),
            pytest.param("2026-10-24T22:00Z", "2026-10-25T06:00Z", id="while the clock is put back"),
        ],
    )
    def test_they_end_by_the_clock_on_the_wall(self, now: str, over: str) -> None:
        hours = Hours(zone=ZURICH, quiet_from=time(22), quiet_until=time(7))

        assert quiet_over(hours, datetime.fromisoformat(now)) == datetime.fromisoformat(over)

    def test_where_the_clock_shows_their_end_twice_they_end_twice(self) -> None:
        hours = Hours(zone=ZURICH, quiet_from=time(22), quiet_until=time(2, 30))
        again = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)  # 02:10, for the second time

        assert is_quiet(hours, again)
        assert quiet_over(hours, again) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

    def test_without_them_it_is_never_quiet(self) -> None:
        assert not is_quiet(Hours(), NINE.replace(hour=3))


class TestNextTime:
    def test_the_first_message_goes_at_once(self) -> None:
        assert next_time(Hours(), None, NINE) == NINE

    def test_the_next_one_waits_for_five_minutes(self) -> None:
        assert next_time(Hours(), NINE, NINE) == NINE + GAP

    def test_together_once_an_hour(self) -> None:
        assert next_time(Hours(pace="hourly"), NINE, NINE) == NINE + timedelta(hours=1)

    def test_together_at_an_hour_of_the_day(self) -> None:
        daily = Hours(zone=ZURICH, pace="daily", daily_at=time(8))

        assert next_time(daily, None, NINE) == datetime(2026, 1, 6, 7, tzinfo=UTC)
        assert next_time(daily, None, NINE.replace(hour=6)) == NINE.replace(hour=7)

    def test_the_hour_stays_the_same_on_the_wall_when_clocks_change(self) -> None:
        daily = Hours(zone=ZURICH, pace="daily", daily_at=time(8))
        before = datetime(2026, 3, 28, 7, tzinfo=UTC)

        assert next_time(daily, before, before) == datetime(2026, 3, 29, 6, tzinfo=UTC)


@given(
    pace=st.sampled_from(["soon", "hourly", "daily"]),
    told=st.timedeltas(timedelta(), timedelta(days=365)).map(lambda past: datetime(2026, 1, 1, tzinfo=UTC) + past),
    later=st.timedeltas(timedelta(), timedelta(days=2)),
    at=st.times(),
)
def test_no_two_messages_are_ever_nearer_than_five_minutes(
    pace: str, told: datetime, later: timedelta, at: time
) -> None:
    hours = Hours(zone=ZURICH, pace=pace, daily_at=at)  # type: ignore[arg-type]

    following = next_time(hours, told, told + later)

    assert following >= told + GAP
    assert following >= told + later
