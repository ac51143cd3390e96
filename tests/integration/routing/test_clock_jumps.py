"""
The clock jumps by hours, forward and back, on both databases: what is stored, due, leased, listed and counted by time.

With real processes and under load the same is in `tests/system/faults/test_clock.py`, on SQLite.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from kit.clock import FixedClock
from kit.context import Context
from kit.tasks import REGISTRY
from rollout.gates.tables import Total
from tests import factories
from web_app import create_app

DECISIONS = "/v1/agents/claims/decisions"


@pytest.fixture
def client(ctx: Context) -> Iterator[TestClient]:
    factories.agent(ctx)
    factories.rollout(ctx)
    with TestClient(create_app(ctx), headers=factories.bearer(ctx, agent="claims")) as made:
        yield made


def decided(client: TestClient, case_id: str) -> tuple[int, str]:
    body = {"case_id": case_id, "version": "v1", "output": "yes", "confidence": 0.9}
    answer = client.post(DECISIONS, json=body)
    return answer.status_code, answer.json()["id"]


def listed(client: TestClient) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = client.get(DECISIONS, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [item["case_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


def test_a_repeat_is_the_same_case_and_pages_and_days_go_by_what_the_clock_showed(
    ctx: Context, client: TestClient, clock: FixedClock
) -> None:
    first = decided(client, "told before")
    for number, hours in enumerate((20, -40, 20)):  # into the next day, into the day before, back
        clock.move(timedelta(hours=hours))
        assert decided(client, "told before") == (200, first[1])
        assert decided(client, f"after jump {number}")[0] == 201
        factories.human_output(ctx, f"after jump {number}", "yes")
        assert REGISTRY["routing.settle"].run(ctx) > 0

    with ctx.db.read() as session:
        days = [str(day) for day in session.scalars(select(Total.day).distinct().order_by(Total.day))]
    cases = listed(client)
    assert days == ["2026-01-04", "2026-01-05", "2026-01-06"]
    assert (cases[0], cases[-1], len(cases), len(set(cases))) == ("after jump 0", "after jump 1", 4, 4)


def test_forward_a_lease_ends_early_and_back_the_holder_goes_on(
    ctx: Context, client: TestClient, clock: FixedClock
) -> None:
    one, other = (
        factories.bearer(ctx, login=factories.person(ctx, login, roles=("reviewer",)).login)
        for login in ("one", "other")
    )

    def held(headers: dict[str, str]) -> dict[str, Any]:
        answer = client.post("/v1/queue/claim", json={}, headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ruled(item: dict[str, Any], headers: dict[str, str]) -> tuple[int, str | None]:
        said = {"ruling": "approve", "fingerprint": item["fingerprint"]}
        answer = client.post(f"/v1/reviews/{item['id']}/ruling", json=said, headers=headers)
        return answer.status_code, answer.json().get("type")

    decided(client, "forward")
    leased = held(one)
    clock.move(timedelta(hours=5))
    assert held(other)["id"] == leased["id"]
    assert ruled(leased, one) == (409, "/problems/already-held")
    assert ruled(leased, other)[0] == 201

    decided(client, "back")
    leased = held(one)
    clock.move(timedelta(hours=-10))
    refused = client.post(f"/v1/reviews/{leased['id']}/claim", headers=other)
    assert refused.json()["type"] == "/problems/already-held"
    assert ruled(leased, one)[0] == 201
