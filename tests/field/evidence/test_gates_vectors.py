"""The published vectors of what stands around a gate: several at once, reviewers who err, people as reference."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence import multiplicity, noninferiority, reviewers
from evidence.noninferiority import Comparison
from tests.field.evidence.conftest import Vectors

ANSWERS = {"1": 1, "2": 2}
"""
How people write the judge's answers. Its "garbage" agrees with nobody, and so does its "Tie" in the published figure,
although people write 0 for a tie: read as that, the mean difference is -0.2312.
"""


def test_adjusted_p_values_agree_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("multiplicity"):
        inputs, expected, tol = vector["inputs"], vector["expected"], vector["tol"]

        holm = multiplicity.holm_adjusted(inputs["p"])
        hochberg = multiplicity.benjamini_hochberg_adjusted(inputs["p"])

        assert holm == pytest.approx(expected["holm_adj"], abs=tol)
        assert hochberg == pytest.approx(expected["bh_adj"], abs=tol)
        assert [p <= inputs["alpha"] for p in holm] == expected["holm_reject"]
        assert [p <= inputs["alpha"] for p in hochberg] == expected["bh_reject"]


def test_steps_down_on_e_values_reject_what_they_reject_on_their_p_values(vectors: Vectors) -> None:
    for vector in vectors("multiplicity"):
        inputs = vector["inputs"]

        rejected = multiplicity.holm([-math.log(p) for p in inputs["p"]], 1 - inputs["alpha"])

        assert rejected == vector["expected"]["holm_reject"]


def test_the_corrected_rate_agrees_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("rogan_gladen"):
        inputs = vector["inputs"]

        found = reviewers.estimated_rate(inputs["observed"], inputs["sensitivity"], inputs["specificity"])

        assert found == pytest.approx(vector["expected"]["true"], abs=vector["tol"])


def test_the_difference_between_an_agent_and_people_agrees_with_the_vectors(vectors: Vectors, shared: Path) -> None:
    for vector in vectors("noninferiority_leave_one_out"):
        expected, tol = vector["expected"], vector["tol"]

        found = np.array(differences(shared))

        assert len(found) == expected["n"]
        assert found.mean() == pytest.approx(expected["mean_difference"], abs=tol)
        assert found.std(ddof=1) == pytest.approx(expected["sd"], abs=tol)
        z = (found.mean() + 0.05) / (found.std(ddof=1) / math.sqrt(len(found)))
        assert z == pytest.approx(expected["z_for_margin_0_05"], abs=1e-6)


def test_ties_read_as_ties_bring_the_judge_a_little_nearer_to_people(shared: Path) -> None:
    found = differences(shared, {**ANSWERS, "Tie": 0})

    assert np.mean(found) == pytest.approx(-0.2312312, abs=1e-6)


def test_a_judge_that_agrees_less_with_people_than_they_do_is_shown_to_be_worse(shared: Path) -> None:
    found = differences(shared)
    days = [found[start : start + 100] for start in range(0, len(found), 100)]

    shown = noninferiority.compare(days, margin=0.05)

    assert shown.comparison is Comparison.WORSE
    assert shown.lower < -0.2369 < shown.upper < -0.15


def differences(shared: Path, answers_of_people: dict[str, int] = ANSWERS) -> list[float]:
    people = rows(shared, "testset-v1.json")
    answers = {
        row["idx"]: answers_of_people.get(row["gpt_result"]) for row in rows(shared, "gpt-3.5-turbo-testset-v1.json")
    }
    return [
        noninferiority.difference(answers[row["idx"]], [row[f"annotator{person}"] for person in (1, 2, 3)])
        for row in people
    ]


def rows(shared: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((shared / "data" / "pandalm" / name).read_text(encoding="utf-8"))
    return found
