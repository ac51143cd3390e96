from datetime import timedelta

import pytest
from sqlalchemy import select

from governance.actors import SYSTEM
from kit.clock import FixedClock
from kit.context import Context
from migrations import chain
from rollout.domain.phase import Phase
from routing import tasks
from routing.cases import service
from routing.cases.schemas import FailureIn
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing.test_judgements import ALL, both, the


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, supervision=ALL)
    factories.rollout(ctx, phase=Phase.SHADOW)
    factories.person(ctx, "lena", roles=("lead",))


def test_judgements_go_to_the_second_line_in_time_and_failures_are_weighed_anew(
    ctx: Context, clock: FixedClock
) -> None:
    decision = both(ctx)
    with ctx.db.begin() as session:
        row, body = session.get_one(Decision, decision.id), FailureIn(severity="minor", description="It was wrong.")
        service.report_failure(session, row, body, key=None, actor=SYSTEM, now=clock.now())
    tasks.settle(ctx)
    with ctx.db.begin() as session:  # as a release stored it that passed none on
        item = session.scalars(select(ReviewItem)).one()
        item.escalates_at, item.expires_at = None, item.due_at
    url = ctx.settings.resolved_database_url
    chain.downgrade(url, "0024")

    chain.upgrade(url)

    item = the(ctx, ReviewItem)
    assert (item.escalates_at, item.expires_at) == (clock.now() + (item.due_at - clock.now()) / 2, None)
    assert the(ctx, Decision).unsettled
    clock.move(timedelta(hours=13))
    tasks.expire(ctx)
    assert the(ctx, ReviewItem).level == 2
