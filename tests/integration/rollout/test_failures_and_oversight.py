"""Failures, the checklist, and the periodic reviews."""

import pytest

from governance.actors import SYSTEM, Actor, of_agent
from kit.context import Context
from kit.errors import Forbidden, Invalid, NotFound
from rollout.agents import queries as agent_queries
from rollout.domain.phase import Phase
from rollout.domain.situation import Answer
from rollout.failures import queries, service
from rollout.failures.service import FailureClosed
from rollout.failures.tables import Failure
from rollout.oversight import service as oversight
from rollout.versions import queries as version_queries
from rollout.versions.steps import Retired
from tests.integration.rollout.house import RITA, House, build


@pytest.fixture
def house(ctx: Context) -> House:
    house = build(ctx)
    house.register()
    return house


def report(house: House, severity: str = "major", by: Actor | None = None) -> Failure:
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        return service.report(
            session, agent="reader", version="v1", rollout_id=rollout.id, severity=severity,
            description="it misread a seven", actor=by or RITA, now=house.clock.now(),
        )  # fmt: skip


def close(house: House, failure: Failure, cause: str = "a worn scanner, repaired", by: Actor | None = None) -> Failure:
    with house.ctx.db.begin() as session:
        found = queries.get_failure(session, failure.id)
        return service.close(session, found, cause, actor=by or house.erin, now=house.clock.now())


def test_an_agent_reports_and_a_person_closes(house: House) -> None:
    failure = report(house, by=of_agent("reader"))

    with pytest.raises(Forbidden):
        close(house, failure, by=of_agent("reader"))
    closed = close(house, failure)

    assert (closed.state, closed.cause, closed.reported_by) == ("closed", "a worn scanner, repaired", "agent:reader")


def test_closing_says_what_it_was_and_happens_once(house: House) -> None:
    failure = report(house)
    with pytest.raises(Invalid):
        close(house, failure, cause="  ")
    close(house, failure)

    with pytest.raises(FailureClosed):
        close(house, failure)


def test_a_failure_under_investigation_is_still_open(house: House) -> None:
    failure = report(house, "critical")
    with house.ctx.db.begin() as session:
        found = queries.get_failure(session, failure.id)
        service.investigate(session, found, "probably the scanner", actor=house.erin, now=house.clock.now())

    with house.ctx.db.read() as session:
        assert queries.open_by_severity(session, failure.rollout_id or failure.id) == {"critical": 1}


def test_an_open_critical_failure_holds_until_it_is_closed(house: House) -> None:
    failure = report(house, "critical")
    house.run()

    before = house.look()
    close(house, failure)
    after = house.look()

    assert (before.verdict, before.body["reasons"][0]["code"]) == ("hold", "critical_failure_open")
    assert after.verdict == "advance"


def test_the_checklist_holds_until_it_is_answered_with_a_link(house: House) -> None:
    house.climb(Phase.SUPERVISED)
    house.count()
    house.days(2)
    before = house.look()

    house.answer(answer=Answer.NO)
    refused = house.look()
    house.answer(answer=Answer.YES)
    after = house.look()

    assert [evidence.verdict for evidence in (before, refused, after)] == ["hold", "hold", "advance"]
    assert before.body["reasons"][0]["code"] == "readiness_open"


def test_an_item_that_the_plan_does_not_ask_is_not_found(house: House) -> None:
    with pytest.raises(NotFound, match="asks nothing"):
        house.answer(item="weather")


def test_a_retired_version_is_not_asked_any_more(house: House) -> None:
    house.register("v2")
    house.stop("v2")

    with pytest.raises(Retired):
        house.answer("v2")


def test_an_overdue_review_holds_until_one_is_held(house: House) -> None:
    house.climb(Phase.SHADOW)
    house.count()
    house.days(9)
    before = house.look()

    house.hold_review()
    after = house.look()

    assert (before.verdict, before.body["reasons"][0]["code"]) == ("hold", "review_overdue")
    assert after.verdict == "advance"


@pytest.mark.parametrize("actor", [SYSTEM, RITA], ids=["a program", "a reviewer"])
def test_a_review_is_signed_by_a_person_who_may(house: House, actor: Actor) -> None:
    with house.ctx.db.begin() as session:
        agent = agent_queries.get_agent(session, "reader")
        with pytest.raises(Forbidden):
            oversight.hold_review(session, agent, decision="go on", actor=actor, now=house.clock.now())
