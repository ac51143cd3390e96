from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.phase import Lane, Phase
from rollout.domain.tally import Tallies
from rollout.domain.totals import Cohort, Counts, by_day, by_segment, counted, of_segment, total
from tests.unit.rollout.making import TODAY


def test_phases_are_ordered_by_autonomy_and_not_by_the_alphabet() -> None:
    assert list(Phase) == sorted(Phase)
    assert all(lower < higher and higher > lower for lower, higher in pairwise(Phase))
    assert Phase.SHADOW <= Phase.SHADOW >= "shadow"


def test_every_phase_knows_its_neighbours() -> None:
    assert [phase.next for phase in Phase] == [*list(Phase)[1:], None]
    assert [phase.previous for phase in Phase] == [None, *list(Phase)[:-1]]


DAYS = [TODAY - timedelta(days=days) for days in range(4)]
COHORTS = st.builds(
    Cohort, lane=st.sampled_from(Lane), segment=st.sampled_from(["", "a", "b"]), day=st.sampled_from(DAYS)
)
COUNTS = st.builds(Counts, *(st.integers(0, 50) for _ in range(7)))


@given(st.lists(st.tuples(COHORTS, COUNTS), unique_by=lambda pair: pair[0]), st.randoms(use_true_random=False))
def test_totals_do_not_depend_on_the_order_of_counting(rows: list[tuple[Cohort, Counts]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    for summed in (total, by_day, by_segment):
        assert summed(dict(rows)) == summed(dict(shuffled))


@given(st.dictionaries(COHORTS, COUNTS))
def test_every_case_is_in_exactly_one_day_and_one_segment(rows: dict[Cohort, Counts]) -> None:
    assert sum(by_day(rows).values(), Counts()) == total(rows) == sum(by_segment(rows).values(), Counts())
    parts = [total(of_segment(rows, segment)) for segment in by_segment(rows)]
    assert sum(parts, Counts()) == total(rows)
    lanes = [total(counted(rows, {lane})) for lane in Lane]
    assert sum(lanes, Counts()) == total(rows)


def test_what_was_added_can_be_taken_away_again() -> None:
    some, more = Counts(5, 3, 1, 1, 1), Counts(2, 1, 1)

    assert some + more - more == some


def test_settled_ends_before_the_day_and_not_on_it() -> None:
    rows = {Cohort(Lane.REVIEW, "", day): Counts(cases=1) for day in DAYS}

    tally = Tallies(rows, DAYS[1]).of(frozenset({Lane.REVIEW})).whole
    assert set(tally.by_day()) == {DAYS[2], DAYS[3]}
    assert (tally.settled.cases, tally.young) == (2, 2)


def test_the_newest_day_is_one_with_cases() -> None:
    rows = {Cohort(Lane.REVIEW, "", DAYS[0]): Counts(), Cohort(Lane.REVIEW, "", DAYS[2]): Counts(cases=1)}

    tally = Tallies(rows, TODAY).of(frozenset(Lane)).whole
    assert (tally.first, tally.newest) == (DAYS[2], DAYS[2])
    assert Tallies({}, TODAY).of(frozenset(Lane)).whole.newest is None


@given(st.dictionaries(COHORTS, COUNTS))
def test_all_segments_together_are_what_each_of_them_is(rows: dict[Cohort, Counts]) -> None:
    tallies = Tallies(rows, DAYS[1]).of(frozenset({Lane.REVIEW, Lane.AUDIT}))
    wanted = counted(rows, {Lane.REVIEW, Lane.AUDIT})
    old = {cohort: counts for cohort, counts in wanted.items() if cohort.day < DAYS[1]}

    assert tallies.whole.settled == total(old)
    assert tallies.whole.by_day() == by_day(old)
    assert tallies.whole.young == total(wanted).cases - total(old).cases
    assert {name: tally.settled for name, tally in tallies.segments.items()} == {
        segment: total(of_segment(old, segment)) for segment in by_segment(wanted)
    }


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(Counts(cases=-1), id="a negative count"),
        pytest.param(Counts(cases=2, agreed=2, overridden=1), id="more verdicts than cases"),
        pytest.param(Counts(cases=2, overridden=1, severe=2), id="more severe than overridden"),
        pytest.param(Counts(cases=2, invalid_output=3), id="more invalid outputs than cases"),
        pytest.param(Counts(cases=2, invalid_confidence=3), id="more invalid confidences than cases"),
    ],
)
def test_counts_that_cannot_be_do_not_add_up(wrong: Counts) -> None:
    assert not wrong.add_up


def test_counts_that_can_be_add_up() -> None:
    assert Counts(5, 2, 2, 1, 1, 5, 5).add_up
    assert Counts(5, 2, 1, 0, 1).pending == 1
