"""Agreement and staffing against the published vectors and the published figures of real data."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evidence.agreement.kappa import cohen_kappa, fleiss_kappa
from evidence.agreement.krippendorff import Scale, alpha_interval, krippendorff_alpha
from evidence.agreement.latent import Vote, dawid_skene, is_advised
from evidence.agreement.reviewers import who_was_right
from evidence.agreement.tables import confusion, majority, ratings
from evidence.planning import GateTerms, cases_until_pass
from evidence.staffing import erlang_c, square_root_staffing

Vectors = Callable[[str], list[dict[str, Any]]]

PUBLISHED_PLANS = [  # by simulation: limit, true rate, median and 90 % of cases to pass
    (0.10, 0.02, 64, 119),
    (0.10, 0.05, 168, 433),
    (0.10, 0.07, 549, 1344),
    (0.05, 0.005, 82, 170),
    (0.05, 0.01, 130, 242),
    (0.05, 0.02, 242, 548),
    (0.05, 0.03, 576, 1509),
    (0.05, 0.04, 3204, 7919),
    (0.02, 0.005, 327, 696),
    (0.02, 0.01, 936, 2396),
    (0.02, 0.015, 4646, 12288),
    (0.01, 0.001, 417, 862),
    (0.01, 0.0025, 657, 1560),
    (0.01, 0.005, 1876, 4800),
]
SIMULATED = {(0.10, 0.07): 0.11, (0.02, 0.005): 0.12}
"""Where the published 90 % quantile, a simulation, is off from the exact one by more than 7 %."""


@pytest.fixture
def answer_pairs(shared: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((shared / "data/pandalm/testset-v1.json").read_text(encoding="utf-8"))
    return rows


def test_kappas_of_tables_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("cohen_kappa"):
        found, expected = cohen_kappa(vector["inputs"]["table"]), vector["expected"]

        assert found.value == pytest.approx(expected["kappa"], abs=vector["tol"])
        assert found.standard_error == pytest.approx(expected["std_kappa"], abs=vector["tol"])
        assert found.standard_error_by_chance == pytest.approx(expected["std_kappa0"], abs=vector["tol"])
    for vector in vectors("fleiss_kappa"):
        fleiss = fleiss_kappa(vector["inputs"]["counts"])

        assert fleiss.value == pytest.approx(vector["expected"]["kappa"], abs=vector["tol"])


def test_alpha_with_missing_votes_agrees_with_the_vector(vectors: Vectors) -> None:
    for vector in vectors("krippendorff_alpha"):
        votes = list(zip(*vector["inputs"]["data"], strict=True))
        categories = sorted({vote for item in votes for vote in item if vote is not None})
        counts = ratings(votes, categories)

        for scale in Scale:
            values = categories if scale is Scale.INTERVAL else None
            alpha = krippendorff_alpha(counts, scale, values).value
            assert alpha == pytest.approx(vector["expected"][scale], abs=vector["tol"]), scale


def test_queues_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("erlang_c"):
        inputs, expected = vector["inputs"], vector["expected"]

        queue = erlang_c(inputs["arrivals_per_h"], inputs["service_per_h"], inputs["servers"])

        assert queue.waits == pytest.approx(expected["p_wait"], abs=vector["tol"])
        if expected["mean_wait_h"] == "inf":
            assert (queue.stable, queue.mean_wait) == (False, None)
        else:
            assert queue.mean_wait == pytest.approx(expected["mean_wait_h"], abs=vector["tol"])
            assert queue.load == pytest.approx(expected["offered_load"], abs=vector["tol"])
            assert queue.waits_beyond(inputs["T_h"]) == pytest.approx(expected["p_wait_gt_T"], abs=vector["tol"])
            assert square_root_staffing(queue.load) == pytest.approx(expected["sqrt_staffing_beta1"], abs=vector["tol"])


def test_who_was_right_agrees_with_the_vector(vectors: Vectors) -> None:
    for vector in vectors("mcnemar"):
        found = who_was_right(vector["inputs"]["b"], vector["inputs"]["c"])

        assert found.p_value == pytest.approx(vector["expected"]["p_exact"], abs=vector["tol"])


def test_the_published_agreement_on_pairs_of_answers_is_reproduced(
    vectors: Vectors, answer_pairs: list[dict[str, Any]]
) -> None:
    (vector,) = vectors("published_agreement")
    said = {number: [row[f"annotator{number}"] for row in answer_pairs] for number in "123"}

    for pair, published in vector["expected"]["kappa_published"].items():
        first, second = pair.split("-")
        assert cohen_kappa(confusion(said[first], said[second], [0, 1, 2])).value == pytest.approx(
            published, abs=vector["tol"]
        )

    counts = ratings(list(zip(*said.values(), strict=True)), [0, 1, 2])
    wanted = [vector["expected"]["majority_label_counts_published"][label] for label in "012"]
    assert majority(counts).sum(axis=0).tolist() == wanted
    assert krippendorff_alpha(counts).value == pytest.approx(0.864, abs=0.0005)


def test_probable_labels_of_three_raters_are_the_majority_nearly_everywhere(
    answer_pairs: list[dict[str, Any]],
) -> None:
    votes = [
        Vote(item, rater, row[f"annotator{rater + 1}"]) for item, row in enumerate(answer_pairs) for rater in range(3)
    ]
    counts = ratings([[row[f"annotator{number}"] for number in (1, 2, 3)] for row in answer_pairs], [0, 1, 2])

    found = dawid_skene(votes, 3)

    assert is_advised(len(votes), len(answer_pairs))
    assert found.converged
    same = found.truth.argmax(axis=1) == majority(counts).argmax(axis=1)
    assert same.mean() > 0.97


@pytest.mark.parametrize(
    ("file", "published"),
    [("dices_350_crowdsourced_votes.csv", 0.161), ("dices_990_votes.csv", 0.143)],
    ids=["123 raters", "60 to 76 raters"],
)
def test_many_raters_hardly_agree_on_what_is_unsafe(shared: Path, file: str, published: float) -> None:
    with (shared / "data/dices" / file).open(encoding="utf-8") as rows:
        counts = ratings([list(row["votes_YNU"]) for row in csv.DictReader(rows)], ["Y", "N", "U"])

    alpha = krippendorff_alpha(counts).value
    spread = alpha_interval(counts, seed=1).interval

    assert alpha == pytest.approx(published, abs=0.0005)
    assert alpha is not None
    assert spread is not None
    assert published - 0.05 < spread.lower < alpha < spread.upper < published + 0.05


@pytest.mark.parametrize(("limit", "rate", "median", "late"), PUBLISHED_PLANS)
def test_the_planning_table_is_reproduced(limit: float, rate: float, median: int, late: int) -> None:
    span = cases_until_pass(rate, GateTerms(limit)).cases

    assert span is not None
    assert span.median == pytest.approx(median, rel=0.05)
    assert span.late == pytest.approx(late, rel=SIMULATED.get((limit, rate), 0.07))
