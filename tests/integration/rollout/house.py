"""An agent with people and a plan, whose versions are moved by evidence as in real life; for the tests of this room."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from fastapi import FastAPI
from fastapi.testclient import TestClient

from governance.actors import Actor
from governance.people.keyring import Keyring
from kit import http
from kit.clock import FixedClock
from kit.context import Context
from rollout.agents import api as agents_api
from rollout.agents import queries as agent_queries
from rollout.agents import service as agents
from rollout.agents.schemas import AgentSettings, NewAgent
from rollout.domain.phase import Lane, Phase
from rollout.domain.situation import Answer
from rollout.domain.totals import Counts
from rollout.evaluation import queries as evaluation_queries
from rollout.evaluation import service as evaluation
from rollout.gates import api as gates_api
from rollout.gates import service as gates
from rollout.gates.schemas import RolloutStatus
from rollout.gates.tables import EvidenceSnapshot
from rollout.oversight import api as oversight_api
from rollout.oversight import service as oversight
from rollout.plans import api as plans_api
from rollout.plans import service as plans
from rollout.reviewers import api as reviewers_api
from rollout.versions import api as versions_api
from rollout.versions import queries as version_queries
from rollout.versions import service as versions
from rollout.versions.tables import PhaseChange, Rollout
from routing.evaluation import api as evaluation_api
from routing.failures import api as failures_api
from tests import factories

LANES = {
    Phase.SHADOW: Lane.SHADOW,
    Phase.SUPERVISED: Lane.REVIEW,
    Phase.CONFIDENCE: Lane.AUDIT,
    Phase.FULL: Lane.AUDIT,
}
_RATES = {
    Phase.SHADOW: "disagreement_rate",
    Phase.SUPERVISED: "override_rate",
    Phase.CONFIDENCE: "error_rate",
    Phase.FULL: "error_rate",
}
MINIMUM_DAYS = 2


def plan_data(agent: str = "reader", **more: Any) -> dict[str, Any]:
    """A short plan: two days a phase, one day to settle, two people for full."""
    phases: dict[str, Any] = {
        "evaluation": {"gates": [{"metric": "suite_score", "suite": "forms", "at_least": 0.9}]},
    }
    for phase, metric in _RATES.items():
        phases[phase.value] = {
            "minimum_days": MINIMUM_DAYS,
            "gates": [{"metric": metric, "at_most": 0.1, "minimum_cases": 40}],
            "guardrails": [{"metric": metric, "at_most": 0.2}, {"metric": "open_critical_failures", "at_most": 0}],
        }
    phases["supervised"]["readiness"] = [
        {"key": "runbook", "category": "operations", "question": "Is there a runbook?"}
    ]
    phases["confidence"] |= {"ramp": [0.5, 1.0], "ramp_minimum_days": 1}
    phases["full"] |= {"ramp": [1.0]}
    return {
        "agent": agent,
        "settle_days": 1,
        "evidence_valid_days": 2,
        "phases": phases,
        "approvals": {"second_person_for": ["full"]},
        "small_change_may_start_in": "shadow",
        **more,
    }


RITA = Actor("rita", "person", frozenset({"reviewer"}))
"""Somebody who reviews, and may neither configure nor sign."""


@dataclass(slots=True)
class House:
    """`alice` owns, `bob` is the second, `erin` engineers, `lena` is another lead."""

    ctx: Context
    alice: Actor
    bob: Actor
    erin: Actor
    lena: Actor
    agent: str = "reader"

    @property
    def clock(self) -> FixedClock:
        return cast("FixedClock", self.ctx.clock)

    def days(self, days: float) -> None:
        self.clock.move(timedelta(days=days))

    def register(self, version: str = "v1", **more: Any) -> Rollout:
        with self.ctx.db.begin() as session:
            agent = agent_queries.get_agent(session, self.agent)
            return versions.register(session, agent, version, actor=self.erin, now=self.clock.now(), **more)

    def rollout(self, version: str = "v1") -> Rollout:
        with self.ctx.db.read() as session:
            return version_queries.get_rollout(session, self.agent, version)

    def apply(self, given: Any = None, by: Actor | None = None, **more: Any) -> plans.Applied:
        with self.ctx.db.begin() as session:
            agent = agent_queries.get_agent(session, self.agent)
            plan = given or plan_data(self.agent, **more)
            return plans.apply(session, agent, plan, actor=by or self.alice, now=self.clock.now())

    def stop(self, version: str) -> None:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            versions.stop_candidate(session, rollout, actor=self.alice, now=self.clock.now(), reason="not good enough")

    def suite(self, cases: int = 10) -> None:
        lines = [json.dumps({"id": f"c{n}", "input": n, "expected": n}) for n in range(cases)]
        with self.ctx.db.begin() as session:
            agent = agent_queries.get_agent(session, self.agent)
            evaluation.store(session, agent, "forms", "\n".join(lines).encode(), actor=self.erin, now=self.clock.now())

    def run(self, version: str = "v1", wrong: int = 0) -> None:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            suite = evaluation_queries.get_suite(session, self.agent, "forms")
            outputs = {f"c{n}": n if n >= wrong else -1 for n in range(suite.cases)}
            evaluation.run(session, rollout, suite, outputs, actor=self.erin, now=self.clock.now())

    def count(
        self,
        version: str = "v1",
        cases: int = 200,
        *,
        overridden: int = 0,
        lane: Lane | None = None,
        days_ago: int = 0,
        **more: int,
    ) -> None:
        """Cases of the present phase and epoch, all ruled on."""
        rollout = self.rollout(version)
        lane = lane or LANES[Phase(rollout.phase)]
        day = (self.clock.now() - timedelta(days=days_ago)).date()
        key = gates.TotalKey(rollout.id, rollout.epoch, lane.value, "", day)
        agreed = cases - overridden - more.get("void", 0)
        with self.ctx.db.begin() as session:
            gates.count(session, {key: Counts(cases=cases, agreed=agreed, overridden=overridden, **more)})

    def look(self, version: str = "v1") -> EvidenceSnapshot:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            return gates.look(session, rollout, now=self.clock.now())

    def status(self, version: str = "v1") -> RolloutStatus:
        with self.ctx.db.read() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            return gates.status(session, rollout, now=self.clock.now())

    def sign(self, evidence_id: UUID, by: Actor | None = None, version: str = "v1", reason: str = "") -> gates.Answered:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            return gates.sign(
                session, rollout, evidence_id, actor=by or self.alice, now=self.clock.now(), reason=reason
            )

    def ask(self, evidence_id: UUID, by: Actor, version: str = "v1") -> gates.Answered:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            return gates.ask(session, rollout, evidence_id, actor=by, now=self.clock.now())

    def refuse(self, evidence_id: UUID, by: Actor | None = None, reason: str = "not yet") -> gates.Answered:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, "v1")
            return gates.refuse(
                session, rollout, evidence_id, actor=by or self.alice, now=self.clock.now(), reason=reason
            )

    def demote(
        self,
        version: str = "v1",
        reason: str = "it looks wrong",
        to: Phase | None = None,
        seen: Phase | None = None,
        by: Actor | None = None,
    ) -> PhaseChange:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            return versions.demote(
                session, rollout, actor=by or self.alice, now=self.clock.now(), reason=reason, to=to, seen=seen
            )

    def answer(self, version: str = "v1", item: str = "runbook", answer: Answer = Answer.YES) -> None:
        with self.ctx.db.begin() as session:
            rollout = version_queries.get_rollout(session, self.agent, version)
            oversight.answer_readiness(
                session, rollout, item, answer=answer, link="https://wiki.example/x", actor=self.erin,
                now=self.clock.now(),
            )  # fmt: skip

    def hold_review(self) -> None:
        with self.ctx.db.begin() as session:
            agent = agent_queries.get_agent(session, self.agent)
            oversight.hold_review(session, agent, decision="go on", actor=self.alice, now=self.clock.now())

    def ready(self, version: str = "v1", cases: int = 200, overridden: int = 0) -> EvidenceSnapshot:
        """Evidence that carries the next step: cases that are settled by now, and a review held."""
        if self.rollout(version).phase == Phase.EVALUATION:
            self.run(version)
        else:
            self.count(version, cases, overridden=overridden)
            self.days(MINIMUM_DAYS)
            self.hold_review()
            if self.rollout(version).phase == Phase.SUPERVISED:
                self.answer(version)
        return self.look(version)

    def climb(self, to: Phase, version: str = "v1") -> Rollout:
        """Up to a phase, step by step, each with its evidence and signatures."""
        while Phase(self.rollout(version).phase) < to:
            evidence = self.ready(version)
            assert evidence.verdict == "advance", evidence.body["reasons"]
            answered = self.sign(evidence.id, version=version)
            if answered.change is None:
                self.sign(evidence.id, self.bob, version)
        return self.rollout(version)


def build(ctx: Context, *, planned: bool = True, second: bool = True, **plan: Any) -> House:
    """The agent `reader` with its people, and its plan unless told otherwise."""
    house = House(
        ctx,
        alice=factories.actor(ctx, "alice", roles=("owner",)),
        bob=factories.actor(ctx, "bob", roles=("lead",)),
        erin=factories.actor(ctx, "erin", roles=("engineer",)),
        lena=factories.actor(ctx, "lena", roles=("lead",)),
    )
    new = NewAgent(
        name="reader", title="Reader", owner="alice", second="bob" if second else None, settings=AgentSettings()
    )
    with ctx.db.begin() as session:
        agents.register(session, new, actor=house.erin, now=ctx.clock.now())
    house.suite()
    if planned:
        house.apply(**plan)
    return house


@contextmanager
def served(ctx: Context) -> Iterator[TestClient]:
    """The routes of this floor, without the rest of the web process."""
    app = FastAPI()
    app.state.ctx = ctx
    app.state.keyring = Keyring(ctx)
    http.install(app)
    rooms = (agents_api, versions_api, plans_api, gates_api, evaluation_api, oversight_api, failures_api, reviewers_api)
    for api in rooms:
        app.include_router(api.router)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
