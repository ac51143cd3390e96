"""What a replay counts for its report."""

from datetime import UTC, datetime
from typing import Any

from cli.replay.evaluating import cases_wanted
from cli.replay.tally import Tally
from evidence.comparing import ComparisonConfig, compare
from rollout.domain.plan_yaml import load_plan
from tests.integration.cli.test_configuration import PLAN

AT = datetime(2026, 1, 5, tzinfo=UTC)
EXACT = ComparisonConfig.parse({"default": {"compare": "json", "severity": "severe"}})


def count(tally: Tally, lane: str, *, right: bool = True, **fields: Any) -> None:
    row = {"version": "v1", "phase": "full", "epoch": 3, "lane": lane, "reasons": [{"code": "x"}], "decided_at": AT}
    tally.count(row | fields, compare("yes", "yes" if right else "no", EXACT))


def test_only_what_went_alone_has_an_error_of_the_automated_lane() -> None:
    tally = Tally()
    for lane in ("shadow", "review", "human", "block"):
        count(tally, lane, right=False)
    assert tally.automated.cases == 0
    assert tally.automated.error_rate is None


def test_audits_are_automated_cases_that_were_looked_at() -> None:
    tally = Tally()
    for number in range(10):
        count(tally, "audit" if number < 4 else "auto", right=number % 2 == 0)
    found = tally.automated
    assert (found.cases, found.wrong, found.severe, found.audited, found.audited_wrong) == (10, 5, 5, 4, 2)
    assert found.error_rate == 0.5
    (stay,) = tally.stays
    assert stay.routes == {"auto": 10}
    assert stay.automation_rate == 1.0


def test_a_case_that_cannot_be_compared_leaves_the_error_rate() -> None:
    tally = Tally()
    count(tally, "auto")
    ignored = compare("yes", "no", ComparisonConfig.parse({"ignore": [""]}))
    tally.count(
        {"version": "v1", "phase": "full", "epoch": 3, "lane": "auto", "reasons": [], "decided_at": AT}, ignored
    )
    assert (tally.automated.cases, tally.automated.compared) == (2, 1)


def test_each_epoch_of_a_version_is_a_stay_of_its_own() -> None:
    tally = Tally()
    count(tally, "auto")
    count(tally, "shadow", phase="shadow", epoch=4)
    count(tally, "human", phase=None, epoch=None, version="nobody")
    assert [(stay.version, stay.phase, stay.cases) for stay in tally.stays] == [
        ("v1", "full", 1), ("v1", "shadow", 1), ("nobody", "none", 1),
    ]  # fmt: skip


def test_the_suite_is_as_large_as_its_gates_ask_for() -> None:
    plan = load_plan(PLAN)
    assert cases_wanted(plan, None) == 200
    assert cases_wanted(plan, 30) == 30
    larger = PLAN.replace("at_least: 0.8}", "at_least: 0.8, minimum_cases: 500}")
    assert cases_wanted(load_plan(larger), None) == 500
