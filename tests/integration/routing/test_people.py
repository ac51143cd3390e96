"""What the verdicts of people are worth: agreement, blind against assisted, reviewers, and who was right."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from kit.tasks import REGISTRY
from rollout.domain.phase import Lane, Phase
from rollout.domain.totals import Counts
from rollout.gates import service as gates
from rollout.versions.tables import Rollout
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases.tables import Label
from routing.people import queries, service
from routing.people.service import PeopleReport
from tests import factories
from web_app import create_app


@pytest.fixture
def rollout(ctx: Context) -> Rollout:
    factories.agent(ctx, comparison={"default": "text"})
    return factories.rollout(ctx, phase=Phase.SHADOW)


@pytest.fixture
def client(ctx: Context, rollout: Rollout) -> Iterator[TestClient]:
    del rollout
    with TestClient(create_app(ctx)) as made:
        yield made


def verdicts(ctx: Context, case_id: str, *said: tuple[str | None, str, str], version: str = "v1") -> None:
    """A decision and the verdicts on it, (person, verdict, source), one minute after the other."""
    decision = factories.decision(ctx, case_id, version=version)
    with ctx.db.begin() as session:
        for minute, (person, verdict, source) in enumerate(said):
            session.add(
                Label(
                    decision_id=decision.id, verdict=verdict, severity=None, source=source, source_id=new_id(),
                    person=person, note="", at=ctx.clock.now() + timedelta(minutes=minute),
                )
            )  # fmt: skip


def settle(ctx: Context) -> None:
    REGISTRY["routing.settle"].run(ctx)


def report(ctx: Context, version: str | None = None) -> PeopleReport:
    settle(ctx)
    ctx_now = ctx.clock.now() + timedelta(hours=1)
    with ctx.db.read() as session:
        return service.report(session, service.scope_of("claims", version, None, None, ctx_now))


def counted(ctx: Context, rollout: Rollout, lane: Lane, agreed: int, overridden: int, *, epoch: int = 1) -> None:
    key = gates.TotalKey(rollout.id, epoch, lane.value, "", ctx.clock.now().date())
    with ctx.db.begin() as session:
        gates.count(session, {key: Counts(cases=agreed + overridden, agreed=agreed, overridden=overridden)})


class TestAgreement:
    def test_of_two_people_is_told_with_its_bounds_and_beyond_chance(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        for number in range(20):
            first = "agree" if number < 10 else "override"
            second = "override" if number in {0, 19} else first
            verdicts(ctx, f"c-{number}", ("ana", first, "review"), ("ben", second, "audit"))

        found = report(ctx).agreement

        assert (found.people, found.same.part, found.same.whole) == (2, 19, 20)
        assert found.pairs[0].kappa.value == pytest.approx(0.9)
        assert found.alpha.value == pytest.approx(1 - (2 / 40) / (2 * 21 * 19 / (40 * 39)))
        assert found.advised == "alpha"
        assert found.alpha_interval.interval is not None
        assert found.alpha_interval.interval.lower < 0.902 < found.alpha_interval.interval.upper

    def test_is_read_from_ac1_where_nearly_all_verdicts_are_of_one_kind(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        for number in range(20):
            second = "override" if number == 0 else "agree"
            verdicts(ctx, f"c-{number}", ("ana", "agree", "review"), ("ben", second, "audit"))

        found = report(ctx).agreement

        assert found.advised == "ac1"
        assert found.pairs[0].kappa.value == pytest.approx(0.0)  # and they said the same 19 times of 20
        assert found.ac1.value == pytest.approx(0.947, abs=1e-3)

    def test_is_undefined_with_its_reason_where_everybody_always_agrees(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(ctx, "c-1", ("ana", "agree", "review"), ("ben", "agree", "audit"))

        found = report(ctx).agreement

        assert (found.alpha.value, found.pairs[0].kappa.value) == (None, None)
        assert "one category" in str(found.alpha.reason)

    def test_of_nobody_is_nothing(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(ctx, "c-1", ("ana", "agree", "review"))

        found = report(ctx)

        assert found.agreement.same.share is None
        assert (found.agreement.same.lower, found.agreement.same.upper) == (0.0, 1.0)
        assert found.agreement.alpha.value is None
        assert found.right.differed.agent_share.share is None

    def test_takes_the_last_verdict_of_a_person_who_changed_their_mind(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(
            ctx,
            "c-1",
            ("ana", "override", "human_output"),
            ("ben", "agree", "review"),
            ("ana", "agree", "human_output"),
        )

        assert report(ctx).agreement.same.part == 1

    def test_leaves_failures_and_unnamed_people_out(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(ctx, "c-1", ("ana", "agree", "review"), ("ben", "override", "failure"))
        verdicts(ctx, "c-2", ("ana", "agree", "review"), (None, "agree", "human_output"))
        verdicts(ctx, "c-3", ("ana", "void", "human_output"), ("ben", "agree", "review"))

        assert report(ctx).agreement.same.whole == 0

    def test_counts_one_version_when_asked_for_one(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        factories.rollout(ctx, version="v2", phase=Phase.SHADOW, standing=factories.Standing.CANDIDATE)
        both = (("ana", "agree", "review"), ("ben", "agree", "audit"))
        verdicts(ctx, "c-1", *both)
        verdicts(ctx, "c-2", *both, version="v2")

        assert [report(ctx, version).agreement.same.whole for version in (None, "v1", "v2")] == [2, 1, 1]


class TestWhoWasRight:
    def test_is_told_by_the_verdict_of_somebody_else(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(ctx, "c-1", ("ana", "override", "human_output"), ("ben", "agree", "review"))  # the agent
        verdicts(ctx, "c-2", ("ana", "override", "review"), ("ben", "override", "failure"))  # the person
        verdicts(ctx, "c-3", ("ana", "agree", "review"), ("agent:claims", "override", "failure"))  # neither
        verdicts(ctx, "c-4", ("ana", "agree", "review"), ("ben", "agree", "human_output"))  # both

        found = report(ctx).right

        assert (found.differed.agent_only, found.differed.person_only) == (1, 1)
        assert (found.both_wrong, found.both_right) == (1, 1)
        assert found.differed.p_value == 1.0

    def test_is_open_when_the_same_person_looks_again(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(ctx, "c-1", ("ana", "override", "human_output"), ("ana", "agree", "review"))
        verdicts(ctx, "c-2", ("ana", "override", "human_output"), (None, "agree", "human_output"))

        found = report(ctx).right

        assert found.differed.agent_share.whole == 0

    def test_a_report_alone_settles_nothing(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        verdicts(ctx, "c-1", ("ana", "override", "failure"), ("ben", "override", "failure"))

        found = report(ctx).right

        assert (found.differed.person_only, found.both_wrong) == (0, 0)


class TestBlindAgainstAssisted:
    def test_shows_a_sway_that_is_beyond_chance(self, ctx: Context, rollout: Rollout) -> None:
        counted(ctx, rollout, Lane.SHADOW, 800, 200)
        counted(ctx, rollout, Lane.REVIEW, 980, 20)

        (found,) = report(ctx).blind

        assert found.version == "v1"
        assert found.found.difference == pytest.approx(0.18)
        assert found.found.shown
        assert 0.0 < found.found.lower < 0.18 < found.found.upper

    def test_says_what_is_missing_where_nobody_reviewed(self, ctx: Context, rollout: Rollout) -> None:
        counted(ctx, rollout, Lane.SHADOW, 80, 20)
        counted(ctx, rollout, Lane.AUDIT, 80, 20, epoch=2)  # audits are of another kind of case

        (found,) = report(ctx).blind

        assert found.found.difference is None
        assert not found.found.shown

    def test_leaves_out_reviews_of_what_the_agent_was_not_sure_of(self, ctx: Context, rollout: Rollout) -> None:
        counted(ctx, rollout, Lane.SHADOW, 90, 10)
        counted(ctx, rollout, Lane.REVIEW, 80, 20, epoch=2)
        counted(ctx, rollout, Lane.REVIEW, 10, 90, epoch=3)
        counted(ctx, rollout, Lane.AUTO, 500, 0, epoch=3)

        (found,) = report(ctx).blind

        assert (found.found.assisted.part, found.found.assisted.whole) == (80, 100)

    def test_counts_the_real_verdicts_of_both_lanes(self, ctx: Context, rollout: Rollout) -> None:
        factories.decision(ctx, "c-1")
        factories.human_output(ctx, "c-1", "no", person="ana")
        REGISTRY["routing.settle"].run(ctx)
        factories.change_rollout(ctx, rollout, phase="supervised")
        verdicts(ctx, "c-2", ("ana", "agree", "review"))
        REGISTRY["routing.settle"].run(ctx)

        (found,) = report(ctx).blind

        assert (found.found.blind.part, found.found.blind.whole) == (0, 1)
        assert (found.found.assisted.part, found.found.assisted.whole) == (1, 1)


class TestReviewers:
    def test_are_listed_by_name_with_exact_bounds(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        for number in range(10):
            verdicts(ctx, f"b-{number}", ("ben", "override" if number < 2 else "agree", "review"))
        verdicts(ctx, "a-1", ("ana", "agree", "audit"))
        verdicts(ctx, "a-2", ("zoe", "agree", "human_output"))  # did the case, reviewed nothing

        ana, ben = report(ctx).reviewers

        assert (ana.person, ana.reviews.share, ana.audits.part, ana.audits.whole) == ("ana", None, 0, 1)
        assert (ben.person, ben.reviews.part, ben.reviews.whole) == ("ben", 2, 10)
        assert (ben.reviews.lower, ben.reviews.upper) == pytest.approx((0.0252, 0.5561), abs=1e-4)
        assert ben.stands_out is None

    def test_who_lets_everything_pass_stands_out(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        for number in range(60):
            verdicts(ctx, f"a-{number}", ("ana", "agree", "review"))
            verdicts(ctx, f"b-{number}", ("ben", "override" if number % 3 == 0 else "agree", "review"))

        found = {row.person: row.stands_out for row in report(ctx).reviewers}

        assert found == {"ana": "fewer", "ben": "more"}

    def test_a_single_reviewer_stands_out_from_nobody(self, ctx: Context, rollout: Rollout) -> None:
        del rollout
        for number in range(60):
            verdicts(ctx, f"a-{number}", ("ana", "agree", "review"))

        assert [row.stands_out for row in report(ctx).reviewers] == [None]


def test_of_very_many_outputs_the_newest_are_looked_at(
    ctx: Context, rollout: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    del rollout
    monkeypatch.setattr(queries, "_MOST", 2)
    both = (("ana", "agree", "review"), ("ben", "agree", "audit"))
    verdicts(ctx, "c-1", ("ana", "agree", "review"), ("ben", "override", "audit"))
    verdicts(ctx, "c-2", *both)
    assert not report(ctx).cut
    verdicts(ctx, "c-3", *both)

    found = report(ctx)

    assert found.cut
    assert (found.agreement.same.part, found.agreement.same.whole) == (2, 2)


class TestRoute:
    def test_answers_an_owner(self, ctx: Context, client: TestClient) -> None:
        verdicts(ctx, "c-1", ("ana", "override", "human_output"), ("ben", "agree", "review"))
        settle(ctx)
        factories.actor(ctx, "mara")
        window = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-06T00:00:00Z", "version": "v1"}

        answer = client.get("/v1/agents/claims/people", params=window, headers=factories.bearer(ctx, login="mara"))

        body = answer.json()
        assert answer.status_code == 200
        assert (body["since"], body["until"]) == ("2026-01-01T00:00:00Z", "2026-01-06T00:00:00Z")
        assert body["who_was_right"]["agent_only"] == 1
        assert body["reviewers"][0]["person"] == "ben"
        assert body["agreement"]["same"] == {"part": 0, "whole": 1, "share": 0.0, "lower": 0.0, "upper": 0.975}
        assert "seconds" not in answer.text  # nobody is measured by speed
        assert "minutes" not in answer.text

    @pytest.mark.parametrize(
        ("role", "status"), [("lead", 200), ("auditor", 200), ("reviewer", 403), ("engineer", 403)]
    )
    def test_is_for_those_who_answer_for_people(self, ctx: Context, client: TestClient, role: str, status: int) -> None:
        factories.person(ctx, "someone", roles=(role,))

        answer = client.get("/v1/agents/claims/people", headers=factories.bearer(ctx, login="someone"))

        assert answer.status_code == status

    def test_is_not_for_the_agent(self, ctx: Context, client: TestClient) -> None:
        answer = client.get("/v1/agents/claims/people", headers=factories.bearer(ctx, agent="claims"))

        assert answer.status_code == 403

    @pytest.mark.parametrize(
        ("query", "place"),
        [
            ({"from": "2026-01-05T09:00:00Z", "to": "2026-01-05T09:00:00Z"}, "from"),
            ({"from": "2024-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
            ({"from": "yesterday"}, "from"),
            ({"to": "2026-01-05T09:00:00"}, "to"),
            ({"version": "v" * 129}, "version"),
        ],
    )
    def test_a_bad_window_is_refused_with_its_place(
        self, ctx: Context, client: TestClient, query: dict[str, Any], place: str
    ) -> None:
        factories.actor(ctx, "mara")

        answer = client.get("/v1/agents/claims/people", params=query, headers=factories.bearer(ctx, login="mara"))

        assert answer.status_code == 422
        assert place in answer.json()["errors"][0]["place"]

    def test_of_what_is_not_there_is_404(self, ctx: Context, client: TestClient) -> None:
        factories.actor(ctx, "mara")
        headers = factories.bearer(ctx, login="mara")

        assert client.get("/v1/agents/nobody/people", headers=headers).status_code == 404
        assert client.get("/v1/agents/claims/people?version=v9", headers=headers).status_code == 404


def test_the_window_is_of_whole_days_of_the_decision(ctx: Context, clock: FixedClock, rollout: Rollout) -> None:
    del rollout
    both = (("ana", "agree", "review"), ("ben", "agree", "audit"))
    start = ctx.clock.now()
    verdicts(ctx, "c-1", *both)
    clock.move(timedelta(days=1))
    verdicts(ctx, "c-2", *both)

    settle(ctx)

    def outputs(until: datetime) -> int:
        with ctx.db.read() as session:
            found = service.report(session, service.scope_of("claims", None, start, until, ctx.clock.now()))
        assert sum(row.reviews.whole for row in found.reviewers) == found.agreement.same.whole
        return found.agreement.same.whole

    midnight = datetime.combine(ctx.clock.now().date(), time(), UTC)
    assert [outputs(until) for until in (midnight, midnight + timedelta(seconds=1))] == [1, 2]


def test_actors_are_told_apart() -> None:
    assert service.may_read(Actor("mara", "person", frozenset({"owner"})))
    assert not service.may_read(Actor("rita", "person", frozenset({"reviewer"})))
