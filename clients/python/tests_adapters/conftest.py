"""A real Phasegate, clients of its agents, and its desk."""

import json
import subprocess
from collections.abc import Iterator

import httpx2
import pytest
from people import COMMAND, ROOT, WITHIN, Desk, Service, service_environment, soon

from phasegate_client import Phasegate


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("phasegate")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*COMMAND, str(folder)], cwd=ROOT, env=service_environment(), stdout=log, stderr=log)
    try:
        known = folder / "service.json"
        soon(lambda: known.exists() or process.poll() is not None, "the service is prepared")
        assert known.exists(), (folder / "log").read_text()
        running = Service(**json.loads(known.read_text()), folder=folder)
        soon(lambda: _is_ready(running.url) or process.poll() is not None, "the service answers")
        assert process.poll() is None, (folder / "log").read_text()
        yield running
    finally:
        process.terminate()
        process.wait(WITHIN)


def _is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=2.0).is_success
    except httpx2.HTTPError:
        return False


@pytest.fixture
def desk(service: Service) -> Iterator[Desk]:
    """Every test finds it empty and leaves it so."""
    with Desk(service) as made:
        assert made.is_empty()
        yield made
        while not made.is_empty():
            made.rule("reject")


@pytest.fixture
def gate(service: Service) -> Iterator[Phasegate]:
    with service.gate() as made:
        yield made


@pytest.fixture
def trusted(service: Service) -> Iterator[Phasegate]:
    with service.gate("trusted") as made:
        yield made
