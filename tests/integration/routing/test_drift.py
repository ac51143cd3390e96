"""What came in is counted once per case, whatever becomes of its verdict, and compared with when it was calibrated."""

from collections import Counter
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select

from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.domain.phase import Phase
from rollout.versions import queries as versions
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases.tables import Decision
from routing.doctor import service as doctor
from routing.drift import counting, service
from routing.drift.tables import AttributeTotal
from tests import factories


def settle(ctx: Context) -> None:
    REGISTRY["routing.settle"].run(ctx)


def counts(ctx: Context, attribute: str) -> dict[str, int]:
    with ctx.db.read() as session:
        rows = session.scalars(select(AttributeTotal).where(AttributeTotal.attribute == attribute))
        found: Counter[str] = Counter()
        for row in rows:
            found[row.value] += row.cases
        return dict(found)


def report(ctx: Context) -> service.Report:
    with ctx.db.read() as session:
        return service.report(session, versions.get_rollout(session, "claims", "v1"), now=ctx.clock.now())


def work(ctx: Context, day: int, kinds: dict[str, int], **fields: Any) -> None:
    """So many cases of each channel."""
    made = [
        factories.case(f"c-{day}-{kind}-{n}", attributes={"channel": kind}, **fields)
        for kind, cases in kinds.items()
        for n in range(cases)
    ]
    factories.store(ctx, *made)
    settle(ctx)


def test_every_case_is_counted_once_by_each_of_its_plain_attributes(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    factories.store(
        ctx,
        factories.case("c-1", segment="north", confidence=0.95, attributes={"channel": "mail", "urgent": True}),
        factories.case("c-2", confidence=None, attributes={"channel": None, "pages": 3, "parts": ["a"]}),
        factories.case("c-3", segment="north", confidence=1.0, attributes={"segment": "x"}),
    )
    settle(ctx)
    with ctx.db.begin() as session:
        for row in session.scalars(select(Decision)):
            row.mark_unsettled()
    factories.human_output(ctx, "c-1", output="no")
    settle(ctx)

    assert counts(ctx, "segment") == {"north": 2, "(none)": 1}
    assert counts(ctx, "confidence") == {"0.9 to 1.0": 2, "(none)": 1}
    assert counts(ctx, "channel") == {"mail": 1, "(none)": 1}
    assert (counts(ctx, "urgent"), counts(ctx, "pages")) == ({"yes": 1}, {"3": 1})
    assert counts(ctx, "attribute segment") == {"x": 1}
    assert counts(ctx, "parts") == {}


def test_a_later_attempt_is_no_new_case_and_a_version_nobody_registered_is_not_counted(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    factories.store(ctx, factories.case("c-1"), factories.case("c-2", version="unknown"))
    factories.store(ctx, factories.case("c-1", attempt=2))
    settle(ctx)

    assert sum(counts(ctx, "confidence").values()) == 1


def test_what_a_caller_sends_has_bounds_where_it_is_kept(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    for half in range(2):
        factories.store(
            ctx,
            *(
                factories.case(f"c-{half}-{n}", attributes={"number": f"{half}-{n}" + "x" * 100, f"name{half}-{n}": 1})
                for n in range(40)
            ),
        )
        settle(ctx)

    numbers = counts(ctx, "number")
    assert (len(numbers), numbers[counting.OTHER], sum(numbers.values())) == (counting.MOST_VALUES + 1, 30, 80)
    with ctx.db.read() as session:
        assert session.scalar(select(func.count(AttributeTotal.attribute.distinct()))) == counting.MOST_ATTRIBUTES + 2


def test_the_tenths_of_confidence_are_cut_where_they_say() -> None:
    given = (0.0, 0.0999, 0.1, 0.3, 0.7, 0.7 - 1e-6, 1.0, None)

    assert [counting.band(confidence)[:3] for confidence in given] == [
        "0.0", "0.0", "0.1", "0.3", "0.7", "0.6", "0.9", "(no",
    ]  # fmt: skip


def test_a_new_mix_of_cases_raises_the_alarm_and_the_same_mix_does_not(ctx: Context, clock: FixedClock) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    for day in range(14):
        work(ctx, day, {"mail": 20, "letter": 10})
        clock.move(timedelta(days=1))
    same = report(ctx)
    for day in range(14, 21):
        work(ctx, day, {"mail": 5, "letter": 20, "chat": 5})
        clock.move(timedelta(days=1))
    other = report(ctx)

    assert same.reference is not None
    assert (same.reference.end - same.reference.first).days == 7  # never more than there is before the last week
    assert [one.found.alarmed for one in same.attributes] == [False] * 3
    assert (other.attributes[0].attribute, other.attributes[0].found.alarmed) == ("channel", True)
    channel = other.attributes[0]
    assert (channel.now, channel.found.unseen) == (210, 35)
    assert [(value.value, value.now) for value in channel.values] == [("mail", 35), ("letter", 140), ("chat", 35)]


def test_an_attribute_that_stops_coming_is_missed(ctx: Context, clock: FixedClock) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    for day in range(7):
        work(ctx, day, {"mail": 20})
        clock.move(timedelta(days=1))
    for day in range(7, 14):
        factories.store(ctx, *(factories.case(f"n-{day}-{n}") for n in range(20)))
        settle(ctx)
        clock.move(timedelta(days=1))
    channel = report(ctx).attributes[0]

    assert (channel.attribute, channel.found.alarmed) == ("channel", True)
    assert {value.value: (value.before, value.now) for value in channel.values} == {
        "mail": (140, 0),
        service.MISSING: (0, 140),
    }


def test_without_earlier_days_there_is_nothing_to_compare_with(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    work(ctx, 0, {"mail": 3})
    found = report(ctx)

    assert (found.reference, found.attributes) == (None, ())
    assert [week.found.changed for week in found.weeks] == [False] * 4


def test_the_draws_of_audits_and_of_the_ramp_are_held_against_what_was_configured(ctx: Context) -> None:
    factories.agent(ctx)
    rollout = factories.rollout(ctx, phase=Phase.CONFIDENCE, threshold=0.8, audit_rate=0.3)
    factories.change_rollout(ctx, rollout, ramp_share=0.5, rules={"threshold": 0.8, "audit_rate": 0.3})
    factories.store(ctx, *(factories.case(f"c-{n}", confidence=0.9) for n in range(400)))
    settle(ctx)
    healthy = report(ctx)

    assert [(draw.what, draw.probability, draw.split.health.value) for draw in healthy.draws] == [
        ("audit", 0.3, "healthy"),
        ("ramp", 0.5, "healthy"),
    ]
    with ctx.db.begin() as session:  # a router that draws nobody
        for row in session.scalars(select(Decision).where(Decision.lane == "audit")):
            row.lane = "auto"
        session.flush()  # repair counts what the database has
        doctor.repair(session, now=ctx.clock.now())
    assert report(ctx).draws[0].split.health.value == "unhealthy"


def test_two_weeks_are_compared_by_what_was_ruled_on(ctx: Context, clock: FixedClock) -> None:
    factories.agent(ctx, comparison={"default": "text"})
    factories.rollout(ctx, phase=Phase.SUPERVISED)
    for week, answer in ((0, "yes"), (1, "no")):
        factories.store(ctx, *(factories.case(f"c-{week}-{n}", output="yes") for n in range(60)))
        for n in range(40):
            factories.human_output(ctx, f"c-{week}-{n}", output=answer)
        settle(ctx)
        clock.move(timedelta(days=7))
    overrides = next(week for week in report(ctx).weeks if week.metric.name == "override_rate")

    assert (overrides.before, overrides.now, overrides.found.changed) == ((0, 40), (40, 40), True)


def test_the_doctor_finds_cases_that_are_not_counted_once(ctx: Context, clock: FixedClock) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    for day in range(2):
        work(ctx, day, {"mail": 5})
        clock.move(timedelta(days=1))

    def found() -> bool:
        with ctx.db.read() as session:
            return next(one.ok for one in doctor.examine(session, now=ctx.clock.now()) if one.check == "kinds_counted")

    assert found()
    for change, ok in ((-1, False), (2, False), (-1, True)):
        with ctx.db.begin() as session:
            newest = session.scalars(
                select(AttributeTotal)
                .where(AttributeTotal.attribute == "confidence")
                .order_by(AttributeTotal.day.desc())
            ).first()
            assert newest is not None
            newest.cases += change
        assert found() is ok


def test_cases_of_an_earlier_release_are_not_missed(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, phase=Phase.SHADOW)
    work(ctx, 0, {"mail": 5})
    with ctx.db.begin() as session:
        session.execute(delete(AttributeTotal))

    with ctx.db.read() as session:
        assert all(one.ok for one in doctor.examine(session, now=ctx.clock.now()) if one.check == "kinds_counted")
