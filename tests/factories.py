"""
Rows for tests: plain functions with sensible defaults, so that a test names only what it is about.

Each opens its own transaction, as an edge would, and goes through the service where there is one.
"""

from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import SYSTEM, Actor
from governance.people import service as people
from governance.people.tables import Key, Person
from kit.context import Context
from kit.db import send_after_commit
from kit.errors import Problem
from kit.ids import new_id
from rollout.agents import service as agents
from rollout.agents.schemas import AgentSettings, NewAgent
from rollout.agents.tables import Agent
from rollout.domain.phase import FreezeMode, Phase, Standing
from rollout.domain.policy import Policy, Rules
from rollout.versions import queries as versions
from rollout.versions.tables import PolicyRevision, Rollout, Version
from routing import snapshot
from routing.cases import service as cases_service
from routing.cases.prepare import prepare
from routing.cases.schemas import CaseIn, HumanOutputIn, HumanOutputStored
from routing.cases.tables import Decision

PASSWORD = "correct horse battery"
NOBODY_CHECKS = {"second_opinion_share": 0.0, "judged_differing_share": 0.0, "judged_same_share": 0.0}
"""Shares of what other people look at once more: none, so that a test knows what waits."""

_numbers = count(1)


def person(
    ctx: Context, login: str | None = None, *, roles: tuple[str, ...] = ("owner",), password: str | None = None
) -> Person:
    """Without a password, since hashing one takes a while and few tests sign in."""
    login = login or f"person-{next(_numbers)}"
    with ctx.db.begin() as session:
        return people.add_person(
            session, login, login.title(), roles=roles, password=password, by=SYSTEM, now=ctx.clock.now()
        )


def actor(ctx: Context, login: str | None = None, *, roles: tuple[str, ...] = ("owner",)) -> Actor:
    """A person, ready to act."""
    return people.actor_of(person(ctx, login, roles=roles))


def key(ctx: Context, *, agent: str | None = None, login: str | None = None) -> tuple[Key, str]:
    """A key of an agent, or of a person that exists, and its secret."""
    if login is None and agent is None:
        agent = "claims"
    with ctx.db.begin() as session:
        return people.create_key(session, "tests", agent=agent, login=login, by=SYSTEM, now=ctx.clock.now())


def bearer(ctx: Context, *, agent: str | None = None, login: str | None = None) -> dict[str, str]:
    """The header that goes with a new key."""
    return {"Authorization": f"Bearer {key(ctx, agent=agent, login=login)[1]}"}


def agent(ctx: Context, name: str = "claims", *, owner: str | None = None, **settings: Any) -> Agent:
    """An agent whose owner exists; `settings` as in `AgentSettings`. Outputs are shown, and rulings stand, at once."""
    owner = owner or person(ctx).login
    settings = {"supervision": {"blind_share": 0.0}, "undo_seconds": 0} | settings
    settings["supervision"] = NOBODY_CHECKS | settings["supervision"]
    new = NewAgent(name=name, title=name.title(), owner=owner, settings=AgentSettings(**settings))
    with ctx.db.begin() as session:
        return agents.register(session, new, actor=SYSTEM, now=ctx.clock.now())


def rollout(
    ctx: Context,
    agent: str = "claims",
    version: str = "v1",
    *,
    phase: Phase = Phase.SUPERVISED,
    standing: Standing = Standing.STABLE,
    frozen: FreezeMode | None = None,
    ramp_share: float = 1.0,
    **rules: Any,
) -> Rollout:
    """A version that has come this far, however it did; `rules` are those of its policy."""
    now, row_id = ctx.clock.now(), new_id()
    with ctx.db.begin() as session:
        session.add(Version(id=row_id, agent=agent, label=version, created_at=now, created_by="system"))
        session.flush()  # the rollout's key refers to it
        row = Rollout(
            id=row_id, agent=agent, version=version, standing=standing.value, phase=phase.value, phase_since=now,
            epoch=1, ramp_step=0, ramp_since=now, frozen=frozen, policy_revision=0, started_at=now,
        )  # fmt: skip
        session.add(row)
        session.flush()  # and the policy's to the rollout
        _write_policy(session, row, Rules.model_validate({"threshold": 0.8} | rules), ramp_share, now)
        send_after_commit(session, "policies:changed")
        return row


def change_rollout(ctx: Context, row: Rollout, *, ramp_share: float = 1.0, **changes: Any) -> Rollout:
    """The same rollout in another state, with the policy revision that goes with it; rules are given as `rules`."""
    with ctx.db.begin() as session:
        kept = session.get_one(Rollout, row.id)
        rules = changes.pop("rules", {"threshold": 0.8})
        for name, value in changes.items():
            setattr(kept, name, value)
        _write_policy(session, kept, Rules.model_validate(rules), ramp_share, ctx.clock.now())
        send_after_commit(session, "policies:changed")
        return kept


def _write_policy(session: Session, row: Rollout, rules: Rules, ramp_share: float, now: datetime) -> None:
    row.policy_revision += 1
    policy = Policy(
        rollout_id=row.id, agent=row.agent, version=row.version, revision=row.policy_revision,
        standing=Standing(row.standing), phase=Phase(row.phase), epoch=row.epoch,
        frozen=FreezeMode(row.frozen) if row.frozen else None, ramp_share=ramp_share, rules=rules,
    )  # fmt: skip
    session.add(
        PolicyRevision(
            rollout_id=row.id,
            revision=row.policy_revision,
            sequence=versions.next_sequence(session),
            body=policy.body(),
            cause="a test",
            created_at=now,
            created_by="system",
        )
    )


def case(case_id: str = "c-1", **fields: Any) -> CaseIn:
    """What an agent would post; an output of "yes" it is quite sure of, by version v1."""
    return CaseIn.model_validate({"case_id": case_id, "version": "v1", "output": "yes", "confidence": 0.9} | fields)


def store(ctx: Context, *cases: CaseIn, agent: str = "claims") -> list[cases_service.Stored | Problem]:
    """Decide and store these cases in one transaction, as the writer does."""
    with ctx.db.begin() as session:
        present = snapshot.load(session)
        entries = [prepare(present, agent, one, secret=ctx.secret, now=ctx.clock.now()) for one in cases]
        return cases_service.store(session, entries, f"agent:{agent}")


def decision(ctx: Context, case_id: str = "c-1", *, agent: str = "claims", **fields: Any) -> Decision:
    """One stored decision."""
    stored = store(ctx, case(case_id, **fields), agent=agent)[0]
    assert isinstance(stored, cases_service.Stored), stored
    return stored.decision


def human_output(
    ctx: Context, case_id: str = "c-1", output: Any = "yes", *, agent: str = "claims", **fields: Any
) -> HumanOutputStored:
    """What a person did for a case."""
    with ctx.db.begin() as session:
        item = HumanOutputIn.model_validate({"case_id": case_id, "output": output} | fields)
        return cases_service.add_human_outputs(session, agent, [item], actor=SYSTEM, now=ctx.clock.now())[0]
