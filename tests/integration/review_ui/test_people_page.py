"""The page about people: what it says, whom it is for, and what it teaches while there is nothing to say."""

from datetime import UTC, datetime, timedelta

import pytest

from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from rollout.domain.phase import Lane
from rollout.domain.totals import Counts
from rollout.gates import service as gates
from rollout.versions import queries as version_queries
from routing import tasks
from routing.cases.tables import Label
from routing.tallies import queries as tallies
from tests.integration.review_ui import house

ADDRESS = "/agents/digits/people"
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


def words(page: str) -> str:
    return " ".join(page.replace("\xa0", " ").replace("&nbsp;", " ").split())


def verdicts(ctx: Context, case_id: str, *said: tuple[str, str, str]) -> None:
    """A decision and the verdicts on it: person, verdict, source."""
    decision = house.case(ctx, case_id).decision
    with ctx.db.begin() as session:
        for minute, (person, verdict, source) in enumerate(said):
            at = ctx.clock.now() + timedelta(minutes=minute)
            session.add(
                Label(
                    decision_id=decision.id, verdict=verdict, severity=None, source=source, source_id=new_id(),
                    person=person, note="", at=at,
                )
            )  # fmt: skip


def counted(ctx: Context, lane: Lane, agreed: int, overridden: int) -> None:
    with ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "digits", "1.9.0")
        key = gates.TotalKey(rollout.id, rollout.epoch, lane.value, "", ctx.clock.now().date())
        gates.count(session, {key: Counts(cases=agreed + overridden, agreed=agreed, overridden=overridden)})


def reviews(ctx: Context, monday: datetime = MONDAY, *, each: int = 30, held: float = 360.0) -> None:
    """So many reviews in the hour from ten on four Mondays, each held for so many seconds."""
    with ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "digits", "1.9.0")
        hours = [monday + timedelta(weeks=week, hours=10) for week in range(4)]
        figures = each, each if held else 0, int(each * held * 1000)
        tallies.add(session, tallies.WORK, {(rollout.id, hour.date(), hour.hour, "review"): figures for hour in hours})


def read(ctx: Context, query: str = "", *, login: str = house.OWNER, status: int = 200) -> str:
    tasks.settle(ctx)
    with house.client(ctx, login) as client:
        answer = client.get(f"{ADDRESS}{query}")
    assert answer.status_code == status, answer.text
    return words(answer.text)


class TestWithNothingToSay:
    def test_every_part_teaches_what_it_needs(self, ctx: Context) -> None:
        page = read(ctx)

        assert "No output has the verdicts of two people yet." in page
        assert "No verdict in shadow or in review yet." in page
        assert "No verdict was looked at again by somebody else yet." in page

    def test_no_rate_is_shown(self, ctx: Context) -> None:
        assert "0.0 %" not in read(ctx)


class TestVerdicts:
    def test_agreement_is_told_with_its_bounds(self, ctx: Context) -> None:
        for number in range(40):
            first = "agree" if number < 20 else "override"
            verdicts(ctx, f"c-{number}", ("rita", first, "review"), ("ravi", first if number else "override", "audit"))
        ctx_clock(ctx).move(timedelta(days=1))

        page = read(ctx)

        assert "Of 40 outputs that two or more people gave a verdict on, they said the same of 39 (97.5 %;" in page
        assert "Krippendorff&#39;s alpha" in page
        assert "people see these cases nearly alike" in page

    def test_one_output_is_too_few_to_call_people_alike(self, ctx: Context) -> None:
        verdicts(ctx, "c-1", ("rita", "agree", "review"), ("ravi", "agree", "audit"))
        ctx_clock(ctx).move(timedelta(days=1))

        page = read(ctx)

        assert "2.5 % to 100.0 %, 95 % sure" in page
        assert "too few outputs to call that much or little" in page
        assert "nearly alike" not in page

    def test_a_sway_is_shown_with_a_warning_about_the_cases(self, ctx: Context) -> None:
        counted(ctx, Lane.SHADOW, 800, 200)
        counted(ctx, Lane.REVIEW, 980, 20)

        page = read(ctx)

        assert "People who saw the output agreed 18.0 points more often than people who had not." in page
        assert "seeing the output may sway them, or the cases were easier" in page
        assert "automation bias" in page

    def test_who_was_right_is_counted(self, ctx: Context) -> None:
        verdicts(ctx, "c-1", ("rita", "override", "review"), ("ravi", "agree", "human_output"))
        verdicts(ctx, "c-2", ("rita", "agree", "review"), ("emil", "override", "failure"))
        ctx_clock(ctx).move(timedelta(days=1))

        page = read(ctx)

        assert "the agent was right in 1 of 1 case: between 2.5 % and 100.0 % of such cases, 95 % sure." in page
        assert "Neither<small>let pass, and wrong</small></dt> <dd> 1 </dd>" in page

    def test_the_period_is_chosen(self, ctx: Context) -> None:
        verdicts(ctx, "c-1", ("rita", "agree", "review"), ("ravi", "agree", "audit"))
        ctx_clock(ctx).move(timedelta(days=60))

        assert "No output has the verdicts" in read(ctx, "?days=28")
        assert "No output has the verdicts" not in read(ctx, "?days=90")
        assert 'value="90" selected' in read(ctx, "?days=7")  # not one of those that are offered


class TestWhoMayReadIt:
    @pytest.mark.parametrize("login", [house.OWNER, house.SECOND])
    def test_those_who_answer_for_people_find_it(self, ctx: Context, login: str) -> None:
        with house.client(ctx, login) as client:
            assert f'href="{ADDRESS}?version=1.9.0"' in client.get("/agents/digits").text

        assert 'aria-current="page">People</a>' in read(ctx, login=login)

    @pytest.mark.parametrize("login", ["rita", "emil"])
    def test_others_do_not(self, ctx: Context, login: str) -> None:
        with house.client(ctx, login) as client:
            assert ADDRESS not in client.get("/agents/digits").text

        assert "may not" in read(ctx, login=login, status=403)

    def test_an_agent_that_is_not_there_is_told(self, ctx: Context) -> None:
        with house.client(ctx, house.OWNER) as client:
            assert client.get("/agents/nobody/people").status_code == 404


def ctx_clock(ctx: Context) -> FixedClock:
    assert isinstance(ctx.clock, FixedClock)
    return ctx.clock
