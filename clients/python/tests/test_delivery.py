"""One pass of the delivery of what is spooled: what stays, what goes, and what it waits for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from phasegate_client import (
    TimedOut,
    Unreachable,
)
from phasegate_client.answers import Reply
from phasegate_client.delivery import MOST_TRIES, Delivery
from phasegate_client.errors import PhasegateError
from phasegate_client.spool import Spool
from phasegate_client.spool_store import Entry

PATIENCE = 10.0


def receipt(number: int) -> Reply:
    body = {"id": "d", "agent": "reader", "case_id": "c", "version": "v1", "attempt": number}
    return Reply(201, json.dumps(body).encode())


REFUSED = Reply(409, b'{"type": "/problems/case-differs"}')
TRY_LATER = [Reply(503), Reply(429), Reply(408), Reply(500), Unreachable("refused"), TimedOut("late"), Reply(401)]
NONSENSE = [
    Reply(403, b'{"type": "/problems/forbidden"}'),
    Reply(404),
    Reply(413),
    Reply(200, b"<html>"),
    Reply(302),
    receipt(7),
    Reply(200, b'{"id": "d"}'),
]


class Passes:
    """Two entries, and the passes of their delivery one by one, without a thread."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder, "http://x.test")
        for number in (1, 2):
            entry = Entry("/v1/x", b'{"n": %d}' % number, f'["reader", "c", "v1", {number}]')
            self.spool.append(entry).result(PATIENCE)

    def play(self, answers: dict[int, Reply | PhasegateError]) -> list[int]:
        """What is sent in one pass when each entry is answered like this."""
        sent: list[int] = []

        def send(step: Any) -> Reply | PhasegateError:
            sent.append(json.loads(step.request.body)["n"])
            return answers[sent[-1]]

        self.trouble = Delivery(self.spool, send, lambda: 0.0)._pass()
        return sent


@pytest.fixture
def passes(tmp_path: Path) -> Iterator[Passes]:
    passes = Passes(tmp_path)
    yield passes
    passes.spool.close()


class TestOnePass:
    def test_tells_everything_in_order(self, passes: Passes) -> None:
        assert passes.play({1: receipt(1), 2: receipt(2)}) == [1, 2]
        assert passes.trouble is None
        assert passes.play({}) == []

    @pytest.mark.parametrize("answer", TRY_LATER, ids=str)
    def test_ends_where_nobody_answers_and_begins_there_again(
        self, passes: Passes, answer: Reply | PhasegateError
    ) -> None:
        for _ in range(2 * MOST_TRIES):
            assert passes.play({1: answer}) == [1]

        assert passes.spool.state().waiting == 2
        assert passes.play({1: receipt(1), 2: receipt(2)}) == [1, 2]

    def test_goes_past_what_is_refused_for_good(self, passes: Passes) -> None:
        assert passes.play({1: REFUSED, 2: receipt(2)}) == [1, 2]
        assert (passes.spool.state().dead, passes.spool.state().delivered) == (1, 1)

    @pytest.mark.parametrize("answer", NONSENSE, ids=str)
    def test_gives_up_after_a_few_answers_that_make_no_sense(self, passes: Passes, answer: Reply) -> None:
        for _ in range(MOST_TRIES - 1):
            assert passes.play({1: answer}) == [1]

        assert passes.play({1: answer, 2: receipt(2)}) == [1, 2]
        assert passes.spool.state().dead == 1

    def test_after_a_crash_between_the_answer_and_the_removal_it_says_the_same_again(
        self, passes: Passes, tmp_path: Path
    ) -> None:
        kept = passes.spool.first()
        assert kept is not None  # told, and answered, and then the process was killed

        passes.spool.close()
        again = Spool(tmp_path, "http://x.test")

        assert again.first() == kept
        again.close()
