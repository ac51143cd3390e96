"""What the audits say about the automated lane, from cases that were decided, drawn, and ruled on or not."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from evidence.audits import hypergeometric_upper
from kit.clock import FixedClock
from kit.context import Context
from kit.errors import Invalid
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from rollout.domain.plan_yaml import plan_from_data
from rollout.versions import queries as versions
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.audits import service
from routing.audits.queries import Drawn
from routing.cases.tables import Decision
from routing.doctor import service as doctor
from tests import factories
from tests.unit.rollout.making import plan_data


def report(ctx: Context, **period: Any) -> service.Report:
    with ctx.db.read() as session:
        return service.report(session, versions.get_rollout(session, "claims", "v1"), now=ctx.clock.now(), **period)


def audited(ctx: Context) -> list[str]:
    with ctx.db.read() as session:
        drawn = select(Decision.case_id).where(Decision.lane == "audit").order_by(Decision.case_id)
        return list(session.scalars(drawn))


def automated(ctx: Context, cases: int, name: str = "c") -> None:
    factories.store(ctx, *(factories.case(f"{name}-{n}", confidence=0.9, output="yes") for n in range(cases)))
    REGISTRY["routing.settle"].run(ctx)


def rule(ctx: Context, cases: list[str], wrong: int) -> None:
    for place, case_id in enumerate(cases):
        factories.human_output(ctx, case_id, output="no" if place < wrong else "yes")
    REGISTRY["routing.settle"].run(ctx)


@pytest.fixture
def lane(ctx: Context) -> Context:
    """A lane of which three in ten are drawn."""
    factories.agent(ctx, comparison={"default": "text"})
    factories.rollout(ctx, phase=Phase.CONFIDENCE, threshold=0.8, audit_rate=0.3)
    return ctx


def test_at_most_so_many_are_wrong_by_the_exact_bound(lane: Context, clock: FixedClock) -> None:
    automated(lane, 300)
    cases = audited(lane)
    rule(lane, cases[:-10], wrong=2)
    clock.move(timedelta(hours=1))
    found = report(lane)

    expected = hypergeometric_upper(2, len(cases) - 10, 300)
    worst = hypergeometric_upper(12, len(cases), 300)
    assert found.present_epoch
    assert (found.found.cases, found.found.audited, found.found.bad, found.open) == (300, len(cases) - 10, 2, 10)
    assert (found.at_most.wrong, found.at_most.rate) == (expected.wrong, expected.rate)
    assert found.at_most_if_open_are_wrong.wrong == worst.wrong > expected.wrong
    assert found.found.wrong_expected == pytest.approx(300 * 2 / (len(cases) - 10))


def test_without_audits_all_may_be_wrong_and_without_cases_nothing_is_said(lane: Context, clock: FixedClock) -> None:
    clock.move(timedelta(hours=1))
    nothing = report(lane)
    automated(lane, 50)
    clock.move(timedelta(hours=1))
    unruled = report(lane)

    assert (nothing.found.cases, nothing.at_most.rate, nothing.rate_needed) == (0, 1.0, None)
    assert (unruled.at_most.wrong, unruled.found.wrong_expected, unruled.found.nothing_found) == (50, None, 1.0)


def test_the_moment_an_epoch_begins_is_no_error(lane: Context) -> None:
    assert report(lane).found.cases == 0


def test_rates_that_changed_are_kept_apart_and_their_statements_added(lane: Context, clock: FixedClock) -> None:
    automated(lane, 100)
    first = audited(lane)
    rollout = versions_row(lane)
    factories.change_rollout(lane, rollout, rules={"threshold": 0.8, "audit_rate": 1.0})
    automated(lane, 20, "d")
    rule(lane, audited(lane), wrong=0)
    clock.move(timedelta(hours=1))
    found = report(lane)

    assert [(one.probability, one.cases, one.audited) for one in found.strata] == [
        (0.3, 100, len(first)),
        (1.0, 20, 20),
    ]
    assert found.at_most.cases == 120
    assert found.at_most.wrong == hypergeometric_upper(0, len(first), 100, 0.975).wrong


def test_rates_that_changed_say_nothing_that_only_even_audits_could_bear(lane: Context, clock: FixedClock) -> None:
    automated(lane, 100)
    rule(lane, audited(lane), wrong=0)
    clock.move(timedelta(hours=1))
    even = report(lane)
    factories.change_rollout(lane, versions_row(lane), rules={"threshold": 0.8, "audit_rate": 1.0})
    automated(lane, 100, "d")
    rule(lane, [case for case in audited(lane) if case.startswith("d")], wrong=0)
    clock.move(timedelta(hours=1))
    mixed = report(lane)

    assert even.found.nothing_found == pytest.approx(1 - 0.05 ** (1 / even.found.audited))
    assert (mixed.found.bad, mixed.found.uniform, mixed.found.nothing_found) == (0, None, None)
    # Pooled, they would have promised less than what the first rate still leaves possible.
    assert mixed.at_most.rate > 1 - 0.05 ** (1 / mixed.found.audited)


def test_void_cases_speak_neither_way(lane: Context, clock: FixedClock) -> None:
    automated(lane, 40)
    with lane.db.begin() as session:
        for row in session.scalars(select(Decision).limit(5)):
            row.counted_as = "void"
        session.flush()  # repair counts what the database has
        doctor.repair(session, now=lane.clock.now())
    clock.move(timedelta(hours=1))

    assert report(lane).found.cases == 35


def test_a_period_holds_both_of_its_days_and_no_other(lane: Context, clock: FixedClock) -> None:
    today = clock.now().date()
    automated(lane, 30)
    clock.move(timedelta(days=1))
    automated(lane, 10, "d")
    clock.move(timedelta(days=1))

    assert report(lane, first=today, until=today).found.cases == 30
    assert report(lane, first=today, until=today + timedelta(days=1)).found.cases == 40
    assert report(lane, first=today + timedelta(days=1)).found.cases == 10
    assert not report(lane, until=today).present_epoch


@pytest.mark.parametrize(("first", "until"), [("2026-03-02", "2026-03-01"), ("2001-01-01", "2020-01-01")])
def test_a_period_that_makes_no_sense_is_refused(lane: Context, first: str, until: str) -> None:
    with pytest.raises(Invalid):
        report(lane, first=date.fromisoformat(first), until=date.fromisoformat(until))


def test_the_rate_that_is_needed_grows_with_what_was_found(lane: Context, clock: FixedClock) -> None:
    automated(lane, 300)
    clock.move(timedelta(hours=1))
    before = report(lane)
    rule(lane, audited(lane), wrong=3)
    after = report(lane)

    assert before.audits_needed == 59  # for 5 %, when none is wrong
    assert before.rate_needed is not None
    assert after.rate_needed is not None
    assert 0.2 < before.rate_needed < after.rate_needed < 1


def test_the_risk_is_the_declared_one_or_the_strictest_gate_on_errors() -> None:
    plain = plan_from_data(plan_data())
    declared = plan_from_data(plan_data(threshold={"risk": 0.02, "first_labels": 300}))

    assert (service.risk_of(None), service.risk_of(plain), service.risk_of(declared)) == (0.05, 0.05, 0.02)


def test_open_audits_count_as_wrong_in_the_worst_case() -> None:
    assert service._as_if_wrong(Drawn(0.1, 100, 10, 7, 1)) == Drawn(0.1, 100, 10, 10, 4)


def versions_row(ctx: Context) -> Any:
    with ctx.db.read() as session:
        return versions.get_rollout(session, "claims", "v1")
