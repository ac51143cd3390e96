import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evidence.alarms.detector import Detector, DetectorState
from evidence.alarms.presets import labelled
from evidence.sequences import log_harm

DETECTOR = Detector(0.03, (0.045, 0.06, 0.09, 0.15))
STREAMS = st.lists(st.booleans(), max_size=120)


def after(stream: list[bool], detector: Detector = DETECTOR, state: DetectorState | None = None) -> DetectorState:
    state = state or detector.start()
    for bad in stream:
        state = detector.update(state, bad)
    return state


def first_alarms(detector: Detector, rates: np.ndarray, runs: int, seed: int) -> np.ndarray:
    """The first alarm of each run, -1 where none came, for many streams side by side; from the definition, by sums."""
    rng = np.random.default_rng(seed)
    q, reference = np.array(detector.alternatives), detector.reference
    logs, first = np.full((runs, len(q)), -np.inf), np.full(runs, -1)
    for number, rate in enumerate(rates, 1):
        bad = rng.random((runs, 1)) < rate
        logs = np.logaddexp(0.0, logs) + np.where(bad, np.log(q / reference), np.log((1 - q) / (1 - reference)))
        reached = np.logaddexp.reduce(logs, axis=1) - math.log(len(q)) >= math.log(detector.cases_between_alarms)
        first[(first < 0) & reached] = number
    return first


class TestEvidence:
    def test_is_the_sum_over_every_case_at_which_a_change_may_have_begun(self) -> None:
        stream = [False] * 20 + [True, False, True, True] * 5
        likelihood = {True: lambda q: q / 0.03, False: lambda q: (1 - q) / 0.97}
        total = sum(
            math.prod(likelihood[bad](q) for bad in stream[start:])
            for q in DETECTOR.alternatives
            for start in range(len(stream))
        )

        assert DETECTOR.log_evidence(after(stream)) == pytest.approx(math.log(total / 4), rel=1e-12)

    def test_is_none_before_the_first_case(self) -> None:
        assert DETECTOR.log_evidence(DETECTOR.start()) == -math.inf
        assert not DETECTOR.alarmed(DETECTOR.start())

    @given(STREAMS)
    def test_a_bad_case_in_place_of_a_good_one_never_hides_a_rise(self, stream: list[bool]) -> None:
        for place, bad in enumerate(stream):
            if not bad:
                worse = [*stream[:place], True, *stream[place + 1 :]]
                assert DETECTOR.log_evidence(after(worse)) >= DETECTOR.log_evidence(after(stream)) - 1e-9
                break

    @pytest.mark.parametrize("bad", [0, 3 * 10**6, 10**7, 10**8])
    def test_stays_finite_up_to_a_hundred_million_cases(self, bad: int) -> None:
        state = DETECTOR.update_many(DETECTOR.start(), bad, 10**8)
        state = DETECTOR.update(state, bad > 0)

        assert all(math.isfinite(log) for log in state.logs)
        assert math.isfinite(DETECTOR.log_evidence(state))
        assert DETECTOR.alarmed(state) == (bad >= 10**7)

    def test_an_endless_calm_leaves_it_as_quick_as_at_the_start(self) -> None:
        calm = DETECTOR.update_many(DETECTOR.start(), 0, 10**8)

        assert DETECTOR.log_evidence(after([True] * 9, state=calm)) == pytest.approx(
            DETECTOR.log_evidence(after([True] * 9)), abs=1e-6
        )

    def test_watches_for_a_fall_with_the_alternatives_below(self) -> None:
        mirror = Detector(0.3, (0.15, 0.2, 0.25), 1000)

        assert mirror.alarmed(after([False] * 100, mirror))
        assert not mirror.alarmed(after([True, False] * 50, mirror))


class TestAlarm:
    def test_stays_although_the_evidence_sinks_and_is_counted_once(self) -> None:
        state = after([True] * 20 + [False] * 500)

        assert state.alarmed_at == 7  # (5 + ... + 5^7 + 3 + ...) / 4 is the first mean above 20,000
        assert DETECTOR.log_evidence(state) < math.log(DETECTOR.cases_between_alarms)
        assert DETECTOR.alarmed(state)
        assert state.alarms == 1

    def test_a_restart_forgets_the_evidence_and_keeps_its_place(self) -> None:
        state = DETECTOR.restarted(after([True] * 20))

        assert state == DetectorState((0.0,) * 4, through=20, alarms=1)
        assert after([True] * 20, state=state).alarmed_at == 27
        assert after([True] * 20, state=state).alarms == 2

    def test_false_alarms_are_no_more_than_the_cases_over_the_distance_between_them(self) -> None:
        detector = labelled(0.05, cases_between_alarms=2000)
        alarmed = first_alarms(detector, np.full(1000, 0.05), runs=1000, seed=3) > 0

        assert alarmed.mean() <= 1000 / 2000 + 3 * math.sqrt(0.25 / 1000)
        assert alarmed.any()

    def test_at_two_thirds_of_what_is_tolerated_false_alarms_are_rare(self) -> None:
        alarmed = first_alarms(labelled(0.03), np.full(10_000, 0.02), runs=300, seed=4) > 0

        assert alarmed.mean() <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 300)

    def test_a_jump_to_twice_what_is_tolerated_is_seen_within_four_hundred_cases_in_the_median(self) -> None:
        rates = np.concatenate([np.full(2000, 0.02), np.full(3000, 0.06)])
        first = first_alarms(labelled(0.03), rates, runs=400, seed=7)
        delays = first[first > 2000] - 2000

        assert np.mean(first > 2000) > 0.98
        assert 300 <= np.median(delays) <= 430
        assert np.quantile(delays, 0.9) <= 900

    def test_case_by_case_agrees_with_the_streams_side_by_side(self) -> None:
        detector = labelled(0.05, cases_between_alarms=50)
        drawn = np.random.default_rng(9).random((400, 1)) < 0.2
        first = first_alarms(detector, np.full(400, 0.2), runs=1, seed=9)

        assert after(drawn[:, 0].tolist(), detector).alarmed_at == first[0]


class TestBlocks:
    @given(STREAMS, st.randoms())
    def test_totals_never_say_more_than_the_cases_in_any_order(self, stream: list[bool], random: Any) -> None:
        shuffled = random.sample(stream, len(stream))
        block = DETECTOR.update_many(DETECTOR.start(), sum(stream), len(stream))

        for one, other in zip(block.logs, after(shuffled).logs, strict=True):
            assert one <= other + 1e-9
        assert (block.cases, block.bad, block.through) == (len(stream), sum(stream), len(stream))

    @given(st.booleans(), STREAMS)
    def test_a_block_of_one_is_the_case(self, bad: bool, before: list[bool]) -> None:
        state = after(before)

        assert DETECTOR.update_many(state, int(bad), 1) == DETECTOR.update(state, bad)

    def test_days_of_one_alternative_are_the_sum_over_their_starts(self) -> None:
        """The same sum as the day-cohort form of `sequences.log_harm`, which mixes its alternatives differently."""
        detector, days = Detector(0.05, (0.15,)), [(1, 40), (9, 60), (14, 80)]
        state = detector.start()
        for bad, cases in days:
            state = detector.update_many(state, bad, cases)
        since = [(24, 180), (23, 140), (14, 80)]
        total = sum(3.0**bad * (0.85 / 0.95) ** (cases - bad) for bad, cases in since)

        assert detector.log_evidence(state) == pytest.approx(math.log(total))
        assert log_harm(days, 0.05) == pytest.approx(detector.log_evidence(state), abs=2.5)

    def test_an_empty_block_changes_nothing(self) -> None:
        state = after([True, False])

        assert DETECTOR.update_many(state, 0, 0, first=9) is state


class TestPlaceInTheStream:
    @given(STREAMS, st.data())
    def test_halves_delivered_twice_count_once(self, stream: list[bool], data: st.DataObject) -> None:
        cut = data.draw(st.integers(0, len(stream)))
        numbered = list(enumerate(stream, 1))
        state = DETECTOR.start()
        for position, bad in [*numbered[:cut], *numbered[:cut], *numbered]:
            state = DETECTOR.update(state, bad, position)

        assert state == after(stream)

    def test_a_case_that_was_counted_changes_nothing_even_with_another_verdict(self) -> None:
        state = after([False, False, True])

        assert DETECTOR.update(state, bad=True, position=2) is state

    def test_a_gap_is_refused_for_what_is_missing_could_never_be_counted(self) -> None:
        with pytest.raises(ValueError, match="position must be 4"):
            DETECTOR.update(after([False] * 3), bad=True, position=5)

    def test_a_block_counted_in_part_is_refused_and_one_counted_whole_changes_nothing(self) -> None:
        state = after([False] * 10)

        assert DETECTOR.update_many(state, 2, 10, first=1) is state
        assert DETECTOR.update_many(state, 2, 10, first=11).through == 20
        for first in (5, 12):
            with pytest.raises(ValueError, match="position must be 11"):
                DETECTOR.update_many(state, 2, 10, first=first)

    def test_a_stream_may_be_taken_up_in_its_middle(self) -> None:
        state = DETECTOR.update(DETECTOR.start(through=500), bad=True, position=501)

        assert (state.through, state.cases, state.bad) == (501, 1, 1)

    @pytest.mark.parametrize("position", [0, -1, 1.0, True, math.nan])
    def test_refuses_what_is_no_position(self, position: Any) -> None:
        with pytest.raises(ValueError, match="position"):
            DETECTOR.update(DETECTOR.start(), bad=True, position=position)


class TestStoring:
    @given(STREAMS)
    @settings(max_examples=40)
    def test_a_state_survives_strict_json_to_the_last_digit(self, stream: list[bool]) -> None:
        state = after(stream)
        written = json.dumps(state.to_dict(), allow_nan=False)

        assert DetectorState.from_dict(json.loads(written)) == state

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"logs": [math.nan]}, id="no number"),
            pytest.param({"logs": [-1.0]}, id="negative"),
            pytest.param({"bad": 3}, id="more bad than cases"),
            pytest.param({"through": 1}, id="counted beyond its place"),
            pytest.param({"alarmed_at": 7}, id="alarm in the future"),
            pytest.param({"alarms": 0.5}, id="half an alarm"),
            pytest.param({"more": 1}, id="unknown field"),
        ],
    )
    def test_refuses_what_no_detector_wrote(self, change: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            DetectorState.from_dict(after([True, False]).to_dict() | change)

    def test_refuses_the_state_of_another_detector(self) -> None:
        with pytest.raises(ValueError, match="4 sums for 1 alternatives"):
            Detector(0.05, (0.1,)).update(after([True]), bad=True)


@pytest.mark.parametrize(
    ("reference", "alternatives", "distance"),
    [
        pytest.param(0.0, (0.1,), 100.0, id="nothing tolerated"),
        pytest.param(1.0, (0.1,), 100.0, id="everything tolerated"),
        pytest.param(math.nan, (0.1,), 100.0, id="no reference"),
        pytest.param(0.05, (), 100.0, id="no alternative"),
        pytest.param(0.05, (0.02, 0.1), 100.0, id="alternatives on both sides"),
        pytest.param(0.05, (0.05,), 100.0, id="alternative at the reference"),
        pytest.param(0.05, (1.0,), 100.0, id="alternative at one"),
        pytest.param(0.05, (0.1,), 1.0, id="an alarm with every case"),
        pytest.param(0.05, (0.1,), math.inf, id="never an alarm"),
        pytest.param(0.05, (0.1,), math.nan, id="no distance"),
    ],
)
def test_a_detector_that_cannot_work_is_refused(
    reference: float, alternatives: tuple[float, ...], distance: float
) -> None:
    with pytest.raises(ValueError):
        Detector(reference, alternatives, distance)
