"""Agents, versions and cases to look at, and a browser-like client; for the tests of the pages."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

import review_ui
from governance.actors import Actor
from governance.people.keyring import Keyring
from kit import http
from kit.context import Context
from rollout.agents import queries as agent_queries
from rollout.agents import service as agents
from rollout.agents.schemas import NewAgent
from rollout.domain.phase import Phase
from rollout.domain.policy import Rules
from rollout.plans import service as plans
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions import steps
from routing import snapshot
from routing.cases import service as cases
from routing.cases.prepare import prepare
from routing.cases.schemas import CaseIn
from tests import factories

OWNER, SECOND = "maria", "ines"
DIGIT = [
    [0, 0, 5, 13, 9, 1, 0, 0],
    [0, 0, 13, 15, 10, 15, 5, 0],
    [0, 3, 15, 2, 0, 11, 8, 0],
    [0, 4, 12, 0, 0, 8, 8, 0],
    [0, 5, 8, 0, 0, 9, 8, 0],
    [0, 4, 11, 0, 1, 12, 7, 0],
    [0, 2, 14, 5, 10, 12, 0, 0],
    [0, 0, 6, 13, 10, 0, 0, 0],
]
DIGITS: dict[str, Any] = {
    "output_schema": {
        "type": "object",
        "required": ["digit"],
        "properties": {
            "digit": {"type": "integer", "minimum": 0, "maximum": 9},
            "remark": {"type": "string", "maxLength": 40},
        },
    },
    "fields": {
        "input": [
            {"path": "image", "label": "Scanned digit", "show": "image"},
            {"path": "form", "label": "Form", "show": "text"},
            {"path": "source", "label": "Archive", "show": "link"},
        ],
        "output": [{"path": "digit", "label": "Digit", "show": "number"}],
    },
    "reasons": [
        {"code": "wrong_digit", "words": "Wrong digit", "severity": "major"},
        {"code": "unreadable", "words": "Not readable", "severity": "minor"},
        {"code": "harmful", "words": "It would have done harm", "severity": "severe"},
    ],
}


def plan_yaml(agent: str) -> str:
    return PLAN.replace("AGENT", agent)


PLAN = """\
agent: AGENT
name: careful steps
settle_days: 0
evidence_valid_days: 2
approvals:
  second_person_for: [confidence]
phases:
  evaluation:
    gates:
      - {metric: suite_score, suite: known-digits, at_least: 0.9}
  shadow:
    minimum_days: 7
    gates:
      - {metric: disagreement_rate, at_most: 0.1, minimum_cases: 40}
    guardrails:
      - {metric: invalid_output_rate, at_most: 0.05}
  supervised:
    minimum_days: 7
    gates:
      - {metric: override_rate, at_most: 0.1, minimum_cases: 40}
      - {metric: override_rate, name: worst segment, at_most: 0.2, minimum_cases: 20, segments: each}
      - {metric: severe_override_rate, at_most: 0.05, minimum_cases: 40}
    guardrails:
      - {metric: override_rate, at_most: 0.2}
      - {metric: open_critical_failures, at_most: 0}
    readiness:
      - {key: runbook, category: operations, question: Is there a runbook that was tried?}
  confidence:
    gates:
      - {metric: error_rate, at_most: 0.05, minimum_cases: 40}
    guardrails:
      - {metric: error_rate, at_most: 0.05}
  full:
    gates:
      - {metric: error_rate, at_most: 0.05, minimum_cases: 40}
    guardrails:
      - {metric: error_rate, at_most: 0.05}
"""


def people(ctx: Context) -> None:
    """An owner, a second person, a reviewer, a lead and an engineer; all with the same password."""
    for login, role in (
        (OWNER, "owner"),
        (SECOND, "lead"),
        ("rita", "reviewer"),
        ("ravi", "reviewer"),
        ("emil", "engineer"),
    ):
        factories.person(ctx, login, roles=(role,), password=factories.PASSWORD)


def admin(ctx: Context) -> Actor:
    del ctx
    return Actor("admin", "person", frozenset({"admin", "owner", "engineer"}))


def agent(
    ctx: Context,
    name: str = "digits",
    *,
    title: str = "Digit reading",
    phase: Phase = Phase.SUPERVISED,
    version: str = "1.9.0",
    settings: dict[str, Any] | None = None,
    plan: bool = True,
) -> None:
    """An agent whose first version is in the given phase."""
    now, actor = ctx.clock.now(), admin(ctx)
    body = {"name": name, "title": title, "owner": OWNER, "second": SECOND, "settings": settings or DIGITS}
    with ctx.db.begin() as session:
        row = agents.register(session, NewAgent.model_validate(body), actor=actor, now=now)
        session.flush()
        if plan:
            plans.apply(session, row, plan_yaml(name), actor=actor, now=now)
            session.flush()
        rollout = versions.register(
            session, row, version, rules=Rules(threshold=0.9, audit_rate=0.5), actor=actor, now=now
        )
        session.flush()
    move(ctx, name, version, phase)
    del rollout


def move(ctx: Context, name: str, version: str, phase: Phase) -> None:
    """Into a phase, one at a time, as if every gate had passed."""
    with ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, name, version)
        while Phase(rollout.phase) < phase:
            following = Phase(rollout.phase).next
            assert following is not None
            steps.enter_phase(
                session, rollout, following, "advanced", actor=admin(ctx), now=ctx.clock.now(), reason="tests"
            )
            session.flush()


def candidate(ctx: Context, name: str, version: str) -> None:
    with ctx.db.begin() as session:
        row = agent_queries.get_agent(session, name)
        versions.register(session, row, version, actor=admin(ctx), now=ctx.clock.now())


def case(ctx: Context, case_id: str, name: str = "digits", version: str = "1.9.0", **more: Any) -> cases.Stored:
    """One output of the agent, routed and stored as by the live endpoint."""
    body: dict[str, Any] = {
        "case_id": case_id,
        "version": version,
        "output": {"digit": 7},
        "input": {"image": DIGIT, "form": "B-17", "source": "https://example.org/forms/17"},
        "confidence": 0.42,
        "segment": "paper",
        "trace": [{"name": "Read the scan", "seconds": 0.2}, {"name": "Classified", "detail": "SVC", "seconds": 0.01}],
        "signals": {"margin": 0.18},
    } | more
    with ctx.db.begin() as session:
        known = snapshot.load(session)
        entry = prepare(known, known.agents[name], CaseIn.model_validate(body), secret=ctx.secret, now=ctx.clock.now())
        stored = cases.store(session, [entry], f"agent:{name}")[0]
    assert isinstance(stored, cases.Stored)
    return stored


def app(ctx: Context) -> FastAPI:
    """The pages alone, on the manners and the snapshot that the web process gives them."""
    made = FastAPI(lifespan=_lifespan)
    made.state.ctx = ctx
    made.state.holder = snapshot.SnapshotHolder(ctx, Keyring(ctx))
    http.install(made)
    review_ui.install(made)
    return made


@asynccontextmanager
async def _lifespan(made: FastAPI) -> AsyncIterator[None]:
    made.state.holder.start()
    yield
    made.state.holder.stop()


@contextmanager
def client(ctx: Context, login: str | None = None) -> Iterator[TestClient]:
    """A browser without scripts; signed in when a login is given."""
    with TestClient(app(ctx), base_url="http://testserver", follow_redirects=True) as made:
        made.headers["accept"] = "text/html"
        if login is not None:
            sign_in(made, login)
        yield made


def sign_in(client: TestClient, login: str, password: str = factories.PASSWORD) -> Any:
    return client.post("/sign-in", data={"login": login, "password": password})


def token(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found is not None, "the page has no form token"
    return found.group(1)


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the ruling form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))
