"""Agreement of people with each other and the agent."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import binomial, sequences
from evidence.agreement.kappa import cohen_kappa, fleiss_kappa, gwet_ac1, percent_agreement
from evidence.agreement.krippendorff import Scale, alpha_interval, krippendorff_alpha
from evidence.agreement.reviewers import blind_against_assisted, gold_answers, who_was_right
from evidence.agreement.tables import confusion, is_skewed, majority, ratings
from evidence.binomial import Ints

SQUARES = st.integers(2, 4).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 20), min_size=size, max_size=size), min_size=size, max_size=size).map(
        np.array
    )
)
RATED = st.integers(2, 4).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 4), min_size=size, max_size=size), min_size=1, max_size=12).map(
        np.array
    )
)


def by_pairs(counts: Ints) -> float:
    """Nominal alpha from its definition: pairs within items against pairs of all pairable ratings."""
    items = [np.repeat(np.arange(len(row)), row) for row in counts if sum(row) > 1]
    everybody = np.concatenate(items)
    within = sum(
        sum(one != other for one, other in itertools.permutations(item, 2)) / (len(item) - 1) for item in items
    )
    among = sum(one != other for one, other in itertools.permutations(everybody, 2)) / (len(everybody) - 1)
    return float(1.0 - within / among)


class TestTables:
    def test_counts_who_said_what(self) -> None:
        table = confusion(["yes", "yes", "no"], ["yes", "no", "no"], ["yes", "no", "unsure"])

        assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]

    def test_leaves_out_votes_that_were_not_given(self) -> None:
        assert ratings([["a", None, "b"], [None], []], ["a", "b"]).tolist() == [[1, 1], [0, 0], [0, 0]]

    def test_names_the_place_of_a_label_that_is_not_declared(self) -> None:
        with pytest.raises(ValueError, match=r"votes\[1\] must be one of \['a'\], not 'b'"):
            ratings([["a"], ["b"]], ["a"])
        with pytest.raises(ValueError, match=r"second\[0\]"):
            confusion(["a"], [None], ["a"])

    def test_refuses_lists_that_do_not_match(self) -> None:
        with pytest.raises(ValueError, match="as long as each other"):
            confusion(["a"], [], ["a"])
        with pytest.raises(ValueError, match="each once"):
            ratings([], ["a", "a"])

    def test_shares_a_majority_among_those_who_are_level(self) -> None:
        assert majority([[2, 1, 0], [1, 1, 0], [0, 0, 0]]).tolist() == [[1, 0, 0], [0.5, 0.5, 0], [0, 0, 0]]

    def test_calls_a_table_skewed_only_above_nine_in_ten(self) -> None:
        assert is_skewed([[91, 9]])
        assert not is_skewed([[90, 10]])
        assert not is_skewed([[0, 0]])

    @pytest.mark.parametrize(
        "counts", [[[0.5, 1.0]], [[-1, 2]], [1, 2], [[float("nan"), 1]]], ids=["parts", "negative", "a row", "NaN"]
    )
    def test_refuses_what_is_no_table_of_counts(self, counts: object) -> None:
        for coefficient in (fleiss_kappa, gwet_ac1, krippendorff_alpha, cohen_kappa, majority):
            with pytest.raises(ValueError, match="must"):
                coefficient(counts)  # type: ignore[arg-type, operator]


class TestPercent:
    def test_has_the_exact_interval(self) -> None:
        assert percent_agreement(45, 50)[2:] == (0.9, *binomial.interval(45, 50))

    def test_of_nothing_is_anything(self) -> None:
        assert percent_agreement(0, 0) == (0, 0, None, 0.0, 1.0)


class TestKappa:
    def test_is_undefined_with_a_reason_when_only_one_category_was_used(self) -> None:
        found = cohen_kappa([[30, 0], [0, 0]])

        assert found.value is None
        assert found.standard_error is None
        assert found.observed == 1.0
        assert found.reason is not None
        assert "one category" in found.reason
        assert fleiss_kappa([[3, 0], [3, 0]]).reason == found.reason
        assert krippendorff_alpha([[3, 0], [3, 0]]).reason == found.reason

    def test_is_undefined_when_nothing_was_rated(self) -> None:
        for found in (
            cohen_kappa([[0, 0], [0, 0]]),
            fleiss_kappa(np.zeros((0, 2), dtype=int)),
            gwet_ac1([[0, 0]]),
            krippendorff_alpha([[0, 0]]),
        ):
            assert (found.value, found.items, found.reason) == (None, 0, "nothing was rated")

    def test_is_undefined_when_every_item_has_one_vote_only(self) -> None:
        for found in (fleiss_kappa([[1, 0], [0, 1]]), gwet_ac1([[1, 0]]), krippendorff_alpha([[1, 0], [0, 1]])):
            assert (found.value, found.reason) == (None, "no item has two ratings")

    def test_is_zero_when_one_rater_says_always_the_same(self) -> None:
        found = cohen_kappa([[12, 0], [8, 0]])

        assert found.value == pytest.approx(0.0)
        assert found.standard_error_by_chance == pytest.approx(0.0)

    def test_of_fleiss_wants_as_many_ratings_for_every_item(self) -> None:
        with pytest.raises(ValueError, match="not 2 to 3"):
            fleiss_kappa([[2, 1], [2, 0]])

    def test_of_cohen_wants_a_square(self) -> None:
        with pytest.raises(ValueError, match="square"):
            cohen_kappa([[1, 2, 3], [1, 2, 3]])

    @given(SQUARES)
    def test_does_not_care_which_rater_is_first_or_how_categories_are_ordered(self, table: Ints) -> None:
        found, turned = cohen_kappa(table), cohen_kappa(table.T)
        relabelled = cohen_kappa(table[::-1, ::-1])

        for other in (turned, relabelled):
            assert (found.value is None) is (other.value is None)
            if found.value is not None:
                assert other.value == pytest.approx(found.value, abs=1e-12)
                assert other.standard_error == pytest.approx(found.standard_error, abs=1e-7)
        if found.value is not None:
            assert -1.0 - 1e-12 <= found.value <= 1.0

    def test_standard_error_is_what_repeated_samples_show(self) -> None:
        shares = np.array([[0.55, 0.1, 0.02], [0.03, 0.15, 0.02], [0.02, 0.03, 0.08]])
        drawn = np.random.default_rng(7).multinomial(400, shares.ravel(), size=2_000).reshape(-1, 3, 3)
        kappas = [cohen_kappa(table).value for table in drawn]
        expected = cohen_kappa(np.rint(shares * 400).astype(int)).standard_error

        assert np.std(np.array(kappas, dtype=float)) == pytest.approx(expected, rel=0.06)


class TestSkewedClasses:
    def test_where_kappa_is_nothing_ac1_shows_that_people_agree(self) -> None:
        table = np.repeat([[2, 0], [1, 1]], [95, 5], axis=0)

        kappa, ac1 = fleiss_kappa(table).value, gwet_ac1(table).value

        assert is_skewed(table)
        assert kappa is not None
        assert ac1 is not None
        assert kappa < 0.0
        assert ac1 > 0.9

    def test_full_agreement_on_one_of_two_categories_is_full(self) -> None:
        assert gwet_ac1([[3, 0], [2, 0]]).value == 1.0

    def test_a_single_declared_category_leaves_nothing_to_choose(self) -> None:
        assert gwet_ac1([[3], [2]]).value is None

    def test_agrees_with_its_formula_for_two_raters(self) -> None:
        agreed, first = (40 + 3) / 50, (40 + 40 + 4 + 3) / 100  # 40 both yes, 3 both no, 4 and 3 apart
        by_chance = 2 * first * (1 - first)
        table = np.repeat([[2, 0], [0, 2], [1, 1]], [40, 3, 7], axis=0)

        assert gwet_ac1(table).value == pytest.approx((agreed - by_chance) / (1 - by_chance))


class TestAlpha:
    @given(RATED)
    def test_agrees_with_its_definition_and_does_not_care_about_order(self, counts: Ints) -> None:
        found = krippendorff_alpha(counts)

        assert krippendorff_alpha(counts[::-1, ::-1]).value == pytest.approx(found.value, abs=1e-12)
        if found.value is not None:
            assert found.value == pytest.approx(by_pairs(counts), abs=1e-9)
            assert found.value <= 1.0

    @given(RATED)
    def test_an_order_read_backwards_is_the_same_order(self, counts: Ints) -> None:
        values = [float(place * place) for place in range(counts.shape[1])]

        ordinal = krippendorff_alpha(counts, Scale.ORDINAL).value
        interval = krippendorff_alpha(counts, Scale.INTERVAL, values).value

        assert krippendorff_alpha(counts[:, ::-1], Scale.ORDINAL).value == pytest.approx(ordinal, abs=1e-9)
        moved = [7.0 - 3.0 * value for value in values]
        assert krippendorff_alpha(counts, Scale.INTERVAL, moved).value == pytest.approx(interval, abs=1e-9)

    def test_wants_values_for_an_interval_scale_and_for_no_other(self) -> None:
        counts = [[1, 1], [2, 0]]
        with pytest.raises(ValueError, match="must be given for an interval scale"):
            krippendorff_alpha(counts, Scale.INTERVAL)
        with pytest.raises(ValueError, match="must be given for an interval scale"):
            krippendorff_alpha(counts, Scale.NOMINAL, [1.0, 2.0])
        with pytest.raises(ValueError, match="finite"):
            krippendorff_alpha(counts, Scale.INTERVAL, [1.0, float("nan")])
        with pytest.raises(ValueError, match="differ"):
            krippendorff_alpha(counts, Scale.INTERVAL, [1.0, 1.0])

    def test_interval_is_the_same_for_the_same_seed_and_any_order_of_items(self) -> None:
        counts = np.random.default_rng(3).multinomial(4, [0.6, 0.3, 0.1], size=80)

        found = alpha_interval(counts, seed=11)

        assert found == alpha_interval(counts[::-1], seed=11)
        assert found.interval != alpha_interval(counts, seed=12).interval

    def test_interval_covers_about_as_often_as_it_says(self) -> None:
        generator = np.random.default_rng(5)
        truth = 0.5**2  # two raters who see the truth of a fair coin with chance 1/2 each, and guess otherwise
        covered = 0
        for run in range(120):
            coin = generator.integers(0, 2, 150)
            votes = [np.where(generator.random(150) < 0.5, coin, generator.integers(0, 2, 150)) for _ in range(2)]
            interval = alpha_interval(ratings(list(zip(*votes, strict=True)), [0, 1]), seed=run, rounds=300).interval
            assert interval is not None
            covered += interval.lower <= truth <= interval.upper

        assert covered >= 105  # 114 expected; fewer than 105 in one of a thousand runs

    def test_interval_is_refused_when_alpha_is_often_undefined(self) -> None:
        found = alpha_interval([[2, 0], [2, 0], [1, 1]], seed=1)

        assert found.interval is None
        assert found.undefined > 0
        assert found.reason is not None
        assert alpha_interval([[1, 0]], seed=1).reason == "no item has two ratings"
        with pytest.raises(ValueError, match="rounds"):
            alpha_interval([[2, 0]], seed=1, rounds=0)


class TestReviewers:
    def test_gold_is_bounded_exactly_and_says_when_it_is_too_little(self) -> None:
        found = gold_answers(18, 20, 30, 30)

        assert (found.sensitivity.lower, found.sensitivity.upper) == binomial.interval(18, 20)
        assert found.specificity.share == 1.0
        assert found.specificity.lower < 0.9
        assert not found.enough
        assert gold_answers(50, 50).enough
        assert gold_answers(0, 0).sensitivity == (0, 0, None, 0.0, 1.0)

    def test_gold_names_the_count_that_is_wrong(self) -> None:
        with pytest.raises(ValueError, match="found must not exceed planted_errors, but 3 > 2"):
            gold_answers(3, 2)
        with pytest.raises(ValueError, match="let_pass"):
            gold_answers(1, 2, -1, 3)

    def test_bias_is_shown_only_when_the_cautious_bound_is_above_zero(self) -> None:
        found = blind_against_assisted((80, 100), (970, 1000))

        assert found.difference == pytest.approx(0.17)
        assert found.shown
        assert not blind_against_assisted((8, 10), (970, 1000)).shown

    def test_without_blind_reviews_nothing_is_known_of_the_difference(self) -> None:
        found = blind_against_assisted((0, 0), (50, 50))

        assert found.difference is None
        assert found.lower < 0.0 < found.upper
        assert not found.shown
        with pytest.raises(ValueError, match="blind agreed must not exceed blind cases"):
            blind_against_assisted((2, 1), (1, 1))

    @given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
    def test_the_difference_turns_round_with_its_sides(self, a: int, more: int, b: int, further: int) -> None:
        one, other = (a, a + more), (b, b + further)

        found, turned = blind_against_assisted(one, other), blind_against_assisted(other, one)

        assert found.lower == pytest.approx(-turned.upper)
        assert -1.0 <= found.lower <= (found.difference or 0.0) <= found.upper <= 1.0
        assert found.assisted.upper == sequences.upper_bound(*other, 1 - 0.05 / 4)

    def test_the_difference_holds_at_every_look_together(self) -> None:
        generator = np.random.default_rng(2)
        wrong = 0
        for _ in range(60):
            blind, assisted = generator.random(600) < 0.8, generator.random(600) < 0.8
            looks = [
                blind_against_assisted((int(blind[:n].sum()), n), (int(assisted[:n].sum()), n))
                for n in range(20, 601, 60)
            ]
            wrong += any(look.lower > 0.0 or look.upper < 0.0 for look in looks)

        assert wrong <= 3  # 5 % of 60; the bounds are wider than they must be

    def test_who_was_right_is_open_when_nothing_was_settled(self) -> None:
        found = who_was_right(0, 0)

        assert found.p_value == 1.0
        assert found.agent_share.share is None

    @given(st.integers(0, 500), st.integers(0, 500))
    def test_who_was_right_treats_agent_and_person_alike(self, agent: int, person: int) -> None:
        found, turned = who_was_right(agent, person), who_was_right(person, agent)

        assert found.p_value == pytest.approx(turned.p_value)
        assert 0.0 < found.p_value <= 1.0
        assert found.agent_share.lower == pytest.approx(1.0 - turned.agent_share.upper)
