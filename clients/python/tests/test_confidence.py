"""One confidence from several signals: exactly what the record says, and none where there is doubt."""

import json
import math
from typing import Any

import pytest

from phasegate_client.confidence import ConfidenceRecord, Term, combine, read_record
from phasegate_client.errors import Unsendable


def term(**changes: Any) -> Term:
    return Term(
        **{
            "name": "judge", "scale": "probability", "clip": 0.005, "lowest": -5.0, "highest": 5.0, "median": 1.0,
            "centre": 0.5, "spread": 2.0, "coefficient": 1.5, "missing_coefficient": None,
        }
        | changes
    )  # fmt: skip


def record(*terms: Term) -> ConfidenceRecord:
    return ConfidenceRecord(terms or (term(),), 0.25, 1.0, 400, 300, 1_000.0, "d")


def body(found: ConfidenceRecord) -> dict[str, Any]:
    signals = [vars(one) for one in found.signals]
    numbers = {name: value for name, value in vars(found).items() if name != "signals"}
    return {"kind": "phasegate.confidence", "format": 1, "version": found.version, "signals": signals, **numbers}


def test_a_probability_is_read_as_its_logit() -> None:
    score = 0.25 + 1.5 * (math.log(0.9 / 0.1) - 0.5) / 2.0

    assert combine(record(), {"judge": 0.9}) == pytest.approx(1 / (1 + math.exp(-score)), rel=1e-14)


def test_nothing_is_learned_beyond_what_the_labels_had() -> None:
    plain = record(term(scale="plain", lowest=-1.0, highest=1.0))

    assert combine(plain, {"judge": 50.0}) == combine(plain, {"judge": 1.0})
    assert combine(plain, {"judge": -50}) == combine(plain, {"judge": -1})


def test_a_missing_signal_counts_only_where_that_was_learned() -> None:
    known = record(term(missing_coefficient=-0.75))

    score = 0.25 - 0.75 + 1.5 * (1.0 - 0.5) / 2.0
    assert combine(known, {"judge": None}) == pytest.approx(1 / (1 + math.exp(-score)), rel=1e-14)
    assert combine(record(), {"judge": None}) is None


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1, "0.9", True, [0.9], 10**400])
def test_what_is_no_signal_gives_no_confidence(value: Any) -> None:
    assert combine(record(term(missing_coefficient=0.0)), {"judge": value}) is None


def test_a_length_below_zero_is_none() -> None:
    assert combine(record(term(scale="positive")), {"judge": -1}) is None
    assert combine(record(term(scale="positive")), {"judge": 3}) is not None


def test_a_signal_that_is_not_named_is_a_mistake_and_not_a_gap() -> None:
    assert combine(record(term(missing_coefficient=0.0)), {"juge": 0.9}) is None


@pytest.mark.parametrize("coefficient", [1e6, -1e6])
def test_extreme_scores_do_not_overflow(coefficient: float) -> None:
    found = combine(record(term(coefficient=coefficient)), {"judge": 0.99})

    assert found == (1.0 if coefficient > 0 else 0.0)


def test_a_record_survives_its_file() -> None:
    known = record(term(), term(name="length", scale="positive", missing_coefficient=-1.0))

    assert read_record(json.dumps(body(known))) == known
    assert read_record(json.dumps(body(known)).encode()) == known


def test_a_record_that_was_altered_is_refused() -> None:
    altered = body(record()) | {"intercept": 2.0}

    with pytest.raises(Unsendable, match="altered"):
        read_record(altered)


@pytest.mark.parametrize(
    "given", ["", "[]", "{}", b"\xff", '{"kind": "phasegate.confidence"}', '{"kind": "other", "format": 1}']
)
def test_what_is_no_record_is_refused(given: Any) -> None:
    with pytest.raises(Unsendable):
        read_record(given)


def test_a_record_of_another_format_is_refused() -> None:
    with pytest.raises(Unsendable, match="format 2"):
        read_record(body(record()) | {"format": 2})


def test_only_newer_cases_may_calibrate() -> None:
    assert record().may_calibrate(1_000.5)
    assert not record().may_calibrate(1_000.0)
