import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import binomial, sequences
from evidence.reviewers import CorrectedLimit, Seeded, corrected_limit, estimated_rate, explained, shown_below


class TestCorrectedLimit:
    def test_stays_shut_without_seeded_errors(self) -> None:
        for seeded in (Seeded(0, 0), Seeded(0, 0, confirmed=200, right=200), Seeded(0, 60)):
            corrected = corrected_limit(0.05, seeded)

            assert corrected.limit is None
            assert not corrected.identifiable
            assert not shown_below(0, 10**8, corrected)

    def test_is_lower_the_more_errors_are_overlooked(self) -> None:
        limits = [corrected_limit(0.05, Seeded(caught, 200)).limit for caught in (200, 160, 120)]

        assert all(limit is not None and limit < 0.05 for limit in limits)
        assert limits == sorted(limits, key=lambda limit: -(limit or 0.0))

    def test_takes_nobody_to_object_to_what_is_right_until_that_was_measured(self) -> None:
        unmeasured = corrected_limit(0.05, Seeded(90, 100))
        measured = corrected_limit(0.05, Seeded(90, 100, confirmed=800, right=1000))

        assert unmeasured.specificity_high == 1.0
        assert unmeasured.limit == pytest.approx(0.05 * unmeasured.sensitivity_low)
        assert measured.limit is not None
        assert measured.limit > 0.05

    def test_shares_the_doubt_so_that_the_whole_holds(self) -> None:
        one = corrected_limit(0.05, Seeded(90, 100))
        both = corrected_limit(0.05, Seeded(90, 100, 95, 100))

        assert one.held == both.held == pytest.approx(0.95)
        assert one.gate_confidence == both.gate_confidence == pytest.approx(0.975)
        assert one.sensitivity_low == sequences.lower_bound(90, 100, 1 - 0.025)
        assert both.sensitivity_low == pytest.approx(sequences.lower_bound(90, 100, 1 - 0.0125), abs=1e-9)

    def test_says_to_what_the_doubts_add_up_when_the_bounds_bring_their_own(self) -> None:
        one = corrected_limit(0.05, Seeded(90, 100), bound_confidence=0.95)
        both = corrected_limit(0.05, Seeded(90, 100, 95, 100), bound_confidence=0.95)

        assert (one.gate_confidence, both.gate_confidence) == (pytest.approx(0.95), pytest.approx(0.95))
        assert (one.held, both.held) == (pytest.approx(0.90), pytest.approx(0.85))

    def test_is_that_of_the_exact_bounds_for_seeds_looked_at_once(self) -> None:
        corrected = corrected_limit(0.05, Seeded(90, 100, 95, 100), bound_confidence=0.95, one_look=True)

        low, high = binomial.lower_bound(90, 100), binomial.upper_bound(95, 100)
        assert corrected.limit == pytest.approx(0.05 * low + 0.95 * (1 - high), abs=1e-9)

    def test_warns_of_fewer_than_fifty_seeded_errors(self) -> None:
        assert corrected_limit(0.05, Seeded(49, 49)).few
        assert not corrected_limit(0.05, Seeded(50, 50)).few

    @given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 0.5))
    def test_is_no_rate_that_reviewers_could_show_for_a_worse_agent(
        self, caught: int, missed: int, confirmed: int, limit: float
    ) -> None:
        """Whatever the true shares within the bounds, an agent at the limit is overridden at least so often."""
        seeded = Seeded(caught, caught + missed, confirmed, confirmed + 20)

        corrected = corrected_limit(limit, seeded)

        if corrected.limit is not None:
            for wrong in (limit, (1 + limit) / 2, 1.0):
                for sensitivity in (corrected.sensitivity_low, 1.0):
                    for specificity in (0.0, corrected.specificity_high):
                        observed = wrong * sensitivity + (1 - wrong) * (1 - specificity)
                        assert observed >= corrected.limit - 1e-12

    def test_keeps_false_passes_under_delta_when_seeds_and_cases_come_in_side_by_side(self) -> None:
        """The limit moves at every look, with the seeds; an agent just at the limit, reviewers who catch six of ten."""
        rng = np.random.default_rng(20260106)
        runs, looks = 300, 20
        passed = 0
        for _ in range(runs):
            cases = rng.binomial(100, 0.1 * 0.6, size=looks).cumsum()
            seeds = rng.binomial(30, 0.6, size=looks).cumsum()
            passed += any(
                shown_below(int(bad), 100 * look, corrected_limit(0.1, Seeded(int(caught), 30 * look)))
                for look, (bad, caught) in enumerate(zip(cases, seeds, strict=True), start=1)
            )

        assert passed / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)

    def test_still_lets_a_good_agent_pass(self) -> None:
        assert shown_below(12, 1_000, corrected_limit(0.05, Seeded(180, 200)))
        assert not shown_below(45, 1_000, corrected_limit(0.05, Seeded(120, 200)))

    @pytest.mark.parametrize("limit", [0.0, 1.0, math.nan])
    def test_refuses_a_limit_with_nothing_to_show(self, limit: float) -> None:
        with pytest.raises(ValueError, match="limit"):
            corrected_limit(limit, Seeded(9, 10))

    @pytest.mark.parametrize(
        ("counts", "named"),
        [((11, 10), "caught of errors"), ((1, 2, 3, 2), "confirmed of right"), ((1.0, 2), "caught of errors")],
    )
    def test_refuses_seeds_that_do_not_add_up(self, counts: Any, named: str) -> None:
        with pytest.raises(ValueError, match=named):
            Seeded(*counts)

    def test_a_shut_gate_still_refuses_nonsense(self) -> None:
        shut = CorrectedLimit(None, 0.975, 0.0, 1.0, 0.95, few=True)

        with pytest.raises(ValueError, match="bad must not exceed"):
            shown_below(2, 1, shut)


class TestEstimatedRate:
    def test_is_the_observed_one_when_reviewers_never_err(self) -> None:
        assert estimated_rate(0.08, 1.0, 1.0) == pytest.approx(0.08)

    def test_stays_a_rate(self) -> None:
        assert estimated_rate(0.01, 0.9, 0.97) == 0.0
        assert estimated_rate(0.95, 0.9, 0.97) == 1.0

    @pytest.mark.parametrize(("sensitivity", "specificity"), [(0.5, 0.5), (0.3, 0.7), (0.2, 0.3)])
    def test_is_none_when_reviewers_tell_nothing_apart(self, sensitivity: float, specificity: float) -> None:
        assert estimated_rate(0.1, sensitivity, specificity) is None

    @pytest.mark.parametrize("arguments", [(math.nan, 0.9, 0.9), (0.1, 1.1, 0.9), (0.1, 0.9, -0.1)])
    def test_refuses_what_is_no_share(self, arguments: tuple[float, float, float]) -> None:
        with pytest.raises(ValueError, match="must lie between 0 and 1"):
            estimated_rate(*arguments)


class TestExplained:
    def test_is_more_than_was_overridden_where_errors_are_overlooked(self) -> None:
        found = explained(60, 1000, Seeded(caught=30, errors=60, confirmed=100, right=100))

        assert found.rate == pytest.approx(0.12)
        assert found.lower < 0.06
        assert found.upper > 0.12

    def test_knows_nothing_of_nothing(self) -> None:
        assert explained(0, 0, Seeded(0, 0)) == (None, 0.0, 1.0)
        assert explained(5, 10, Seeded(caught=1, errors=10, confirmed=1, right=10)).upper == 1.0

    def test_has_bounds_that_hold(self) -> None:
        drawn = np.random.default_rng(7)
        held, rate, sensitivity, specificity = 0, 0.1, 0.7, 0.95
        overridden = rate * sensitivity + (1 - rate) * (1 - specificity)
        for _ in range(200):
            seeded = Seeded(int(drawn.binomial(60, sensitivity)), 60, int(drawn.binomial(60, specificity)), 60)
            found = explained(int(drawn.binomial(400, overridden)), 400, seeded)
            held += found.lower <= rate <= found.upper
        assert held >= 190
