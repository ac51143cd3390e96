"""The agent's client and real processes that die: a wait goes on, and what was spooled arrives once."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from phasegate_client import Phasegate, Route
from sqlalchemy import func, select

from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from tests.system.house import House, soon

pytestmark = pytest.mark.system
PATIENCE = 60.0


def gate(house: House, **settings: object) -> Phasegate:
    key = house.keys["claims"]["Authorization"].removeprefix("Bearer ")
    return Phasegate(house.stack.url, key, agent="claims", version="v1", **settings)  # type: ignore[arg-type]


def kill_web(house: House) -> None:
    child = house.stack.child("web")
    assert child.process is not None
    child.wait = 0.1
    os.killpg(child.process.pid, signal.SIGKILL)
    child.process.wait()


def bring_back(house: House) -> None:
    soon(lambda: (house.stack.tend(), house.stack.child("web").alive)[1], "the web process is started again")
    house.wait_for_web(house.stack.url)


def rule(house: House, decision_id: str | None) -> None:
    with house.client("alice") as desk:
        queue = desk.get("/v1/queue", params={"limit": 200}).json()["items"]
        mine = next(one for one in queue if one["decision_id"] == decision_id)
        item = desk.post(f"/v1/reviews/{mine['id']}/claim").json()
        said = {"ruling": "edit", "fingerprint": item["fingerprint"], "output": "no"}
        assert desk.post(f"/v1/reviews/{item['id']}/ruling", json=said).status_code == 201


def stored(house: House, *case_ids: str) -> dict[str, tuple[str, str | None]]:
    """Route and outcome of these cases, of which nobody has to rule on any."""
    with house.ctx.db.read() as session:
        waiting = select(func.count()).where(ReviewItem.case_id.in_(case_ids), ReviewItem.state == "waiting")
        assert session.scalar(waiting) == 0
        rows = session.scalars(select(Decision).where(Decision.case_id.in_(case_ids))).all()
    assert len(rows) == len(case_ids)
    return {row.case_id: (row.route, row.outcome) for row in rows}


def test_over_a_killed_server_a_wait_goes_on_and_what_was_spooled_arrives_once(house: House, tmp_path: Path) -> None:
    with gate(house, spool=tmp_path, timeout=1.0) as agent, ThreadPoolExecutor(1) as pool:
        reviewed, known = (agent.decide(case_id=name, output="yes", confidence=0.9) for name in ("waited-for", "known"))
        assert reviewed.is_waiting
        assert known.is_waiting
        waiting = pool.submit(agent.wait, reviewed, PATIENCE)
        kill_web(house)

        lost = [agent.decide(case_id=name, output="yes", confidence=0.9) for name in ("known", "never-sent")]
        done = agent.human_output("never-sent", "no", person="rita")
        bring_back(house)
        left = agent.flush(PATIENCE)
        assert not waiting.done()
        rule(house, reviewed.id)
        ruled = waiting.result()

    assert [(one.route, one.spooled) for one in lost] == [(Route.HUMAN, True)] * 2
    assert (done.status, left) == ("spooled", 0)
    assert stored(house, "known", "never-sent") == {"known": ("review", "cancelled"), "never-sent": ("human", None)}
    assert ruled.may_proceed
    assert ruled.outcome is not None
    assert (ruled.outcome.output, ruled.outcome.decided_by) == ("no", "alice")
    with gate(house) as restarted:
        assert restarted.wait(str(reviewed.id), 0).may_proceed
