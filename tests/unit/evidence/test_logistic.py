import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evidence.logistic import checked_confidences, checked_verdicts, fit


def test_the_ridge_agrees_with_an_independent_solver() -> None:
    rng = np.random.default_rng(5)
    columns = rng.normal(size=(400, 3)) * [1.0, 5.0, 0.2]
    right = rng.random(400) < 1 / (1 + np.exp(-(0.5 + columns @ [1.0, -0.3, 2.0])))
    design = np.column_stack([np.ones(400), columns])

    found = fit(design, right.astype(np.float64), np.array([0.0, 2.0, 2.0, 2.0]))

    other = LogisticRegression(C=0.5, tol=1e-10, solver="newton-cholesky").fit(columns, right)
    assert found == pytest.approx([*other.intercept_, *other.coef_[0]], abs=1e-6)


def test_a_ridge_settles_even_where_the_classes_are_apart() -> None:
    design = np.array([[1.0, -1.0], [1.0, 1.0]] * 50)

    found = fit(design, np.array([0.0, 1.0] * 50), np.array([0.0, 1.0]))

    assert found[0] == pytest.approx(0.0, abs=1e-9)
    assert 2.0 < found[1] < 10.0


def test_two_columns_that_say_the_same_share_their_weight() -> None:
    x = np.array([-1.0, -1.0, -0.2, 0.3, 1.0, 1.0])
    found = fit(np.column_stack([x, x]), np.array([0.0, 0.0, 1.0, 0.0, 1.0, 1.0]), np.zeros(2))

    assert found[0] == pytest.approx(found[1])
    assert np.isfinite(found).all()


def test_whole_steps_that_overshoot_are_shortened_until_they_do_not() -> None:
    x = np.repeat([32.5, 41.8, -15.0, 32.5, 41.8, -15.0], [1_000, 10, 100, 1, 1, 1])
    target = np.repeat([1.0, 0.0, 1.0, 0.0, 1.0, 0.0], [1_000, 10, 100, 1, 1, 1])
    design = np.column_stack([np.ones(len(x)), x])

    found = fit(design, target, np.zeros(2))

    chance = 1 / (1 + np.exp(-design @ found))
    assert design.T @ (chance - target) == pytest.approx([0.0, 0.0], abs=1e-3)


def test_classes_that_are_apart_without_a_penalty_give_finite_numbers() -> None:
    found = fit(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]), np.zeros(1))

    assert np.isfinite(found).all()
    assert found[0] > 10.0


@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), -0.01, 1.01])
def test_a_confidence_that_is_none_is_named(nonsense: float) -> None:
    with pytest.raises(ValueError, match=r"confidences\[1\] must"):
        checked_confidences([0.5, nonsense, 0.7])


@pytest.mark.parametrize("nonsense", [["0.5"], [None], [[0.5]], 0.5, [True]])
def test_what_is_not_a_list_of_numbers_is_no_confidences(nonsense: object) -> None:
    with pytest.raises(ValueError, match="confidences must be"):
        checked_confidences(nonsense)  # type: ignore[arg-type]


def test_a_verdict_is_right_or_wrong() -> None:
    assert checked_verdicts([0, 1, 1.0], 3).tolist() == [False, True, True]
    with pytest.raises(ValueError, match=r"correct\[1\] must be 0 or 1, not 0.5"):
        checked_verdicts([0, 0.5], 2)
    with pytest.raises(ValueError, match=r"correct\[0\] must be 0 or 1, not nan"):
        checked_verdicts([float("nan"), 1.0], 2)
    with pytest.raises(ValueError, match="one verdict for each of 3 cases"):
        checked_verdicts([0, 1], 3)
    with pytest.raises(ValueError, match="true or false"):
        checked_verdicts(["yes"], 1)
