import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kit.clock import SharedClock, SystemClock, clock_for

START = datetime(2026, 1, 5, 9, tzinfo=UTC)

_OTHER_PROCESS = """
import sys
from pathlib import Path
from kit.clock import SharedClock
clock = SharedClock(Path(sys.argv[1]))
for line in sys.stdin:
    print(clock.now().isoformat(), flush=True)
"""


def test_another_process_sees_the_time_as_soon_as_it_is_set(tmp_path: Path) -> None:
    path = tmp_path / "a folder" / "clock"
    clock = SharedClock(path)
    times = [START, START + timedelta(microseconds=1), START + timedelta(weeks=13), START - timedelta(days=1)]
    seen = []

    with subprocess.Popen(
        [sys.executable, "-c", _OTHER_PROCESS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        for time in times:
            clock.set(time)
            other.stdin.write("now?\n")
            other.stdin.flush()
            seen.append(datetime.fromisoformat(other.stdout.readline().strip()))
        other.stdin.close()

    clock.close()
    assert seen == times


def test_a_clock_that_is_opened_again_goes_on_from_its_time(tmp_path: Path) -> None:
    first = SharedClock(tmp_path / "clock")
    first.set(START)
    first.close()

    second = SharedClock(tmp_path / "clock")

    assert second.now() == START
    second.close()


def test_without_a_file_it_is_the_machines_clock(tmp_path: Path) -> None:
    shared = clock_for(tmp_path / "clock")

    assert isinstance(clock_for(None), SystemClock)
    assert isinstance(shared, SharedClock)
    shared.close()
