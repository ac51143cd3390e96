"""PostgreSQL is killed, stays away, or stands still, while cases, rulings and human outputs come in."""

import time
from collections.abc import Callable

import httpx2
import pytest

from tests.system.faults.conftest import FarAway
from tests.system.postgresql import Server, seconds_away
from tests.system.scene import Scene

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


@pytest.mark.parametrize("end", [Server.kill, Server.shut_down], ids=["killed", "restarted"])
def test_started_again_it_has_all_that_was_answered(far_away: FarAway, end: Callable[[Server], None]) -> None:
    it, server = far_away.scene, far_away.server
    it.load.fresh()
    with it.load.running():
        it.everybody_works("the load is up")
        end(server)
        server.start()
        back = time.monotonic()
        it.answers_again()
        answers = time.monotonic() - back
        it.everybody_works("everybody has found it again")
    print(f"{end.__name__} and started: answers {answers:.1f} s after it was back; {it.told()}")
    assert it.load.heard, "nobody noticed, so this showed nothing"
    it.nothing_lost_nothing_twice()


def test_while_it_is_away_callers_get_503_at_once_and_afterwards_everything_goes_on(far_away: FarAway) -> None:
    it, server = far_away.scene, far_away.server
    away = seconds_away()
    it.load.fresh()
    with it.load.running():
        it.everybody_works("the load is up")
        server.kill()
        until = time.monotonic() + away
        first = asked_503(it, "away-1")
        later = [asked_503(it, f"away-{number}") for number in range(2, 6)]
        assert it.asked("/livez")[0] == 200, "a process that waits for its database is not dead"
        assert it.asked("/readyz")[0] == 503
        time.sleep(max(until - time.monotonic(), 0))
        server.start()
        back = time.monotonic()
        it.answers_again()
        answers = time.monotonic() - back
        it.everybody_works("everybody has found it again")
    print(f"away for {away:g} s: 503 after {first:.2f} s, later {max(later):.2f} s; answers {answers:.1f} s after it "
          f"was back; {it.told()}")  # fmt: skip
    it.nothing_lost_nothing_twice()


def test_while_it_stands_still_callers_get_503_in_bounded_time(far_away: FarAway) -> None:
    """It takes connections and acknowledges every byte: no time-out of TCP ends this."""
    it, server = far_away.scene, far_away.server
    it.load.fresh()
    with it.load.running():
        it.everybody_works("the load is up")
        server.stop_answering()
        try:
            waited = asked_503(it, "still-1")
            assert it.asked("/livez")[0] == 200
        finally:
            server.go_on()
        back = time.monotonic()
        it.answers_again()
        answers = time.monotonic() - back
        it.everybody_works("everybody has found it again")
    print(f"stood still: 503 after {waited:.1f} s; answers {answers:.1f} s after it went on; {it.told()}")
    it.nothing_lost_nothing_twice()


def asked_503(it: Scene, case_id: str) -> float:
    status, seconds = it.asked(case_id=case_id)
    assert status == 503
    return seconds


def test_callers_that_are_told_503_are_told_when_to_come_again(far_away: FarAway) -> None:
    """On every road: the decision path has its own, reads and other writes share one."""
    it, server = far_away.scene, far_away.server
    headers = it.load.agents["claims"]
    server.kill()
    try:
        answers = [
            httpx2.post(f"{it.stack.url}/v1/agents/claims/human-outputs", json={"case_id": "x", "output": "yes"},
                        headers=headers, timeout=30),
            httpx2.get(f"{it.stack.url}/v1/agents/claims/decisions", headers=headers, timeout=30),
            httpx2.get(f"{it.stack.url}/v1/backlog", headers=it.owner, timeout=30),
        ]  # fmt: skip
        page = httpx2.get(f"{it.stack.url}/sign-in", headers={"accept": "text/html"}, timeout=30)
    finally:
        server.start()
    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
    assert page.status_code in {200, 503}
    it.soon(lambda: it.asked("/readyz")[0] == 200, "it is ready again")
