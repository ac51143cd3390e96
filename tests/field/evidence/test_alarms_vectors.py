"""The published vectors for alarms; the detectors of others are a comparison, not a target."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from evidence.alarms.detector import Detector
from evidence.alarms.presets import labelled
from tests.field.evidence.oracles_alarms import page_hinkley

Vectors = Callable[[str], list[dict[str, Any]]]


def test_the_detector_agrees_with_the_vectors(vectors: Vectors) -> None:
    for vector in vectors("e_sr_detector"):
        inputs, expected = vector["inputs"], vector["expected"]
        detector = Detector(inputs["p_ref"], tuple(inputs["qs"]), 1000)
        state, values = detector.start(), {}
        for number, bit in enumerate(inputs["bits"], 1):
            state = detector.update(state, bad=bool(bit), position=number)
            values[str(number)] = math.exp(detector.log_evidence(state))

        for number, value in expected["value_at"].items():
            assert values[number] == pytest.approx(value, rel=vector["tol"]), vector["name"]
        assert state.alarmed_at == expected["first_crossing_of_1000"], vector["name"]


def test_ours_sees_the_change_before_those_without_a_false_alarm_rate(vectors: Vectors) -> None:
    (vector,) = vectors("river_detectors")
    stream = ([0] * 49 + [1]) * 20 + ([0] * 9 + [1]) * 100
    expected = vector["expected"]

    theirs = page_hinkley(stream, threshold=10, allowance=0.01, fading=0.9999, least=30)
    detector = labelled(0.03)
    state = detector.start()
    for bit in stream:
        state = detector.update(state, bad=bool(bit))

    assert theirs == expected["page_hinkley_thr10_delta001_up_first"]
    assert state.alarmed_at is not None
    assert 1000 < state.alarmed_at < theirs < expected["adwin_default_first"]
