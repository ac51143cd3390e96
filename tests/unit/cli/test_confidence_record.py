"""What `phasegate analyse signals` writes and what an agent makes of it give the same confidence as the engine."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phasegate_client import confidence

from cli.analysing import signals
from evidence.signals import CombinedConfidence, Scale, Signal, fit_signals

SIGNALS = [Signal("judge", Scale.PROBABILITY), Signal("length", Scale.POSITIVE), Signal("logprob")]


def fitted() -> CombinedConfidence:
    draw = np.random.default_rng(7)
    sure = draw.normal(size=500)
    judge = np.round(1 / (1 + np.exp(-sure - draw.normal(size=500))), 2)  # 0 and 1 are among them
    length = draw.exponential(40, size=500)
    logprob = [None if draw.random() < 0.2 else float(value) for value in sure + draw.normal(size=500)]
    columns = {"judge": judge, "length": length, "logprob": logprob}
    return fit_signals(SIGNALS, columns, draw.random(500) < 1 / (1 + np.exp(-sure)), np.arange(500.0))


RECORD = fitted()
READ = confidence.read_record(json.dumps(signals.record_body(RECORD)))


def test_the_record_is_the_same_one() -> None:
    assert READ.version == RECORD.version
    assert READ.signals[2].missing_coefficient is not None
    assert READ.signals[0].missing_coefficient is None


@given(
    st.floats(0, 1) | st.sampled_from([0.0, 1.0, None]),
    st.floats(0, 1e9) | st.none(),
    st.floats(-1e9, 1e9) | st.none(),
)
def test_an_agent_gets_the_confidence_of_the_engine(
    judge: float | None, length: float | None, logprob: float | None
) -> None:
    given_signals = {"judge": judge, "length": length, "logprob": logprob}

    (expected,) = RECORD.apply({name: [value] for name, value in given_signals.items()})

    found = confidence.combine(READ, given_signals)
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15) if expected is not None else found is None
