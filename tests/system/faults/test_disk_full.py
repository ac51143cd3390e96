"""
The disk is full: SQLite, the logs and everything else of the service lie on it, as `phasegate up` puts them.

As root a small file system is mounted and filled up. Whoever may not mount gets as much from the kernel by a limit on
the size of files: then a write fails in the middle of the work, too, as an I/O error.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.system.scene import Scene, scene, settings_for

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="NOT SHOWN: a full disk; it takes tmpfs or prlimit"),
]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=48m", "phasegate-tests", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounted, check=False, capture_output=True).returncode:
        pytest.skip("NOT SHOWN: a full file system; mounting one takes root; the limit on files is")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is left, until the block ends."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def no_file_grows(it: Scene) -> Iterator[None]:
    """No process of the service may write beyond the first page of any file, until the block ends."""
    limited = []
    for name in ("web", "worker", "delivery"):
        process = psutil.Process(it.stack.child(name).process.pid)  # type: ignore[union-attr]
        limited += [process.pid, *(child.pid for child in process.children(recursive=True))]
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in limited}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            if psutil.pid_exists(pid):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def test_a_full_file_system_is_a_503_and_with_room_again_all_goes_on(small_disk: Path) -> None:
    url = f"sqlite:///{small_disk / 'phasegate.db'}"
    with scene(settings_for(small_disk, url, answer_seconds=4)) as it:
        goes_on(it, lambda: filled(small_disk))


def test_a_write_that_fails_is_a_503_and_once_it_works_again_all_goes_on(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'phasegate.db'}"
    with scene(settings_for(tmp_path, url, answer_seconds=4)) as it:
        goes_on(it, lambda: no_file_grows(it))


def goes_on(it: Scene, fault: Callable[[], object]) -> None:
    with it.load.running():
        it.everybody_works("the load is up")
        with fault():  # type: ignore[attr-defined]
            it.soon(lambda: it.asked(case_id="full")[0] == 503, "a case is refused")
            slowest = max(refused(it, f"full-{number}") for number in range(5))
            assert it.asked("/livez")[0] == 200
            assert it.asked("/readyz")[0] == 200, "reading takes no room"
        answers = it.answers_again()
        everybody = it.everybody_works("everybody is at work again")
    assert it.load.heard["503"] > 0
    print(
        f"full: 503 after at most {slowest:.2f} s; with room again answers after {answers:.1f} s, everybody at work "
        f"after {everybody:.1f} s; {it.told()}"
    )
    it.nothing_lost_nothing_twice()


def refused(it: Scene, case_id: str) -> float:
    status, seconds = it.asked(case_id=case_id)
    assert status == 503
    return seconds
