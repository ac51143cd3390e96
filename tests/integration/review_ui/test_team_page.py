"""The team page: what waits, what was late, who may need help, and how many people it takes."""

from datetime import datetime, timedelta

import pytest

from kit.context import Context
from kit.ids import new_id
from rollout.versions.queries import get_rollout
from routing import tasks
from routing.reviews.tables import ReviewItem
from routing.team import queries, service
from tests import factories
from tests.integration.review_ui import house
from tests.integration.review_ui.test_people_page import MONDAY, ctx_clock, reviews, verdicts, words
from tests.integration.review_ui.test_reviewer_page import RITA
from tests.integration.routing import desk
from tests.integration.routing.test_many_at_the_desk import statements

ADDRESS = "/team"


@pytest.fixture(autouse=True)
def furnished(ctx: Context) -> None:
    house.people(ctx)
    house.agent(ctx)


def read(ctx: Context, query: str = "", *, login: str = house.SECOND, status: int = 200) -> str:
    tasks.settle(ctx)
    with house.client(ctx, login) as client:
        answer = client.get(f"{ADDRESS}{query}")
    assert answer.status_code == status, answer.text
    return words(answer.text)


def test_every_part_teaches_what_it_needs(ctx: Context) -> None:
    page = read(ctx)

    assert "Nothing waits for a person." in page
    assert "No review ended in this period." in page
    assert "Nobody stands apart from the others beyond chance in digits." in page
    assert "Nobody has ruled on a review or an audit in this period." in page
    assert "No output of digits has the verdicts of two people yet." in page
    assert "No review has come yet, so nobody knows how many will." in page


class TestWork:
    def test_what_waits_is_counted_by_age_and_by_what_is_late(self, ctx: Context) -> None:
        with ctx.db.begin() as session:
            now = ctx.clock.now()
            for hours, due in ((0.5, 5.0), (0.5, 0.5), (9.0, -1.0), (30.0, -6.0)):
                session.add(item(now - timedelta(hours=hours), now + timedelta(hours=due)))

        page = read(ctx)

        assert "4 cases wait: 2 late, 1 more due within the hour." in page
        assert 'href="/review/queue?agent=digits&amp;kind=review"' in page
        assert "2 late</span>" in page
        assert "1 at risk</span>" in page
        with house.client(ctx) as client:
            [queue] = client.get("/v1/team", headers=key(ctx)).json()["queues"]
        assert (queue["waiting"], queue["late"], queue["soon"]) == (4, 2, 1)
        assert [queue[f"older_than_{age}"] for age in ("1_hour", "8_hours", "1_day")] == [2, 2, 1]

    def test_what_no_work_depends_on_stands_by_itself_and_is_never_late(self, ctx: Context) -> None:
        with ctx.db.begin() as session:
            now = ctx.clock.now()
            for kind in ("review", "second", "judgement"):
                row = item(now - timedelta(hours=9), now - timedelta(hours=1))
                row.kind, row.shown_as = kind, "review" if kind == "second" else None
                session.add(row)

        page = read(ctx)

        assert (
            "1 case waits: 1 late, 0 more due within the hour. Beside them 2 checks, on which no work depends." in page
        )
        assert "<small>second opinions</small>" in page
        with house.client(ctx) as client:
            queues = client.get("/v1/team", headers=key(ctx)).json()["queues"]
        assert [(queue["kind"], queue["late"]) for queue in queues] == [("judgement", 0), ("review", 1), ("second", 0)]

    def test_of_each_line_only_the_front_is_counted_and_the_page_says_so(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "COUNTED_UP_TO", 3)
        monkeypatch.setattr(service, "COUNTED_UP_TO", 3)
        with ctx.db.begin() as session:
            now = ctx.clock.now()
            rows = [item(now, now + timedelta(hours=hours)) for hours in (-1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
            rows[-1].kind = "audit"
            for row in rows:
                row.rollout_id = get_rollout(session, "digits", "1.9.0").id
            session.add_all(rows)

        page = read(ctx)

        assert "More than 4 cases wait: 1 late" in page
        assert "<strong>3+</strong>" in page
        assert "<strong>1</strong>" in page  # the audit behind them all

    def test_long_lines_are_looked_through_together_however_many_they_are(
        self, ctx: Context, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "COUNTED_UP_TO", 2)
        now, names = ctx.clock.now(), ["digits", "forms", "faxes"]
        asked: list[int] = []
        for number, name in enumerate(names):
            if number:
                factories.agent(ctx, name)
            rollout = factories.rollout(ctx, name)
            with ctx.db.begin() as session:
                rows = [item(now, now + timedelta(hours=hours)) for hours in (2.0, 3.0, 4.0)]
                rows[-1].kind = "audit"
                for row in rows:
                    row.agent, row.rollout_id = name, rollout.id
                session.add_all(rows)
            with statements(ctx) as found, ctx.db.read() as session:
                waiting = queries.waiting(session, None, now, soon=now, before=[])
            asked.append(len(found))
            assert [(one.agent, one.kind, one.waiting) for one in waiting] == [
                (name, kind, times)
                for name in sorted(names[: number + 1])
                for kind, times in (("audit", 1), ("review", 2))
            ]

        assert asked == [asked[0]] * 3

    def test_what_ended_is_in_time_late_or_by_nobody(self, ctx: Context) -> None:
        now = ctx.clock.now()
        with ctx.db.begin() as session:
            for state, ended in (("approved", -1.0), ("rejected", 1.0), ("expired", 2.0), ("escalated", 1.0)):
                row = item(now, now + timedelta(hours=3))
                row.state, row.ended_at = state, row.due_at + timedelta(hours=ended)
                session.add(row)
        ctx_clock(ctx).move(timedelta(hours=8))

        with house.client(ctx) as client:
            found = client.get("/v1/team", headers=key(ctx)).json()

        assert found["ended"] == [{"agent": "digits", "in_time": 1, "late": 1, "expired": 1}]
        assert "<strong>33.3 %</strong>" in read(ctx)

    def test_who_holds_how_much_is_told_by_name(self, ctx: Context) -> None:
        house.case(ctx, "form-1")
        assert desk.claim_next(ctx, RITA) is not None

        with house.client(ctx) as client:
            found = client.get("/v1/team", headers=key(ctx)).json()

        assert [(row["name"], row["holds"], row["ruled"]) for row in found["load"]] == [
            ("Ines", 0, 0), ("Ravi", 0, 0), ("Rita", 1, 0),
        ]  # fmt: skip

    def test_people_are_compared_within_one_agent_only(self, ctx: Context) -> None:
        house.agent(ctx, "invoices", title="Invoices")

        assert "Choose an agent:" in read(ctx)
        assert "Choose an agent:" not in read(ctx, "?agent=invoices")
        read(ctx, "?agent=nobody", status=404)


def item(created: datetime, due: datetime) -> ReviewItem:
    return ReviewItem(
        decision_id=new_id(), agent="digits", version="1.9.0", rollout_id=new_id(), case_id="c",
        kind="review", fingerprint="f", created_at=created, due_at=due, expires_at=None,
    )  # fmt: skip


def key(ctx: Context) -> dict[str, str]:
    return factories.bearer(ctx, login=house.SECOND) | {"accept": "application/json"}


class TestPeople:
    def test_reviewers_stand_by_name_and_nobody_by_speed(self, ctx: Context) -> None:
        for number in range(40):
            verdicts(ctx, f"a-{number}", ("rita", "agree", "review"))
            verdicts(ctx, f"b-{number}", ("ravi", "override" if number % 2 else "agree", "review"))
        ctx_clock(ctx).move(timedelta(days=1))

        page = read(ctx)

        assert page.index("Ravi") < page.index("Rita")
        assert "none seen<small>0 of 40; 95 % sure: 0.0 % to 8.9 %</small>" in page
        assert "Fewer overrides</span> than all others" in page
        assert "fastest" not in page

    def test_rulings_that_came_before_the_case_can_have_been_read_are_told_to_the_lead(self, ctx: Context) -> None:
        for number in (1, 2):
            house.case(ctx, f"form-{number}")
            item = desk.claim_next(ctx, RITA)
            assert item is not None
            ctx_clock(ctx).move(timedelta(seconds=0.05))
            desk.rule(ctx, RITA, item)
        ctx_clock(ctx).move(timedelta(days=1))
        desk.conclude(ctx)

        assert "Ruled unread</th>" in read(ctx)
        assert '<td class="num">1</td>' in read(ctx)
        assert "1 came sooner than anybody can have read the case." in self.of_rita(ctx)

    def of_rita(self, ctx: Context) -> str:
        with house.client(ctx, house.SECOND) as client:
            return words(client.get("/team/rita").text)

    def test_who_only_audited_is_compared_with_nobody(self, ctx: Context) -> None:
        verdicts(ctx, "c-1", ("rita", "agree", "audit"))
        ctx_clock(ctx).move(timedelta(days=1))

        assert "no review to compare" in read(ctx)

    def test_who_lets_nearly_all_pass_may_need_help_and_is_told_with_the_counts(self, ctx: Context) -> None:
        for number in range(40):
            verdicts(ctx, f"a-{number}", ("rita", "agree", "review"))
            verdicts(ctx, f"b-{number}", ("ravi", "override" if number % 2 else "agree", "review"))
        ctx_clock(ctx).move(timedelta(days=1))

        assert (
            "<strong>Rita</strong></a> overrides less often than the others: 0 of 40, beside 20 of 40. "
            "That may be easier cases or less looking"
        ) in read(ctx)

    def test_two_people_stand_in_the_matrix_with_count_and_bounds(self, ctx: Context) -> None:
        for number in range(31):
            verdicts(
                ctx, f"c-{number}", ("rita", "agree", "review"), ("ravi", "agree" if number else "override", "audit")
            )
        verdicts(ctx, "c-99", ("rita", "agree", "review"), ("ines", "agree", "audit"))
        ctx_clock(ctx).move(timedelta(days=1))

        page = read(ctx)

        assert "96.8 %<small>30 of 31</small><small>83.2 % to 100.0 %</small>" in page
        assert "1 of 1, too few</small><small>2.5 % to 100.0 %</small>" in page
        assert "never met" in page


class TestWeek:
    @pytest.fixture(autouse=True)
    def work(self, ctx: Context) -> None:
        reviews(ctx)
        ctx_clock(ctx).set(MONDAY + timedelta(days=28))

    def test_shows_how_many_are_needed_when(self, ctx: Context) -> None:
        page = read(ctx)

        assert "<strong>4 reviewers</strong> in the busiest hour, at 6.0 min a review (as measured)." in page
        assert '<th scope="row">10:00</th><td class="num" data-heat="5" title="30.0 reviews come">4</td>' in page
        assert '<th scope="row">09:00</th>' not in page
        assert "Nothing comes in the hours that are left out." in page

    def test_hours_that_cannot_be_kept_up_with_are_named(self, ctx: Context) -> None:
        page = read(ctx, "?reviewers=3")

        assert "In 1 hour more arrives than 3 reviewers can do:" in page
        assert "unstable, needs </span>4" in page

    def test_what_was_typed_stays(self, ctx: Context) -> None:
        page = read(ctx, "?minutes=2,5&within=30&share=95&zone=Europe/Zurich")

        assert 'id="minutes" name="minutes" value="2,5"' in page
        assert "2.5 min a review (as you say)" in page
        assert "hours in Europe/Zurich" in page
        assert '<th scope="row">11:00</th>' in page

    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ("within=soon", "Write minutes, from 0 to a week."),
            ("within=nan", "Write minutes, from 0 to a week."),
            ("share=100", "Write a percentage between 0 and 100"),
            ("share=0", "Write a percentage between 0 and 100"),
            ("minutes=0", "Write minutes above 0"),
            ("minutes=-3", "Write minutes above 0"),
            ("reviewers=2.5", "Write a whole number"),
            ("reviewers=many", "Write a whole number"),
            ("zone=Nowhere/Land", "It is not a time zone"),
        ],
    )
    def test_what_cannot_be_asked_is_told_beside_its_field(self, ctx: Context, query: str, told: str) -> None:
        page = read(ctx, f"?{query}", status=422)

        assert told in page
        assert 'aria-invalid="true"' in page

    def test_says_what_is_missing_when_nobody_was_timed(self, ctx: Context) -> None:
        ctx_clock(ctx).move(timedelta(days=22))  # none of the rulings is of the last four weeks

        assert "0 rulings of the last four weeks were timed, 30 are needed; say how many minutes it takes." in read(ctx)


class TestWhoMayReadIt:
    @pytest.mark.parametrize("login", ["rita", "emil"])
    def test_who_does_not_answer_for_people_does_not(self, ctx: Context, login: str) -> None:
        with house.client(ctx, login) as client:
            assert 'href="/team"' not in client.get("/agents").text
            assert client.get("/v1/team", headers=factories.bearer(ctx, login=login)).status_code == 403

        assert "may not" in read(ctx, login=login, status=403)
