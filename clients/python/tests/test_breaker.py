import pytest

from phasegate_client.breaker import LONGEST_PAUSE, PROBE_FORGOTTEN, Breaker, Circuit
from phasegate_client.errors import CircuitOpen


class Room:
    """A breaker on a clock that is moved by hand; its pauses are exact (a jitter of one half) unless asked."""

    def __init__(self, jitter: float = 0.5) -> None:
        self.now = 100.0
        self.breaker = Breaker(lambda: self.now, lambda: jitter, failures=3, pause=5.0)

    def fail(self, times: int = 1, retry_after: float | None = None) -> None:
        for _ in range(times):
            self.breaker.admit()
            self.breaker.failed(retry_after)

    def is_admitted(self) -> bool:
        try:
            self.breaker.admit()
        except CircuitOpen:
            return False
        return True


def test_lets_everything_through_until_enough_calls_in_a_row_failed() -> None:
    room = Room()
    room.fail(2)
    room.breaker.succeeded()
    room.fail(2)

    assert room.breaker.state is Circuit.CLOSED
    assert room.is_admitted()


def test_open_it_lets_nothing_through_and_says_for_how_long() -> None:
    room = Room()
    room.fail(3)
    room.now += 2

    assert room.breaker.state is Circuit.OPEN
    assert room.breaker.seconds_left() == 3.0
    with pytest.raises(CircuitOpen, match=r"the last 3 calls got no answer; the next is tried in 3.0 s"):
        room.breaker.admit()


def test_half_open_it_lets_one_call_try() -> None:
    room = Room()
    room.fail(3)
    room.now += 5

    assert room.breaker.state is Circuit.HALF_OPEN
    assert [room.is_admitted() for _ in range(3)] == [True, False, False]


def test_a_probe_that_is_answered_closes_it() -> None:
    room = Room()
    room.fail(3)
    room.now += 5
    room.breaker.admit()
    room.breaker.succeeded()

    assert room.breaker.state is Circuit.CLOSED
    assert [room.is_admitted() for _ in range(3)] == [True] * 3


def test_each_probe_that_fails_doubles_the_pause_up_to_a_limit() -> None:
    room = Room()
    room.fail(3)
    pauses = []
    for _ in range(6):
        pauses.append(room.breaker.seconds_left())
        room.now += pauses[-1]
        room.fail()

    assert pauses == [5, 10, 20, 40, 60, LONGEST_PAUSE]


@pytest.mark.parametrize(("jitter", "pause"), [(0.0, 2.5), (1.0, 7.5)])
def test_the_pause_is_spread(jitter: float, pause: float) -> None:
    room = Room(jitter)
    room.fail(3)

    assert room.breaker.seconds_left() == pause


@pytest.mark.parametrize(("asked", "pause"), [(1.0, 5.0), (20.0, 20.0), (float("inf"), LONGEST_PAUSE)])
def test_the_pause_is_as_long_as_the_server_asks_within_reason(asked: float, pause: float) -> None:
    room = Room()
    room.fail(3, retry_after=asked)

    assert room.breaker.seconds_left() == pause


def test_calls_under_way_when_it_opened_do_not_lengthen_the_pause() -> None:
    room = Room()
    for _ in range(10):
        room.breaker.admit()
    for _ in range(10):
        room.breaker.failed()

    assert room.breaker.seconds_left() == 5.0


def test_a_caller_that_goes_away_leaves_the_probe_to_the_next() -> None:
    room = Room()
    room.fail(3)
    room.now += 5
    room.breaker.admit()
    room.breaker.gave_up()

    assert room.is_admitted()


def test_a_probe_that_never_comes_back_holds_up_nobody_for_ever() -> None:
    room = Room()
    room.fail(3)
    room.now += 5
    room.breaker.admit()
    room.now += PROBE_FORGOTTEN

    assert room.is_admitted()
