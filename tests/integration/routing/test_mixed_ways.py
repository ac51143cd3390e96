"""However a case comes, alone, in a batch or in a stream, and however often: it is one decision."""

import itertools
import json
from typing import Any

from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from kit.context import Context
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from tests import factories
from web_app import create_app

DECISIONS = "/v1/agents/claims/decisions"
_CALLS = st.tuples(st.sampled_from(["single", "batch", "stream"]), st.lists(st.integers(0, 5), min_size=1, max_size=8))

Answer = tuple[int, str, str]
"""Status, id of the decision, route."""


def alone(client: TestClient, cases: list[dict[str, Any]]) -> list[Answer]:
    answers = [client.post(DECISIONS, json=case) for case in cases]
    return [(answer.status_code, answer.json()["id"], answer.json()["route"]) for answer in answers]


def together(client: TestClient, cases: list[dict[str, Any]]) -> list[Answer]:
    items = client.post(f"{DECISIONS}:batch", json={"items": cases}).json()["items"]
    return [(item["status"], item["decision"]["id"], item["decision"]["route"]) for item in items]


def line_by_line(client: TestClient, cases: list[dict[str, Any]]) -> list[Answer]:
    body = "\n".join(map(json.dumps, cases))
    *lines, _ = map(json.loads, client.post(f"{DECISIONS}:stream", content=body).text.splitlines())
    return [(line["status"], line["decision_id"], line["route"]) for line in lines]


WAYS = {"single": alone, "batch": together, "stream": line_by_line}


def test_it_is_stored_once_and_answered_alike(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)
    expected, run = 0, itertools.count()

    with TestClient(create_app(ctx)) as client:
        client.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]

        @settings(max_examples=15, database=None, derandomize=True)
        @given(st.lists(_CALLS, min_size=1, max_size=5))
        def mixed(calls: list[tuple[str, list[int]]]) -> None:
            nonlocal expected
            prefix, known = next(run), {}
            for way, numbers in calls:
                cases = [{"case_id": f"{prefix}-{n}", "version": "v1", "output": n, "confidence": 0.9} for n in numbers]
                for number, (status, decision_id, route) in zip(numbers, WAYS[way](client, cases), strict=True):
                    assert status == (200 if number in known else 201)
                    assert known.setdefault(number, (decision_id, route)) == (decision_id, route)
            expected += len(known)

        mixed()

    with ctx.db.read() as session:
        for table in (Decision, ReviewItem):
            assert session.scalar(select(func.count()).select_from(table)) == expected
