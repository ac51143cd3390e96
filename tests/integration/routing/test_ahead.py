from datetime import timedelta

import pytest

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from routing.domain.reach import Reach
from routing.reviews import service
from routing.reviews.dealing import queries as dealing
from routing.reviews.dealing.lines import Narrow
from routing.reviews.tables import ReviewItem
from tests import factories
from tests.integration.routing.desk import (
    A_MOMENT,
    LEASE,
    ahead,
    claim,
    claim_next,
    held,
    item_of,
    leave,
    rows,
    rule,
)
from tests.racing import together

BOTH = Reach((1, 2))
A_MINUTE = service.AHEAD_FOR


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx, review_risks=["high"])


@pytest.fixture
def alice(ctx: Context) -> Actor:
    return factories.actor(ctx, "alice", roles=("reviewer",))


@pytest.fixture
def bob(ctx: Context) -> Actor:
    return factories.actor(ctx, "bob", roles=("reviewer",))


@pytest.fixture
def line(ctx: Context, clock: FixedClock) -> list[str]:
    """Five cases, a second apart, in the order in which they are handed out."""
    cases = [f"c-{number}" for number in range(5)]
    for case in cases:
        factories.decision(ctx, case)
        clock.move(timedelta(seconds=1))
    return cases


def taken(ctx: Context, actor: Actor, **narrowed: Narrow) -> str | None:
    item = claim_next(ctx, actor, **narrowed)
    return item.case_id if item else None


def by_case(ctx: Context) -> dict[str, ReviewItem]:
    return {item.case_id: item for item in rows(ctx, ReviewItem)}


class TestAhead:
    def test_holds_the_next_ones_in_turn_for_a_minute_without_handing_them_out(
        self, ctx: Context, clock: FixedClock, alice: Actor, line: list[str]
    ) -> None:
        first = taken(ctx, alice)

        assert (first, ahead(ctx, alice, 2)) == (line[0], line[1:3])
        kept = by_case(ctx)
        assert [kept[case].ahead for case in line] == [False, True, True, False, False]
        assert {kept[case].claimed_until for case in line[1:3]} == {clock.now() + A_MINUTE}
        with ctx.db.read() as session:
            now = dealing.held_by(session, "alice", clock.now())
        assert now is not None
        assert now.case_id == first

    @pytest.mark.usefixtures("line")
    def test_keeps_them_from_everybody_else(self, ctx: Context, alice: Actor, bob: Actor) -> None:
        taken(ctx, alice)
        mine = ahead(ctx, alice, 3)

        theirs = [taken(ctx, bob), *ahead(ctx, bob, 3)]

        assert (mine, theirs) == (["c-1", "c-2", "c-3"], ["c-4"])

    def test_asked_again_holds_the_same_ones_longer_and_fills_up(
        self, ctx: Context, clock: FixedClock, alice: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        ahead(ctx, alice, 2)
        clock.move(A_MINUTE / 2)

        assert ahead(ctx, alice, 3) == line[1:4]
        assert {by_case(ctx)[case].claimed_until for case in line[1:4]} == {clock.now() + A_MINUTE}

    def test_is_what_the_next_claim_hands_out_counted_from_then(
        self, ctx: Context, clock: FixedClock, alice: Actor, line: list[str]
    ) -> None:
        item = claim_next(ctx, alice)
        ahead(ctx, alice, 2)
        factories.decision(ctx, "urgent", risk="high")
        clock.move(A_MINUTE)
        assert item is not None
        rule(ctx, alice, item)

        following = claim_next(ctx, alice)

        assert following is not None
        assert (following.case_id, following.ahead) == (line[1], False)
        assert (following.claimed_at, following.claimed_until) == (clock.now(), clock.now() + LEASE)

    def test_is_claimed_by_name_and_counted_from_then(
        self, ctx: Context, clock: FixedClock, alice: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        ahead(ctx, alice, 2)
        clock.move(timedelta(seconds=20))

        named = claim(ctx, alice, by_case(ctx)[line[2]].id)

        assert (named.ahead, named.claimed_at) == (False, clock.now())

    def test_cannot_be_ruled_on_nor_renewed_before_it_was_handed_out(
        self, ctx: Context, clock: FixedClock, alice: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        ahead(ctx, alice, 1)
        unseen = by_case(ctx)[line[1]]

        with pytest.raises(service.NotHeld):
            rule(ctx, alice, unseen)
        with pytest.raises(service.NotHeld), ctx.db.begin() as session:
            service.renew(session, unseen.id, actor=alice, now=clock.now(), lease=LEASE)

    def test_is_free_for_others_in_the_moment_the_minute_is_over(
        self, ctx: Context, clock: FixedClock, alice: Actor, bob: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        ahead(ctx, alice, 1)
        clock.move(A_MINUTE + A_MOMENT)

        assert taken(ctx, bob) == line[1]
        assert by_case(ctx)[line[1]].ahead is False

    def test_that_ran_out_is_an_ordinary_case_after_the_sweep(
        self, ctx: Context, clock: FixedClock, alice: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        ahead(ctx, alice, 1)
        clock.move(A_MINUTE + A_MOMENT)

        assert REGISTRY["routing.release_expired"].run(ctx) == 1
        freed = by_case(ctx)[line[1]]
        assert (freed.claimed_by, freed.ahead) == (None, False)

    def test_of_eight_people_at_once_nobody_holds_what_another_does(self, ctx: Context) -> None:
        people = [factories.actor(ctx, f"reviewer-{n}", roles=("reviewer",)) for n in range(8)]
        factories.store(ctx, *[factories.case(f"c-{n:02}") for n in range(30)])

        def work(person: Actor) -> list[str]:
            return [taken(ctx, person) or "", *ahead(ctx, person, 3)]

        found = together(*[lambda one=one: work(one) for one in people])

        cases = [case for one in found for case in one if case]
        assert len(cases) == len(set(cases)) == 30

    def test_of_the_second_line_too_for_those_who_may(self, ctx: Context, alice: Actor, line: list[str]) -> None:
        lead = factories.actor(ctx, "lena", roles=("lead",))
        item = claim_next(ctx, alice)
        assert item is not None
        rule(ctx, alice, item, "escalate")

        assert ahead(ctx, lead, 2) == line[:2]


class TestLeave:
    def test_gives_back_what_is_held_ahead_and_keeps_what_is_looked_at(
        self, ctx: Context, alice: Actor, bob: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        ahead(ctx, alice, 2)

        assert (leave(ctx, alice), leave(ctx, alice)) == (2, 0)
        assert taken(ctx, bob) == line[1]
        assert by_case(ctx)[line[0]].claimed_by == "alice"

    def test_gives_back_everything_where_that_is_said(
        self, ctx: Context, alice: Actor, bob: Actor, line: list[str]
    ) -> None:
        theirs = held(ctx, bob, "c-5")
        taken(ctx, alice)
        ahead(ctx, alice, 2)

        assert leave(ctx, alice, everything=True) == 3
        assert taken(ctx, alice) == line[0]
        assert item_of(ctx, theirs.decision_id).claimed_by == "bob"


class TestLeases:
    def test_a_case_is_free_in_the_moment_its_lease_ended_without_any_sweep(
        self, ctx: Context, clock: FixedClock, alice: Actor, bob: Actor, line: list[str]
    ) -> None:
        taken(ctx, alice)
        clock.move(LEASE)
        before = taken(ctx, bob)
        clock.move(A_MOMENT)

        third = factories.actor(ctx, "cleo", roles=("reviewer",))

        assert (before, taken(ctx, third)) == (line[1], line[0])


class TestSegments:
    def test_of_an_agent_are_a_queue_of_their_own(self, ctx: Context, clock: FixedClock, alice: Actor) -> None:
        for number, segment in enumerate(["", "north", "south", "north", "south"]):
            factories.decision(ctx, f"c-{number}", segment=segment)
            clock.move(timedelta(seconds=1))

        south = Narrow("claims", "south")

        assert taken(ctx, alice, narrow=south) == "c-2"
        assert ahead(ctx, alice, 2, narrow=south) == ["c-4"]
        assert ahead(ctx, alice, 3) == ["c-0", "c-1", "c-4"]  # what was held is one of three, and they stand in turn

    def test_the_queue_is_shown_narrowed_as_asked(self, ctx: Context, clock: FixedClock) -> None:
        factories.rollout(ctx, version="v2", phase=factories.Phase.FULL, audit_rate=1.0, review_within_hours=1)
        factories.decision(ctx, "c-0", segment="north")
        factories.decision(ctx, "c-1", segment="south", risk="high")
        factories.decision(ctx, "c-2", version="v2")

        def shown(**narrowed: object) -> list[str]:
            with ctx.db.read() as session:
                found = dealing.open_page(
                    session, reach=BOTH, limit=10, narrow=Narrow(**narrowed)  # type: ignore[arg-type]
                )  # fmt: skip
                return [item.case_id for item in found]

        assert shown() == ["c-1", "c-2", "c-0"]
        assert shown(segment="north") == ["c-0"]
        assert shown(kind="audit") == ["c-2"]
        assert shown(urgent=True) == ["c-1"]
        assert shown(due_before=clock.now() + timedelta(hours=2)) == ["c-2"]
        assert shown(agent="refunds") == []
