import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evidence.audits import (
    Stratum,
    hajek,
    horvitz_thompson,
    hypergeometric_upper,
    stratified,
    summary,
    zero_errors_bound,
)

SLACK = 3 * math.sqrt(0.05 * 0.95 / 1000)


def stratum(
    cases: int = 1000, audited: int = 50, bad: int = 1, probability: float = 0.05, name: str = "all"
) -> Stratum:
    return Stratum(name, cases, audited, bad, probability)


@st.composite
def strata(draw: st.DrawFn) -> list[Stratum]:
    found = []
    for number in range(draw(st.integers(1, 4))):
        cases = draw(st.integers(1, 3000))
        audited = draw(st.integers(1, cases))
        found.append(Stratum(str(number), cases, audited, draw(st.integers(0, audited)), audited / cases))
    return found


class TestWeightedEstimates:
    def test_are_the_plain_rate_when_everything_was_audited(self) -> None:
        bad, drawn = [1, 0, 0, 1], [1.0] * 4

        assert horvitz_thompson(bad, drawn, 4) == (0.5, 0.0)
        assert hajek(bad, drawn) == (0.5, 0.0)

    def test_nothing_audited_is_no_rate(self) -> None:
        assert horvitz_thompson([], [], 10) == (0.0, 0.0)  # unbiased all the same: the summary does not show it
        assert summary([stratum(audited=0, bad=0)], (0, 0)).weighted is None
        with pytest.raises(ValueError, match="no audits, no rate"):
            hajek([], [])

    def test_average_to_the_true_rate_and_vary_as_they_say(self) -> None:
        rng = np.random.default_rng(11)
        truth = rng.random(2000) < 0.05
        drawn = np.where(rng.random(2000) < 0.3, 0.5, 0.1)
        taken = rng.random((1500, 2000)) < drawn
        estimates = [horvitz_thompson(truth[row], drawn[row], 2000) for row in taken]
        ratios = [hajek(truth[row], drawn[row]) for row in taken]

        for found in (estimates, ratios):
            rates = np.array([estimate.rate for estimate in found])
            claimed = np.mean([estimate.variance for estimate in found])
            assert rates.mean() == pytest.approx(truth.mean(), abs=4 * rates.std() / math.sqrt(len(rates)) + 1e-4)
            assert claimed == pytest.approx(rates.var(), rel=0.15)

    @given(st.lists(st.tuples(st.booleans(), st.floats(0.02, 1.0)), min_size=1, max_size=50), st.randoms())
    def test_do_not_depend_on_the_order(self, rows: list[tuple[bool, float]], random: Any) -> None:
        shuffled = random.sample(rows, len(rows))

        for left, right in zip(
            (*horvitz_thompson(*zip(*rows, strict=True), 60), *hajek(*zip(*rows, strict=True))),
            (*horvitz_thompson(*zip(*shuffled, strict=True), 60), *hajek(*zip(*shuffled, strict=True))),
            strict=True,
        ):
            assert left == pytest.approx(right, rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize(
        ("bad", "drawn", "cases", "complaint"),
        [
            pytest.param([1], [0.0], 5, "could not be drawn", id="impossible draw"),
            pytest.param([1], [math.nan], 5, "probabilities", id="probability is no number"),
            pytest.param([math.nan], [0.5], 5, r"bad\[0\] must be a finite number", id="verdict is no number"),
            pytest.param([2], [0.5], 5, r"bad\[0\] must lie between 0 and 1", id="loss above one"),
            pytest.param([1, 0], [0.5], 5, "one length", id="lengths differ"),
            pytest.param([1, 0], [0.5, 0.5], 1, "at least the 2 audited", id="more audits than cases"),
            pytest.param([], [], 0, "at least 1", id="no case"),
        ],
    )
    def test_refuse_nonsense(self, bad: list[float], drawn: list[float], cases: int, complaint: str) -> None:
        with pytest.raises(ValueError, match=complaint):
            horvitz_thompson(bad, drawn, cases)


class TestStrata:
    def test_a_lane_without_cases_or_audits_has_no_rate_and_no_bound(self) -> None:
        assert stratified([]) == (None, None, 1.0, 1.0)
        assert stratified([stratum(audited=0, bad=0)]) == (None, None, 1.0, 1.0)

    def test_a_class_nobody_audited_may_be_wrong_throughout(self) -> None:
        found = stratified([stratum(cases=900, audited=900, bad=0), stratum(cases=100, audited=0, bad=0)])

        assert found.rate is None
        assert found.upper == pytest.approx(0.1)

    def test_what_was_audited_whole_is_known(self) -> None:
        found = stratified([stratum(cases=50, audited=50, bad=3, probability=1.0)])

        assert found == pytest.approx((0.06, 0.0, 0.06, 0.06))

    def test_one_audit_has_no_variance(self) -> None:
        found = stratified([stratum(audited=1, bad=0)])

        assert (found.rate, found.variance, found.normal_upper, found.upper) == (0.0, None, 1.0, 1.0)

    def test_without_an_error_the_bound_is_about_three_times_the_heaviest_weight(self) -> None:
        found = stratified([stratum(cases=4000, audited=100, bad=0), stratum(cases=1000, audited=100, bad=0)])

        assert found.upper == pytest.approx(-math.log(0.05) * 0.8 / 100)

    @given(strata(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
    def test_the_bound_lies_above_the_rate_and_grows_with_confidence(
        self, found: list[Stratum], confidence: float
    ) -> None:
        judged = stratified(found, confidence)

        assert judged.rate is not None
        assert judged.rate - 1e-12 <= judged.upper <= stratified(found, 0.999).upper + 1e-12

    @given(strata(), st.randoms())
    def test_order_and_names_of_strata_mean_nothing(self, found: list[Stratum], random: Any) -> None:
        shuffled = [one._replace(name="x") for one in random.sample(found, len(found))]

        assert stratified(shuffled).upper == pytest.approx(stratified(found).upper)
        assert stratified(shuffled).rate == pytest.approx(stratified(found).rate)

    @given(strata(), st.data())
    def test_one_more_error_never_lowers_the_bound(self, found: list[Stratum], data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(found) - 1))
        one = found[place]
        if one.bad < one.audited:
            worse = [*found[:place], one._replace(bad=one.bad + 1), *found[place + 1 :]]

            assert stratified(worse).upper >= stratified(found).upper - 1e-9

    @pytest.mark.parametrize(
        ("sizes", "wrong", "audits"),
        [
            pytest.param([2500, 1500, 750, 250], [8, 15, 22, 20], [85, 93, 80, 42], id="four classes of risk"),
            pytest.param([2500, 1500, 750, 250], [25, 45, 60, 50], [92, 95, 76, 37], id="riskier"),
            pytest.param([5000], [50], [300], id="one class, few errors"),
            pytest.param([5000], [150], [59], id="one class, 59 audits"),
            pytest.param([4000, 1000], [4, 50], [100, 100], id="one class nearly clean"),
        ],
    )
    def test_the_bound_holds_as_often_as_it_says(self, sizes: list[int], wrong: list[int], audits: list[int]) -> None:
        rng = np.random.default_rng(5)
        truth = sum(wrong) / sum(sizes)
        covered = 0
        for _ in range(1000):
            drawn = rng.hypergeometric(wrong, np.subtract(sizes, wrong), audits)
            rows = [Stratum("", n, m, int(k), m / n) for n, m, k in zip(sizes, audits, drawn.tolist(), strict=True)]
            covered += stratified(rows).upper >= truth

        assert covered / 1000 >= 0.95 - SLACK

    def test_the_normal_bound_does_not(self) -> None:
        """Why nobody's name is put under it: with 300 audits of a lane at 1 % it holds in 80 of 100 periods."""
        chances = stats.hypergeom.pmf(range(301), 5000, 50, 300)
        covering = [stratified([stratum(5000, 300, k, 0.06)]).normal_upper >= 0.01 for k in range(301)]

        assert float(np.sum(chances * covering)) < 0.85

    @pytest.mark.parametrize(
        "wrong",
        [
            stratum(bad=51),
            stratum(audited=1001),
            stratum(probability=0.0),
            stratum(probability=math.nan),
            stratum(bad=-1),
        ],
    )
    def test_refuse_nonsense_with_its_place(self, wrong: Stratum) -> None:
        with pytest.raises(ValueError, match=r"strata\[1\]"):
            stratified([stratum(), wrong])


class TestPeriodBound:
    @given(st.integers(1, 60), st.data())
    @settings(max_examples=60)
    def test_is_the_largest_number_that_is_believable(self, cases: int, data: st.DataObject) -> None:
        audited = data.draw(st.integers(0, cases))
        bad = data.draw(st.integers(0, audited))
        believable = [
            k for k in range(bad, cases - audited + bad + 1) if stats.hypergeom.cdf(bad, cases, k, audited) > 0.05
        ]

        assert hypergeometric_upper(bad, audited, cases).wrong == max(believable)

    def test_holds_for_every_number_of_wrong_ones(self) -> None:
        for wrong in range(0, 201, 5):
            chances = stats.hypergeom.pmf(range(41), 200, wrong, 40)
            covered = [hypergeometric_upper(k, 40, 200).wrong >= wrong for k in range(41)]
            possible = chances > 0
            held = float(np.sum(np.where(possible, chances * np.array(covered), 0.0)))
            assert held >= 0.95 - 1e-9, wrong

    def test_without_audits_all_may_be_wrong(self) -> None:
        assert hypergeometric_upper(0, 0, 500) == (500, 500, 1.0)
        assert hypergeometric_upper(0, 0, 0) == (0, 0, 1.0)

    def test_all_audited_leaves_no_doubt(self) -> None:
        assert hypergeometric_upper(2, 40, 40) == (2, 40, 0.05)
        assert hypergeometric_upper(40, 40, 40).rate == 1.0

    def test_manages_a_hundred_million_cases(self) -> None:
        found = hypergeometric_upper(300, 100_000, 10**8)

        assert found.rate == pytest.approx(0.0033, abs=1e-4)

    def test_refuses_more_audits_than_cases(self) -> None:
        with pytest.raises(ValueError, match="audited must not exceed cases"):
            hypergeometric_upper(0, 11, 10)


class TestSummary:
    def test_shows_a_bound_where_no_error_was_found(self) -> None:
        found = summary([stratum(cases=1000, audited=50, bad=0)], (0, 50))

        assert found.nothing_found == pytest.approx(1 - 0.05 ** (1 / 50))
        assert found.wrong_expected == 0.0
        assert found.wrong_at_most > 50

    def test_counts_by_stratum_say_what_the_rows_say(self) -> None:
        rows = [(1, 0.5), (0, 0.5), (1, 0.25), (0, 0.25), (0, 0.25)]
        found = summary([Stratum("a", 6, 2, 1, 0.5), Stratum("b", 14, 3, 1, 0.25)], (1, 3))
        bad, drawn = zip(*rows, strict=True)

        assert found.weighted == pytest.approx(horvitz_thompson(bad, drawn, 20))
        assert found.ratio == pytest.approx(hajek(bad, drawn))
        assert found.nothing_found is None
        assert found.wrong_at_most == found.stratified.upper * 20

    def test_without_a_case_says_nothing(self) -> None:
        found = summary([], (0, 0))

        assert (found.weighted, found.ratio, found.wrong_expected) == (None, None, None)
        assert found.uniform is not None
        assert (found.uniform.rate, found.nothing_found) == (1.0, 1.0)

    def test_says_nothing_of_even_audits_where_none_are(self) -> None:
        found = summary([Stratum("a", 100, 5, 0, 0.05), Stratum("b", 100, 100, 0, 1.0)], None)

        assert (found.uniform, found.nothing_found) == (None, None)
        assert found.wrong_at_most > 0

    def test_the_uniform_audits_are_a_part_of_all(self) -> None:
        with pytest.raises(ValueError, match="uniform must be a part"):
            summary([stratum(audited=50, bad=0)], (1, 50))


def test_three_hundred_clean_audits_do_not_show_less_than_one_percent() -> None:
    assert zero_errors_bound(0) == 1.0
    assert zero_errors_bound(298) > 0.01 > zero_errors_bound(299)
