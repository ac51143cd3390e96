"""Agents, versions and cases to look at, and a browser-like client; for the tests of the pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from governance.actors import Actor
from kit.clock import FixedClock
from kit.context import Context
from rollout.agents import queries as agent_queries
from rollout.agents import service as agents
from rollout.agents.schemas import NewAgent
from rollout.domain.phase import FreezeMode, Lane, Phase
from rollout.domain.policy import Rules
from rollout.domain.situation import Answer
from rollout.domain.totals import Counts
from rollout.failures import service as failures
from rollout.gates import service as gates
from rollout.oversight import service as oversight
from rollout.plans import service as plans
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions import steps
from routing import snapshot
from routing.cases import service as cases
from routing.cases.prepare import prepare
from routing.cases.schemas import CaseIn
from tests import factories
from web_app import create_app

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
ALL_SHOWN = {"blind_share": 0.0} | factories.NOBODY_CHECKS
AT_ONCE: dict[str, Any] = {"supervision": ALL_SHOWN, "undo_seconds": 0}
"""Every output is shown at once and every ruling concluded at once and by one, so that a test knows what it gets."""
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
            {"path": "/image", "label": "Scanned digit", "show": "image"},
            {"path": "/form", "label": "Form", "show": "text"},
            {"path": "/source", "label": "Archive", "show": "link"},
        ],
        "output": [{"path": "/digit", "label": "Digit", "show": "number"}],
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
    plan_more: str = "",
    threshold: float | None = 0.9,
    **rules: Any,
) -> None:
    """An agent whose first version is in the given phase; more `rules` than the threshold are those of its policy."""
    now, actor = ctx.clock.now(), admin(ctx)
    given = AT_ONCE | (settings or DIGITS)
    given |= {"supervision": factories.NOBODY_CHECKS | given["supervision"]}
    body = {"name": name, "title": title, "owner": OWNER, "second": SECOND, "settings": given}
    with ctx.db.begin() as session:
        row = agents.register(session, NewAgent.model_validate(body), actor=actor, now=now)
        session.flush()
        if plan:
            plans.apply(session, row, plan_yaml(name) + plan_more, actor=actor, now=now)
            session.flush()
        given_rules = Rules.model_validate({"threshold": threshold, "audit_rate": 0.5} | rules)
        rollout = versions.register(session, row, version, rules=given_rules, actor=actor, now=now)
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
        entry = prepare(known, name, CaseIn.model_validate(body), secret=ctx.secret, now=ctx.clock.now())
        stored = cases.store(session, [entry], f"agent:{name}")[0]
    assert isinstance(stored, cases.Stored)
    return stored


def app(ctx: Context) -> FastAPI:
    return create_app(ctx)


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


def days_of_work(
    ctx: Context,
    name: str = "digits",
    version: str = "1.9.0",
    *,
    lane: Lane = Lane.REVIEW,
    days: int = 14,
    cases_a_day: int = 24,
    bad_a_day: int = 1,
) -> None:
    """Counted work of so many days, in two segments, with a look at the end of each day. Moves the clock."""
    clock = ctx.clock
    assert isinstance(clock, FixedClock)
    for _ in range(days):
        now = clock.now()
        with ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, name, version)
            deltas = {
                gates.TotalKey(rollout.id, rollout.epoch, lane.value, segment, now.date()): Counts(
                    cases=part, agreed=part - bad, overridden=bad
                )
                for segment, part, bad in (
                    ("paper", cases_a_day * 2 // 3, bad_a_day),
                    ("fax", cases_a_day // 3, 0),
                )
            }
            gates.count(session, deltas)
        clock.move(timedelta(days=1))
        with ctx.db.begin() as session:
            gates.look(session, version_queries.get_rollout(session, name, version), now=clock.now())


def ready_to_advance(ctx: Context, name: str = "digits", version: str = "1.9.0") -> str:
    """All that the plan asks for is there; returns the evidence that says so."""
    days_of_work(ctx, name, version, bad_a_day=0)
    now = ctx.clock.now()
    with ctx.db.begin() as session:
        rollout = version_queries.get_rollout(session, name, version)
        oversight.answer_readiness(
            session,
            rollout,
            "runbook",
            answer=Answer.YES,
            link="https://example.org/runbook",
            actor=admin(ctx),
            now=now,
        )
        oversight.hold_review(
            session, agent_queries.get_agent(session, name), decision="go on", actor=admin(ctx), now=now
        )
        session.flush()
        snapshot = gates.look(session, rollout, now=now)
        assert snapshot.verdict == "advance", snapshot.body["reasons"]
        return str(snapshot.id)


def furnish(ctx: Context) -> None:
    """A house with something in every room."""
    people(ctx)
    agent(ctx)
    candidate(ctx, "digits", "2.0.0")
    move(ctx, "digits", "2.0.0", Phase.SHADOW)
    ready_to_advance(ctx)
    days_of_work(ctx, "digits", "2.0.0", lane=Lane.SHADOW, days=9, bad_a_day=4)
    with ctx.db.begin() as session:
        gates.look(session, version_queries.get_rollout(session, "digits", "1.9.0"), now=ctx.clock.now())
    agent(ctx, "invoices", title="Invoice approval", phase=Phase.CONFIDENCE, version="0.7.2")
    days_of_work(ctx, "invoices", "0.7.2", lane=Lane.AUDIT, days=6)
    agent(ctx, "claims", title="Claims triage", phase=Phase.EVALUATION, version="0.2.0")
    with ctx.db.begin() as session:
        row = version_queries.get_rollout(session, "claims", "0.2.0")
        gates.look(session, row, now=ctx.clock.now())
        invoices = version_queries.get_rollout(session, "invoices", "0.7.2")
        versions.freeze(
            session, invoices, FreezeMode.ADVANCING, actor=admin(ctx), now=ctx.clock.now(), reason="year end"
        )
        failures.report(
            session,
            agent="digits",
            version="1.9.0",
            rollout_id=version_queries.get_rollout(session, "digits", "1.9.0").id,
            severity="severe",
            description="A 7 with a bar was read as a 1 on three forms of one writer.",
            case_id="form-77",
            actor=admin(ctx),
            now=ctx.clock.now(),
        )
    for number in range(1, 7):
        case(ctx, f"form-{number}", risk=None, amount=12.5 * number, attributes={"writer": f"w{number}"})


def evidence_of(ctx: Context, name: str, version: str) -> str:
    """The newest snapshot of a version."""
    with ctx.db.read() as session:
        return str(version_queries.get_rollout(session, name, version).evidence_id)
