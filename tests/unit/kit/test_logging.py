"""The log of a process may be on the disk that is full."""

import io
from pathlib import Path

import pytest

from kit.logging import NeverFails

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
def test_a_line_that_cannot_be_written_is_lost_and_nobody_fails_of_it() -> None:
    with io.TextIOWrapper(FULL.open("wb", buffering=0), write_through=True) as full:
        log = NeverFails(full)
        with pytest.raises(OSError, match="No space left"):
            full.write("shown to fail")
        for _ in range(10_000):
            log.write("a line\n")
            log.flush()


def test_what_can_be_written_is_written() -> None:
    stream = io.StringIO()
    log = NeverFails(stream)
    log.write("a line\n")
    log.flush()
    assert stream.getvalue() == "a line\n"
