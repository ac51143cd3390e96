"""
A house for one replay: a file that is thrown away, an agent, its owner, and a clock that follows the record.

Everything is done by the services that live work uses, in the names of made-up people. What a record cannot
contain is assumed and told in the report: the checklist is answered, and the periodic reviews are held.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import event
from sqlalchemy.orm import Session

from governance.actors import SYSTEM, Actor
from governance.people import queries as people_queries
from governance.people import service as people
from kit.clock import FixedClock
from kit.context import Context, make_context
from kit.settings import Settings
from migrations import chain
from rollout.agents import queries as agent_queries
from rollout.agents import service as agents
from rollout.agents.schemas import NewAgent
from rollout.domain.plan import Plan
from rollout.domain.policy import Rules
from rollout.domain.situation import Answer
from rollout.oversight import service as oversight
from rollout.plans import service as plans
from rollout.versions import service as versions
from rollout.versions.tables import Rollout

SECOND, PEOPLE, ENGINEER = "replay-second", "replay-people", "replay-engineer"
_SECRET = "the draws of a replay are the same every time"  # noqa: S105 - a seed, and public


@dataclass(frozen=True, slots=True)
class House:
    """`owner` signs, `second` signs beside, `people` did the work, `engineer` registers versions."""

    ctx: Context
    clock: FixedClock
    agent: str
    plan: Plan
    rules: Rules
    owner: Actor
    second: Actor
    people: Actor
    engineer: Actor

    def register(self, session: Session, version: str) -> Rollout:
        """A version that the record meets for the first time, with its checklist answered."""
        now = self.clock.now()
        agent = agent_queries.get_agent(session, self.agent)
        about = "found in the record"
        # Ramp and audit draws hang on the id: the same record under the same plan gives the same report.
        made = uuid5(NAMESPACE_URL, f"replay:{self.agent}:{version}")
        rollout = versions.register(
            session, agent, version, about=about, rules=self.rules, version_id=made, actor=self.engineer, now=now
        )
        for _, item in self.plan.readiness():
            oversight.answer_readiness(
                session, rollout, item.key, answer=Answer.YES, link="assumed:replay",
                owner=self.owner.name, actor=self.engineer, now=now,
            )  # fmt: skip
        return rollout

    def hold_review(self, session: Session) -> None:
        agent = agent_queries.get_agent(session, self.agent)
        decision = "go on (assumed by the replay)"
        oversight.hold_review(session, agent, decision=decision, actor=self.owner, now=self.clock.now())


@contextmanager
def built(plan_text: str, plan: Plan, agent: NewAgent, rules: Rules, at: datetime) -> Iterator[House]:
    """Build it, and throw it away afterwards."""
    with tempfile.TemporaryDirectory(prefix="phasegate-replay-") as folder:
        url = f"sqlite:///{Path(folder) / 'replay.db'}"
        chain.upgrade(url)
        clock = FixedClock(at)
        settings = Settings(data_dir=Path(folder), database_url=url, secret=_SECRET, redis_url=None, clock_file=None)
        ctx = make_context(settings, clock=clock)
        event.listen(ctx.db.engine, "connect", _forget_safety)
        try:
            yield _furnished(ctx, clock, plan_text, plan, agent, rules)
        finally:
            ctx.db.close()


def _furnished(ctx: Context, clock: FixedClock, plan_text: str, plan: Plan, agent: NewAgent, rules: Rules) -> House:
    now = clock.now()
    with ctx.db.begin() as session:
        roles = {agent.owner: "owner", agent.second or SECOND: "lead", PEOPLE: "reviewer", ENGINEER: "engineer"}
        actors = {}
        for login, role in roles.items():
            person = people_queries.find_person(session, login) or people.add_person(
                session, login, login, roles=[role], by=SYSTEM, now=now
            )
            session.flush()  # agents refer to people
            actors[login] = people.actor_of(person)
        registered = agents.register(session, agent, actor=actors[ENGINEER], now=now)
        session.flush()  # the plan refers to the agent
        plans.apply(session, registered, plan_text, actor=actors[agent.owner], now=now)
    return House(
        ctx, clock, agent.name, plan, rules,
        owner=actors[agent.owner], second=actors[agent.second or SECOND],
        people=actors[PEOPLE], engineer=actors[ENGINEER],
    )  # fmt: skip


def _forget_safety(connection: Any, _record: Any) -> None:
    """Nobody misses these rows after a power cut."""
    for pragma in ("synchronous = OFF", "cache_size = -65536", "wal_autocheckpoint = 20000"):
        connection.execute(f"PRAGMA {pragma}")
