"""What a reviewer is told of their own work, and who else may see it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.ids import new_id
from rollout.domain.phase import Phase
from rollout.reviewers.tables import GoldAnswer
from routing.cases.tables import Label
from routing.reviewer import queries, service
from routing.reviewer.service import OwnReport
from routing.reviews.tables import Ruling
from tests import factories
from tests.integration.routing import desk
from web_app import create_app

RITA = Actor("rita", "person", frozenset({"reviewer"}))
REASONS = [{"code": "wrong_value", "words": "A value is wrong", "severity": "major"}]


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    settings = {"undo_seconds": 0, "supervision": {"blind_share": 0.0}, "reasons": REASONS}
    factories.agent(ctx, comparison={"default": "text"}, **settings)
    factories.rollout(ctx, phase=Phase.SUPERVISED)


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    with TestClient(create_app(ctx)) as made:
        yield made


def ruled(ctx: Context, case_id: str, *, seconds: float = 40.0, ruling: str = "approve") -> Ruling:
    """A case that Rita held for so long."""
    item = desk.held(ctx, RITA, case_id)
    clock(ctx).move(timedelta(seconds=seconds))
    return desk.rule(ctx, RITA, item, ruling, reason_code="wrong_value" if ruling == "reject" else None)


def later(ctx: Context, ruling: Ruling, verdict: str, source: str, person: str = "ben", note: str = "") -> None:
    clock(ctx).move(timedelta(minutes=1))
    with ctx.db.begin() as session:
        session.add(
            Label(
                decision_id=ruling.decision_id, verdict=verdict, severity="severe" if source == "failure" else None,
                source=source, source_id=new_id(), person=person, note=note, at=ctx.clock.now(),
            )
        )  # fmt: skip


def clock(ctx: Context) -> FixedClock:
    assert isinstance(ctx.clock, FixedClock)
    return ctx.clock


def report(ctx: Context, *, own: bool = True) -> OwnReport:
    with ctx.db.read() as session:
        scope = service.scope_of("rita", None, None, ctx.clock.now() + timedelta(hours=1))
        return service.report(session, scope, own=own)


def test_what_is_let_through_sooner_than_it_can_be_read_is_counted_and_nothing_else(ctx: Context) -> None:
    for number, (seconds, ruling) in enumerate(
        [(0.1, "approve"), (0.2, "reject"), (0.1, "escalate"), (0.1, "approve"), (5.0, "approve"), (0.2, "approve")]
    ):
        ruled(ctx, f"c-{number}", seconds=seconds, ruling=ruling)

    assert report(ctx).unread == report(ctx, own=False).unread == 2, "nobody knows since when they had the first"
    assert report(ctx).ruled == {"approve": 4, "reject": 1, "escalate": 1}


def test_what_was_shown_ahead_or_had_before_is_not_called_unread(ctx: Context) -> None:
    ruled(ctx, "c-1")
    clock(ctx).move(timedelta(seconds=20))  # with the next one before them already
    ruled(ctx, "c-2", seconds=0.05)

    assert report(ctx).unread == 0


def test_the_pace_of_a_day_is_the_middle_one_of_its_times(ctx: Context) -> None:
    for number, seconds in enumerate((10.0, 300.0, 20.0)):
        ruled(ctx, f"c-{number}", seconds=seconds)
    clock(ctx).move(timedelta(days=1))
    ruled(ctx, "c-9", seconds=50.0)

    found = report(ctx).pace

    assert found is not None
    assert [(day.rulings, day.median_seconds) for day in found] == [(3, 20.0), (1, 50.0)]


def test_a_ruling_that_was_undone_is_no_ruling(ctx: Context) -> None:
    ruling = ruled(ctx, "c-1")
    with ctx.db.begin() as session:
        session.get_one(Ruling, ruling.id).undone_at = ctx.clock.now()

    found = report(ctx)

    assert (found.ruled, found.pace) == ({}, ())


def test_agreement_is_with_the_last_word_of_somebody_else(ctx: Context) -> None:
    first, second, alone = ruled(ctx, "c-1"), ruled(ctx, "c-2"), ruled(ctx, "c-3")
    later(ctx, first, "override", "audit")
    later(ctx, first, "agree", "audit", "ana")
    later(ctx, second, "override", "human_output")
    later(ctx, alone, "override", "failure")  # nobody reports what is right

    found = report(ctx)

    assert (found.same.part, found.same.whole) == (1, 2)


def test_a_ruling_is_overturned_by_a_later_look_or_a_failure_and_not_by_who_did_it_otherwise(ctx: Context) -> None:
    failed, audited, differing = ruled(ctx, "c-1"), ruled(ctx, "c-2", ruling="reject"), ruled(ctx, "c-3")
    confirmed = ruled(ctx, "c-4")
    later(ctx, failed, "override", "failure", note="Paid twice.")
    later(ctx, audited, "agree", "audit")
    later(ctx, differing, "override", "human_output")
    later(ctx, confirmed, "agree", "audit")

    found = report(ctx)

    assert [(row.case_id, row.source, row.note) for row in found.overturned] == [
        ("c-2", "audit", ""), ("c-1", "failure", "Paid twice."),
    ]  # fmt: skip
    assert found.overturned_count == 2


def test_a_ruling_that_was_confirmed_in_the_end_is_not_overturned(ctx: Context) -> None:
    ruling = ruled(ctx, "c-1")
    later(ctx, ruling, "override", "audit")
    later(ctx, ruling, "agree", "audit", "ana")

    assert report(ctx).overturned == ()


def test_gold_answers_are_told_by_agent_and_the_missed_ones_by_name(ctx: Context) -> None:
    with ctx.db.begin() as session:
        for agent, case_id, said in (("claims", "g-1", "wrong"), ("claims", "g-2", "right"), ("other", "g-3", "wrong")):
            session.add(
                GoldAnswer(
                    agent=agent, reviewer="rita", case_id=case_id, output_is="wrong", said=said, at=ctx.clock.now(),
                    recorded_by="erin",
                )
            )  # fmt: skip

    found = report(ctx)

    assert (found.gold.sensitivity.part, found.gold.sensitivity.whole) == (2, 3)
    assert [(row.agent, row.found.sensitivity.whole) for row in found.gold_by_agent] == [("claims", 2), ("other", 1)]
    assert [row.case_id for row in found.gold_missed] == ["g-2"]


def test_of_very_many_rulings_the_newest_are_looked_at(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MOST", 2)
    rulings = [ruled(ctx, f"c-{n}") for n in range(3)]
    for ruling in rulings:
        later(ctx, ruling, "override", "failure")

    found = report(ctx)

    assert (found.ruled, found.overturned_count, found.cut) == ({"approve": 2}, 2, True)
    assert rulings[0].at < found.scope.since <= rulings[1].at
    monkeypatch.setattr(queries, "MOST", 3)
    assert (report(ctx).ruled, report(ctx).cut) == ({"approve": 3}, False)


class TestWhoMayLook:
    @pytest.fixture(autouse=True)
    def people(self, ctx: Context) -> None:
        for login, role in (("rita", "reviewer"), ("ravi", "reviewer"), ("lea", "lead")):
            factories.person(ctx, login, roles=(role,))
        ruled(ctx, "c-1")
        clock(ctx).move(timedelta(minutes=1))

    def test_the_person_sees_everything(self, ctx: Context, client: TestClient) -> None:
        answer = client.get("/v1/reviewers/rita", headers=factories.bearer(ctx, login="rita"))

        assert answer.status_code == 200
        assert answer.json()["rulings"] == {"approve": 1}
        assert [day["median_seconds"] for day in answer.json()["pace"]] == [40.0]

    def test_who_leads_sees_all_but_the_pace(self, ctx: Context, client: TestClient) -> None:
        answer = client.get("/v1/reviewers/rita", headers=factories.bearer(ctx, login="lea"))

        assert (answer.status_code, answer.json()["pace"]) == (200, None)

    def test_a_colleague_and_the_agent_see_nothing(self, ctx: Context, client: TestClient) -> None:
        for key in (factories.bearer(ctx, login="ravi"), factories.bearer(ctx, agent="claims")):
            assert client.get("/v1/reviewers/rita", headers=key).status_code == 403

    def test_nobody_of_that_login_is_not_found(self, ctx: Context, client: TestClient) -> None:
        assert client.get("/v1/reviewers/zoe", headers=factories.bearer(ctx, login="lea")).status_code == 404
