import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evidence.audit_planning import audit_rate, audits_needed, neyman_probabilities, risk_edges


class TestHowMany:
    @pytest.mark.parametrize(
        ("limit", "bad", "needed"), [(0.05, 0, 59), (0.02, 0, 149), (0.01, 0, 299), (0.05, 1, 93), (0.05, 2, 124)]
    )
    def test_is_what_the_exact_test_needs(self, limit: float, bad: int, needed: int) -> None:
        assert audits_needed(limit, bad=bad) == needed

    @given(st.integers(59, 50_000))
    def test_the_rate_brings_enough_audits_in_nine_periods_of_ten(self, cases: int) -> None:
        rate = audit_rate(cases, 0.05)

        assert rate is not None
        assert 0.05 <= rate <= 1.0
        assert stats.binom.sf(58, cases, rate) >= 0.9 - 1e-9

    def test_a_busy_lane_keeps_the_base_rate(self) -> None:
        assert audit_rate(100_000, 0.01) == 0.05

    def test_too_few_cases_cannot_show_anything(self) -> None:
        assert audit_rate(58, 0.05) is None
        assert audit_rate(0, 0.05) is None

    def test_refuses_a_limit_that_leaves_nothing_to_test(self) -> None:
        for limit in (0.0, 1.0, math.nan):
            with pytest.raises(ValueError, match="limit"):
                audit_rate(1000, limit)


class TestWhich:
    def test_the_classes_have_the_shares_asked_for(self) -> None:
        risks = np.random.default_rng(1).random(10_000)
        classes = np.searchsorted(risk_edges(risks), risks, side="right")

        assert np.bincount(classes) / 10_000 == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.001)

    def test_one_risk_for_all_is_one_class(self) -> None:
        classes = np.searchsorted(risk_edges([0.1] * 30), [0.1] * 30, side="right")

        assert len(set(classes.tolist())) == 1

    @pytest.mark.parametrize(
        ("risks", "shares"),
        [
            ([], (0.5, 0.5)),
            ([math.nan], (0.5, 0.5)),
            ([1.5], (1.0,)),
            ([0.5], (0.5, 0.4)),
            ([0.5], (1.5, -0.5)),
            ([0.5], ()),
        ],
    )
    def test_refuses_what_is_no_risk_or_no_share(self, risks: list[float], shares: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match=r"risks|shares"):
            risk_edges(risks, shares)

    @given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0.0, 1.0)), min_size=1, max_size=5), st.integers(0, 3000))
    def test_probabilities_stay_between_the_floor_and_one_and_spend_what_was_given(
        self, classes: list[tuple[int, float]], audits: int
    ) -> None:
        cases, risks = zip(*classes, strict=True)

        drawn = neyman_probabilities(cases, risks, audits)

        spent = float(np.sum(np.array(cases) * drawn))
        assert np.all((drawn >= 0.02) & (drawn <= 1.0))
        if 0.02 * sum(cases) < audits < sum(cases):
            assert spent == pytest.approx(audits, rel=1e-6)
        assert spent <= max(audits, 0.02 * sum(cases)) * (1 + 1e-6) + 1e-9

    def test_are_in_proportion_to_the_spread_of_the_errors(self) -> None:
        low, high = neyman_probabilities([1000, 1000], [0.1, 0.5], 160)

        assert high / low == pytest.approx(0.5 / 0.3)

    def test_refuses_lists_that_do_not_match(self) -> None:
        with pytest.raises(ValueError, match="risks"):
            neyman_probabilities([10, 10], [0.1], 5)
