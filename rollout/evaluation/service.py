"""
Suites and runs: what is known about the right answers, and how a version does on it.

A changed suite is a new revision, and a run counts only for the revision it was made on. Failures of production
become cases here, so that no version gets past them again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from evidence.comparing import Comparison, ComparisonConfig, Kind, OutputSchema, compare, storable
from governance.actors import Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, Place
from kit.ids import new_id
from rollout.agents import service as agents
from rollout.agents.queries import lock_agent
from rollout.agents.tables import Agent
from rollout.domain.phase import Standing
from rollout.evaluation import queries
from rollout.evaluation.jsonl import Case, digest_of, read_suite
from rollout.evaluation.tables import EvaluationRun, Suite
from rollout.failures.tables import Failure
from rollout.versions import queries as version_queries
from rollout.versions.tables import Rollout

LOOK = "rollout.look"
MOST_SHOWN = 100
_LEARNED = "failure-"  # how the keys of cases begin that came from one


class AlreadyLearned(Conflict):
    code = "already-learned"
    title = "The suite knows this failure already"


class NothingToLearn(Invalid):
    code = "nothing-to-learn"
    title = "The failure has no right answer yet"


def store(session: Session, agent: Agent, name: str, raw: bytes, *, actor: Actor, now: datetime) -> tuple[Suite, bool]:
    """A suite from JSONL, and whether that is a new revision: the same cases again are not."""
    actor.require("configure", agent.name)
    return store_cases(session, agent.name, name, read_suite(raw), actor=actor, now=now)


def store_cases(
    session: Session, agent: str, name: str, cases: Sequence[Case], *, actor: Actor, now: datetime
) -> tuple[Suite, bool]:
    lock_agent(session, agent)
    present = queries.newest_suite(session, agent, name)
    digest = digest_of(cases)
    if present is not None and present.digest == digest:
        return present, False
    suite = Suite(
        id=new_id(),
        agent=agent,
        name=name,
        revision=present.revision + 1 if present is not None else 1,
        digest=digest,
        cases=len(cases),
        created_at=now,
        created_by=actor.name,
    )
    session.add(suite)
    session.flush()  # the cases refer to the suite's row
    rows = [{"suite_id": suite.id, "position": at, **case.row()} for at, case in enumerate(cases)]
    queries.add_cases(session, rows)
    audit.record(
        session, actor, "suite.stored", suite.id, now=now, agent=agent,
        name=name, revision=suite.revision, cases=len(cases), digest=digest,
    )  # fmt: skip
    send_after_commit(session, LOOK)
    return suite, True


def run(
    session: Session, rollout: Rollout, suite: Suite, outputs: Mapping[str, Any], *, actor: Actor, now: datetime
) -> EvaluationRun:
    """
    Score a version's outputs on a suite, the way its live outputs are compared.

    The baseline is the newest run of the stable version on the same revision; for the stable version itself, its
    own run before this one. Cases whose every difference is ignored leave the score.
    """
    actor.require("configure", rollout.agent)
    agent = agents.get_agent(session, rollout.agent)
    cases = queries.suite_cases(session, suite.id)
    _refuse_unknown(outputs, {case.key for case in cases}, suite)
    scored = _Scored(agents.comparison_of(agent), agents.output_schema_of(agent))
    for case in cases:
        scored.add(case.key, case.expected, outputs)
    stable = version_queries.of_standing(session, rollout.agent, Standing.STABLE)
    baseline = queries.newest_run(session, stable.id, suite.id) if stable is not None else None
    made = EvaluationRun(
        id=new_id(),
        agent=rollout.agent,
        rollout_id=rollout.id,
        suite_id=suite.id,
        suite=suite.name,
        suite_revision=suite.revision,
        cases=len(cases) - scored.ignored,
        equal=scored.equal,
        missing=scored.missing,
        invalid=scored.invalid,
        score=scored.equal / (len(cases) - scored.ignored) if len(cases) > scored.ignored else 0.0,
        baseline_run_id=baseline.id if baseline is not None else None,
        baseline_score=baseline.score if baseline is not None else None,
        failed_cases=scored.failed,
        at=now,
        by=actor.name,
    )
    session.add(made)
    audit.record(
        session, actor, "suite.run", made.id, now=now, agent=rollout.agent, version=rollout.version,
        suite=suite.name, revision=suite.revision, score=made.score, cases=made.cases, equal=made.equal,
        baseline=made.baseline_score,
    )  # fmt: skip
    send_after_commit(session, LOOK)
    return made


def learn(
    session: Session, failure: Failure, name: str, *, correct_output: Any = None, actor: Actor, now: datetime
) -> Suite:
    """The failure becomes a case of the suite, which thereby is a new revision. What is right must be known."""
    actor.require("configure", failure.agent)
    lock_agent(session, failure.agent)
    expected = correct_output if correct_output is not None else failure.correct_output
    if expected is None or failure.input is None:
        missing = "correct_output" if expected is None else "input"
        mend = "say what would have been right" if expected is None else "add the case to the suite by hand"
        raise NothingToLearn(
            f"failure {failure.id} has no {missing}; {mend}", places=[Place(missing, "it is not known", mend)]
        )
    present = queries.newest_suite(session, failure.agent, name)
    cases = [
        Case(row.key, row.input, row.expected, tuple(row.tags))
        for row in (queries.suite_cases(session, present.id) if present is not None else ())
    ]
    key = f"{_LEARNED}{failure.id}"
    if any(case.key == key for case in cases):
        raise AlreadyLearned(f"suite {name} has a case {key} already")
    cases.append(Case(key, failure.input, expected, ("failure",)))
    suite, _ = store_cases(session, failure.agent, name, cases, actor=actor, now=now)
    failure.suite = name
    if failure.correct_output is None:
        failure.correct_output = expected
    audit.record(
        session, actor, "failure.learned", failure.id, now=now, agent=failure.agent,
        suite=name, revision=suite.revision, case=key,
    )  # fmt: skip
    return suite


def failure_of(key: str) -> UUID | None:
    """The failure that a case of a suite was learned from, by its key."""
    try:
        return UUID(key.removeprefix(_LEARNED)) if key.startswith(_LEARNED) else None
    except ValueError:
        return None


class _Scored:
    """Counts up over the cases of a suite, and keeps the first failures with what differs."""

    def __init__(self, config: ComparisonConfig, schema: OutputSchema | None) -> None:
        self._config = config
        self._schema = schema
        self.equal = self.missing = self.invalid = self.ignored = 0
        self.failed: list[Any] = []

    def add(self, key: str, expected: Any, outputs: Mapping[str, Any]) -> None:
        if key not in outputs:
            self.missing += 1
            self._keep({"case": key, "kind": "missing", "severity": None, "differences": []})
            return
        output = outputs[key]
        fits = self._schema.fits(output) if self._schema is not None else None
        found = storable(compare(output, expected, self._config, fits), self._config)
        self._count(key, found)

    def _count(self, key: str, found: Comparison) -> None:
        if found.kind is Kind.EQUAL:
            self.equal += 1
        elif found.kind is Kind.IGNORED:
            self.ignored += 1
        else:
            self.invalid += found.kind is Kind.INVALID_OUTPUT
            told = found.to_dict()
            self._keep({"case": key, **{name: told[name] for name in ("kind", "severity", "differences")}})

    def _keep(self, failed: dict[str, Any]) -> None:
        if len(self.failed) < MOST_SHOWN:
            self.failed.append(failed)


def _refuse_unknown(outputs: Mapping[str, Any], known: set[str], suite: Suite) -> None:
    unknown = [key for key in outputs if key not in known]
    if unknown:
        mend = f"send outputs for the cases of revision {suite.revision}"
        problem = f'suite {suite.name} has no case "{unknown[0]}"'
        if len(unknown) > 1:
            problem += f" and {len(unknown) - 1} more that were sent"
        raise Invalid(f"outputs: {problem}", places=[Place("outputs", problem, mend)])
