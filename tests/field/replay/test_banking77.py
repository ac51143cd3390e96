"""
An agent that sorts a bank's questions into 77 intents, on all 13,083 of them (CC BY 4.0, see the set's README).

Each figure of the report is held against a direct count over the file.
"""

import csv
import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest

from cli.replay import house
from evidence import sequences
from evidence.thresholds import calibrate, group
from routing.domain.sampling import audit_position
from tests.field.replay.conftest import PLAN, Case, Replay, spread

THRESHOLD = 0.8
AS_IT_WAS = ("--threshold", THRESHOLD, "--audit-rate", 0.2)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    path = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "banking77" / "agent_oof.csv"
    if not path.is_file():
        pytest.skip("../shared is not here")
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    # The file is sorted by intent; work does not come in that order.
    rows.sort(key=lambda row: hashlib.sha256(row["row"].encode()).digest())
    return spread(
        (
            {
                "case_id": f"q-{row['row']}",
                "output": {"intent": row["ai_label"]},
                "confidence": float(row["confidence"]),
                "human_output": {"intent": row["human_label"]},
            }
            for row in rows
        ),
        days=91,
    )


@pytest.fixture(scope="module")
def plan() -> str:
    return PLAN.format(agent="banking", score=0.8, limit=0.13, alone=0.05, worst=0.2)


@pytest.fixture(scope="module")
def honest(cases: list[Case], plan: str, replay: Replay) -> dict[str, Any]:
    """The report of the record as it is, for all who ask something of it."""
    return replay(cases, plan, *AS_IT_WAS)


def wrong(case: Case) -> bool:
    return bool(case["output"] != case["human_output"])


def at(case: Case) -> datetime:
    return datetime.fromisoformat(case["occurred_at"])


def stays(report: dict[str, Any], phase: str) -> list[Case]:
    return [stay for stay in report["stays"] if stay["phase"] == phase]


def between(cases: list[Case], report: dict[str, Any], phase: str) -> list[Case]:
    """The cases of a phase, by when the report says it was entered and left."""
    entered = next(c["at"] for c in report["changes"] if c["entered"] == phase)
    left = next((c["at"] for c in report["changes"] if c["left"] == phase), "9999-01-01T00:00:00+00:00")
    return [case for case in cases if datetime.fromisoformat(entered) < at(case) < datetime.fromisoformat(left)]


def test_a_worthy_agent_earns_every_phase_and_each_figure_equals_a_count(
    cases: list[Case], honest: dict[str, Any]
) -> None:
    report = honest

    assert report["lines"] == {"total": 13083, "used": 13083, "repeated": 0, "broken": 0, "out_of_order": 0}
    advances = [change["entered"] for change in report["changes"] if change["kind"] == "advanced"]
    assert advances == ["shadow", "supervised", "confidence", "full"]
    assert report["demotions"] == []

    for phase, route in (("shadow", "shadow"), ("supervised", "review")):
        (stay,) = stays(report, phase)
        assert stay["routes"] == {route: len(between(cases, report, phase))}
    (supervised,) = stays(report, "supervised")
    overridden = sum(wrong(case) for case in between(cases, report, "supervised"))
    assert supervised["rulings"] == {
        "approve": supervised["cases"] - overridden,
        "edit": overridden,
    }

    sure = [case for case in between(cases, report, "full") if case["confidence"] >= THRESHOLD]
    (full,) = stays(report, "full")
    assert full["automated"]["cases"] == len(sure)
    assert full["automated"]["wrong"] == sum(wrong(case) for case in sure)
    assert full["automation_rate"] == len(sure) / full["cases"]
    assert full["reviews_needed"] == full["cases"] - len(sure)

    alone = report["automated"]
    assert alone["wrong"] == sum(stay["automated"]["wrong"] for stay in report["stays"])
    assert 0 < alone["audited"] < alone["cases"]
    assert alone["audited_wrong"] <= alone["wrong"]


def test_the_override_gate_passed_on_the_day_on_which_a_direct_count_passes(
    cases: list[Case], honest: dict[str, Any]
) -> None:
    report = honest
    passed = next(gate for gate in report["gates_passed"] if gate["phase"] == "supervised")
    phase = between(cases, report, "supervised")
    days = sorted({at(case).date() for case in phase})
    moment = datetime.fromisoformat(passed["passed_at"])

    settled = [case for case in phase if (moment.date() - at(case).date()).days > 2]
    bad = sum(wrong(case) for case in settled)
    assert (passed["bad"], passed["cases"]) == (bad, len(settled))
    assert sequences.crossed(sequences.log_e_below(bad, len(settled), 0.13), 0.95)

    # One settled day earlier the same count does not pass: it was not looked at too late either.
    earlier = [case for case in settled if at(case).date() < max(at(c).date() for c in settled)]
    bad = sum(wrong(case) for case in earlier)
    enough = len(earlier) >= 100
    assert not (enough and sequences.crossed(sequences.log_e_below(bad, len(earlier), 0.13), 0.95))
    assert days[0] == at(phase[0]).date()


def test_an_owner_who_asks_for_more_than_the_agent_can_is_told_so(cases: list[Case], replay: Replay) -> None:
    strict = PLAN.format(agent="banking", score=0.8, limit=0.05, alone=0.05, worst=0.2)
    report = replay(cases, strict, "--threshold", THRESHOLD)
    assert report["now"][0]["phase"] == "shadow"
    (gate,) = report["now"][0]["newest_look"]["gates"]
    assert gate["verdict"] == "fail"
    assert report["automated"]["cases"] == 0


def test_what_people_did_for_unaudited_automated_cases_never_becomes_evidence(
    cases: list[Case], plan: str, replay: Replay, honest: dict[str, Any]
) -> None:
    """Turned around, all of it, it changes the realised error and no gate, guardrail, step or review."""
    in_full = {case["case_id"] for case in between(cases, honest, "full")}
    rollout = uuid5(NAMESPACE_URL, "replay:banking:recorded")

    def unaudited(case: Case) -> bool:
        drawn = audit_position(house._SECRET.encode(), rollout, case["case_id"]) < 0.2
        return case["case_id"] in in_full and case["confidence"] >= THRESHOLD and not drawn

    turned = [{**case, "human_output": {"intent": "never"}} if unaudited(case) else case for case in cases]
    false = replay(turned, plan, *AS_IT_WAS)

    def judged(report: dict[str, Any]) -> Any:
        gates = [{key: gate[key] for key in ("gate", "passed_at", "bad", "cases")} for gate in report["gates_passed"]]
        newest = [(part["bad"], part["cases"]) for part in report["now"][0]["newest_look"]["guardrails"]]
        steps = [(change["at"], change["kind"], change["entered"]) for change in report["changes"]]
        return gates, newest, steps, report["reviews_needed"], report["audits_needed"]

    assert judged(false) == judged(honest)
    (before,), (after,) = stays(honest, "full"), stays(false, "full")
    assert after["automated"]["wrong"] > before["automated"]["wrong"] + 1000
    assert after["automated"]["audited_wrong"] == before["automated"]["audited_wrong"]


def test_a_break_in_the_record_is_demoted_by_a_guardrail(cases: list[Case], plan: str, replay: Replay) -> None:
    broken = [
        {**case, "output": {"intent": "card_arrival"}} if number > 10_500 and number % 3 else case
        for number, case in enumerate(cases)
    ]
    report = replay(broken, plan, "--threshold", THRESHOLD, "--audit-rate", 0.5)
    first = report["demotions"][0]
    assert "guardrail breached" in first["reason"]
    assert datetime.fromisoformat(first["at"]) > at(broken[10_500])


def test_the_same_record_gives_the_same_report(cases: list[Case], plan: str, replay: Replay) -> None:
    def same(report: dict[str, Any]) -> dict[str, Any]:
        told = {key: report[key] for key in ("lines", "reviews_needed", "audits_needed", "automated", "stays")}
        return told | {"changes": [(c["at"], c["kind"], c["entered"]) for c in report["changes"]]}

    some = spread(cases[:4000], days=60)
    options = ("--threshold", THRESHOLD, "--audit-rate", 0.5)
    first = same(replay(some, plan, *options))
    assert first["audits_needed"] > 0
    assert first == same(replay(some, plan, *options))


def test_the_threshold_is_found_from_the_first_labels_and_keeps_its_promise(
    cases: list[Case], plan: str, replay: Replay
) -> None:
    section = "threshold: {risk: 0.05, first_labels: 300, every: 300, until: 1500}\n"
    cases = cases[:5000]

    report = replay(cases, plan + section, "--audit-rate", 0.5)

    # The first 200 cases are its suite; what went to people in evaluation has no label of the agent's shadow.
    shadow = [case for case in cases if at(case) >= datetime.fromisoformat(stays_of(report, "shadow")["first_case_at"])]
    first = group([case["confidence"] for case in shadow[:300]], [int(wrong(case)) for case in shadow[:300]])
    assert [found["labels"] for found in report["thresholds"]][:3] == [300, 600, 900]
    assert report["thresholds"][0]["threshold"] == calibrate(first, risk=0.05, delta=0.02).threshold
    alone = report["automated"]
    assert alone["cases"] > 300
    assert alone["wrong"] / alone["compared"] <= 0.05


def stays_of(report: dict[str, Any], phase: str) -> dict[str, Any]:
    found: dict[str, Any] = next(stay for stay in report["stays"] if stay["phase"] == phase)
    return found
