"""An agent that turns 6,000 queries into intent and slots (CC0 1.0): structured outputs, compared field by field."""

import json
from pathlib import Path
from typing import Any

import pytest

from evidence.comparing import ComparisonConfig, compare
from tests.field.replay.conftest import PLAN, Case, Replay, spread

COMPARISON: dict[str, Any] = {
    "default": {"compare": "json", "leaves": "text"},
    "fields": {"/intent": {"compare": "exact", "severity": "severe"}},
}
AGENT = {
    "name": "snips",
    "title": "Queries",
    "owner": "mara",
    "settings": {
        "output_schema": {"type": "object", "required": ["intent", "slots"]},
        "comparison": COMPARISON,
    },
}


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    path = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "snips" / "agent_outputs.jsonl"
    if not path.is_file():
        pytest.skip("../shared is not here")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return spread(
        (
            {
                "case_id": row["id"],
                "input": {"text": row["text"]},
                "output": row["ai"],
                "confidence": row["confidence"]["min_token"],
                "signals": row["confidence"],
                "segment": row["ai"]["intent"],
                "human_output": row["human"],
            }
            for row in rows
        ),
        days=70,
    )


def test_structured_outputs_are_compared_by_the_agents_rules_and_counted_alike(
    cases: list[Case], replay: Replay, tmp_path: Path
) -> None:
    agent = tmp_path / "agent.yaml"
    agent.write_text(json.dumps(AGENT), encoding="utf-8")
    plan = PLAN.format(agent="snips", score=0.5, limit=0.32, alone=0.15, worst=0.4)
    options = ("--agent-file", agent, "--threshold", 0.7, "--audit-rate", 0.3)
    report = replay(cases, plan, *options)

    config = ComparisonConfig.parse(COMPARISON)
    found = {case["case_id"]: compare(case["output"], case["human_output"], config) for case in cases}
    assert report["lines"]["used"] == len(cases) == len(found)
    by_phase = {stay["phase"]: stay for stay in report["stays"]}
    assert "supervised" in by_phase, "the agent should have come through shadow"

    first, last = by_phase["supervised"]["first_case_at"], by_phase["supervised"]["last_case_at"]
    here = [case for case in cases if _within(case, first, last)]
    different = sum(found[case["case_id"]].kind == "different" for case in here)
    assert by_phase["supervised"]["cases"] == len(here)
    assert by_phase["supervised"]["rulings"].get("edit", 0) == different

    alone = report["automated"]
    assert alone["cases"] > 0
    assert alone["severe"] <= alone["wrong"] <= alone["cases"]
    full = by_phase.get("full")
    if full is not None:
        sure = [c for c in cases if _within(c, full["first_case_at"], full["last_case_at"]) and c["confidence"] >= 0.7]
        wrong = [found[case["case_id"]] for case in sure if found[case["case_id"]].kind == "different"]
        assert full["automated"]["cases"] == len(sure)
        assert full["automated"]["wrong"] == len(wrong)
        assert full["automated"]["severe"] == sum(result.severity == "severe" for result in wrong)


def _within(case: Case, first: str, last: str) -> bool:
    from datetime import datetime

    at = datetime.fromisoformat(case["occurred_at"])
    return datetime.fromisoformat(first) <= at <= datetime.fromisoformat(last)
