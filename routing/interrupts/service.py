"""From an interrupt to its cases, one for each action, and from what was decided on them to the graph's answer."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy.orm import Session

from governance.actors import Actor
from kit.errors import Invalid, NotFound, Place
from kit.wire import invalid_from
from routing.cases import queries
from routing.cases.outcomes import outcome_of
from routing.cases.schemas import CaseIn, decision_out
from routing.cases.tables import Decision
from routing.interrupts import dialects
from routing.interrupts.asked import asked_of, case_id_of
from routing.interrupts.dialects import Ask, Question
from routing.interrupts.schemas import Asked, InterruptIn, InterruptOut
from routing.supervision import veil

_MOST = 100
"""Actions of one interrupt."""


def cases_of(body: InterruptIn) -> list[CaseIn]:
    """One case for each action. What the graph takes as an answer stands in the input, stored with the route."""
    try:
        question = dialects.read(body.value, body.response_schema)
    except dialects.Unknown as unknown:
        mend = "send a HumanInterrupt, a HITLRequest or a ToolApprovalRequest as it came out of the graph"
        raise Invalid(f"value: {unknown}", places=[Place("value", str(unknown), mend)]) from None
    if len(question.asks) > _MOST:
        place = Place("value.action_requests", f"more than {_MOST} actions", "ask in several interrupts")
        raise Invalid("value: too many actions", places=[place])
    try:
        return [_case(body, question, place) for place in range(len(question.asks))]
    except ValidationError as error:
        raise invalid_from(error.errors()) from None


def _case(body: InterruptIn, question: Question, place: int) -> CaseIn:
    ask = question.asks[place]
    asked = Asked(
        id=body.id,
        dialect=question.dialect,
        place=place,
        of=len(question.asks),
        allowed=ask.allowed,
        args_schema=ask.args_schema,
    )
    # What is not there is not written, so that an interrupt that came before there was such a field is still the same.
    kept = asked.model_dump(mode="json", exclude_none=True)
    return CaseIn.model_validate(
        {
            "case_id": case_id_of(body.id, place),
            "version": body.version,
            "input": {"asked": ask.description, "interrupt": kept},
            "output": ask.action,
            "action": ask.name,
            "confidence": body.confidence,
            "segment": body.segment,
            "amount": body.amount,
            "risk": body.risk,
            "attributes": body.attributes,
            "trace": body.trace,
        }
    )


def decisions_of(session: Session, interrupt_id: UUID, actor: Actor) -> list[Decision]:
    """The decisions on its actions, in order; an interrupt has the id of its first."""
    first = queries.get_decision(session, interrupt_id, actor.agent)
    actor.require("read", first.agent)
    asked = asked_of(first)
    if asked is None or first.case_id != case_id_of(asked.id, 0):
        raise NotFound(f"there is no interrupt {interrupt_id}")
    keys = [(first.agent, case_id_of(asked.id, place), first.version, first.attempt) for place in range(asked.of)]
    found = {row.case_id: row for row in queries.decisions_by_key(session, keys)}
    if any(key[1] not in found or asked_of(found[key[1]]) is None for key in keys):
        raise NotFound(f"there is no interrupt {interrupt_id}")
    for row in found.values():
        veil.require_answer_of_case(session, row.agent, row.case_id, actor)
    return list(veil.as_before(session, [found[key[1]] for key in keys], actor))


def waiting(rows: Sequence[Decision]) -> list[UUID]:
    return [row.id for row in rows if row.route == "review" and row.outcome is None]


def shown(rows: Sequence[Decision]) -> InterruptOut:
    asked = Asked.model_validate(rows[0].input["interrupt"])
    open_ones = waiting(rows)
    resume: Any = None if open_ones else dialects.resume_value(_question(asked, rows), rows)
    return InterruptOut(
        id=rows[0].id,
        interrupt=asked.id,
        agent=rows[0].agent,
        dialect=asked.dialect,
        status="waiting" if open_ones else "unanswerable" if resume is None else "answered",
        resume=resume,
        decisions=[decision_out(row, outcome_of(row)) for row in rows],
    )


def _question(asked: Asked, rows: Sequence[Decision]) -> Question:
    asks = (
        Ask(row.output["name"], row.output["args"], "", Asked.model_validate(row.input["interrupt"]).allowed)
        for row in rows
    )
    return Question(asked.dialect, tuple(asks))
