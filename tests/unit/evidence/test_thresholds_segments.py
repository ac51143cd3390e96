"""Segments under a common threshold."""

import math

import numpy as np
import pytest

from evidence.sequences import log_e_above
from evidence.thresholds import Groups, calibrate, calibrate_segments, close_segments, group, group_counts, worst


class TestOwnThresholds:
    def test_it_takes_400_labels(self) -> None:
        found = calibrate_segments({"enough": labels(400), "too few": labels(399), "none": labels(0)})

        assert found["enough"] is not None
        assert (found["too few"], found["none"]) == (None, None)
        assert list(found) == ["enough", "too few", "none"]

    def test_those_that_qualify_share_delta(self) -> None:
        segments = {"a": labels(400), "b": labels(500), "c": labels(1000), "small": labels(100)}

        found = calibrate_segments(segments, delta=0.06)

        assert [answer and answer.delta for answer in found.values()] == [0.02, 0.02, 0.02, None]
        assert found["a"] == calibrate(labels(400), delta=0.02)

    def test_a_single_one_has_all_of_delta(self) -> None:
        found = calibrate_segments({"a": labels(400), "small": labels(100)}, delta=0.05)

        assert found["a"] is not None
        assert found["a"].delta == 0.05

    def test_without_segments_there_is_nothing_to_calibrate(self) -> None:
        assert calibrate_segments({}) == {}

    def test_all_statements_hold_together(self) -> None:
        random, times = np.random.default_rng(5), 300
        above = 0
        for _ in range(times):
            segments = {
                str(place): group(random.random(400), (random.random(400) < 0.0501).astype(np.int64))
                for place in range(3)
            }
            above += any(answer and answer.threshold is not None for answer in calibrate_segments(segments).values())

        assert above / times <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)


class TestClosing:
    def test_the_evidence_is_against_twice_the_target(self) -> None:
        found = close_segments({"a": (30, 100)}, risk=0.05)["a"]

        assert found.log_e == log_e_above(30, 100, 0.1)
        assert found.closed
        assert found.lower > 0.1
        assert found.lower < 0.3 < found.upper

    def test_one_a_little_above_the_target_stays_open(self) -> None:
        assert not close_segments({"a": (80, 1000)}, risk=0.05)["a"].closed

    def test_more_segments_need_more_evidence(self) -> None:
        errors = next(k for k in range(100) if log_e_above(k, 100, 0.1) >= math.log(1 / 0.05))
        assert log_e_above(errors, 100, 0.1) < math.log(10 / 0.05)

        alone = close_segments({"a": (errors, 100)})
        among = close_segments({"a": (errors, 100), **{str(place): (0, 100) for place in range(9)}})

        assert (alone["a"].closed, among["a"].closed) == (True, False)
        assert among["a"].log_e == alone["a"].log_e

    def test_one_that_is_closed_makes_it_easier_for_the_next(self) -> None:
        errors = next(k for k in range(100) if log_e_above(k, 100, 0.1) >= math.log(1 / 0.05))
        assert log_e_above(errors, 100, 0.1) < math.log(2 / 0.05)

        beside_a_good_one = close_segments({"a": (errors, 100), "b": (0, 100)})
        beside_a_bad_one = close_segments({"a": (errors, 100), "b": (90, 100)})

        assert not beside_a_good_one["a"].closed
        assert [segment.closed for segment in beside_a_bad_one.values()] == [True, True]

    def test_a_segment_without_cases_is_never_closed(self) -> None:
        found = close_segments({"empty": (0, 0)})["empty"]

        assert (found.closed, found.lower, found.upper) == (False, 0.0, 1.0)

    def test_nonsense_is_refused(self) -> None:
        with pytest.raises(ValueError, match="risk"):
            close_segments({"a": (1, 10)}, risk=0.5)
        with pytest.raises(ValueError, match="delta"):
            close_segments({"a": (1, 10)}, delta=0.0)
        with pytest.raises(ValueError, match="bad"):
            close_segments({"a": (11, 10)})

    def test_the_worst_is_the_one_with_the_most_evidence_against_it(self) -> None:
        found = close_segments({"rate only": (1, 2), "good": (1, 500), "bad": (60, 300), "empty": (0, 0)})

        assert worst(found) == "bad"
        assert worst({"empty": found["empty"]}) is None
        assert worst({}) is None

    def test_good_segments_are_rarely_closed_however_often_one_looks(self) -> None:
        random, times, segments = np.random.default_rng(9), 300, 3
        closed = 0
        for _ in range(times):
            errors = np.cumsum(random.random((200, segments)) < 0.1, axis=0)
            closed += any(
                segment.closed
                for cases in range(10, 201, 10)
                for segment in close_segments(
                    {str(place): (int(errors[cases - 1, place]), cases) for place in range(segments)}
                ).values()
            )

        assert closed / times <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / times)


def labels(how_many: int) -> Groups:
    return group_counts([(0.9, how_many, how_many // 200), (0.5, 0, 0)])
