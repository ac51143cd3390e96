"""
Rulings, labels and training data on their way out: a few rows at a time, each time from a view of its own.

Nothing is held between two parts, no transaction and no connection, so it does not matter how slowly somebody reads.
What is stored while an export runs, is in it or not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit import csv_text
from kit.csv_text import JSON_COLUMN
from kit.db import Database
from rollout.agents.queries import get_agent
from rollout.versions.queries import get_version
from routing.cases import queries as cases
from routing.cases.answers import to_json
from routing.cases.tables import FAILURE, Decision, Label
from routing.exports import queries, rows
from routing.exports.queries import DecisionPlace, Scope
from routing.exports.rows import Row
from routing.judgements import queries as judgements

_AT_A_TIME = 200  # rows that are in memory, at most
_BYTES = 2 * 1024 * 1024  # of their inputs and outputs; what is heavier goes alone


class What(StrEnum):
    RULINGS = "rulings"
    LABELS = "labels"
    TRAINING = "training"


class Form(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Export:
    """What somebody asked for."""

    what: What
    form: Form
    scope: Scope


def begin(session: Session, export: Export, *, actor: Actor, now: datetime) -> None:
    """Whether they may, and that they did, before the first byte leaves: one that breaks off is on record, too."""
    scope = export.scope
    actor.require("audit", scope.agent)
    get_agent(session, scope.agent)
    if scope.version is not None:
        get_version(session, scope.agent, scope.version)
    audit.record(session, actor, f"{export.what.value}.exported", scope.agent, now=now, agent=scope.agent,
                 form=export.form.value, version=scope.version, since=scope.since, until=scope.until)  # fmt: skip


def pieces(db: Database, export: Export) -> Iterator[bytes]:
    """The whole as lines, some hundreds at a time. The first one of CSV is the header."""
    find, columns = _FINDERS[export.what]
    names = [column.removesuffix(JSON_COLUMN) for column in columns]
    if export.form is Form.CSV:
        yield csv_text.line(columns)
    as_json = {name for name, column in zip(names, columns, strict=True) if column != name}
    for found in filter(None, find(db, export.scope)):
        if export.form is Form.CSV:
            yield b"".join(_csv_line(row, names, as_json) for row in found)
        else:
            yield b"".join(to_json(row) + b"\n" for row in found)


def _csv_line(row: Row, names: Sequence[str], as_json: set[str]) -> bytes:
    cells = (row[name] for name in names)
    return csv_text.line(
        csv_text.json_cell(cell) if name in as_json and cell is not None else cell
        for name, cell in zip(names, cells, strict=True)
    )


def _rulings(db: Database, scope: Scope) -> Iterator[list[Row]]:
    after: UUID | None = None
    while True:
        with db.read() as session:
            window = queries.next_rulings(session, after)
            wanted = [one for one in window if scope.holds(one.at)]
            items = queries.items_in(session, scope, [one.item_id for one in wanted]) if wanted else {}
        ours = [one.id for one in wanted if one.item_id in items]
        for part in _light(db, _parts(ours), queries.weights_of_rulings):
            with db.read() as session:
                rulings = queries.rulings_with(session, part)
                of = [ruling.decision_id for ruling in rulings.values()]
                decisions = queries.decisions_with(session, of, (Decision.output,))
                labels = {label.source_id: label for label in queries.labels_of(session, of)}
            found = [rulings[one] for one in part if one in rulings and rulings[one].decision_id in decisions]
            yield [rows.ruling_row(one, items[one.item_id], decisions[one.decision_id], labels.get(one.id))
                   for one in found]  # fmt: skip
        if len(window) < queries.WINDOW:
            return
        after = window[-1].id


_OF_LABELS = (Decision.case_id, Decision.version, Decision.segment, Decision.lane, Decision.label,
              Decision.label_severity, Decision.label_source)  # fmt: skip


def _labels(db: Database, scope: Scope) -> Iterator[list[Row]]:
    for part in _decision_parts(db, scope, lambda _place: True):
        with db.read() as session:
            by_decision = _by_decision(queries.labels_of(session, part))
            decisions = queries.decisions_with(session, list(by_decision), _OF_LABELS)
        yield [
            row
            for one in part
            if one in by_decision and one in decisions
            for row in rows.label_rows(decisions[one], by_decision[one])
        ]


_OF_TRAINING = (Decision.agent, Decision.decided_at, Decision.attempt, Decision.input, Decision.output,
                Decision.confidence, Decision.audit_probability, Decision.counted_as, *_OF_LABELS)  # fmt: skip


def _training(db: Database, scope: Scope) -> Iterator[list[Row]]:
    with_verdict = _decision_parts(db, scope, lambda place: place.label in {"agree", "override"})
    for part in _light(db, with_verdict, queries.weights_of_decisions):
        with db.read() as session:
            decisions = queries.decisions_with(session, part, _OF_TRAINING)
            by_decision = _by_decision(queries.labels_of(session, part))
            counting = {one: rows.label_that_counts(row, by_decision[one]) for one, row in decisions.items()}
            sources = [label.source_id for label in counting.values() if label is not None]
            told = [label.source_id for labels in by_decision.values() for label in labels if label.source == FAILURE]
            rulings, failures = queries.rulings_with(session, sources), queries.failures_with(session, told)
            of_cases = {row.case_id for row in decisions.values()}
            people = cases.current_of_agent(session, scope.agent, of_cases)
            judged = judgements.of_decisions(session, part)
        found = []
        for one in part:
            if one in decisions and (label := counting[one]) is not None:
                behind = rulings.get(label.source_id), rows.reported_as_right(by_decision[one], failures)
                human = people.get(decisions[one].case_id)
                human = None if judgements.was_wrong(judged.get(one), human) else human
                found.append(rows.training_row(decisions[one], label, *behind, human))
        yield found


def _by_decision(labels: Sequence[Label]) -> defaultdict[UUID, list[Label]]:
    found: defaultdict[UUID, list[Label]] = defaultdict(list)
    for label in labels:
        found[label.decision_id].append(label)
    return found


def _decision_parts(db: Database, scope: Scope, keep: Callable[[DecisionPlace], bool]) -> Iterator[list[UUID]]:
    """The ids of the agent's decisions in the order of time, those that are kept, some at a time."""
    after: DecisionPlace | None = None
    while True:
        with db.read() as session:
            window = queries.next_decisions(session, scope, after)
        ours = [place for place in window if scope.version is None or place.version == scope.version]
        yield from _parts([place.id for place in ours if keep(place)])
        if len(window) < queries.WINDOW:
            return
        after = window[-1]


def _parts(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), _AT_A_TIME):
        yield list(ids[start : start + _AT_A_TIME])


def _light(
    db: Database, parts: Iterable[list[UUID]], weigh: Callable[[Session, list[UUID]], dict[UUID, int]]
) -> Iterator[list[UUID]]:
    """The same ids in parts that also hold no more than so many bytes, or one."""
    for part in parts:
        with db.read() as session:
            weights = weigh(session, part)
        light, held = list[UUID](), 0
        for one in part:
            heavy = weights.get(one, 0)
            if light and held + heavy > _BYTES:
                yield light
                light, held = [], 0
            light.append(one)
            held += heavy
        yield light


_FINDERS: dict[What, tuple[Callable[[Database, Scope], Iterator[list[Row]]], tuple[str, ...]]] = {
    What.RULINGS: (_rulings, rows.RULING),
    What.LABELS: (_labels, rows.LABEL),
    What.TRAINING: (_training, rows.TRAINING),
}
