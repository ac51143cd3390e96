from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sklearn.linear_model import LogisticRegression

from evidence.signals import (
    CombinedConfidence,
    Scale,
    Signal,
    fit_signals,
    obstacle,
    older_and_newer,
)

BOTH = [Signal("judge", Scale.PROBABILITY), Signal("length", Scale.POSITIVE)]


def labels(cases: int = 400, seed: int = 2) -> tuple[dict[str, Any], Any, Any]:
    rng = np.random.default_rng(seed)
    judge, length = rng.beta(4, 1, cases), rng.integers(0, 500, cases).astype(float)
    score = 0.8 * np.log(judge / (1 - judge)) - 0.9 * (np.log1p(length) - 5)
    right = rng.random(cases) < 1 / (1 + np.exp(-score))
    return {"judge": judge.tolist(), "length": length.tolist()}, right, np.arange(cases, dtype=float)


def fitted(**changes: Any) -> CombinedConfidence:
    columns, right, times = labels()
    return fit_signals(BOTH, columns, right, times, **changes)


def test_agrees_with_an_independent_ridge_on_the_same_scales() -> None:
    columns, right, times = labels()
    judge, length = np.array(columns["judge"]), np.log1p(columns["length"])
    design = np.column_stack([np.log(judge / (1 - judge)), length])
    design = (design - design.mean(0)) / design.std(0)

    found = fit_signals(BOTH, columns, right, times, penalty=3.0)

    other = LogisticRegression(C=1 / 3, tol=1e-10, solver="newton-cholesky").fit(design, right)
    assert [term.coefficient for term in found.signals] == pytest.approx(other.coef_[0].tolist(), abs=1e-6)
    assert found.apply(columns) == pytest.approx(other.predict_proba(design)[:, 1].tolist(), abs=1e-6)


def test_the_record_says_what_it_was_fitted_on() -> None:
    columns, right, times = labels()

    found = fit_signals(BOTH, columns, right, times)

    assert (found.labels, found.right, found.penalty, found.seen_until) == (400, int(right.sum()), 1.0, 399.0)
    assert [term.name for term in found.signals] == ["judge", "length"]


def test_a_record_survives_being_stored() -> None:
    found, kind = fitted(), TypeAdapter(CombinedConfidence)

    revived = kind.validate_json(kind.dump_json(found))

    assert revived == found
    assert revived.version == found.version
    assert revived.apply(labels()[0]) == found.apply(labels()[0])


def test_every_number_of_the_record_is_part_of_its_version() -> None:
    found = fitted()
    first, *rest = found.signals
    moved = [
        replace(found, intercept=np.nextafter(found.intercept, 9.0).item()),
        replace(found, labels_digest="0" * 64),
        replace(found, signals=(replace(first, coefficient=first.coefficient / 2), *rest)),
        replace(found, signals=(replace(first, median=0.0), *rest)),
        replace(found, seen_until=0.0),
    ]

    assert len({found.version, *(other.version for other in moved)}) == 1 + len(moved)
    assert len(found.version) == 16
    assert fitted().version == found.version


def test_another_label_is_another_digest() -> None:
    columns, right, times = labels()
    flipped = right.copy()
    flipped[0] = not flipped[0]
    digests = {
        fit_signals(BOTH, columns, right, times).labels_digest,
        fit_signals(BOTH, columns, flipped, times).labels_digest,
        fit_signals(BOTH, columns, right, times + 1).labels_digest,
        fit_signals(BOTH, columns | {"length": [1.0, *columns["length"][1:]]}, right, times).labels_digest,
        fit_signals(BOTH[::-1], columns, right, times).labels_digest,
    }

    assert len(digests) == 5


class TestMissing:
    def test_a_missing_value_counts_as_the_median_and_as_missing(self) -> None:
        columns, right, times = labels()
        gaps = [None if i % 4 == 0 else value for i, value in enumerate(columns["length"])]
        right = np.where(np.arange(400) % 4 == 0, right & (np.arange(400) % 8 == 0), right)  # gaps go with errors

        found = fit_signals(BOTH, columns | {"length": gaps}, right, times)

        term = found.signals[1]
        assert term.missing_coefficient is not None
        assert term.missing_coefficient < -0.5
        assert found.signals[0].missing_coefficient is None
        assert term.median == pytest.approx(np.median(np.log1p([value for value in gaps if value is not None])))
        median = float(np.expm1(term.median))
        [gap, filled] = found.apply({"judge": [0.8, 0.8], "length": [None, median]})
        assert gap is not None
        assert filled is not None
        assert np.log(gap / (1 - gap)) - np.log(filled / (1 - filled)) == pytest.approx(term.missing_coefficient)

    def test_a_gap_that_no_label_had_gives_no_confidence(self) -> None:
        found = fitted().apply({"judge": [0.8, None, 0.8], "length": [10.0, 10.0, None]})

        assert found[0] is not None
        assert found[1:] == [None, None]

    def test_a_signal_that_is_always_missing_says_nothing(self) -> None:
        columns, right, times = labels()

        for scale in Scale:
            signals = [BOTH[0], Signal("gone", scale)]
            found = fit_signals(signals, columns | {"gone": [None] * 400}, right, times)
            assert found.signals[1].coefficient == pytest.approx(0.0, abs=1e-12)
            assert found.apply({"judge": [0.8], "gone": [None]})[0] is not None

    @pytest.mark.parametrize("given", ["list", "array"])
    def test_not_a_number_is_no_gap(self, given: str) -> None:
        columns, right, times = labels()
        broken = [float("nan"), *columns["length"][1:]]
        column = np.array(broken) if given == "array" else broken

        with pytest.raises(ValueError, match=r"columns\['length'\]\[0\] must be a finite number, not nan"):
            fit_signals(BOTH, columns | {"length": column}, right, times)
        with pytest.raises(ValueError, match="must be a finite number"):
            fitted().apply({"judge": [0.5] * 400, "length": column})


class TestScales:
    def test_a_sure_answer_counts_as_half_a_step_surer_than_the_surest_other(self) -> None:
        columns, right, times = labels()
        stated = np.round(columns["judge"], 2)
        stated[:5], stated[5:8] = 1.0, 0.99

        term = fit_signals(BOTH, columns | {"judge": stated}, right, times).signals[0]

        assert term.clip == pytest.approx(0.005)
        assert term.highest == pytest.approx(np.log(0.995 / 0.005))

    def test_only_sure_answers_are_one_step(self) -> None:
        columns, right, times = labels()
        term = fit_signals(BOTH, columns | {"judge": right.astype(float)}, right, times).signals[0]

        assert term.clip == 0.25
        assert term.coefficient > 1.0

    def test_a_value_beyond_the_labels_counts_as_the_last_that_was_seen(self) -> None:
        found = fitted()
        most = max(labels()[0]["length"])

        beyond, at_the_end = found.apply({"judge": [0.8, 0.8], "length": [1e12, most]})

        assert beyond == at_the_end

    def test_values_off_their_scale_are_named(self) -> None:
        columns, right, times = labels()
        with pytest.raises(ValueError, match=r"columns\['length'\]\[399\] must not be negative, but is -1.0"):
            fit_signals(BOTH, columns | {"length": [*columns["length"][:-1], -1.0]}, right, times)
        with pytest.raises(ValueError, match=r"columns\['judge'\]\[0\] must lie between 0 and 1, not 1.5"):
            fit_signals(BOTH, columns | {"judge": [1.5, *columns["judge"][1:]]}, right, times)

    @given(st.floats(0.001, 1000), st.floats(-1e6, 1e6))
    def test_the_unit_of_a_plain_signal_does_not_matter(self, unit: float, zero: float) -> None:
        columns, right, times = labels(100)
        plain = [Signal("length")]
        found = fit_signals(plain, columns, right, times).apply(columns)

        other = {"length": [zero + unit * value for value in columns["length"]]}

        assert fit_signals(plain, other, right, times).apply(other) == pytest.approx(found, abs=1e-3)

    def test_a_signal_without_spread_says_nothing_and_harms_nothing(self) -> None:
        columns, right, times = labels()
        flat = columns | {"length": [7.0] * 400}

        found = fit_signals(BOTH, flat, right, times)

        assert found.signals[1].coefficient == pytest.approx(0.0, abs=1e-12)
        assert found.apply(flat) == pytest.approx(fit_signals(BOTH[:1], flat, right, times).apply(flat))


class TestRefusals:
    def test_too_few_labels_say_how_many_more(self) -> None:
        columns, right, times = labels(25)

        assert obstacle(BOTH, columns, right) == ("25 labels for 3 coefficients: 5 more are needed", 5)
        with pytest.raises(ValueError, match="5 more are needed"):
            fit_signals(BOTH, columns, right, times)
        assert obstacle(BOTH, *labels(30)[:2]).reason is None

    def test_gaps_cost_a_coefficient(self) -> None:
        columns, right, _ = labels(30)

        assert obstacle(BOTH, columns | {"length": [None, *columns["length"][1:]]}, right).labels_missing == 10

    def test_nothing_at_all_is_too_few(self) -> None:
        assert obstacle(BOTH, {"judge": [], "length": []}, []).labels_missing == 30

    @pytest.mark.parametrize(("verdict", "name"), [(True, "right"), (False, "wrong")])
    def test_labels_of_one_kind_carry_no_fit(self, verdict: bool, name: str) -> None:
        columns, _, times = labels()

        with pytest.raises(ValueError, match=f"all 400 labels are {name}"):
            fit_signals(BOTH, columns, [verdict] * 400, times)

    @pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_penalty_is_above_nothing(self, penalty: float) -> None:
        with pytest.raises(ValueError, match=r"penalty must be (above 0|a finite number)"):
            fitted(penalty=penalty)

    def test_what_does_not_fit_together_is_named(self) -> None:
        columns, right, times = labels()
        with pytest.raises(ValueError, match="one signal or more"):
            fit_signals([], columns, right, times)
        with pytest.raises(ValueError, match="different names"):
            fit_signals([BOTH[0], BOTH[0]], columns, right, times)
        with pytest.raises(ValueError, match=r"columns lack the signals \['length'\]"):
            fit_signals(BOTH, {"judge": columns["judge"]}, right, times)
        with pytest.raises(ValueError, match="of one length"):
            fit_signals(BOTH, columns | {"judge": [0.5]}, right, times)
        with pytest.raises(ValueError, match="one time for each of 400"):
            fit_signals(BOTH, columns, right, times[1:])
        with pytest.raises(ValueError, match=r"columns\['length'\] must be numbers"):
            fit_signals(BOTH, columns | {"length": ["7"] * 400}, right, times)


class TestSeparation:
    def test_labels_told_apart_perfectly_give_a_finite_confidence(self) -> None:
        values = np.concatenate([np.full(50, -1.0), np.full(50, 1.0)])

        found = fit_signals([Signal("a")], {"a": values}, values > 0, np.arange(100))

        low, high = found.apply({"a": [-1.0, 1.0]})
        assert low is not None
        assert high is not None
        assert 0.0 < low < 0.1
        assert 0.9 < high < 1.0

    def test_two_names_for_one_signal_share_its_weight(self) -> None:
        columns, right, times = labels()
        twice = [Signal("judge", Scale.PROBABILITY), Signal("copy", Scale.PROBABILITY)]

        one, other = fit_signals(twice, columns | {"copy": columns["judge"]}, right, times).signals

        assert one.coefficient == pytest.approx(other.coefficient)

    def test_a_hundred_thousand_labels_are_fitted(self) -> None:
        found = fit_signals(BOTH, *labels(100_000))

        assert found.signals[0].coefficient > 0 > found.signals[1].coefficient


class TestSplit:
    def test_the_older_are_fitted_on_and_the_newer_calibrated_on(self) -> None:
        older, newer = older_and_newer([5.0, 1.0, 4.0, 2.0, 3.0, 6.0])

        assert older.tolist() == [1, 3, 4]
        assert newer.tolist() == [0, 2, 5]

    def test_cases_of_one_moment_stay_together(self) -> None:
        older, newer = older_and_newer([1.0, 2.0, 2.0, 2.0, 3.0])

        assert older.tolist() == [0]
        assert newer.tolist() == [1, 2, 3, 4]
        assert older_and_newer([7.0] * 4).older.tolist() == []

    def test_no_cases_are_split_into_none(self) -> None:
        older, newer = older_and_newer([])

        assert (len(older), len(newer)) == (0, 0)

    @given(st.lists(st.integers(0, 20), min_size=1, max_size=50), st.floats(0.01, 0.99))
    def test_a_record_may_calibrate_all_the_newer_and_none_of_the_older(self, times: list[int], share: float) -> None:
        older, newer = older_and_newer(times, share)
        assert sorted([*older, *newer]) == list(range(len(times)))
        assert len(older) <= share * len(times)
        if len(older):
            record = replace(fitted(), seen_until=float(max(times[i] for i in older)))
            allowed = record.may_calibrate(times)
            assert not allowed[older].any()
            assert allowed[newer].all()

    @pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
    def test_both_parts_get_a_share(self, share: float) -> None:
        with pytest.raises(ValueError, match="share must lie"):
            older_and_newer([1.0, 2.0], share)
