"""Thresholds: declared looks, taken once, on a sample that is fair; put in force by the owner alone."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from governance.actors import SYSTEM, Actor
from governance.audit.tables import AuditEvent
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.agents.queries import get_agent
from rollout.domain.phase import Phase
from rollout.plans import service as plans
from rollout.versions import queries as versions
from rollout.versions import service as version_service
from rollout.versions import steps
from rollout.versions.steps import NotTheOwner
from rollout.versions.tables import Rollout
from routing import tasks as _tasks  # noqa: F401 - importing registers the tasks
from routing.cases import service as service_of_cases
from routing.cases.schemas import HumanOutputIn
from routing.cases.tables import Decision
from routing.domain.sampling import audit_position
from routing.thresholds import queries, records, service
from routing.thresholds import tasks as _looks  # noqa: F401
from routing.thresholds.service import AppliedAlready, NotTheNewest
from routing.thresholds.tables import Calibration
from tests import factories
from tests.unit.rollout.making import plan_data

LABELS = 100
MARA = Actor("mara", "person", frozenset({"owner"}))
RISK = 0.05


def house(ctx: Context, phase: Phase = Phase.SHADOW, rules: dict[str, Any] | None = None, **threshold: Any) -> Rollout:
    """An agent whose plan looks for a threshold at a hundred settled labels."""
    owner = factories.actor(ctx, "mara")
    factories.agent(ctx, owner="mara", comparison={"default": "text"})
    declared = {"risk": RISK, "first_labels": LABELS} | threshold
    plan = plan_data(agent="claims", settle_days=2, threshold=declared)
    with ctx.db.begin() as session:
        agent = get_agent(session, "claims")
        plan_id = plans.apply(session, agent, plan, actor=owner, now=ctx.clock.now()).revision.id
    rollout = factories.rollout(ctx, phase=phase, **{"threshold": None} | (rules or {}))
    return factories.change_rollout(ctx, rollout, plan_id=plan_id, rules={"threshold": None} | (rules or {}))


def work(ctx: Context, cases: int, *, wrong_below: float = 0.5, start: int = 0, segment: str = "") -> None:
    """Cases of all confidences, where those below a certain one are wrong, and what people did for them."""
    sure = {f"c-{number}": (number * 37 % 101) / 101 for number in range(start, start + cases)}
    outputs = {name: "yes" if confidence >= wrong_below else "no" for name, confidence in sure.items()}
    factories.store(
        ctx, *(factories.case(n, confidence=c, output=outputs[n], segment=segment) for n, c in sure.items())
    )
    people = [HumanOutputIn(case_id=name, output="yes") for name in sure]
    with ctx.db.begin() as session:
        service_of_cases.add_human_outputs(session, "claims", people, actor=SYSTEM, now=ctx.clock.now())
    REGISTRY["routing.settle"].run(ctx)


def look(ctx: Context) -> list[Calibration]:
    REGISTRY["routing.calibrate"].run(ctx)
    with ctx.db.read() as session:
        return list(session.scalars(select(Calibration).order_by(Calibration.segment, Calibration.look)))


def apply(ctx: Context, row: Calibration, actor: Actor = MARA) -> int:
    with ctx.db.begin() as session:
        rollout = versions.get_rollout(session, "claims", "v1")
        found = queries.get_calibration(session, rollout.id, row.id)
        return service.apply(session, rollout, found, actor=actor, now=ctx.clock.now()).revision


def test_a_look_waits_until_its_labels_are_in_and_settled(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS - 1)
    clock.move(timedelta(days=3))
    assert look(ctx) == []

    work(ctx, 1, start=LABELS - 1)
    assert look(ctx) == []  # the last label is too young
    clock.move(timedelta(days=3))

    assert [(row.look, row.labels) for row in look(ctx)] == [(0, LABELS)]


def test_a_look_is_taken_once_and_on_the_first_labels_alone(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.0)
    clock.move(timedelta(hours=1))
    work(ctx, LABELS, wrong_below=2.0, start=LABELS)  # all of the later ones are wrong
    clock.move(timedelta(days=3))
    first = look(ctx)

    again = look(ctx)

    assert [(row.labels, row.answer["errors"]) for row in first] == [(LABELS, 0)]
    assert [row.id for row in again] == [row.id for row in first]


def test_a_case_that_nobody_ruled_on_counts_as_wrong(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    factories.store(ctx, *(factories.case(f"c-{number}") for number in range(LABELS)))
    REGISTRY["routing.settle"].run(ctx)
    clock.move(timedelta(days=3))

    (row,) = look(ctx)

    assert (row.answer["errors"], row.data["pending"], row.threshold) == (LABELS, LABELS, None)
    assert row.answer["reason"] == "top_group_fails"


def test_the_owner_puts_a_threshold_in_force_and_the_policy_names_the_calibration(
    ctx: Context, clock: FixedClock
) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    (row,) = look(ctx)
    assert row.threshold is not None

    revision = apply(ctx, row)

    with ctx.db.read() as session:
        rollout = versions.get_rollout(session, "claims", "v1")
        policy = versions.get_policy(session, rollout.id, revision)
        kept = queries.get_calibration(session, rollout.id, row.id)
        events = [event.verb for event in session.scalars(select(AuditEvent).order_by(AuditEvent.id))]
    assert policy.body["rules"]["threshold"] == row.threshold
    assert str(row.id) in policy.cause
    assert (kept.applied_by, kept.applied_revision) == ("mara", revision)
    assert {"threshold.calibrated", "policy.written"} <= set(events)


def test_nobody_but_the_owner_puts_a_threshold_in_force(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    (row,) = look(ctx)

    with pytest.raises(NotTheOwner):
        apply(ctx, row, Actor("erin", "person", frozenset({"engineer", "owner"})))


def test_what_is_in_force_is_not_put_in_force_again(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    (row,) = look(ctx)
    apply(ctx, row)

    with pytest.raises(AppliedAlready):
        apply(ctx, row)


def test_a_segment_has_a_threshold_of_its_own_when_the_plan_names_it(ctx: Context, clock: FixedClock) -> None:
    house(ctx, segments=["north"], first_labels=400)
    work(ctx, 400, wrong_below=0.2, segment="north")
    work(ctx, 100, wrong_below=2.0, start=400, segment="south")
    clock.move(timedelta(days=3))

    found = {row.segment: row for row in look(ctx)}

    assert set(found) == {"", "north"}
    assert found["north"].declared["delta"] == pytest.approx(0.025)
    apply(ctx, found["north"])
    with ctx.db.read() as session:
        rollout = versions.get_rollout(session, "claims", "v1")
        rules = versions.get_policy(session, rollout.id, rollout.policy_revision).body["rules"]
    assert rules["thresholds"] == {"north": found["north"].threshold}
    assert rules["threshold"] is None


def test_where_the_agent_goes_alone_both_sides_of_the_threshold_are_thinned_alike(
    ctx: Context, clock: FixedClock
) -> None:
    rollout = house(ctx, Phase.CONFIDENCE, rules={"threshold": 0.5, "audit_rate": 0.4})
    work(ctx, 400, wrong_below=0.0)
    with ctx.db.read() as session:
        decided = list(session.scalars(select(Decision)))
    drawn = [row for row in decided if audit_position(ctx.secret, rollout.id, row.case_id) < 0.4]
    clock.move(timedelta(days=3))

    (row,) = look(ctx)

    counted = sum(cases for _, cases, _ in row.data["groups"])
    below = sum(cases for sure, cases, _ in row.data["groups"] if sure < 0.5)
    assert counted == LABELS
    assert 100 <= len(drawn) < 250
    assert 30 <= below <= 70  # half of the cases are below, as in the whole


def test_the_answer_follows_from_its_record_and_an_altered_one_is_told(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    (row,) = look(ctx)
    assert service.agrees_with_itself(row)

    row.answer = {**row.answer, "threshold": 0.01}

    assert not service.agrees_with_itself(row)


def test_an_older_answer_is_not_put_in_force_beside_a_newer_one(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    (row,) = look(ctx)
    with ctx.db.begin() as session:
        columns = {c.key: getattr(row, c.key) for c in Calibration.__table__.columns}
        session.add(Calibration(**columns | {"id": factories.new_id(), "look": 1, "labels": 200, "threshold": 0.1}))

    with pytest.raises(NotTheNewest):
        apply(ctx, row)


class TestScheduledLooks:
    LOOKS = {"first_labels": 200, "every": 100, "until": 400, "risk": 0.2}  # noqa: RUF012 - a plan's section

    def taken(self, ctx: Context, clock: FixedClock, cases: int, start: int = 0) -> list[Calibration]:
        work(ctx, cases, wrong_below=0.1, start=start)
        clock.move(timedelta(days=3))
        return look(ctx)

    def test_further_looks_are_taken_at_their_numbers_of_labels_until_the_horizon(
        self, ctx: Context, clock: FixedClock
    ) -> None:
        house(ctx, **self.LOOKS)

        found = [[row.labels for row in self.taken(ctx, clock, 150, start)] for start in (0, 150, 300, 450)]

        assert found == [[], [200, 300], [200, 300, 400], [200, 300, 400]]

    def test_a_scheduled_answer_follows_from_its_record_too(self, ctx: Context, clock: FixedClock) -> None:
        house(ctx, **self.LOOKS)

        rows = self.taken(ctx, clock, 400)

        assert [service.agrees_with_itself(row) for row in rows] == [True, True, True]
        assert [row.answer.get("next_look") for row in rows[1:]] == [400, None]
        assert rows[-1].threshold is not None
        rows[-1].data = {**rows[-1].data, "looks": rows[-1].data["looks"][1:]}
        assert not service.agrees_with_itself(rows[-1])

    @pytest.mark.parametrize(
        "later",
        [{"first_labels": 100}, {"first_labels": 300, "every": 50, "until": 400, "risk": 0.3}, {"segments": ["north"]}],
    )
    def test_a_plan_that_is_adopted_after_the_first_look_declares_nothing_anew(
        self, ctx: Context, clock: FixedClock, later: dict[str, Any]
    ) -> None:
        rollout = house(ctx, **self.LOOKS)
        self.taken(ctx, clock, 200)
        plan = plan_data(agent="claims", settle_days=2, threshold={"first_labels": 400} | later)
        with ctx.db.begin() as session:
            agent = get_agent(session, "claims")
            plan_id = plans.apply(session, agent, plan, actor=MARA, now=ctx.clock.now()).revision.id
        factories.change_rollout(ctx, rollout, plan_id=plan_id, rules={"threshold": None})

        rows = self.taken(ctx, clock, 300, 200)

        assert [row.labels for row in rows] == [200, 300, 400]
        assert {row.declared["risk"] for row in rows} == {0.2}
        assert all(service.agrees_with_itself(row) for row in rows)

    def test_looks_taken_late_find_what_looks_in_time_found(self, ctx: Context, clock: FixedClock) -> None:
        house(ctx, **self.LOOKS)
        in_time = [self.taken(ctx, clock, 100, start) for start in (0, 100, 200, 300)][-1]
        with ctx.db.begin() as session:
            session.execute(delete(Calibration))

        late = look(ctx)

        assert [row.digest for row in late] == [row.digest for row in in_time]

    def test_a_verdict_that_changes_after_its_look_is_not_taken_back(self, ctx: Context, clock: FixedClock) -> None:
        house(ctx, **self.LOOKS)
        before = self.taken(ctx, clock, 200)
        with ctx.db.begin() as session:
            people = [HumanOutputIn(case_id=f"c-{number}", output="maybe") for number in range(100)]
            service_of_cases.add_human_outputs(session, "claims", people, actor=SYSTEM, now=ctx.clock.now())
        REGISTRY["routing.settle"].run(ctx)

        after = self.taken(ctx, clock, 200, 200)

        assert [row.digest for row in after[:1]] == [row.digest for row in before]
        assert after[-1].answer["errors"] < 100


def test_the_policy_says_what_its_threshold_rests_on_until_somebody_changes_it(ctx: Context, clock: FixedClock) -> None:
    house(ctx)
    work(ctx, LABELS, wrong_below=0.2)
    clock.move(timedelta(days=3))
    (row,) = look(ctx)
    apply(ctx, row)

    with ctx.db.begin() as session:
        rollout = versions.get_rollout(session, "claims", "v1")
        rules = steps.rules_of(session, rollout)
        groups = row.data["groups"]
        assert rules.calibrated is not None
        assert rules.calibrated.calibration == row.id
        assert rules.calibrated.labels == LABELS
        assert rules.calibrated.below == sum(cases for sure, cases, _ in groups if sure < rules.calibrated.threshold)
        raised = rules.model_copy(update={"threshold": 0.99})
        version_service.change_rules(session, rollout, raised, actor=MARA, now=ctx.clock.now())
        assert steps.rules_of(session, rollout).calibrated is None


def test_the_share_below_is_told_from_the_last_counts_of_the_grid() -> None:
    data = {"groups": [[0.9, 60, 0], [0.5, 40, 9]], "looks": [[200, [[200, 20], [150, 2]]]]}
    declared = {"grid": [0.5, 0.8]}

    assert records.below(data, declared, 0.8) == (50, 200)
    assert records.below(data, declared, 0.85) == (40, 100)
    assert records.below({**data, "looks": []}, declared, 0.8) == (40, 100)
