"""
Agents and policies in memory, replaced whole when anything changed.

A process hears of a change at once (its own commits directly, others' over Redis) and looks at the version
marks twice a second besides, so a lost message costs half a second and never more.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from evidence.comparing import ComparisonConfig, OutputSchema
from governance.people.keyring import Keyring
from kit.context import Context
from rollout.agents.schemas import AgentSettings
from rollout.agents.tables import Agent
from rollout.domain.policy import Policy
from routing import queries

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """What the decision path needs to know of an agent."""

    name: str
    settings: AgentSettings
    schema: OutputSchema | None
    comparison: ComparisonConfig

    def output_valid(self, output: Any) -> bool | None:
        return self.schema.fits(output) if self.schema is not None else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    agents: dict[str, AgentEntry]
    policies: dict[tuple[str, str], Policy]
    marks: tuple[int, ...]


EMPTY = Snapshot({}, {}, ())


def load(session: Session) -> Snapshot:
    """Everything, as it is stored now."""
    found = queries.marks(session)
    agents = {row.name: _entry(row) for row in queries.agents(session)}
    policies = {}
    for row in queries.newest_policies(session):
        policy = Policy.from_body(row.rollout_id, row.revision, row.body)
        policies[policy.agent, policy.version] = policy
    return Snapshot(agents, policies, found)


def _entry(row: Agent) -> AgentEntry:
    settings = AgentSettings.model_validate(row.settings)
    schema = OutputSchema(settings.output_schema) if settings.output_schema is not None else None
    return AgentEntry(row.name, settings, schema, ComparisonConfig.parse(settings.comparison))


class SnapshotHolder:
    """Keeps the present snapshot of one process and refreshes it in a thread of its own."""

    def __init__(self, ctx: Context, keyring: Keyring) -> None:
        self.current = EMPTY
        self._ctx = ctx
        self._keyring = keyring
        self._refreshing = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="snapshot", daemon=True)

    def start(self) -> None:
        """Load once, so that the first request finds a policy, then keep looking."""
        self.refresh()
        self._ctx.listen("policies:changed", self.refresh)
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout=5)

    def wake(self) -> None:
        """Look now instead of at the next turn; for messages from other processes."""
        self._wake.set()

    def refresh(self) -> None:
        """Replace the snapshot if anything changed since it was loaded."""
        with self._refreshing, self._ctx.db.read() as session:
            self._keyring.refresh(session)
            if queries.marks(session) != self.current.marks:
                self.current = load(session)

    def agent(self, name: str) -> AgentEntry | None:
        return self.current.agents.get(name)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._ctx.settings.snapshot_seconds)
            self._wake.clear()
            if not self._stopped:
                _quietly(self.refresh)


def _quietly(refresh: Callable[[], None]) -> None:
    # While the database is away nothing can be stored either, so every caller gets a 503 anyway.
    try:
        refresh()
    except Exception:
        log.warning("could not look for changed policies; keeping the ones we have", exc_info=True)


def policy_of(snapshot: Snapshot, rollout_id: UUID) -> Policy | None:
    return next((policy for policy in snapshot.policies.values() if policy.rollout_id == rollout_id), None)
