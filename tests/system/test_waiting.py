"""A ruling in one web process is heard by who waits for it in another."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.house import House, body, soon

pytestmark = pytest.mark.system


def test_a_long_poll_in_one_process_ends_with_the_ruling_in_another(house: House) -> None:
    with house.another_web() as other, house.client() as agent, house.client("alice") as desk:
        decision = agent.post("/v1/agents/claims/decisions", json=body("polled")).json()
        at = f"{other}/v1/decisions/{decision['id']}"
        with ThreadPoolExecutor(1) as pool:
            poll = pool.submit(agent.get, at, params={"wait": 50}, timeout=60)
            soon(poll.running, "somebody waits")
            queue = desk.get("/v1/queue", params={"limit": 200}).json()["items"]
            mine = next(one for one in queue if one["decision_id"] == decision["id"])
            item = desk.post(f"/v1/reviews/{mine['id']}/claim").json()
            began = time.monotonic()
            said = {"ruling": "edit", "fingerprint": item["fingerprint"], "output": "no"}

            assert desk.post(f"/v1/reviews/{item['id']}/ruling", json=said).status_code == 201

            answer = poll.result().json()
        assert (answer["status"], answer["outcome"]["state"], answer["outcome"]["output"]) == ("final", "edited", "no")
        assert time.monotonic() - began < 20, "it was told by the end of the wait and not by the ruling"
