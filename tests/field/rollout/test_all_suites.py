"""No suite and no case of the published ones is passed over, and every divergence is explained where people read."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.field.rollout import (
    test_argo_evaluate_result,
    test_argo_validate_metrics,
    test_derived_properties,
    test_fields_of_harm,
    test_gitops_promoter_windows,
    test_growthbook_ramp_timing,
    test_scientist_semantics,
    test_unleash_milestone_times,
)
from tests.field.rollout.mapping import Case, Divergence

ROOT = Path(__file__).resolve().parents[3]
HOLD: dict[str, Callable[[Case], Divergence | None]] = {
    "argo.evaluate_result": test_argo_evaluate_result.hold,
    "argo.validate_metrics": test_argo_validate_metrics.hold,
    "growthbook.ramp_timing": test_growthbook_ramp_timing.hold,
    "gitops_promoter.windows": test_gitops_promoter_windows.hold,
    "unleash.milestone_times": test_unleash_milestone_times.hold,
    "scientist.semantics": test_scientist_semantics.hold,
    "field.missed_regression": test_fields_of_harm.hold_missed_regression,
    "field.no_data": test_fields_of_harm.hold_no_data,
}
PROPERTIES = "derived.properties"
OF_THE_ENGINE = {"growthbook.srm", "growthbook.health"}
"""Held in tests/field/evidence, case by case."""


def test_no_suite_is_passed_over(suites: dict[str, list[Case]]) -> None:
    assert set(suites) == {*HOLD, PROPERTIES, *OF_THE_ENGINE}


def test_the_suites_of_the_engine_are_held_there() -> None:
    written = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/field/evidence").glob("test_*.py"))

    assert all(f'"{suite}"' in written for suite in OF_THE_ENGINE)


def test_every_divergence_is_met_and_explained(suites: dict[str, list[Case]]) -> None:
    """In both directions: one that no case meets any more is taken out of the table."""
    met = {(name, hold(case)) for name, hold in HOLD.items() for case in suites[name]}
    diverging = {(name, found.value) for name, found in met if found is not None}
    told = _rows((ROOT / "docs" / "divergences.md").read_text(encoding="utf-8"))

    assert diverging == told
    assert {name for _, name in diverging} == {divergence.value for divergence in Divergence}


def test_a_case_of_an_unknown_kind_is_not_passed_over(suites: dict[str, list[Case]]) -> None:
    """What we know nothing about raises, whatever it raises: it never counts as the same answer."""
    strange: Case = {"id": "something new", "fn": "something_new", "now": "2026-07-06T10:00Z"}
    for name, hold in (*HOLD.items(), (PROPERTIES, test_derived_properties.hold)):
        assert suites[name]
        assert _refuses(hold, strange), name


def _refuses(hold: Callable[[Case], Divergence | None], case: Case) -> bool:
    try:
        hold(case)
    except Exception:  # noqa: BLE001 - Unmapped where it is recognised, a missing field where it is not
        return True
    return False


def _rows(text: str) -> set[tuple[str, str]]:
    """Suite and name of every row of the table."""
    return {(row[1], row[2]) for row in re.finditer(r"^\| `([a-z_.]+)` \| \*\*([^|*]+)\*\* \|", text, re.MULTILINE)}
