"""Dawid and Skene's model on raters whose skill is known because it was simulated."""

import numpy as np
import pytest

from evidence.agreement.latent import LatentLabels, Vote, dawid_skene, is_advised
from evidence.agreement.tables import majority, ratings

SKILLS = (0.95, 0.9, 0.8, 0.55, 0.5)


def simulated(items: int, seed: int) -> tuple[np.ndarray, list[Vote]]:
    generator = np.random.default_rng(seed)
    truth = (generator.random(items) < 0.4).astype(int)
    votes = [
        Vote(item, rater, int(truth[item] if generator.random() < skill else 1 - truth[item]))
        for item in range(items)
        for rater, skill in enumerate(SKILLS)
    ]
    return truth, votes


def right(found: LatentLabels, truth: np.ndarray) -> float:
    return float((found.truth.argmax(axis=1) == truth).mean())


class TestLatentLabels:
    def test_beats_the_majority_when_raters_are_unequal(self) -> None:
        truth, votes = simulated(600, seed=1)
        by_item = [[vote.label for vote in votes if vote.item == item] for item in range(600)]
        most = majority(ratings(by_item, [0, 1]))

        found = dawid_skene(votes, 2)

        assert found.converged
        assert right(found, truth) > most[np.arange(600), truth].mean() + 0.03

    def test_learns_how_good_everybody_is(self) -> None:
        truth, votes = simulated(1_500, seed=2)

        found = dawid_skene(votes, 2)

        skill = found.tables[:, [0, 1], [0, 1]].mean(axis=1)
        assert skill == pytest.approx(SKILLS, abs=0.05)
        assert found.prevalence[1] == pytest.approx(truth.mean(), abs=0.03)

    def test_gives_probabilities_that_add_up(self) -> None:
        _, votes = simulated(50, seed=3)

        found = dawid_skene(votes, 3)

        for shares in (found.truth, found.tables):
            assert shares.sum(axis=-1) == pytest.approx(np.ones(shares.shape[:-1]))
        assert found.tables.min() > 0.0

    def test_gives_the_same_whatever_the_order_of_votes_and_the_names_of_categories(self) -> None:
        truth, votes = simulated(200, seed=4)
        turned = [Vote(vote.item, vote.rater, 1 - vote.label) for vote in reversed(votes)]

        found, other = dawid_skene(votes, 2), dawid_skene(turned, 2)

        assert other.truth[:, ::-1] == pytest.approx(found.truth, abs=1e-6)
        assert right(found, truth) > 0.8

    def test_does_not_underflow_with_a_thousand_votes_on_an_item(self) -> None:
        votes = [Vote(item, rater, int(rater % 10 < 9) ^ item) for item in range(2) for rater in range(1_000)]

        found = dawid_skene(votes, 2)

        assert np.isfinite(found.truth).all()
        assert found.truth.argmax(axis=1).tolist() == [1, 0]

    def test_single_verdicts_are_too_little_to_learn_from_but_do_not_break_it(self) -> None:
        votes = [Vote(0, 0, 1), Vote(1, 1, 0), Vote(2, 0, 1)]

        found = dawid_skene(votes, 2)

        assert not is_advised(len(votes), 3)
        assert found.truth.sum(axis=1) == pytest.approx(np.ones(3))

    def test_an_item_without_votes_has_the_prevalence(self) -> None:
        found = dawid_skene([Vote(0, 0, 1), Vote(0, 1, 1), Vote(2, 0, 1), Vote(2, 1, 1)], 2)

        assert found.truth[1] == pytest.approx(found.prevalence, abs=1e-3)

    def test_says_when_it_has_not_settled(self) -> None:
        _, votes = simulated(100, seed=5)

        found = dawid_skene(votes, 2, most_rounds=2)

        assert (found.rounds, found.converged) == (2, False)

    @pytest.mark.parametrize(
        ("votes", "wanted"),
        [
            pytest.param([], "one or more", id="nobody voted"),
            pytest.param([Vote(0, 0, 2)], "labels below 2", id="a label that is none"),
            pytest.param([Vote(-1, 0, 0)], "from 0", id="an item that is none"),
            pytest.param([Vote(0, 0, 1), Vote(0, 0, 0)], "one vote of a rater", id="two votes of one rater"),
            pytest.param([(0, 0.5, 1)], "whole numbers", id="half a rater"),
        ],
    )
    def test_refuses_votes_that_are_none(self, votes: list[Vote], wanted: str) -> None:
        with pytest.raises(ValueError, match=wanted):
            dawid_skene(votes, 2)

    def test_refuses_smoothing_that_would_say_never(self) -> None:
        with pytest.raises(ValueError, match="smoothing"):
            dawid_skene([Vote(0, 0, 0)], 2, smoothing=0.0)

    def test_is_advised_from_three_votes_per_item_on(self) -> None:
        assert is_advised(300, 100)
        assert not is_advised(299, 100)
        assert not is_advised(0, 0)
