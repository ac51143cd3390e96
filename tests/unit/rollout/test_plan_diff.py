from rollout.domain.plan_diff import diff_plans
from rollout.domain.plan_yaml import plan_from_data
from tests.unit.rollout.making import plan, plan_data


def test_the_same_plan_has_no_changes() -> None:
    assert diff_plans(plan(), plan()) == []


def test_a_changed_limit_is_told_by_the_name_of_its_gate() -> None:
    data = plan_data(settle_days=3)
    data["phases"]["shadow"]["gates"][0]["at_most"] = 0.08

    changes = diff_plans(plan(), plan_from_data(data))

    assert [change.words for change in changes] == [
        "settle_days was 7, becomes 3",
        "phases.shadow.gates.disagreement_rate.at_most was 0.05, becomes 0.08",
    ]
    assert (changes[1].before, changes[1].after) == (0.05, 0.08)


def test_what_is_new_and_what_is_gone_is_told_whole() -> None:
    data = plan_data(windows=[{"from": "09:00", "to": "17:00", "days": ["mon"]}], small_change_may_start_in="shadow")
    data["phases"]["shadow"]["gates"].append({"name": "severe", "metric": "severe_disagreement_rate", "at_most": 0.01})
    data["phases"]["full"]["guardrails"].pop()
    data["phases"]["full"]["readiness"] = [{"key": "runbook", "category": "operations", "question": "Tried?"}]

    words = [change.words for change in diff_plans(plan(), plan_from_data(data))]

    assert words == [
        "small_change_may_start_in is new: shadow",
        "windows.1 is new: days mon, from 09:00, to 17:00, timezone UTC",
        (
            "phases.shadow.gates.severe is new: name severe, metric severe_disagreement_rate, at_most 0.01, "
            "confidence 0.95, minimum_cases 100"
        ),
        "phases.full.guardrails.open_critical_failures is removed; it was metric open_critical_failures, at_most 0",
        "phases.full.readiness.runbook is new: key runbook, category operations, question Tried?",
    ]


def test_moving_a_gate_is_no_change() -> None:
    data = plan_data()
    data["phases"]["shadow"]["guardrails"].reverse()

    assert diff_plans(plan(), plan_from_data(data)) == []


def test_lists_are_told_as_lists() -> None:
    changes = diff_plans(plan(), plan(approvals={"second_person_for": ["full"]}))

    assert [change.words for change in changes] == ["approvals.second_person_for is new: full"]


def test_a_first_plan_is_all_new() -> None:
    changes = diff_plans(None, plan())

    assert all(change.before is None for change in changes)
    assert "approvals is new: owner yes, ramp_approval owner" in [c.words for c in changes]
