"""How often agent and person are wrong, from comparisons that were drawn with two probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.judgements import Stratum, error_rate

_P_DIFFERING, _P_SAME = 0.2, 0.05
_EDGES = (-1e-12, 1 + 1e-12)


def test_each_judged_case_stands_for_as_many_as_its_probability_says() -> None:
    found = error_rate(Stratum(0.2, 20, 20, 10), Stratum(0.05, 45, 45, 1))

    cases = 20 / 0.2 + 45 / 0.05
    assert found.share == pytest.approx((10 / 0.2 + 1 / 0.05) / cases)
    assert found.lower < found.share < found.upper


def test_looking_more_often_where_they_differ_does_not_make_either_worse() -> None:
    """A tenth differ, half of those wrong, and one in a hundred of the others: 5.9 % whatever is drawn."""
    shares = [
        error_rate(
            Stratum(differing, round(1000 * differing), round(1000 * differing), round(500 * differing)),
            Stratum(same, round(9000 * same), round(9000 * same), round(90 * same)),
        ).share
        for differing, same in ((0.2, 0.1), (1.0, 0.1), (0.1, 0.1), (1.0, 1.0))
    ]
    assert shares == pytest.approx([0.059] * 4, rel=1e-9)


def test_known_errors_of_agent_and_person_are_found_again_within_their_bounds() -> None:
    """A simulated truth: the agent is wrong in 6 %, the person in 4 %; where both are wrong, half the time alike."""
    rng, outside, estimates = np.random.default_rng(20), 0, []
    for _ in range(300):
        agent_wrong, person_wrong = rng.random(3000) < 0.06, rng.random(3000) < 0.04
        differed = agent_wrong ^ person_wrong | (agent_wrong & person_wrong & (rng.random(3000) < 0.5))
        drawn = rng.random(3000) < np.where(differed, _P_DIFFERING, _P_SAME)
        for wrong, truth in ((agent_wrong, agent_wrong.mean()), (person_wrong, person_wrong.mean())):
            found = error_rate(
                *(
                    Stratum(p, int(own.sum()), int(own.sum()), int((own & wrong).sum()))
                    for p, own in ((_P_DIFFERING, drawn & differed), (_P_SAME, drawn & ~differed))
                )
            )
            outside += not found.lower <= truth <= found.upper
            estimates.append((found.share or 0.0) - truth)
    assert outside <= 0.05 * 600
    assert abs(float(np.mean(estimates))) < 0.002, "no estimate leans to one side"


def test_what_nobody_judged_in_time_may_be_either() -> None:
    judged = error_rate(Stratum(1.0, 50, 50, 25), Stratum(1.0, 50, 50, 0))
    unknown = error_rate(Stratum(1.0, 50, 30, 15, 20), Stratum(1.0, 50, 50, 0))

    assert unknown.share == judged.share
    assert unknown.lower < judged.lower < judged.upper < unknown.upper


@pytest.mark.parametrize(
    ("differing", "same"),
    [
        (Stratum(0.2, 0, 0, 0), Stratum(0.05, 0, 0, 0)),
        (Stratum(0.2, 5, 0, 0), Stratum(0.05, 5, 5, 0)),
        (Stratum(1.0, 90, 90, 3), Stratum(0.0, 0, 0, 0)),
    ],
    ids=["nothing drawn", "a kind nobody judged", "a kind that is never drawn"],
)
def test_what_is_not_known_has_no_share(differing: Stratum, same: Stratum) -> None:
    found = error_rate(differing, same)

    assert found.share is None
    assert found.upper > 0.9 or differing.drawn
    assert found.upper > found.lower


_counts = st.integers(0, 40)


@given(st.floats(0.01, 1.0), st.floats(0.01, 1.0), *[_counts] * 6)
def test_bounds_hold_the_share_and_lie_between_none_and_all(
    p_differing: float, p_same: float, wrong: int, right: int, unknown: int, wrong_too: int, right_too: int, late: int
) -> None:
    differing = Stratum(p_differing, wrong + right + unknown + 3, wrong + right, wrong, unknown)
    same = Stratum(p_same, wrong_too + right_too + late, wrong_too + right_too, wrong_too, late)
    found = error_rate(differing, same)

    assert _EDGES[0] <= found.lower <= found.upper <= _EDGES[1]
    if found.share is not None:
        assert found.lower - 1e-12 <= found.share <= found.upper + 1e-12
