"""A gold case that is approved together with others: let through like any other, spent by it, and counted nowhere."""

from datetime import timedelta

from starlette.testclient import TestClient

from kit.clock import FixedClock
from kit.context import Context
from rollout.reviewers.tables import GoldAnswer
from routing.cases.tables import Label
from tests.integration.routing.desk import rows
from tests.integration.routing.test_gold import Keys, claim, client, is_gold, keys, pool, told, work

__all__ = ["client", "keys"]


def test_is_not_told_from_others_and_says_nothing(
    client: TestClient,
    ctx: Context,
    clock: FixedClock,
    keys: Keys,
) -> None:
    pool(client, keys)
    work(client, 3)
    rita = keys["rita"]
    gold = claim(client, rita, agent="claims")
    assert is_gold(gold)
    clock.move(timedelta(seconds=5))
    assert client.post(f"/v1/reviews/{gold['id']}/release", headers=rita).is_success

    [group] = client.get("/v1/reviews:alike", headers=rita).json()["items"]
    assert [one["case_id"] for one in group["items"]] == [gold["case_id"]]
    shown = [{"id": one["id"], "fingerprint": one["fingerprint"]} for one in group["items"]]
    asked = {"agent": "claims", "signature": group["signature"], "ruling": "approve", "items": shown}
    answer = client.post("/v1/reviews:bulk-ruling", json=asked, headers=rita)
    told(ctx, clock)

    assert [one["status"] for one in answer.json()["items"]] == ["ruled"]
    assert rows(ctx, GoldAnswer) == []
    assert rows(ctx, Label) == []
