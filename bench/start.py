"""
How soon `phasegate up` answers: `python -m bench.start [--rounds 5]`. SQLite and the Valkey that it brings.

From the moment the command is called until `/readyz` says 200 for the first time: with nothing there, so that the
database is made and migrated, and once more with all of it there. Processor time is that of the command and of all
it started until then.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2

from cli.stack import free_port
from tests.processes import processor_time

_ROOT = Path(__file__).resolve().parent.parent
_PATIENCE = 120.0  # seconds


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often (default 5); medians are told")
    rounds = parser.parse_args().rounds
    found: dict[str, list[tuple[float, float]]] = {"nothing there": [], "all there": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for measured in found.values():
                measured.append(_started(Path(folder)))
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}, {rounds} rounds")
    for what, measured in found.items():
        seconds, worked = ([one[place] for one in measured] for place in (0, 1))
        print(
            f"{what}: ready after {statistics.median(seconds):.1f} s ({min(seconds):.1f} to {max(seconds):.1f}), "
            f"{statistics.median(worked):.1f} s of processor time"
        )
    return 0


def _started(folder: Path) -> tuple[float, float]:
    """Seconds until it was ready, and how many of those all of its processes worked."""
    port = free_port("127.0.0.1")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")}
    environment |= {"PHASEGATE_DATA_DIR": str(folder), "PYTHONPATH": str(_ROOT)}
    began = time.monotonic()
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "cli", "up", "--port", str(port)],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=2.0) as client:
            while not _ready(client):
                if process.poll() is not None or time.monotonic() - began > _PATIENCE:
                    raise SystemExit(f"phasegate up did not become ready; see {folder / 'log'}")
                time.sleep(0.02)
        return time.monotonic() - began, processor_time(process.pid)
    finally:
        process.terminate()
        process.wait()


def _ready(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx2.HTTPError:
        return False


if __name__ == "__main__":
    sys.exit(main())
