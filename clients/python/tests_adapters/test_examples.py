"""The examples run as they stand, before a real Phasegate whose reviewer approves of everything."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx2
import pytest
from people import ROOT, WITHIN, Desk, Service, soon

EXAMPLES = ROOT / "clients/python/examples"


def start(service: Service, name: str, **environment: str) -> subprocess.Popen[str]:
    settings = service.environment("supervised") | {"PYTHONPATH": str(ROOT / "clients/python/src")} | environment
    command = [sys.executable, "-W", "error::ResourceWarning", str(EXAMPLES / name)]
    return subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture
def reviewer(service: Service) -> Iterator[None]:
    """Approves of whatever comes, as soon as it comes."""
    gone = threading.Event()

    def work() -> None:
        with Desk(service) as desk:
            while not gone.wait(0.05):
                if not desk.is_empty():
                    desk.rule("approve")

    thread = threading.Thread(target=work)
    thread.start()
    yield
    gone.set()
    thread.join()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("governed_agent.py", "forwarded as lost card"),
        ("langgraph_review.py", "paid 40.0"),
        ("openai_agents_approval.py", "refunded 12.5"),
        ("opentelemetry_trace.py", "review: approved"),
    ],
)
def test_an_example_does_what_it_says(service: Service, reviewer: None, name: str, said: str) -> None:
    with start(service, name) as process:
        told, _ = process.communicate(timeout=WITHIN)

    assert process.returncode == 0, told
    assert said in told


def test_the_service_answers_what_was_approved(service: Service, reviewer: None) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    def ask() -> httpx2.Response | None:
        try:
            return httpx2.post(f"{url}/classify", json={"text": "my card"}, headers={"Case-Id": f"A-{port}"})
        except httpx2.HTTPError:
            return None

    with start(service, "asgi_service.py", PORT=str(port)) as process:
        try:
            asked = soon(lambda: process.poll() is not None or ask(), "the service answers")
            ruled = httpx2.get(url + asked.headers["location"], params={"wait": 20}, timeout=WITHIN)
        finally:
            process.terminate()
            process.communicate()

    assert (ruled.status_code, ruled.json()) == (200, {"intent": "lost card"})


def test_every_example_is_run() -> None:
    source = ROOT.joinpath("clients/python/tests_adapters/test_examples.py").read_text()

    assert [path.name for path in EXAMPLES.glob("*.py") if path.name not in source] == []
