"""Reviewers needed, from what really arrived and how long it really took; and the reason where that is not known."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from kit.clock import FixedClock
from kit.context import Context
from kit.errors import Invalid
from kit.tasks import REGISTRY
from rollout.versions.queries import get_rollout
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.staffing import service
from routing.staffing.service import RULINGS_NEEDED, Plan, Wish
from routing.tallies import queries
from routing.tallies.queries import WORK
from tests import factories
from web_app import create_app

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def house(ctx: Context, clock: FixedClock) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)
    clock.move(timedelta(days=28))


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx)) as made:
        yield made


def reviews(ctx: Context, *times: datetime, agent: str = "claims", held: float | None = None) -> None:
    """Reviews that came then; ruled on after so many seconds where that is given."""
    with ctx.db.begin() as session:
        rollout = get_rollout(session, agent, "v1")
        timed = (1, int(held * 1000)) if held else (0, 0)
        for at in times:
            queries.add(session, WORK, {(rollout.id, at.date(), at.hour, "review"): (1, *timed)})


def plan(ctx: Context, **wish: Any) -> Plan:
    with ctx.db.read() as session:
        return service.plan(session, Wish(**wish), now=ctx.clock.now())


def mondays(hour: int, each: int, weeks: int = 4) -> list[datetime]:
    """So many reviews in this hour of so many Mondays."""
    return [
        MONDAY + timedelta(weeks=week, hours=hour, minutes=minute) for week in range(weeks) for minute in range(each)
    ]


class TestPlan:
    def test_counts_arrivals_by_hour_of_the_week(self, ctx: Context) -> None:
        reviews(ctx, *mondays(10, 30))
        reviews(ctx, MONDAY + timedelta(days=6, hours=23, minutes=59))

        found = plan(ctx, minutes_per_review=6.0)

        assert found.reason is None
        assert found.hours[10].arrivals == pytest.approx(30.0)
        assert found.hours[167].arrivals == pytest.approx(0.25)
        assert sum(hour.arrivals for hour in found.hours) == pytest.approx(30.25)
        # Ten an hour each: three are as many as arrive, four hold nine of ten below an hour.
        assert (found.hours[10].needed, found.hours[167].needed, found.hours[0].needed) == (4, 1, 0)
        assert found.most_needed == 4

    def test_says_where_those_who_are_there_cannot_keep_up(self, ctx: Context) -> None:
        reviews(ctx, *mondays(10, 30))

        found = plan(ctx, minutes_per_review=6.0, reviewers=3)

        assert found.unstable == 1
        assert not found.hours[10].stable
        assert found.hours[10].queue.mean_wait is None
        assert found.hours[10].late == 1.0
        assert found.hours[11].stable

    def test_measures_how_long_a_review_takes(self, ctx: Context) -> None:
        reviews(ctx, *mondays(10, 10), held=90.0)
        reviews(ctx, *mondays(11, 5), held=0.0)  # read from a file

        found = plan(ctx)

        assert (found.handling.minutes, found.handling.given, found.handling.rulings) == (1.5, False, 40)
        assert found.hours[10].needed == 1

    def test_a_given_time_goes_before_a_measured_one(self, ctx: Context) -> None:
        reviews(ctx, *mondays(10, 10), held=90.0)

        found = plan(ctx, minutes_per_review=12.0)

        assert (found.handling.minutes, found.handling.given, found.handling.measured) == (12.0, True, 1.5)

    def test_too_few_rulings_are_no_measurement(self, ctx: Context) -> None:
        reviews(ctx, *mondays(10, 1), held=90.0)

        found = plan(ctx)

        assert found.hours == ()
        assert found.handling.minutes is None
        assert f"4 rulings of the last four weeks were timed, {RULINGS_NEEDED} are needed" in str(found.reason)

    def test_without_any_review_there_is_no_figure(self, ctx: Context) -> None:
        found = plan(ctx, minutes_per_review=6.0)

        assert found.hours == ()
        assert found.reason == "no review has come yet, so nobody knows how many will"

    def test_less_than_a_week_of_reviews_is_no_week(self, ctx: Context) -> None:
        reviews(ctx, ctx.clock.now() - timedelta(days=6))

        assert "less than a week" in str(plan(ctx, minutes_per_review=6.0).reason)

    def test_an_hour_is_divided_by_how_often_it_was_seen(self, ctx: Context) -> None:
        first = MONDAY + timedelta(weeks=2, hours=10)  # seen on the Mondays of two weeks
        reviews(ctx, *(first + timedelta(minutes=minute) for minute in range(30)))

        found = plan(ctx, minutes_per_review=6.0)

        assert found.since == first
        assert found.hours[10].arrivals == pytest.approx(15.0)

    def test_the_hour_that_has_not_ended_is_left_out(self, ctx: Context, clock: FixedClock) -> None:
        reviews(ctx, *mondays(10, 30))
        clock.move(timedelta(minutes=30))
        reviews(ctx, ctx.clock.now())

        assert plan(ctx, minutes_per_review=6.0).arrived == 120

    def test_hours_are_those_of_the_zone(self, ctx: Context) -> None:
        reviews(ctx, *mondays(23, 4))

        found = plan(ctx, minutes_per_review=6.0, zone="Europe/Zurich")

        assert found.hours[24].arrivals == pytest.approx(4.0)  # Tuesday at midnight
        assert found.hours[23].arrivals == 0.0

    @pytest.mark.parametrize("zone", ["Nowhere/Land", "", "../etc", "Europe"])
    def test_a_zone_that_is_none_is_refused(self, ctx: Context, zone: str) -> None:
        with pytest.raises(Invalid, match="zone"):
            plan(ctx, zone=zone)

    def test_counts_one_agent_or_all(self, ctx: Context) -> None:
        factories.agent(ctx, "letters")
        factories.rollout(ctx, "letters")
        reviews(ctx, *mondays(10, 30))
        reviews(ctx, *mondays(10, 10), agent="letters")

        assert [plan(ctx, agent=agent).arrived for agent in ("claims", "letters", None)] == [120, 40, 160]

    def test_says_what_another_share_of_automation_would_ask_for(self, ctx: Context, clock: FixedClock) -> None:
        clock.set(MONDAY + timedelta(hours=10))
        for number in range(40):
            factories.decision(ctx, f"c-{number}")
        REGISTRY["routing.settle"].run(ctx)
        clock.set(MONDAY + timedelta(days=28))

        found = plan(ctx, minutes_per_review=6.0, automation=0.5, audit_rate=0.1)

        assert found.hours[10].arrivals == pytest.approx(10.0 * (0.5 + 0.05))


class TestRoute:
    def test_tells_the_week(self, ctx: Context, client: TestClient) -> None:
        reviews(ctx, *mondays(10, 30))
        asked = {"agent": "claims", "minutes_per_review": 6, "within_minutes": 60, "share": 0.9, "reviewers": 3}

        answer = client.get("/v1/staffing", params=asked, headers=factories.bearer(ctx, agent="claims"))

        body = answer.json()
        assert answer.status_code == 200, answer.text
        assert len(body["hours"]) == 168
        assert body["hours"][10] == {
            "day": "Monday", "hour": 10, "arrivals": 30.0, "needed": 4, "reviewers": 3,
            "stable": False, "late": 1.0, "mean_wait_minutes": None,
        }  # fmt: skip
        assert (body["unstable_hours"], body["most_needed"], body["reason"]) == (1, 4, None)

    def test_of_all_agents_is_for_people(self, ctx: Context, client: TestClient) -> None:
        factories.person(ctx, "emil", roles=("engineer",))

        assert client.get("/v1/staffing", headers=factories.bearer(ctx, agent="claims")).status_code == 403
        answer = client.get("/v1/staffing", headers=factories.bearer(ctx, login="emil"))
        assert answer.status_code == 200
        assert answer.json()["reason"] == "no review has come yet, so nobody knows how many will"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("share", "1"), ("share", "0"), ("share", "nan"), ("within_minutes", "-1"), ("within_minutes", "inf"),
            ("minutes_per_review", "0"), ("minutes_per_review", "soon"), ("reviewers", "-1"), ("reviewers", "1.5"),
            ("automation", "1.1"), ("audit_rate", "-0.1"), ("zone", "Nowhere/Land"), ("agent", "x" * 129),
        ],
    )  # fmt: skip
    def test_nonsense_is_refused_with_its_place(self, ctx: Context, client: TestClient, name: str, value: str) -> None:
        factories.actor(ctx, "mara")

        answer = client.get("/v1/staffing", params={name: value}, headers=factories.bearer(ctx, login="mara"))

        assert answer.status_code == 422
        assert name in answer.json()["errors"][0]["place"]
