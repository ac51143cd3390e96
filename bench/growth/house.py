"""An agent in the phase confidence with a plan, people who look at it, and a web process to ask; on PostgreSQL."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import psycopg

from bench.decisions.services import SECRET
from cli.stack import free_port, web_command
from governance.actors import SYSTEM
from kit.clock import SystemClock
from kit.context import Context, make_context
from kit.settings import Settings
from migrations import chain
from rollout.agents import queries as agents
from rollout.domain.phase import Phase
from rollout.domain.plan_yaml import load_plan
from rollout.gates import service as gates
from rollout.plans import service as plans
from rollout.versions.tables import Rollout
from tests import factories

AGENT, VERSION = "digit-reader", "v1"
LOGIN, COLLEAGUE = "reviewer-3", "reviewer-1"
"""Two of those who ruled on all of it; the first may do everything and looks at the pages."""
_PLAN = Path("demo/plan.yaml")
_STARTS_WITHIN = 60.0


@dataclass
class House:
    ctx: Context
    url: str
    rollout: Rollout
    port: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    key: dict[str, str] = field(default_factory=dict)

    def connection(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def first_byte(self, method: str, path: str, body: str | None = None, *, page: bool) -> tuple[float, int, bytes]:
        """Seconds until the first byte of the answer, its status, and the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = self.headers if page else self.key | {"content-type": "application/json"}
        try:
            connection.connect()
            began = time.perf_counter()
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            seconds = time.perf_counter() - began
            return seconds, answer.status, answer.read()
        finally:
            connection.close()

    def scalar(self, statement: str) -> object:
        with self.connection() as connection:
            row = connection.execute(statement.encode()).fetchone()
        assert row is not None, statement
        return row[0]

    def look(self) -> float:
        """Seconds of judging every gate and guardrail once, with all that is kept of it."""
        began = time.perf_counter()
        with self.ctx.db.begin() as session:
            gates.look(session, session.get_one(Rollout, self.rollout.id), now=self.ctx.clock.now())
        return time.perf_counter() - began


def furnish(url: str, folder: Path) -> House:
    """An agent that works alone where it is sure, one of its versions in charge, half a year old."""
    chain.upgrade(url)
    ctx = make_context(Settings(database_url=url, secret=SECRET, data_dir=folder))
    factories.person(ctx, LOGIN, roles=("owner", "lead", "reviewer"), password=factories.PASSWORD)
    factories.person(ctx, COLLEAGUE, roles=("reviewer",))
    factories.agent(ctx, AGENT, owner=LOGIN)
    with ctx.db.begin() as session:
        agent = agents.get_agent(session, AGENT)
        plan = load_plan(_PLAN.read_text(encoding="utf-8"))
        revision = plans.apply(session, agent, plan.model_dump(mode="json"), actor=SYSTEM, now=ctx.clock.now()).revision
    row = factories.rollout(ctx, AGENT, VERSION, phase=Phase.CONFIDENCE)
    row = factories.change_rollout(ctx, row, plan_id=revision.id)
    return House(ctx, url.replace("+psycopg", ""), row)


def age(house: House, days: int) -> None:
    """As if the version had been there all the time."""
    with house.connection() as connection:
        since = "now() - make_interval(days => %s)"
        for column in ("started_at", "phase_since", "ramp_since"):
            connection.execute(f"UPDATE rollouts SET {column} = {since}".encode(), (days,))  # noqa: S608 - our own names


@contextlib.contextmanager
def served(house: House, folder: Path) -> Iterator[House]:
    """A web process of its own, a sign-in and a key; no worker and no sweeps beside it."""
    house.port = free_port("127.0.0.1")
    environment = os.environ | {
        "PHASEGATE_DATABASE_URL": house.ctx.settings.resolved_database_url,
        "PHASEGATE_SECRET": SECRET,
        "PHASEGATE_DATA_DIR": str(folder),
    }
    command = [sys.executable, "-m", *web_command("127.0.0.1", house.port)]
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 - our own command
        try:
            _wait(house, process)
            house.key = factories.bearer(house.ctx, login=LOGIN)
            house.headers = {"accept": "text/html", "cookie": _sign_in(house.port)}
            yield house
        finally:
            process.terminate()


def _wait(house: House, process: subprocess.Popen[bytes]) -> None:
    until = SystemClock().now().timestamp() + _STARTS_WITHIN
    while process.poll() is None and SystemClock().now().timestamp() < until:
        with contextlib.suppress(OSError):
            if house.first_byte("GET", "/readyz", page=False)[1] == http.client.OK:
                return
        time.sleep(0.2)
    raise RuntimeError("the web process does not answer")


def _sign_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    form = urlencode({"login": LOGIN, "password": factories.PASSWORD})
    connection.request("POST", "/sign-in", form, {"content-type": "application/x-www-form-urlencoded"})
    answer = connection.getresponse()
    cookie = answer.getheader("set-cookie") or ""
    connection.close()
    return cookie.partition(";")[0]
