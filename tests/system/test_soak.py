"""The soak of `make soak`, short: long enough for a leak of connections or files, not for a slow one of memory."""

import os
from pathlib import Path

import pytest

from tests.system.soak import halves, soak

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

SECONDS = float(os.environ.get("PHASEGATE_TEST_SOAK_SECONDS", "40"))
MOST_GROWTH = 80  # megabytes, of any process with all it started; pages and first uses warm up for a while
A_FEW = 12  # files and connections that come and go


def test_under_a_mixed_load_nothing_is_lost_and_no_connection_or_file_is_kept(tmp_path: Path) -> None:
    report = soak(tmp_path, SECONDS)
    for name, seen in report.processes.items():
        early, late = halves(seen.files)
        assert late <= early + A_FEW, f"{name} keeps files open: {seen.files}"
        assert seen.growth < MOST_GROWTH, f"{name} grows: {seen.megabytes}"
    early, late = halves(report.connections)
    assert late <= early + A_FEW, report.connections
