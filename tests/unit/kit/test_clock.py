from datetime import UTC, datetime, timedelta

from kit.clock import FixedClock, SystemClock

START = datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_a_fixed_clock_stands_still_until_it_is_moved() -> None:
    clock = FixedClock(START)

    before = clock.now(), clock.now()
    clock.move(timedelta(weeks=13))

    assert before == (START, START)
    assert clock.now() == START + timedelta(weeks=13)


def test_a_fixed_clock_can_be_set() -> None:
    clock = FixedClock(START)

    clock.set(START + timedelta(days=1))

    assert clock.now() == START + timedelta(days=1)


def test_the_machines_clock_knows_its_zone() -> None:
    assert SystemClock().now().tzinfo is UTC
