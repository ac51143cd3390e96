"""Applying plans and adopting them."""

import pytest

from kit.context import Context
from kit.errors import Forbidden, Invalid
from rollout.domain.phase import Phase
from rollout.domain.plan_yaml import PlanInvalid
from rollout.plans import queries, service
from rollout.plans.service import PlanWidens
from rollout.plans.tables import PlanRevision
from rollout.versions import queries as version_queries
from tests.integration.rollout.house import RITA, House, build, plan_data
from tests.racing import together


@pytest.fixture
def house(ctx: Context) -> House:
    return build(ctx)


def adopt(house: House, reason: str = "we know more now") -> PlanRevision:
    with house.ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, "reader", "v1")
        return service.adopt(session, rollout, actor=house.alice, now=house.clock.now(), reason=reason)


def test_the_same_plan_again_is_no_new_revision(house: House) -> None:
    again = house.apply()

    assert (again.is_new, again.revision.revision, again.changes) == (False, 1, ())


def test_a_changed_plan_is_the_next_revision_with_its_differences(house: House) -> None:
    applied = house.apply(settle_days=3)

    assert (applied.is_new, applied.revision.revision) == (True, 2)
    assert [change.words for change in applied.changes] == ["settle_days was 1, becomes 3"]


def test_two_who_apply_at_once_get_two_revisions(house: House) -> None:
    together(lambda: house.apply(settle_days=3), lambda: house.apply(settle_days=4))

    with house.ctx.db.read() as session:
        assert [row.revision for row in queries.revisions(session, "reader")] == [3, 2, 1]


def test_a_plan_of_another_agent_is_refused(house: House) -> None:
    with pytest.raises(Invalid, match="writer"):
        house.apply(plan_data("writer"))


def test_a_bad_plan_is_refused_with_its_lines_and_nothing_is_stored(house: House) -> None:
    text = "agent: reader\nphases:\n  evaluation:\n    gates:\n      - {metric: suit_score, at_least: 0.9}\n"

    with pytest.raises(PlanInvalid) as refused:
        house.apply(text)

    assert "line 5, phases.evaluation.gates[0].metric" in {place.place for place in refused.value.places}
    with house.ctx.db.read() as session:
        assert len(queries.revisions(session, "reader")) == 1


def test_a_reviewer_does_not_change_plans(house: House) -> None:
    with pytest.raises(Forbidden):
        house.apply(by=RITA)


def test_a_version_in_evaluation_follows_the_plan(house: House) -> None:
    house.register()

    house.apply(settle_days=3)

    assert (house.status().plan_revision, house.status().newest_plan_revision) == (2, 2)


def test_a_version_without_a_plan_takes_the_first_one(ctx: Context) -> None:
    house = build(ctx, planned=False)
    house.register()

    house.apply()

    assert house.status().plan_revision == 1


def test_a_version_under_way_keeps_the_plan_it_left_evaluation_with(house: House) -> None:
    house.register()
    house.climb(Phase.SHADOW)

    house.apply(settle_days=3)

    assert (house.status().plan_revision, house.status().newest_plan_revision) == (1, 2)


def test_adopting_is_explicit_recorded_and_begins_nothing_anew(house: House) -> None:
    house.register()
    before = house.climb(Phase.SHADOW)
    house.count()
    house.apply(settle_days=3)
    with pytest.raises(Invalid):
        adopt(house, reason="")

    adopt(house)

    after = house.status()
    assert (after.plan_revision, after.epoch, after.phase, after.phase_since) == (
        2,
        before.epoch,
        "shadow",
        before.phase_since,
    )
    assert (after.history[0].kind, after.history[0].reason) == ("adopted", "plan revision 2: we know more now")
    assert house.look().body["gates"][0]["unsettled"] == 200


def test_adopting_what_is_there_already_changes_nothing(house: House) -> None:
    house.register()
    house.climb(Phase.SHADOW)
    before = house.rollout().policy_revision

    adopt(house)

    assert house.rollout().policy_revision == before


def test_adopting_never_widens_the_share(house: House) -> None:
    house.register()
    house.climb(Phase.CONFIDENCE)
    phases = plan_data()["phases"]
    phases["confidence"]["ramp"] = [0.2, 0.4, 1.0]
    house.apply(phases=phases)

    adopt(house)

    assert (house.status().ramp_step, house.status().ramp_share) == (1, 0.4)


def test_a_plan_whose_ramp_begins_above_the_present_share_is_refused(house: House) -> None:
    house.register()
    house.climb(Phase.CONFIDENCE)
    phases = plan_data()["phases"]
    phases["confidence"]["ramp"] = [0.8, 1.0]
    house.apply(phases=phases)

    with pytest.raises(PlanWidens):
        adopt(house)
