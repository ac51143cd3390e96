"""When a gate that is not sure yet could pass, in figures and in words."""

from datetime import timedelta
from typing import Any

import pytest

from evidence.reviewers import Seeded
from rollout.domain.gate import judge_gate
from rollout.domain.outlook import Outlook, Outlooks
from rollout.domain.phase import Lane
from rollout.domain.totals import Cohort, Totals
from tests.unit.rollout.making import TODAY, counts, gate, plan, situation

NBSP = "\u00a0"
SINCE = TODAY - timedelta(days=40)


def days(number: int, cases: int = 40, *, first: int = 8, segment: str = "", **more: Any) -> Totals:
    """So many settled days alike, the newest `first` days ago."""
    made = {
        Cohort(Lane.REVIEW, segment, TODAY - timedelta(days=first + day)): counts(cases, **more)
        for day in range(number)
    }
    return made | {Cohort(Lane.REVIEW, segment, TODAY): counts(1)}


def outlook(seen: Totals, *, at: Totals | None = None, seeded: Seeded = Seeded(0, 0), **more: Any) -> Outlook | None:  # noqa: B008 - frozen
    result = judge_gate(gate(**more), plan(), situation(totals=seen, seeded=seeded))
    outlooks = Outlooks(seen if at is None else at, SINCE, TODAY, settle_days=7)
    return outlooks.of(result.to_dict())


def sure(found: Outlook | None) -> Outlook:
    assert found is not None
    return found


def test_says_how_many_cases_and_days_at_the_present_volume() -> None:
    found = sure(outlook(days(5, overridden=1)))

    assert found.per_day == pytest.approx(200 / 28)
    assert found.cases.early is not None
    assert found.days is not None
    assert found.days.early is not None
    assert found.days.early == pytest.approx(found.cases.early / found.per_day, abs=1)
    assert "at the present 7 cases a day, if it stays as good as so far" in found.words


def test_the_volume_is_that_of_the_last_four_weeks_of_the_phase() -> None:
    long_ago = days(2, 400, first=60, overridden=25)
    steady = sure(outlook(days(28, overridden=1) | long_ago, at_most=0.045))
    young = Outlooks(days(3, overridden=1), TODAY - timedelta(days=10), TODAY, settle_days=7)
    record = judge_gate(gate(), plan(), situation(totals=days(3, overridden=1))).to_dict()

    assert steady.per_day == pytest.approx(40)
    assert sure(young.of(record)).per_day == pytest.approx(40)


def test_days_of_before_the_phase_settles_do_not_count_as_empty_ones() -> None:
    record = judge_gate(gate(), plan(), situation(totals=days(3, overridden=1))).to_dict()
    found = sure(Outlooks({}, TODAY - timedelta(days=3), TODAY, settle_days=7).of(record))

    assert (found.per_day, found.days) == (0.0, found.days)
    assert found.words.startswith("No case has settled lately, so no time can be given. It takes about")


@pytest.mark.parametrize(
    ("seen", "limit", "said"),
    [
        (
            days(5, overridden=1),
            0.05,
            "In about 11 days to 21 months at the present 7 cases a day, if it stays as good as so far.",
        ),
        (
            days(28, 4),
            0.02,
            "In about 3 weeks to 6 months at the present 4 cases a day, if it stays as good as so far.",
        ),
        (
            days(10, overridden=1),
            0.03,
            (
                "Perhaps in about 9 weeks to 2 years at the present 14 cases a day, if it stays as good as so far; it "
                "may also not pass within {horizon} more cases."
            ),
        ),
        (
            days(20, overridden=2),
            0.051,
            (
                "In about 20 weeks at the present 29 cases a day at the earliest, if it stays as good as so far; "
                "more likely it does not pass within {horizon} more cases."
            ),
        ),
        (
            days(6, overridden=3),
            0.06,
            "It will hardly pass within {horizon} more cases, if it stays as good as so far.",
        ),
    ],
)
def test_what_may_not_pass_is_given_no_date_but_a_horizon(seen: Totals, limit: float, said: str) -> None:
    found = sure(outlook(seen, at_most=limit))

    assert found.words == said.format(horizon=f"{found.horizon:,}")


def test_a_version_that_is_as_good_as_its_limit_will_probably_not_pass() -> None:
    at_the_limit, better = outlook(days(20, overridden=2)), outlook(days(20, overridden=1), at_most=0.04)

    assert sure(at_the_limit).chance < 0.5 < sure(better).chance


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param({}, id="no evidence"),
        pytest.param(days(28), id="passes"),
        pytest.param(days(28, overridden=20), id="fails"),
        pytest.param(days(3, first=0), id="nothing settled"),
    ],
)
def test_only_what_is_not_sure_yet_has_an_outlook(seen: Totals) -> None:
    assert outlook(seen) is None


def test_losses_have_none() -> None:
    record = judge_gate(gate("override_loss"), plan(), situation(totals=days(2, overridden=1))).to_dict()

    assert record["verdict"] == "inconclusive"
    assert Outlooks({}, SINCE, TODAY, 7).of(record) is None


def test_the_deciding_segment_with_its_own_volume() -> None:
    seen = days(10, 40, segment="a", overridden=1) | days(10, 10, segment="b", overridden=1)

    found = sure(outlook(seen, segments="each"))

    assert found.words.startswith('Segment "b": ')
    assert found.per_day == pytest.approx(100 / 28)


def test_a_corrected_gate_is_forecast_against_its_corrected_limit() -> None:
    seen = days(10, overridden=1)
    good, poor = Seeded(300, 310), Seeded(200, 310)

    plain = sure(outlook(seen))
    sharp = sure(outlook(seen, seeded=good, corrected_for_reviewers=True))
    blind = sure(outlook(seen, seeded=poor, corrected_for_reviewers=True))

    assert plain.chance > sharp.chance > blind.chance
    assert outlook(seen, seeded=Seeded(0, 0), corrected_for_reviewers=True) is None
