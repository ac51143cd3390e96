"""A running service as tests use it, and the people who work at its desk."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

from phasegate_client import AsyncPhasegate, Phasegate

ROOT = Path(__file__).resolve().parents[3]
SERVICE_PYTHON = os.environ.get("PHASEGATE_PYTHON", str(ROOT / ".venv/bin/python"))
COMMAND = (SERVICE_PYTHON, str(Path(__file__).with_name("service.py")))
WITHIN = 120.0  # seconds that something may take on a busy machine


def service_environment() -> dict[str, str]:
    """What the service's own environment sees: none of the settings of whoever runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PHASEGATE_")} | {
        "NO_PROXY": "127.0.0.1"
    }


def soon(look: Callable[[], Any], what: str) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + WITHIN
    while not (found := look()):
        assert time.monotonic() < deadline, f"it did not happen in {WITHIN:g} s: {what}"
        time.sleep(0.02)
    return found


@dataclass(frozen=True)
class Service:
    """The address of a running service, and keys by who has them."""

    url: str
    keys: dict[str, str]
    folder: Path

    def gate(self, agent: str = "supervised", **options: Any) -> Phasegate:
        return Phasegate(self.url, self.keys[agent], agent=agent, version="v1", timeout=20.0, **options)

    def async_gate(self, agent: str = "supervised", **options: Any) -> AsyncPhasegate:
        return AsyncPhasegate(self.url, self.keys[agent], agent=agent, version="v1", timeout=20.0, **options)

    def http(self, who: str) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.keys[who]}"}, timeout=20.0)

    def promote(self, agent: str) -> None:
        """From now on the agent acts alone."""
        subprocess.run([*COMMAND, str(self.folder), agent], cwd=ROOT, check=True, env=service_environment())

    def environment(self, agent: str) -> dict[str, str]:
        """What an example is started with."""
        return {"PHASEGATE_URL": self.url, "PHASEGATE_KEY": self.keys[agent], "PHASEGATE_AGENT": agent}


class Desk:
    """Rita's desk: she takes the cases of one agent, one after the other."""

    def __init__(self, service: Service, agent: str = "supervised") -> None:
        self._http, self._agent = service.http("rita"), agent

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def next(self) -> dict[str, Any]:
        """The next case in turn, as she sees it."""
        return soon(self._claim, f"a case of {self._agent} lies in the queue")  # type: ignore[no-any-return]

    def _claim(self) -> dict[str, Any] | None:
        claimed = self._http.post("/v1/queue/claim", json={"agent": self._agent})
        assert claimed.is_success, claimed.text
        return claimed.json() if claimed.status_code == 200 else None

    def rule(self, ruling: str, **said: Any) -> dict[str, Any]:
        """Rule on the next case, and say what it was."""
        item = self.next()
        reason = {} if ruling == "approve" else {"reason_code": "wrong"}
        body = {"ruling": ruling, "fingerprint": item["fingerprint"], **reason, **said}
        ruled = self._http.post(f"/v1/reviews/{item['id']}/ruling", json=body)
        assert ruled.status_code == 201, ruled.text
        return item

    def refused(self, ruling: str, **said: Any) -> str:
        """Try to rule on the next case as its graph does not take it; what she is told."""
        item = self.next()
        body = {"ruling": ruling, "fingerprint": item["fingerprint"], **said}
        answer = self._http.post(f"/v1/reviews/{item['id']}/ruling", json=body)
        assert answer.status_code == 422, answer.text
        return str(answer.json()["detail"])

    def is_empty(self) -> bool:
        return self._claim() is None
