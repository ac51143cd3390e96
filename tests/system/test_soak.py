"""The soak of `make soak`, short: long enough for a leak of connections or files, not for a slow one of memory."""

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.system.soak import Report, Series, soak, verdict

pytestmark = [pytest.mark.system, pytest.mark.timeout(400)]

SECONDS = float(os.environ.get("PHASEGATE_TEST_SOAK_SECONDS", "20"))
LOOKS = 120


def test_under_a_mixed_load_nothing_is_lost_and_no_connection_or_file_is_kept(tmp_path: Path) -> None:
    assert soak(tmp_path, SECONDS).troubles() == []


def half_an_hour(*, megabytes: float = 0.0, files: float = 0.0, connections: float = 0.0) -> Report:
    """Of a process that grows by so much at each look, fifteen seconds apart."""
    looks = range(LOOKS)
    seen = Series(
        [15.0 * look for look in looks],
        [200 + megabytes * look for look in looks],
        [50 + int(files * look) for look in looks],
    )
    return Report(30.0, Counter(), {"web": seen}, [10 + int(connections * look) for look in looks])


def test_what_stays_as_it_is_passes() -> None:
    assert verdict(half_an_hour()) == 0


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (half_an_hour(megabytes=1.5), "web grows"),
        (half_an_hour(megabytes=0.5), "web grows"),  # 45 MB in all, but 120 an hour
        (half_an_hour(files=0.5), "web keeps files open"),
        (half_an_hour(connections=0.5), "connections of PostgreSQL are kept"),
    ],
)
def test_what_grows_or_is_kept_fails(report: Report, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verdict(report) == 1
    assert words in capsys.readouterr().err
