"""Labelled work for the page of the threshold: an agent that knows more or less well when it is wrong."""

import math
from datetime import timedelta
from typing import Any

from governance.actors import SYSTEM
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from rollout.versions import queries as version_queries
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases import service as cases
from routing.cases.schemas import HumanOutputIn
from routing.thresholds import queries
from routing.thresholds import tasks as _looks  # noqa: F401
from routing.thresholds.tables import Calibration
from tests import factories
from tests.integration.review_ui import house

AGENT, VERSION = "letters", "3.1.0"
ONCE = "{risk: 0.05, confidence: 0.95, first_labels: 300}"
SERIES = "{risk: 0.05, confidence: 0.95, first_labels: 300, every: 150, until: 600}"
SETTINGS = {"comparison": {"default": "text"}}


def agent(
    ctx: Context, section: str = ONCE, *, phase: Phase = Phase.SHADOW, threshold: float | None = None, name: str = AGENT
) -> None:
    """An agent whose plan looks for a threshold; with an empty section, one whose plan does not."""
    more = f"threshold: {section}\n" if section else ""
    house.agent(
        ctx, name, title="Letter sorting", phase=phase, version=VERSION, settings=SETTINGS, plan_more=more,
        threshold=threshold,
    )  # fmt: skip


def work(
    ctx: Context,
    count: int,
    *,
    start: int = 0,
    errors: float = 0.6,
    always: float | None = None,
    segment: str = "",
    ruled: bool = True,
    flat: bool = False,
    turned: bool = False,
    a_day: int = 60,
    name: str = AGENT,
) -> None:
    """
    Cases day by day, with what people did for them; moves the clock.

    Of the cases of confidence c a share of `errors` * (1 - c) is wrong; where it is `flat`, of all cases as many, and
    where it is `turned`, of the surest the most. All have the confidence `always`, if there is one. Nothing is drawn.
    """
    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    for first in range(start, start + count, a_day):
        numbers = range(first, min(first + a_day, start + count))
        made = {f"l-{number}": _case(number, errors, always, flat=flat, turned=turned) for number in numbers}
        factories.store(
            ctx,
            *(
                factories.case(case_id, version=VERSION, confidence=sure, output="yes", segment=segment)
                for case_id, (sure, _) in made.items()
            ),
            agent=name,
        )
        if ruled:
            _people_work(ctx, name, {case_id: wrong for case_id, (_, wrong) in made.items()})
        REGISTRY["routing.settle"].run(ctx)
        clock.move(timedelta(days=1))


def _case(number: int, errors: float, always: float | None, *, flat: bool, turned: bool) -> tuple[float, bool]:
    """The confidence of a case, and whether it is wrong; evenly spread numbers instead of drawn ones."""
    spread, luck = math.modf(number * 0.618034)[0], math.modf(number * 0.754878 + 0.5)[0]
    sure = always if always is not None else round(1 - 0.75 * spread**2.2, 2)
    return sure, luck < errors * (1 if flat else sure if turned else 1 - sure)


def _people_work(ctx: Context, name: str, wrong: dict[str, bool]) -> None:
    people = [HumanOutputIn(case_id=case_id, output="no" if bad else "yes") for case_id, bad in wrong.items()]
    with ctx.db.begin() as session:
        cases.add_human_outputs(session, name, people, actor=SYSTEM, now=ctx.clock.now())


def look(ctx: Context) -> None:
    REGISTRY["routing.calibrate"].run(ctx)


def calibrations(ctx: Context, name: str = AGENT) -> list[Calibration]:
    """The newest first."""
    with ctx.db.read() as session:
        rollout = version_queries.get_rollout(session, name, VERSION)
        return list(queries.calibrations(session, rollout.id))


def rules(ctx: Context, name: str = AGENT) -> dict[str, Any]:
    with ctx.db.read() as session:
        rollout = version_queries.get_rollout(session, name, VERSION)
        body = version_queries.get_policy(session, rollout.id, rollout.policy_revision).body
    return dict(body["rules"])
