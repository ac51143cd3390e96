"""What one process knows of agents and policies, also when some of it cannot be read."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from sqlalchemy import select, update

from governance.people.keyring import Keyring
from kit.context import Context
from kit.errors import Unavailable
from rollout.agents.tables import Agent
from rollout.domain.phase import Phase
from rollout.versions.tables import PolicyRevision, Rollout
from routing.cases.tables import Decision
from routing.snapshot import SnapshotHolder
from tests import factories
from web_app import create_app

BODY = {"case_id": "c-1", "version": "v1", "output": "yes", "confidence": 0.9}


@pytest.fixture(autouse=True)
def house(ctx: Context) -> None:
    factories.agent(ctx, "claims")
    factories.agent(ctx, "refunds")
    factories.rollout(ctx, "claims")
    factories.rollout(ctx, "refunds")


@pytest.fixture
def holder(ctx: Context) -> SnapshotHolder:
    made = SnapshotHolder(ctx, Keyring(ctx))
    made.refresh()
    return made


def break_agent(ctx: Context, name: str = "claims", settings: Any = None) -> None:
    """As a later release might have left it."""
    settings = {"of a later release": 1} if settings is None else settings
    with ctx.db.begin() as session:
        session.execute(update(Agent).where(Agent.name == name).values(settings=settings, revision=Agent.revision + 1))


def break_policy(ctx: Context, agent: str = "claims", body: Any = None) -> None:
    with ctx.db.begin() as session:
        row = session.scalars(select(Rollout).where(Rollout.agent == agent)).one()
        mine = PolicyRevision.rollout_id == row.id
        session.execute(update(PolicyRevision).where(mine).values(body={"phase": "dreaming"} if body is None else body))


def change(ctx: Context, agent: str, phase: Phase) -> None:
    with ctx.db.read() as session:
        row = session.scalars(select(Rollout).where(Rollout.agent == agent)).one()
    factories.change_rollout(ctx, row, phase=phase.value)


class TestBroken:
    @pytest.mark.parametrize("break_one", [break_agent, break_policy])
    def test_news_of_all_others_still_arrive(self, ctx: Context, holder: SnapshotHolder, break_one: Any) -> None:
        break_one(ctx)
        change(ctx, "refunds", Phase.SHADOW)

        holder.refresh()

        assert holder.current.policies["refunds", "v1"].phase is Phase.SHADOW

    @pytest.mark.parametrize("settings", [{"output_schema": {"type": "dream"}}, [], "text", {"comparison": {"x": 1}}])
    def test_whatever_an_agent_holds(self, ctx: Context, holder: SnapshotHolder, settings: Any) -> None:
        break_agent(ctx, settings=settings)

        holder.refresh()

        assert (set(holder.current.agents), set(holder.current.broken_agents)) == ({"refunds"}, {"claims"})

    @pytest.mark.parametrize("body", [{}, [], "text", 1, {"agent": "claims", "version": "v1"}])
    def test_whatever_a_policy_holds(self, ctx: Context, body: Any) -> None:
        break_policy(ctx, body=body)
        made = SnapshotHolder(ctx, Keyring(ctx))

        made.refresh()

        assert set(made.current.policies) == {("refunds", "v1")}
        assert set(made.current.broken_policies) == {("claims", "v1")}

    def test_is_told_once_for_each_change(self, ctx: Context, holder: SnapshotHolder) -> None:
        told = []
        for breaking in (True, False, True):
            if breaking:
                break_agent(ctx)
            else:
                change(ctx, "refunds", Phase.SHADOW)
            with structlog.testing.capture_logs() as logs:
                holder.refresh()
                holder.refresh()
            told.append([line["agent"] for line in logs if line["log_level"] == "error"])

        assert told == [["claims"], [], ["claims"]]

    def test_is_unavailable_to_whoever_needs_its_settings(self, ctx: Context, holder: SnapshotHolder) -> None:
        break_agent(ctx)
        holder.refresh()

        with pytest.raises(Unavailable, match="claims"):
            holder.agent("claims")

    def test_is_whole_again_when_it_was_mended(self, ctx: Context, holder: SnapshotHolder) -> None:
        break_agent(ctx)
        holder.refresh()
        break_agent(ctx, settings={})
        holder.refresh()

        assert holder.agent("claims") is not None


class TestNews:
    def test_of_one_policy_leaves_everything_else_as_it_was(self, ctx: Context, holder: SnapshotHolder) -> None:
        before = holder.current

        change(ctx, "refunds", Phase.SHADOW)
        holder.refresh()

        now = holder.current
        assert now.policies["refunds", "v1"].phase is Phase.SHADOW
        assert now.policies["claims", "v1"] is before.policies["claims", "v1"]
        assert now.agents["refunds"] is before.agents["refunds"]
        assert before.policies["refunds", "v1"].phase is Phase.SUPERVISED  # whoever holds the old one still does

    def test_of_one_agent_leaves_everything_else_as_it_was(self, ctx: Context, holder: SnapshotHolder) -> None:
        before = holder.current

        break_agent(ctx, "refunds", settings={"output_schema": {"type": "string"}})
        holder.refresh()

        assert holder.current.agents["refunds"].output_valid(1) is False
        assert holder.current.agents["claims"] is before.agents["claims"]
        assert holder.current.policies == before.policies

    def test_make_the_same_of_it_as_reading_everything(self, ctx: Context, holder: SnapshotHolder) -> None:
        factories.agent(ctx, "third")
        factories.rollout(ctx, "third")
        factories.rollout(ctx, "claims", "v2")
        change(ctx, "refunds", Phase.FULL)
        break_agent(ctx)

        holder.refresh()

        fresh = SnapshotHolder(ctx, Keyring(ctx))
        fresh.refresh()
        now, read = holder.current, fresh.current
        assert (now.marks, now.policies, now.revisions) == (read.marks, read.policies, read.revisions)
        assert (set(now.agents), now.broken_agents) == (set(read.agents), read.broken_agents)


class TestLookAgain:
    def test_looks_at_most_once_a_second_however_many_ask(self, ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        seconds, looks = [100.0], []
        made = SnapshotHolder(ctx, Keyring(ctx), monotonic=lambda: seconds[0])
        monkeypatch.setattr(made, "refresh", lambda: looks.append(seconds[0]))

        for at in (100.0, 100.5, 100.9, 101.0, 101.5):
            seconds[0] = at
            threads = [threading.Thread(target=made.look_again) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        assert looks == [100.0, 101.0]


class TestOverHttp:
    @pytest.fixture
    def client(self, ctx: Context) -> Iterator[TestClient]:
        # Nothing but what is asked for brings news: neither the message of a commit nor the turns of the clock.
        slow = ctx.settings.model_copy(update={"snapshot_seconds": 3600.0})
        alone = Context(slow, ctx.db, ctx.clock, ctx.secret)
        with TestClient(create_app(alone), raise_server_exceptions=False) as client:
            client.headers = factories.bearer(ctx, agent="claims")  # type: ignore[assignment]
            yield client

    @pytest.mark.parametrize(
        ("break_one", "code"), [(break_agent, "agent_unreadable"), (break_policy, "policy_unreadable")]
    )
    def test_cases_of_a_broken_one_are_stored_for_people(self, ctx: Context, break_one: Any, code: str) -> None:
        break_one(ctx)
        with TestClient(create_app(ctx), raise_server_exceptions=False) as client:
            headers = factories.bearer(ctx, agent="claims")
            answers = [client.post("/v1/agents/claims/decisions", json=BODY, headers=headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [201, 200]
        assert (answers[0].json()["route"], answers[0].json()["reasons"][0]["code"]) == ("human", code)
        with ctx.db.read() as session:
            kept = session.scalars(select(Decision)).one()
        assert (kept.route, kept.lane, kept.rollout_id, kept.policy_revision) == ("human", "human", None, None)

    def test_a_version_of_a_moment_ago_is_looked_for_once_more(self, ctx: Context, client: TestClient) -> None:
        factories.rollout(ctx, "claims", "v2")

        answer = client.post("/v1/agents/claims/decisions", json=BODY | {"version": "v2"})

        assert (answer.status_code, answer.json()["route"]) == (201, "review")

    def test_one_that_nobody_registered_is_unknown(self, client: TestClient) -> None:
        answer = client.post("/v1/agents/claims/decisions", json=BODY | {"version": "v9"})

        assert answer.json()["reasons"][0]["code"] == "unknown_version"
