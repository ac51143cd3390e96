"""
The detectors that every lane has, with the levels they watch from and the changes they watch for.

What was measured once, in a calibration window, is known only up to chance; so an unlabelled stream is watched from the
99 % upper bound of what the window showed, not from its rate. Else a window that was lucky would raise alarms for ever.
"""

from evidence import binomial
from evidence.alarms.detector import CASES_BETWEEN_ALARMS, Detector
from evidence.binomial import checked_counts, checked_rate

RARE_MULTIPLES = (1.5, 2.0, 3.0, 5.0)
"""Watched for where the rate is a few per cent: overrides, wrong outputs, broken outputs."""

SHARE_MULTIPLES = (1.15, 1.3, 1.6, 2.2)
"""Watched for where the rate is a share of the traffic: small moves are soon seen, and already mean something."""

CALIBRATION_CONFIDENCE = 0.99


def labelled(tolerated: float, *, cases_between_alarms: float = CASES_BETWEEN_ALARMS) -> Detector:
    """
    Overrides, over reviews and uniform audits in the order of decisions; `tolerated` is the limit of the gate.

    Severe overrides are a second stream with their own, smaller level. The stream must be drawn evenly: targeted
    audits find more errors, that is what they are for, and would raise an alarm about themselves.
    """
    tolerated = checked_rate(tolerated, "tolerated")
    return Detector(tolerated, _above(tolerated, RARE_MULTIPLES), cases_between_alarms)


def low_confidence(below: int, calibrated: int, *, cases_between_alarms: float = CASES_BETWEEN_ALARMS) -> Detector:
    """The share of cases below the threshold has grown, against `below` of `calibrated`. Needs no label."""
    reference = _reference(below, calibrated)
    return Detector(reference, _above(reference, SHARE_MULTIPLES), cases_between_alarms)


def high_confidence(
    below: int, calibrated: int, *, cases_between_alarms: float = CASES_BETWEEN_ALARMS
) -> Detector | None:
    """
    The mirror: the share below the threshold has shrunk, for the agent has come to be sure of everything.

    Counts the same cases as `low_confidence`, bad meaning below the threshold. None when no calibrated case lay below:
    then the share can only grow.
    """
    _reference(below, calibrated)
    if not below:
        return None
    reference = binomial.lower_bound(below, calibrated, CALIBRATION_CONFIDENCE)
    return Detector(reference, tuple(reference / times for times in SHARE_MULTIPLES), cases_between_alarms)


def failures(failed: int, calibrated: int, *, cases_between_alarms: float = CASES_BETWEEN_ALARMS) -> Detector:
    """Missing or invalid confidences, or outputs that break their schema, against `failed` of `calibrated`."""
    reference = _reference(failed, calibrated)
    return Detector(reference, _above(reference, RARE_MULTIPLES), cases_between_alarms)


def _reference(seen: int, calibrated: int) -> float:
    seen, calibrated = checked_counts(seen, calibrated)
    if not calibrated:
        raise ValueError("calibrated must be at least 1: there is nothing to compare with")
    if seen == calibrated:
        raise ValueError(f"all {calibrated} calibrated cases were of this kind: a share of 100 % cannot grow")
    return binomial.upper_bound(seen, calibrated, CALIBRATION_CONFIDENCE)


def _above(reference: float, multiples: tuple[float, ...]) -> tuple[float, ...]:
    """The multiples of a rate; where these would pass 1, the rate of the opposite is divided instead."""
    return tuple(min(times * reference, 1.0 - (1.0 - reference) / times) for times in multiples)
