"""The published suites of other rollout tools: what their cases are, and that a suite which is missing fails."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Case = dict[str, Any]


@pytest.fixture
def suites(shared: Path) -> dict[str, list[Case]]:
    """All cases of all suites, by the name of the suite."""
    written = json.loads((shared / "vectors" / "rollout.json").read_text(encoding="utf-8"))
    return {suite["id"]: suite["cases"] for suite in written["suites"]}


@pytest.fixture
def cases(suites: dict[str, list[Case]]) -> Callable[[str], list[Case]]:
    def of_suite(name: str) -> list[Case]:
        assert suites.get(name), f"no cases of suite {name}"
        return suites[name]

    return of_suite
