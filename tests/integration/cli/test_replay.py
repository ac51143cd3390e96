"""Replays in small: what is broken, repeated, out of order, another version, another attempt."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cli import house
from routing.reviews.tables import ReviewItem
from tests.integration.cli.conftest import Ran, invoke
from tests.integration.cli.test_configuration import PLAN

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
Case = dict[str, Any]


def case(number: int, **fields: Any) -> Case:
    """Ten cases a day, all right."""
    at = START + timedelta(hours=2.4) * number
    found = {"case_id": f"c-{number}", "output": "yes", "human_output": "yes", "confidence": 0.9}
    return {**found, "occurred_at": at.isoformat(), **fields}


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setattr(house.kit_logging, "set_up", lambda _level: None)

    def run(lines: list[Case | str], *options: object, plan: str = PLAN) -> Ran:
        (tmp_path / "plan.yaml").write_text(plan, encoding="utf-8")
        text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (tmp_path / "cases.jsonl").write_text("\n".join(text) + "\n", encoding="utf-8", errors="surrogateescape")
        return invoke(
            "replay",
            tmp_path / "cases.jsonl",
            "--plan",
            tmp_path / "plan.yaml",
            "--evaluate-on",
            20,
            "--json",
            *options,
        )

    return run


BROKEN = {
    "not JSON": '{"case_id": "b"',
    "a doubled key": '{"case_id": "b", "output": 1, "output": 1, "human_output": 1, "occurred_at": "2026-01-05T08Z"}',
    "NaN in the output": '{"case_id": "b", "output": NaN, "human_output": 1, "occurred_at": "2026-01-05T08:00Z"}',
    "no case_id": '{"output": 1, "human_output": 1, "occurred_at": "2026-01-05T08:00Z"}',
    "a time without zone": '{"case_id": "b", "output": 1, "human_output": 1, "occurred_at": "2026-01-05T08:00:00"}',
    "no time": '{"case_id": "b", "output": 1, "human_output": 1}',
    "nobody's answer": '{"case_id": "b", "output": 1, "occurred_at": "2026-01-05T08:00Z"}',
    "an unknown field": '{"case_id": "b", "output": 1, "human_output": 1, "occurred_at": "2026-01-05T08:00Z", "x": 1}',
    "a list": "[1, 2]",
    "NUL": '{"case_id": "b\\u0000", "output": 1, "human_output": 1, "occurred_at": "2026-01-05T08:00Z"}',
    "not UTF-8": '{"case_id": "\udcff", "output": 1, "human_output": 1, "occurred_at": "2026-01-05T08:00Z"}',
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_line_is_told_by_number_kept_aside_and_never_counted(
    replay: Callable[..., Ran], tmp_path: Path, line: str
) -> None:
    good: list[Case | str] = [case(number) for number in range(30)]
    report = replay([*good[:10], line, "", *good[10:]]).json
    assert [broken["line"] for broken in report["broken"]] == [11]
    assert report["broken"][0]["errors"][0]["problem"]
    assert report["lines"]["used"] == 30
    kept = Path(report["broken_kept_in"])
    assert kept == tmp_path / "cases.rejected.jsonl"
    assert kept.read_bytes() == line.encode(errors="surrogateescape") + b"\n"
    clean = replay(good).json
    assert clean["stays"] == report["stays"]


def test_a_confidence_that_is_no_number_is_stored_as_such_and_goes_to_people(replay: Callable[..., Ran]) -> None:
    lines: list[Case | str] = [case(number) for number in range(30)]
    lines.append(json.dumps(case(30, confidence=float("nan"))))
    lines.append(case(31, confidence="sure"))
    report = replay(lines).json
    assert report["lines"]["used"] == 32
    assert report["broken"] == []


def test_a_file_without_one_good_line_is_refused(replay: Callable[..., Ran]) -> None:
    ran = replay(["nonsense"])
    assert ran.status == 1
    assert "no line that can be used" in ran.err


def test_lines_out_of_order_are_taken_in_the_order_of_their_times(replay: Callable[..., Ran]) -> None:
    lines: list[Case | str] = [case(number, output="no" if number % 7 == 0 else "yes") for number in range(400)]
    straight = replay(lines).json
    turned = replay(lines[::-1]).json
    assert turned["lines"]["out_of_order"] == 399
    for part in ("stays", "automated"):
        assert turned[part] == straight[part]
    steps = [[(c["at"], c["kind"], c["entered"]) for c in report["changes"]] for report in (straight, turned)]
    assert steps[0] == steps[1]


def test_a_repeated_line_is_counted_once_and_another_body_is_broken(replay: Callable[..., Ran]) -> None:
    lines: list[Case | str] = [case(number) for number in range(40)]
    other = case(5, output="no")
    report = replay([*lines, lines[3], other]).json
    assert report["lines"]["repeated"] == 1
    assert report["lines"]["used"] == 40
    assert [(broken["line"], broken["errors"][0]["place"]) for broken in report["broken"]] == [(42, "output")]


def test_a_further_attempt_replaces_the_first_in_the_evidence(replay: Callable[..., Ran]) -> None:
    lines: list[Case | str] = [case(number) for number in range(300)]
    lines.append({**case(299), "attempt": 2, "output": "no"})
    report = replay(lines).json
    assert report["lines"]["used"] == 301


def test_the_hold_stops_the_owner_from_signing_out_of_a_phase(replay: Callable[..., Ran]) -> None:
    lines: list[Case | str] = [case(number) for number in range(600)]
    free, held = replay(lines).json, replay(lines, "--hold", "shadow").json
    assert free["now"][0]["phase"] == "confidence"
    assert held["now"][0]["phase"] == "shadow"
    assert held["now"][0]["newest_look"]["verdict"] == "advance"


def test_a_second_version_is_a_candidate_and_a_third_one_waits(replay: Callable[..., Ran]) -> None:
    lines: list[Case | str] = [case(number, version="v1") for number in range(400)]
    lines += [case(number, version="v2", output="no") for number in range(400, 500)]
    lines += [case(number, version="v3") for number in range(500, 520)]
    report = replay(lines).json
    standings = {version["version"]: version["standing"] for version in report["now"]}
    assert standings == {"v1": "stable", "v2": "candidate"}
    assert "v2" in report["not_registered"]["v3"]
    nobody = next(stay for stay in report["stays"] if stay["version"] == "v3")
    assert nobody["routes"] == {"human": 20}


def test_a_plan_of_another_agent_is_refused(replay: Callable[..., Ran], tmp_path: Path) -> None:
    agent = tmp_path / "agent.yaml"
    agent.write_text("{name: other, title: Other, owner: mara}")
    ran = replay([case(1)], "--agent-file", agent)
    assert ran.status == 1
    assert "cannot be held to the plan of claims" in ran.err


def test_an_invalid_plan_is_refused_with_its_line(replay: Callable[..., Ran]) -> None:
    ran = replay([case(1)], plan=PLAN.replace("at_most: 0.05", "at_most: 5"))
    assert ran.status == 1
    assert "line 13, column" in ran.err


def test_what_a_replay_leaves_behind_is_in_order(replay: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Reviews and audits have ended, totals equal a recount, evidence is what it was: the doctor finds nothing."""
    from cli import replaying
    from routing.doctor import service as doctor
    from routing.doctor.service import Finding

    found: list[Finding] = []
    build = replaying.reporting.build

    def examined(session: Session, run: Any, seconds: float) -> Any:
        found.extend(doctor.examine(session, now=run.house.clock.now()))
        assert not session.scalars(select(ReviewItem).where(ReviewItem.state == "waiting")).all()
        return build(session, run, seconds)

    monkeypatch.setattr(replaying.reporting, "build", examined)
    lines: list[Case | str] = [case(number, output="no" if number % 25 == 0 else "yes") for number in range(900)]
    lines += [{**case(100), "attempt": 2}, {**case(899), "attempt": 2, "output": "no"}]
    report = replay(lines, "--threshold", 0.8, "--audit-rate", 0.5).json
    assert report["audits_needed"] > 0
    assert found
    assert [finding for finding in found if not finding.ok] == []


def test_without_json_the_report_is_in_words(replay: Callable[..., Ran], tmp_path: Path) -> None:
    replay([case(number) for number in range(60)])
    ran = invoke("replay", tmp_path / "cases.jsonl", "--plan", tmp_path / "plan.yaml", "--evaluate-on", 20)
    assert ran.status == 0
    assert "Where the cases went" in ran.out
    assert "advanced to shadow" in ran.out
    assert "No case went alone; no threshold was given" in ran.out
