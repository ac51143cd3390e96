import pytest

from rollout.gates.fleet import Stream, fleet


def stream(days: float) -> Stream:
    return Stream("claims", "v1", "full", "error_rate", days)


def test_the_false_alarms_of_all_guardrails_add_up() -> None:
    found = fleet((stream(1000), stream(1000), stream(500)), 12)

    assert found.per_year == pytest.approx(365 / 1000 * 4)
    assert found.within
    assert found.words == "3 guardrails together: at most 1.46 false alarms a year, 12 are allowed."


def test_too_many_of_them_are_told_what_each_would_need() -> None:
    found = fleet((stream(100),) * 20, 12)

    assert not found.within
    assert found.days_needed == pytest.approx(20 * 365 / 12)
    assert "With false_alarm_days of 608 each they would keep to it." in found.words
    assert fleet((stream(found.days_needed or 0),) * 20, 12).per_year == pytest.approx(12)


def test_without_a_guardrail_there_is_no_false_alarm() -> None:
    found = fleet((), 12)

    assert (found.per_year, found.within, found.days_needed) == (0.0, True, None)
