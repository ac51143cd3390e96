"""A detector that others use, written from its definition, to be held beside ours."""

from collections.abc import Iterable


def page_hinkley(stream: Iterable[int], *, threshold: float, allowance: float, fading: float, least: int) -> int | None:
    """
    The first case (from 1) at which the Page-Hinkley test says "up" (Page 1954; Hinkley 1971); None if it never does.

    The faded sum of deviations from the running mean, less `allowance` each, stands `threshold` above its minimum.
    """
    mean = risen = 0.0
    lowest = float("inf")
    for number, value in enumerate(stream, 1):
        mean += (value - mean) / number
        risen = fading * risen + value - mean - allowance
        lowest = min(lowest, risen)
        if number >= least and risen - lowest > threshold:
            return number
    return None
