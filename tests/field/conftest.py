"""Field tests hold the product against data and vectors that live beside the repository, where they are."""

from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared"


@pytest.fixture
def shared() -> Path:
    if not _BESIDE.is_dir():
        pytest.skip("../shared is not here")
    return _BESIDE
