"""The network between the service and PostgreSQL is slow, cut, or silent in one direction or both."""

import time

import pytest

from tests.system.faults.conftest import FarAway
from tests.system.proxy import Way

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

LONGEST = 20.0  # seconds until a caller is told anything, on a machine that is busy with other things as well


def test_slow_answers_are_late_and_right(far_away: FarAway) -> None:
    it, network = far_away.scene, far_away.network
    it.load.fresh()
    with it.load.running():
        it.everybody_works("the load is up")
        network.slow(0.02)  # each way, and a commit of a batch takes a dozen of those
        try:
            it.answers_again()
        finally:
            network.heal()
        it.everybody_works("everybody is at work as before")
    print(f"slow: {it.told()}")
    assert not it.load.heard
    it.nothing_lost_nothing_twice()


def test_cut_off_callers_get_503_and_whoever_comes_after_it_an_answer(far_away: FarAway) -> None:
    it, network = far_away.scene, far_away.network
    it.load.fresh()
    with it.load.running():
        it.everybody_works("the load is up")
        network.cut()
        try:
            status, waited = it.asked(case_id="cut-1")
        finally:
            network.heal()
        began = time.monotonic()
        it.answers_again()
        answers = time.monotonic() - began
        it.everybody_works("everybody is at work again")
    assert (status, waited < LONGEST) == (503, True)
    print(f"cut: 503 after {waited:.1f} s; answers {answers:.1f} s after it was mended; {it.told()}")
    it.nothing_lost_nothing_twice()


@pytest.mark.parametrize("ways", [("up", "down"), ("down",)], ids=["both ways", "from the database"])
def test_silence_is_a_503_in_bounded_time_and_no_commit_happens_twice(far_away: FarAway, ways: tuple[Way, ...]) -> None:
    """
    Where only what comes back is lost, commits are stored and nobody hears of it: the same call again must find them.

    What was left behind holds its locks until PostgreSQL ends it, a quarter of a minute at most; then all goes on.
    """
    it, network = far_away.scene, far_away.network
    it.load.fresh()
    with it.load.running(agents=8):
        it.everybody_works("the load is up")
        network.silence(*ways)
        try:
            status, waited = it.asked(case_id=f"silent-{'-'.join(ways)}")
            alive = it.asked("/livez")
        finally:
            network.heal()
        began = time.monotonic()
        it.answers_again()
        answers = time.monotonic() - began
        it.everybody_works("everybody is at work again")
    assert (status, waited < LONGEST) == (503, True)
    assert alive[0] == 200
    assert it.load.slowest < LONGEST
    print(f"silent {ways}: 503 after {waited:.1f} s; answers {answers:.1f} s after it was mended; {it.told()}")
    it.nothing_lost_nothing_twice()
