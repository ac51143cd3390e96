"""
Gold cases: made, retired and listed by those who answer for the agent, and what reviewers said of them.

Who makes one knows it, and whoever may list them may know them all, so neither is dealt any. A case is never changed:
reviewers were held against it. One that turns out to be wrong is retired; what was said of it stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from evidence.agreement.reviewers import GOLD_NEEDED
from evidence.comparing import compare
from governance.actors import Actor
from governance.audit import service as audit
from kit.errors import Invalid, NotFound, Place
from kit.ids import new_id
from rollout.domain import words
from rollout.reviewers.schemas import Said
from routing.cases.prepare import canonical
from routing.cases.queries import get_decision
from routing.cases.tables import Decision
from routing.gold import queries
from routing.gold.disguise import renamed
from routing.gold.queries import Answers, Dealt, Pool
from routing.gold.schemas import GoldCaseIn, GoldReportOut, PoolOut, ResultOut
from routing.gold.tables import GoldCase, GoldDeal
from routing.gold.unfit import require_fit, require_own
from routing.snapshot import AgentEntry

FEW = 20
"""Fewer wrong outputs than this tell a good reviewer from a poor one only by chance."""
_TOLD_FOR = timedelta(days=7)
_KNOWN = {"agree": Said.RIGHT, "override": Said.WRONG}
_COPIED = ("case_id", "input", "confidence", "segment", "action", "amount", "risk", "attributes", "signals", "trace")


@dataclass(frozen=True, slots=True)
class Made:
    """`new` is False where the same case was there already."""

    case: GoldCase
    new: bool


def require_keeper(actor: Actor) -> None:
    """Those who answer for the agent: owners and leads."""
    actor.require("advance")


def make(session: Session, agent: AgentEntry, given: GoldCaseIn, *, actor: Actor, now: datetime) -> Made:
    """A gold case from a decision, or by hand. The same again makes no second one."""
    require_keeper(actor)
    _check_given(given)
    row = _by_hand(given) if given.decision_id is None else _from_decision(session, agent.name, given)
    _check(agent, row)
    digest = sha256(canonical([row, given.decision_id])).hexdigest()
    row |= {"id": new_id(), "agent": agent.name, "decision_id": given.decision_id, "why": given.why}
    new = queries.add_case(session, row | {"digest": digest, "made_by": actor.name, "made_at": now})
    case = queries.by_digest(session, agent.name, digest)
    if new:
        audit.record(session, actor, "gold.made", case.id, now=now, agent=agent.name, decision_id=case.decision_id)
    return Made(case, new)


def retire(session: Session, gold_case_id: UUID, *, actor: Actor, now: datetime) -> GoldCase:
    """It is dealt to nobody any more; what was said of it stays. Said twice it changes nothing."""
    require_keeper(actor)
    case = queries.get_case(session, gold_case_id)
    if queries.try_retire(session, gold_case_id, actor.name, now):
        audit.record(session, actor, "gold.retired", case.id, now=now, agent=case.agent)
    session.refresh(case)
    return case


def pool_of(session: Session, agent: AgentEntry) -> PoolOut:
    """What is dealt from, what was really dealt, and what is missing."""
    there, dealt = queries.pool(session, agent.name), queries.dealt(session, agent.name)
    share = agent.settings.supervision.gold_share
    return PoolOut(
        right=there.right, wrong=there.wrong, share=share, rulings=dealt.rulings, gold=dealt.gold,
        passed_on=queries.passed_on(session, agent.name), reports=queries.count_reports(session, agent.name),
        warnings=_warnings(there, share, dealt),
    )  # fmt: skip


def results_of(session: Session, login: str, *, only_missed: bool = False, limit: int = 50) -> list[ResultOut]:
    """The gold cases that this person ruled on, the newest first, with what was known of them and why."""
    found = queries.results(session, login, only_missed=only_missed, limit=limit)
    return [_result(deal, case) for deal, case in found]


def result_of(session: Session, login: str, item_id: UUID, now: datetime) -> ResultOut:
    """
    One of them; as unknown as any other case while its ruling can be undone, and where it was passed on until another
    would have ended.
    """
    found = queries.result(session, login, item_id, now)
    if found is None:
        raise NotFound(f"you ruled on no gold case {item_id}")
    return _result(*found)


def untold(session: Session, login: str, now: datetime) -> ResultOut | None:
    """The newest result of the last week that this person has not put away."""
    found = queries.newest_untold(session, login, now - _TOLD_FOR, now)
    return _result(*found) if found is not None else None


def put_away(session: Session, login: str, item_id: UUID, now: datetime) -> None:
    """They have seen that result, and all before it."""
    queries.put_away(session, login, result_of(session, login, item_id, now).at, now)


def _check_given(given: GoldCaseIn) -> None:
    """One way or the other: what a decision has is not sent beside it, and by hand there is nothing else to take."""
    if given.decision_id is None:
        needed = ("case_id", "output", "output_is")
        places = [
            Place(name, "it is missing", "send it, or name a decision_id") for name in needed
            if getattr(given, name) is None
        ]  # fmt: skip
    else:
        sent = [name for name in _COPIED if getattr(given, name) not in (None, "")]
        places = [Place(name, "the decision has it", "leave it out") for name in sent]
    if places:
        raise Invalid(f"{places[0].place}: {places[0].problem}", places=places)


def _by_hand(given: GoldCaseIn) -> dict[str, Any]:
    row = {name: getattr(given, name) for name in _COPIED} | {"output": given.output}
    right = given.output if given.output_is is Said.RIGHT else given.correct_output
    return row | {"output_is": (given.output_is or Said.WRONG).value, "correct_output": right}


def _from_decision(session: Session, agent: str, given: GoldCaseIn) -> dict[str, Any]:
    decision = get_decision(session, given.decision_id) if given.decision_id is not None else None
    if decision is None or decision.agent != agent:
        raise NotFound(f"agent {agent} has no decision {given.decision_id}")
    require_own(decision)
    other = given.output is not None and canonical(given.output) != canonical(decision.output)
    known = _KNOWN.get(decision.label or "")
    said = given.output_is or (Said.WRONG if other and known is Said.RIGHT else None if other else known)
    if said is None:
        place = Place("output_is", "nobody has said it of this decision", "send right or wrong")
        raise Invalid("it is not known whether the output is right", places=[place])
    output = given.output if other else decision.output
    right = output if said is Said.RIGHT else _correct(session, given, decision, shown_another=other)
    row = {name: getattr(decision, name) for name in _COPIED} | {"output": output}
    return row | {"output_is": said.value, "correct_output": right}


def _correct(session: Session, given: GoldCaseIn, decision: Decision, *, shown_another: bool) -> Any:
    """
    As it was sent; else the agent's where that was right, else what whoever found it wrong gave instead. None where
    nobody has said.
    """
    if given.correct_output is not None:
        return given.correct_output
    if decision.label == "agree":
        return decision.output if shown_another else None
    return queries.said_to_be_right(session, decision)


def _check(agent: AgentEntry, row: dict[str, Any]) -> None:
    """What could not come from the agent would be known for gold at sight, and a known answer must be one."""
    require_fit(row)
    if agent.output_valid(row["output"]) is False:
        place = Place("output", "it does not fit the agent's schema", "show what the agent could have said")
        raise Invalid("the output does not fit the agent's schema", places=[place])
    correct = row["correct_output"]
    if correct is None or row["output_is"] == Said.RIGHT:
        return
    if agent.schema is not None and (problems := agent.schema.problems(correct)):
        places = [Place(f"correct_output{found.path}", found.words, "") for found in problems]
        raise Invalid("the correct output does not fit the agent's schema", places=places)
    if compare(row["output"], correct, agent.comparison).kind == "equal":
        place = Place("correct_output", "the agent's comparison calls it equal to the output", "say what is right")
        raise Invalid("an output that is wrong is not the correct one", places=[place])


def _result(deal: GoldDeal, case: GoldCase) -> ResultOut:
    said = Said(deal.said) if deal.said is not None else None
    return ResultOut(
        item_id=deal.item_id,
        gold_case_id=case.id,
        agent=deal.agent,
        case_id=deal.case_id,
        input=deal.decision.get("input"),
        output=deal.decision.get("output"),
        output_is=Said(case.output_is),
        ruling=deal.ruling or "",
        said=said,
        knew=None if said is None else said == case.output_is,
        correct_output=renamed(case.correct_output, case.case_id, deal.case_id),
        why=renamed(case.why, case.case_id, deal.case_id),
        at=deal.answered_at or deal.dealt_at,
    )


def _warnings(there: Pool, share: float, dealt: Dealt) -> list[str]:
    found = []
    if share == 0.0:
        found.append("The agent's settings ask for none (supervision.gold_share is 0).")
    if not there.right or not there.wrong:
        missing = "right" if there.wrong else "wrong" if there.right else "right and one that is wrong"
        found.append(
            f"None is dealt before there is an output that is {missing}: whoever gets only one kind can guess."
        )
    elif there.wrong < FEW:
        found.append(
            f"With {words.plural(there.wrong, 'wrong output')} each reviewer is soon through: nobody gets one twice. "
            f"{FEW} tell a good reviewer from a poor one, {GOLD_NEEDED} answers let gates be corrected."
        )
    if dealt.rulings >= GOLD_NEEDED and dealt.gold < dealt.rulings * share / 2 and there.right and there.wrong:
        found.append("Less than half of what the settings ask for was dealt: make more, or see why in the guide.")
    return found


def answers_of(session: Session, cases: Sequence[GoldCase]) -> dict[UUID, Answers]:
    """What was said of each of these that somebody was dealt."""
    return queries.answers_by_case(session, [case.id for case in cases])


def reports_of(
    session: Session, agent: str, *, actor: Actor, before: UUID | None = None, limit: int = 50
) -> list[GoldReportOut]:
    """
    What reviewers reported of gold cases, the newest first; for those who answer for the agent. Nobody looks into
    these, and one may say that the case itself is wrong.
    """
    require_keeper(actor)
    found = queries.reported(session, agent, before=before, limit=limit)
    return [
        GoldReportOut(
            id=report.id,
            gold_case_id=case.id,
            case_id=case.case_id,
            shown_as=deal.case_id,
            output_is=Said(case.output_is),
            severity=report.severity,
            description=report.description,
            correct_output=report.correct_output,
            reported_by=report.reported_by,
            reported_at=report.reported_at,
        )
        for report, deal, case in found
    ]
