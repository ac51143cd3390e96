"""
The replay itself: takes recorded cases through the house in the order of time, and looks when a look is due.

Everything that decides is the live code: `prepare` routes, `store` stores, `settle` compares and counts, the
gates judge, and the owner signs whatever passes. Only the people are recorded, and the clock is the record's.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from cli.jsonl import Broken, Rejects
from cli.replay import people
from cli.replay.evaluating import Evaluating, cases_wanted
from cli.replay.house import House
from cli.replay.looking import Looks
from cli.replay.people import Decided
from cli.replay.recording import Recorded, Recording
from cli.replay.tally import Tally
from kit.errors import Conflict, Place, Problem
from rollout.domain.phase import Phase
from routing import snapshot
from routing.cases import service as cases
from routing.cases import settling
from routing.cases.prepare import prepare
from routing.snapshot import Snapshot

BATCH = 1000  # cases in one transaction
_SETTLED_AT_ONCE = 2000
_STEPS_AT_ONCE = 20  # a plan without minimum times may take several steps at one moment
SHORTEST_WAIT = timedelta(hours=1)
"""Of recorded time between two looks. A plan may ask for less; live, nothing but the load would tell."""


@dataclass(slots=True)
class Run:
    """One replay under way, and what it found."""

    house: House
    recording: Recording
    rejects: Rejects
    evaluate_on: int | None = None
    hold: Phase | None = None
    progress: Callable[[int], None] = lambda _cases: None
    tally: Tally = field(default_factory=Tally)
    repeated: int = 0
    not_registered: dict[str, str] = field(default_factory=dict)
    last_at: datetime | None = None
    looks: Looks = field(init=False)
    evaluating: Evaluating = field(init=False)
    _snapshot: Snapshot = field(init=False, default=snapshot.EMPTY)
    _met: set[str] = field(default_factory=set)
    _waiting: list[Recorded] = field(default_factory=list)
    _next_look: datetime | None = None

    def __post_init__(self) -> None:
        self.looks = Looks(self.house, self.hold)
        self.evaluating = Evaluating(cases_wanted(self.house.plan, self.evaluate_on))

    def go(self) -> None:
        """From the first case to the last, and one more look at the end of the last day."""
        for recorded in self.recording:
            case = recorded.case
            self._look_until(case.at)
            if case.version not in self._met:
                self._meet(case.version, case.at)
            self._waiting.append(recorded)
            if self.evaluating.gather(case):
                self._flush()
                self._evaluate(case.version)
            elif len(self._waiting) >= BATCH:
                self._flush()
        self._flush()
        for version in self.evaluating.waiting:
            self._evaluate(version)
        if self.last_at is not None:
            self._look_until(_midnight_after(self.last_at))

    def _look_until(self, at: datetime) -> None:
        """Take every look that is due up to this moment, with all cases before it counted."""
        while self._next_look is not None and self._next_look <= at:
            due = self._next_look
            self._flush()
            self._look(due)

    def _look(self, at: datetime) -> None:
        self.house.clock.set(max(at, self.house.clock.now()))
        at = self.house.clock.now()
        for _ in range(_STEPS_AT_ONCE):
            with self.house.ctx.db.begin() as session:
                seen = self.looks.look(session)
                self._snapshot = self._reloaded(session)
            if not seen.stepped:
                break
        wished = seen.next_look_at or _midnight_after(at)
        self._next_look = max(wished, at + SHORTEST_WAIT) if wished < _midnight_after(at) else _midnight_after(at)

    def _meet(self, version: str, at: datetime) -> None:
        """Register a version at its first case. While another candidate is on its way, it has no policy."""
        self._flush()
        self._met.add(version)
        self.house.clock.set(max(at, self.house.clock.now()))
        try:
            with self.house.ctx.db.begin() as session:
                self.house.register(session, version)
        except Conflict as refused:
            self.not_registered[version] = refused.detail
        with self.house.ctx.db.read() as session:
            self._snapshot = self._reloaded(session)
        if self._next_look is None:
            self._next_look = _midnight_after(at)

    def _evaluate(self, version: str) -> None:
        if version in self.not_registered:
            return
        with self.house.ctx.db.begin() as session:
            self.evaluating.run(session, self.house, version)
        self._look(self.house.clock.now())

    def _flush(self) -> None:
        """Route, store, answer and settle what has gathered, in one transaction."""
        if not self._waiting:
            return
        batch, self._waiting = self._waiting, []
        house, at = self.house, batch[-1].case.at
        house.clock.set(max(at, house.clock.now()))
        self.last_at = at
        agent = self._snapshot.agents[house.agent]
        secret = house.ctx.secret
        entries = [prepare(self._snapshot, house.agent, one.case, secret=secret, now=one.case.at) for one in batch]
        with house.ctx.db.begin() as session:
            stored = cases.store(session, entries, f"agent:{house.agent}")
            decided = []
            for recorded, entry, result in zip(batch, entries, stored, strict=True):
                if isinstance(result, Problem):
                    self.rejects.add(recorded.raw, _refused(recorded, result))
                elif result.new and result.decision.id == entry.row["id"]:
                    decided.append(Decided(recorded, entry, result.decision))
                else:
                    self.repeated += 1
            people.act(session, house, agent, decided, self.tally)
            while settling.settle(session, self._snapshot.agents, now=house.clock.now(), limit=_SETTLED_AT_ONCE).more:
                pass
        self.progress(len(batch))

    def _reloaded(self, session: Session) -> Snapshot:
        """The policies as they are now; the same object while nothing changed."""
        session.flush()  # what a step wrote is in the database before it is read back
        return snapshot.load(session)


def _midnight_after(at: datetime) -> datetime:
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day + timedelta(days=1)


def _refused(recorded: Recorded, problem: Problem) -> Broken:
    places = problem.places or (Place("case_id", problem.detail),)
    return Broken(recorded.number, tuple(places))
