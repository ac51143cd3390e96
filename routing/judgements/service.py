"""
Judging: a third person says which of two outputs is right, without knowing whose is whose, and what follows from it.

What was said is stored with the ruling as a ruling of its own kind, whose words and state tell nothing, since it can be
undone for a while. When it stands, it is a verdict on the agent's output, a label as any other, and one on what the
person did. Nobody waits for it and nobody is told: what was done with the case was done by people.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from evidence.comparing import compare
from evidence.comparing.paths import parse_path, pointer
from governance.actors import SYSTEM, Actor
from governance.audit import service as audit
from kit.db import send_after_commit
from kit.errors import Conflict, Invalid, Place
from kit.ids import new_id
from routing.cases.prepare import same
from routing.cases.tables import Decision, Label
from routing.domain.judging import EXTRA, JUDGE, JUDGEMENT, Right, Shares, counts, verdicts
from routing.judgements import queries
from routing.judgements.tables import Judgement
from routing.reviews.tables import ReviewItem, Ruling
from routing.snapshot import AgentEntry


class NothingToJudge(Conflict):
    code = "nothing-to-judge"
    title = "This case does not ask who was right"


class JudgeInstead(Conflict):
    code = "judge-instead"
    title = "This case asks which of two outputs is right"


@dataclass(frozen=True, slots=True)
class Judged:
    """What somebody says of two outputs. `output`: what would have been right, where neither is."""

    right: Right
    fingerprint: str
    output: Any = None
    note: str = ""


class Shown(NamedTuple):
    """One of two outputs."""

    name: str
    output: Any


@dataclass(frozen=True, slots=True)
class Pair:
    """
    What is to be judged. One output alone where both said the same. `differing`: the fields in which they differ by the
    agent's comparison, as JSON pointers, in an order that tells nothing.
    """

    outputs: tuple[Shown, ...]
    differing: tuple[str, ...]


def pair_of(session: Session, item: ReviewItem, decision: Decision) -> Pair:
    """For who holds the item."""
    row = queries.of_item(session, item.id)
    persons = queries.human_output(session, row).output
    both = {row.agent_is: decision.output, "B" if row.agent_is == "A" else "A": persons}
    if not row.differed:
        return Pair((Shown("A", both["A"]),), ())
    fields = sorted({_field(one["path"]) for one in queries.differences(session, row)})
    return Pair(tuple(Shown(name, both[name]) for name in sorted(both)), tuple(fields))


def _field(path: str) -> str:
    """The top-level field: deeper ones may stand in one of the two alone."""
    return pointer(parse_path(path)[:1]) if path else ""


def row_of(session: Session, item_id: UUID) -> Judgement:
    return queries.of_item(session, item_id)


def check(session: Session, agent: AgentEntry, row: Judgement, decision: Decision, said: Judged) -> None:
    """What the page promises the server enforces."""
    if not row.differed and said.right in {"A", "B"}:
        place = Place("right", "there is one output", "send both where it is right, neither where it is not")
        raise Invalid("there is one output to judge", places=[place])
    if said.output is None:
        return
    if said.right != "neither":
        place = Place("output", "one of the two is right", "leave it out, or say neither")
        raise Invalid("an output of your own is for where neither is right", places=[place])
    if agent.schema is not None and (problems := agent.schema.problems(said.output)):
        places = [Place(f"output{found.path}", found.words, "") for found in problems]
        raise Invalid("the output does not fit the agent's schema", places=places)
    if same(said.output, decision.output) or same(said.output, queries.human_output(session, row).output):
        place = Place("output", "it is one that is shown", "say that this one is right")
        raise Invalid("that is an output that is shown", places=[place])


def ruling_of(
    item: ReviewItem, row: Judgement, decision: Decision, said: Judged, agent: AgentEntry, actor: Actor, now: datetime
) -> Ruling:
    """What is stored of it; the row keeps which was right, as long as this ruling stands."""
    found = verdicts(said.right, "A" if row.agent_is == "A" else "B")
    row.said, row.judge, row.agent_right, row.person_right = said.right, actor.name, *found
    return Ruling(
        item_id=item.id,
        decision_id=item.decision_id,
        login=actor.name,
        ruling=JUDGE,
        output=said.output,
        note=said.note,
        fingerprint=said.fingerprint,
        held_seconds=(now - item.claimed_at).total_seconds() if item.claimed_at else 0.0,
        verdict="agree" if found.agent_right else "override",
        severity=None if found.agent_right else _severity(row, decision, said, agent),
        at=now,
    )


def _severity(row: Judgement, decision: Decision, said: Judged, agent: AgentEntry) -> str:
    if said.output is not None:
        result = compare(decision.output, said.output, agent.comparison, schema_valid=decision.output_valid)
        return result.severity or "major"
    return (row.severity or "major") if row.person_right else "major"


def conclude(session: Session, item: ReviewItem, decision: Decision, ruling: Ruling, now: datetime) -> None:
    """It can be undone no more: a label of the agent's output, which counts where the case stands for all."""
    row = queries.of_item(session, item.id)
    row.counted_at = now
    fair = counts(row.position, Shares(row.differing_share, row.same_share))
    session.add(
        Label(
            id=new_id(),
            decision_id=decision.id,
            verdict=ruling.verdict or "void",
            severity=ruling.severity,
            source=JUDGEMENT if fair else EXTRA,
            source_id=ruling.id,
            person=ruling.login,
            note=ruling.note[:500],
            at=ruling.at,
        )
    )
    decision.mark_unsettled()
    audit.record(
        session, SYSTEM, "judgement.counted", item.id, now=now, agent=item.agent, case_id=item.case_id,
        decision_id=item.decision_id, said=row.said, agent_right=row.agent_right, person_right=row.person_right,
        counts=fair,
    )  # fmt: skip
    send_after_commit(session, "routing.settle")
    send_after_commit(session, "reviews:changed")
