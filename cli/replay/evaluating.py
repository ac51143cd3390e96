"""The evaluation phase of a replay: a version's first recorded cases become the suite, its outputs on them the run."""

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cli.replay.house import House
from cli.replay.recording import RecordedCase
from rollout.agents import queries as agent_queries
from rollout.domain.metrics import METRICS, Kind
from rollout.domain.phase import Phase
from rollout.domain.plan import Gate, Plan
from rollout.evaluation import service as evaluation
from rollout.evaluation.jsonl import Case
from rollout.versions import queries as version_queries

USUAL = 200


def suite_gates(plan: Plan) -> list[Gate]:
    every = [gate for phase in Phase for gate in plan.phase(phase).gates]
    return [gate for gate in every if gate.metric in METRICS and METRICS[gate.metric].kind is Kind.SUITE]


def cases_wanted(plan: Plan, given: int | None) -> int:
    """How many cases make the suite; 0 where the plan asks for none. At least what its gates ask for."""
    gates = suite_gates(plan)
    if not gates:
        return 0
    return given if given is not None else max(USUAL, *(gate.minimum_cases or 1 for gate in gates))


@dataclass(slots=True)
class Evaluating:
    """Gathers the first cases of each version, and runs the suites once there are enough."""

    wanted: int
    _gathered: dict[str, dict[str, RecordedCase]] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    def gather(self, case: RecordedCase) -> bool:
        """Whether this case makes the suite of its version complete."""
        if not self.wanted or case.version in self._done:
            return False
        cases = self._gathered.setdefault(case.version, {})
        cases.setdefault(case.case_id, case)
        return len(cases) >= self.wanted

    @property
    def waiting(self) -> list[str]:
        """Versions that the record ends before it has enough of."""
        return [version for version in self._gathered if version not in self._done]

    def run(self, session: Session, house: House, version: str) -> None:
        """
        Store the suites and the version's run on them.

        Where a gate asks for a regression, the first version's run is its own baseline, as it would be if its
        engineers had run it twice.
        """
        self._done.add(version)
        gathered = self._gathered.pop(version)
        now = house.clock.now()
        agent = agent_queries.get_agent(session, house.agent)
        rollout = version_queries.get_rollout(session, house.agent, version)
        cases = [Case(key, case.input, case.human_output) for key, case in gathered.items()]
        outputs = {key: case.output for key, case in gathered.items()}
        gates = suite_gates(house.plan)
        for name in sorted({gate.suite for gate in gates if gate.suite}):
            suite, _ = evaluation.store_cases(session, agent.name, name, cases, actor=house.engineer, now=now)
            runs = 2 if any(gate.suite == name and gate.metric == "suite_regression" for gate in gates) else 1
            for _ in range(runs):
                evaluation.run(session, rollout, suite, outputs, actor=house.engineer, now=now)
                session.flush()  # the next run finds this one as its baseline
