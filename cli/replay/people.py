"""The recorded people: what they did becomes human outputs in shadow, and rulings on what is queued or audited."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from cli.replay.house import House
from cli.replay.recording import Recorded
from cli.replay.tally import Tally
from evidence.comparing import Comparison, compare
from routing.cases import service as cases
from routing.cases.prepare import Entry
from routing.cases.schemas import HumanOutputIn
from routing.cases.tables import Decision
from routing.reviews import bulk
from routing.reviews.service import Said
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry


@dataclass(frozen=True, slots=True)
class Decided:
    """A recorded case that was routed just now."""

    recorded: Recorded
    entry: Entry
    decision: Decision


def act(session: Session, house: House, agent: AgentEntry, decided: Sequence[Decided], tally: Tally) -> None:
    """Let the people answer as they did. What they did for automated cases stays out of all evidence."""
    rulings = []
    for one in decided:
        compared = compare(
            one.decision.output,
            one.recorded.case.human_output,
            agent.comparison,
            schema_valid=one.decision.output_valid,
        )
        tally.count(one.entry.row, compared)
        if one.entry.item is not None:
            said = ruling_for(agent, one, compared)
            tally.stay(one.entry.row).rulings[said.ruling] += 1
            rulings.append(bulk.Recorded(ReviewItem(**one.entry.item), one.decision, said, one.recorded.case.at))
    bulk.rule_all(session, rulings, agent=agent, actor=house.people)
    outputs = [_human_output(one) for one in decided if one.entry.row["lane"] == "shadow"]
    if outputs:
        cases.add_human_outputs(session, house.agent, outputs, actor=house.people, now=house.clock.now())


def ruling_for(agent: AgentEntry, one: Decided, compared: Comparison) -> Said:
    """
    What a reviewer who had the recorded answer in mind would have said: approve what is equal, else edit.

    An answer that cannot be written into an edit (none at all, or not in the agent's schema) makes it a reject.
    """
    item = one.entry.item or {}
    output = one.recorded.case.human_output
    if compared.kind in {"equal", "ignored"}:
        return Said("approve", item["fingerprint"])
    fits = agent.schema is None or agent.schema.fits(output)
    if output is None or output == one.decision.output or not fits:
        return Said("reject", item["fingerprint"], reason_code=_reason(agent, compared))
    return Said("edit", item["fingerprint"], output=output)


def _reason(agent: AgentEntry, compared: Comparison) -> str:
    """A reason as grave as the difference; where the agent knows none, its first."""
    reasons = agent.settings.reasons
    fitting = (reason.code for reason in reasons if reason.severity == (compared.severity or "major"))
    return next(fitting, reasons[0].code)


def _human_output(one: Decided) -> HumanOutputIn:
    case = one.recorded.case
    return HumanOutputIn.model_construct(
        case_id=case.case_id, output=case.human_output, person=None, occurred_at=case.occurred_at
    )
