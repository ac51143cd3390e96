"""The published vectors of the evidence engine, by group."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Vectors = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def vectors(shared: Path) -> Vectors:
    """All vectors of a group: `inputs`, `expected`, `tol`, `name`. A group that is missing fails, it is not skipped."""
    written = json.loads((shared / "vectors" / "evidence.json").read_text(encoding="utf-8"))

    def of_group(group: str) -> list[dict[str, Any]]:
        found = [vector for vector in written["vectors"] if vector["group"] == group]
        assert found, f"no vectors of group {group}"
        return found

    return of_group
