"""
Settling: compare what can be compared, find the label that counts, and move the totals.

Every fact that may change a decision's label marks the decision unsettled in its own transaction. Settling
takes marked rows, works out what each contributes to the totals now, adds the difference to what it was
counted as before, and clears the mark, all in one transaction. So a crash loses nothing, a repeat counts
nothing twice, and no gate ever scans decisions.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from evidence.comparing import Comparison, Kind, compare, storable
from kit.ids import new_id
from rollout.domain.totals import Counts
from rollout.gates import service as gates
from routing.cases import queries
from routing.cases.attempts import Attempts
from routing.cases.tables import (
    AUTOMATED,
    FAILURE,
    SAID,
    THRESHOLDED,
    ComparisonRow,
    Counted,
    HumanOutput,
    Label,
    rank_of,
)
from routing.drift import counting as drift
from routing.judgements import asking as judgements
from routing.judgements.asking import Compared, Draw
from routing.snapshot import AgentEntry
from routing.tallies.counting import Tallies

log = structlog.get_logger(__name__)

_VERDICTS = {"equal": "agree", "different": "override", "ignored": "void", "invalid_output": "void"}
_HARM = {"minor": 1, "major": 2, "severe": 3}


@dataclass(frozen=True, slots=True)
class Settled:
    """What one round did; `more` tells that another round has work."""

    decisions: int
    compared: int
    more: bool


def settle(
    session: Session,
    agents: Mapping[str, AgentEntry],
    *,
    now: datetime,
    limit: int = 500,
    draw: Draw | None = None,
) -> Settled:
    """Settle up to `limit` decisions. Call again while `more`. `draw`: by which somebody is asked who was right."""
    outputs = queries.unsettled_human_outputs(session, limit)
    if outputs:
        queries.unsettle_for(session, outputs)
    # A case of an agent that these do not know yet stays as it is, with its mark, until they do.
    taken = queries.unsettled(session, agents, limit)
    if not taken:
        return Settled(0, 0, len(outputs) == limit)
    attempts = Attempts(session, taken)
    rows = sorted(filter(attempts.ready, taken), key=_attempt)
    compared, failed = _compare_new(session, rows, agents, now)
    if draw is not None and compared:
        judgements.follow(session, compared, agents, draw, now)
    given = _by_decision(queries.labels_of(session, [row.id for row in rows]))
    deltas: dict[gates.TotalKey, Counts] = defaultdict(Counts)
    tallies = Tallies()
    found: dict[tuple[Any, ...], list[UUID]] = defaultdict(list)
    for row in rows:
        label = that_counts(given[row.id], compared=row.id not in failed)
        counted = attempts.count(row, _counted_as(row, label))
        for key, change in _moves(row, counted):
            deltas[key] = deltas[key] + change
        tallies.move(row, counted)
        several = sum(one.verdict in SAID for one in given[row.id]) > 1
        found[_settled_as(label, counted, several=several)].append(row.id)
    tallies.count_labels(session, [row.id for row in rows if not all(one.counted for one in given[row.id])])
    if attempts.changed:
        queries.unsettle_attempts(session, attempts.changed)  # those among `rows` are settled in this very round
    drift.count(session, rows)
    queries.update_settled(session, found)
    gates.count(session, deltas)
    tallies.store(session)
    return Settled(len(rows), len(compared), len(taken) == limit or len(outputs) == limit or bool(attempts.changed))


def _attempt(row: Counted) -> int:
    return row.attempt


def _compare_new(
    session: Session, rows: Sequence[Counted], agents: Mapping[str, AgentEntry], now: datetime
) -> tuple[list[Compared], set[UUID]]:
    """
    Compare each decision with the newest human output of its case, unless that was done before. Not one that was
    replaced before anybody did the case: it was taken back while nobody could know whether it was right.

    What was compared, and the decisions whose comparison failed, now or then.
    """
    people = queries.current_human_outputs(session, {(row.agent, row.case_id) for row in rows})
    replaced = [row.id for row in rows if row.superseded_by is not None]
    replaced_before = set(replaced) - queries.superseded_after_people(session, replaced)
    pairs = [(row, people.get((row.agent, row.case_id))) for row in rows if row.id not in replaced_before]
    open_pairs = [(row, output) for row, output in pairs if output is not None]
    done = queries.compared_pairs(session, [row.id for row, _ in open_pairs])
    failed = {row.id for row, output in open_pairs if done.get((row.id, output.id)) == Kind.ERROR}
    comparisons, labels, made = [], [], []
    for row, output in open_pairs:
        if (row.id, output.id) in done:
            continue
        config = agents[row.agent].comparison
        result = storable(compare(row.output, output.output, config, schema_valid=row.output_valid), config)
        comparison = _comparison_row(row, output, result, now)
        comparisons.append(comparison)
        made.append(Compared(row, output, comparison["id"], result.kind, result.severity))
        if result.kind in _VERDICTS:
            labels.append(_label_row(row, output, comparison, result))
        else:
            # It stays without a verdict, and a settled case without a verdict counts against the agent.
            failed.add(row.id)
            log.warning("comparison failed", decision=str(row.id), differences=result.to_dict()["differences"])
    queries.insert_rows(session, ComparisonRow, comparisons)
    queries.insert_rows(session, Label, labels)
    return made, failed


def _comparison_row(row: Counted, output: HumanOutput, result: Comparison, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "decision_id": row.id,
        "human_output_id": output.id,
        "kind": result.kind,
        "severity": result.severity,
        "score": result.score,
        "differences": result.to_dict()["differences"],
        "compared_at": now,
    }


def _label_row(row: Counted, output: HumanOutput, comparison: dict[str, Any], result: Comparison) -> dict[str, Any]:
    return {
        "id": new_id(),
        "decision_id": row.id,
        "verdict": _VERDICTS[result.kind],
        "severity": result.severity,
        "source": "human_output",
        "source_id": comparison["id"],
        "person": output.person,
        "note": "",
        "at": output.stored_at,
    }


def _by_decision(labels: Sequence[Label]) -> defaultdict[UUID, list[Label]]:
    """In the order given; an empty list for a decision without any."""
    found: defaultdict[UUID, list[Label]] = defaultdict(list)
    for label in labels:
        found[label.decision_id].append(label)
    return found


def that_counts(labels: Sequence[Label], *, compared: bool = True) -> Label | None:
    """
    The label of the highest rank, and of those the one given last. One below all ranks never counts, alone neither.
    What was said of an earlier human output does not stand in for one that could not be compared.

    Where failures were reported, the worst of them and of the override that would count without them: whoever reports
    a minor one, as the agent itself may, does not make less of what a person called severe.
    """
    found, failures = None, list[Label]()
    for label in labels:
        if rank_of(label.source) < 0 or (label.source == "human_output" and not compared):
            continue
        if label.source == FAILURE:
            failures.append(label)
        elif found is None or rank_of(label.source) >= rank_of(found.source):
            found = label
    if not failures:
        return found
    wrong = [found, *failures] if found is not None and found.verdict == "override" else failures
    return max(reversed(wrong), key=lambda label: _HARM.get(label.severity or "", _HARM["major"]))


def _counted_as(row: Counted, label: Label | None) -> str:
    if row.rollout_id is None:
        return "nothing"
    if label is None:
        return "void" if row.superseded_by is not None else "pending"
    if label.verdict == "override":
        return label.severity if label.severity in {"severe", "minor"} else "override"
    return label.verdict


def contribution(row: Counted, counted_as: str) -> Counts:
    """What a decision adds to its cohort when it is counted as this."""
    if counted_as == "nothing":
        return Counts()
    return Counts(
        cases=1,
        agreed=int(counted_as == "agree"),
        overridden=int(counted_as in {"override", "severe", "minor"}),
        severe=int(counted_as == "severe"),
        void=int(counted_as == "void"),
        invalid_output=int(row.output_valid is False),
        invalid_confidence=int(row.confidence_given is not None),
        minor=int(counted_as == "minor"),
        low_confidence=int(low_confidence(row)),
    )


def low_confidence(row: Counted) -> bool:
    """Whether a case fell below the threshold of its day; where none is set, every case does."""
    if row.phase not in AUTOMATED or row.lane not in THRESHOLDED:
        return False
    return row.threshold is None or row.confidence is None or row.confidence < row.threshold


def cohort_of(row: Counted) -> gates.TotalKey | None:
    """Where it is counted; None for a version that nobody registered."""
    if row.rollout_id is None or row.epoch is None:
        return None
    return gates.TotalKey(row.rollout_id, row.epoch, row.lane, row.segment, row.decided_at.date())


def _moves(row: Counted, counted: str) -> list[tuple[gates.TotalKey, Counts]]:
    key = cohort_of(row)
    if key is None or row.counted_as == counted:
        return []
    change = contribution(row, counted)
    if row.counted_as is not None:
        change = change - contribution(row, row.counted_as)
    return [(key, change)]


def _settled_as(label: Label | None, counted: str, *, several: bool) -> tuple[Any, ...]:
    """The values of `queries.SETTLED_AS`."""
    if label is None:
        return None, None, None, counted, several
    return label.verdict, label.severity, label.source, counted, several
