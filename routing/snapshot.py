"""
Agents, policies and what queues take in memory, replaced whole when anything changed.

A process hears of a change at once (its own commits directly, others' over Redis) and looks at the version
marks twice a second besides, so a lost message costs half a second and never more. Whoever stores decisions looks
once more inside the transaction, so what is stored was decided by the newest policy whatever was lost.
"""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from sqlalchemy.orm import Session

from evidence.comparing import ComparisonConfig, OutputSchema
from governance.people.keyring import Keyring
from kit.context import Context
from kit.errors import Unavailable
from rollout.agents.schemas import AgentSettings
from rollout.agents.tables import Agent
from rollout.domain.policy import Policy
from rollout.versions.queries import newest_sequence
from rollout.versions.tables import PolicyRevision
from routing import queries
from routing.answering import Answers
from routing.domain.reach import Need
from routing.skills import service as skills

log = structlog.get_logger(__name__)

_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """What the decision path needs to know of an agent."""

    name: str
    settings: AgentSettings
    schema: OutputSchema | None
    comparison: ComparisonConfig

    def output_valid(self, output: Any) -> bool | None:
        return self.schema.fits(output) if self.schema is not None else None

    def can_ask_first(self, output: Any) -> bool:
        """
        Whether a reviewer can be asked for an answer without being shown the output: something else has to say which
        fields there are, unless it is one value.
        """
        named = self.settings.fields.output or isinstance(self.settings.output_schema, dict)
        return bool(named) or not isinstance(output, (dict, list))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """
    What of it this release cannot read stands under `broken_…`, with what was wrong.

    A person does those cases; that one row is broken must not keep news of all others away.
    """

    agents: dict[str, AgentEntry]
    policies: dict[tuple[str, str], Policy]
    marks: tuple[int, ...]
    broken_agents: dict[str, str] = field(default_factory=dict)
    broken_policies: dict[tuple[str, str], str] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    """Of the agents, to tell which of them were written since."""
    needs: tuple[Need, ...] | None = None
    """What the queues take of who reviews; None: not read yet."""

    @property
    def sequence(self) -> int:
        """The newest policy in it; one that was written later has a higher number."""
        return self.marks[0] if self.marks else 0

    def has_agent(self, agent: str) -> bool:
        return agent in self.agents or agent in self.broken_agents

    def has_version(self, agent: str, version: str) -> bool:
        return (agent, version) in self.policies or (agent, version) in self.broken_policies


EMPTY = Snapshot({}, {}, ())


def load(session: Session, before: Snapshot = EMPTY) -> Snapshot:
    """
    Everything, as it is stored now.

    What was not written since `before` is taken from it: one change among a thousand agents is read as one change.
    """
    marks = queries.marks(session)
    present = replace(
        before,
        marks=marks,
        needs=tuple(skills.all_needs(session)),
        agents=before.agents.copy(),
        policies=before.policies.copy(),
        broken_agents=before.broken_agents.copy(),
        broken_policies=before.broken_policies.copy(),
    )
    if marks[1:] != before.marks[1:]:
        present = replace(present, revisions=queries.agent_revisions(session))
        changed = [name for name, revision in present.revisions.items() if before.revisions.get(name) != revision]
        for row in queries.agents(session, changed):
            _put_agent(present, row)
    for agent, version, revision in queries.newest_policies(session, after=before.sequence):
        _put_policy(present, (agent, version), revision)
    return present


def _put_agent(present: Snapshot, row: Agent) -> None:
    present.agents.pop(row.name, None)
    present.broken_agents.pop(row.name, None)
    try:
        present.agents[row.name] = _entry(row)
    except Exception as error:  # noqa: BLE001 - another release may have written anything
        present.broken_agents[row.name] = f"revision {row.revision}: {error}"


def _put_policy(present: Snapshot, key: tuple[str, str], revision: PolicyRevision) -> None:
    present.policies.pop(key, None)
    present.broken_policies.pop(key, None)
    try:
        present.policies[key] = Policy.from_body(revision.rollout_id, revision.revision, revision.body)
    except Exception as error:  # noqa: BLE001 - the same
        present.broken_policies[key] = f"revision {revision.revision}: {error!r}"


def _entry(row: Agent) -> AgentEntry:
    settings = AgentSettings.model_validate(row.settings)
    schema = OutputSchema(settings.output_schema) if settings.output_schema is not None else None
    return AgentEntry(row.name, settings, schema, ComparisonConfig.parse(settings.comparison))


class SnapshotHolder:
    """Keeps the present snapshot of one process and refreshes it in a thread of its own."""

    def __init__(self, ctx: Context, keyring: Keyring, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.current = EMPTY
        self.answers = Answers()
        self.replaced: Callable[[], None] = lambda: None
        """Called when there is a new one, from the thread that loaded it."""
        self._turns = itertools.count(1)
        self._turn = 0  # of the one who loaded the present snapshot
        self._replacing = threading.Lock()
        self._monotonic = monotonic  # real seconds, whatever the clock of the house does
        self._looked_at: float | None = None
        self._looking = threading.Lock()
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
            turn = next(self._turns)
            self._keyring.refresh(session)
            present = self.current
            if queries.marks(session) != present.marks or tuple(skills.all_needs(session)) != present.needs:
                self._replace(load(session, present), turn)

    def follow(self, session: Session) -> Snapshot:
        """
        The snapshot to store decisions by: inside the transaction that stores them, with nothing older in it.

        It waits for nobody who loads one at the same time. News of settings of agents may come a look later.
        """
        turn, present = next(self._turns), self.current
        if newest_sequence(session) != present.sequence:
            present = load(session, present)
            self._replace(present, turn)
        return present

    def _replace(self, snapshot: Snapshot, turn: int) -> None:
        with self._replacing:
            if turn < self._turn:
                return  # somebody who began later has been quicker
            before, self.current, self._turn = self.current, snapshot, turn
        _tell_of_broken(before, snapshot)
        self.replaced()

    def seconds_to_next_look(self) -> float:
        """Until `look_again` would look; 0 where it would now."""
        since = _LOOK_AGAIN_SECONDS if self._looked_at is None else self._monotonic() - self._looked_at
        return max(0.0, _LOOK_AGAIN_SECONDS - since)

    def may_look_again(self) -> bool:
        """Whether `look_again` would look, as things stand."""
        return self.seconds_to_next_look() == 0

    def look_again(self) -> None:
        """For something that is not in the snapshot: refresh, at most once a second however many ask."""
        with self._looking:
            if self.may_look_again():
                now = self._monotonic()
                self.refresh()
                self._looked_at = now

    def agent(self, name: str) -> AgentEntry | None:
        """The agent, or None when there is none; one whose settings cannot be read is Unavailable."""
        if name in self.current.broken_agents:
            raise Unavailable(f"this release cannot read the settings of agent “{name}”; its owner has to mend them")
        return self.current.agents.get(name)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._ctx.settings.snapshot_seconds)
            self._wake.clear()
            if not self._stopped:
                _quietly(self.refresh)


def _tell_of_broken(before: Snapshot, now: Snapshot) -> None:
    """Once for each change that left something broken, not at every look."""
    for name, problem in now.broken_agents.items():
        if before.broken_agents.get(name) != problem:
            log.error("an agent cannot be read; people do its cases", agent=name, problem=problem)
    for (agent, version), problem in now.broken_policies.items():
        if before.broken_policies.get((agent, version)) != problem:
            log.error("a policy cannot be read; people do its cases", agent=agent, version=version, problem=problem)


def _quietly(refresh: Callable[[], None]) -> None:
    # While the database is away nothing can be stored either, so every caller gets a 503 anyway.
    try:
        refresh()
    except Exception:
        log.warning("could not look for changed policies; keeping the ones we have", exc_info=True)
