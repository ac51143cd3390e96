"""
The blind arm: some reviewers answer before they see what the agent said, so that agreeing stays a decision.

Which cases is drawn when they are stored. Until a person's own answer to such a case is stored, nothing leaves the
house for that person from which the output could be read or guessed; the fingerprint neither, which would tell yes
from no. An answer is given once; a better one after having seen the output would be worth nothing.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from evidence.comparing import Kind, compare
from governance.actors import Actor
from governance.audit import service as audit
from kit.errors import Conflict, Invalid, Place
from kit.json_digest import sha256_of
from routing.cases.prepare import same
from routing.domain.sampling import BLIND
from routing.gold.queries import GOLD
from routing.reviews import queries as reviews
from routing.reviews import service as desk
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry
from routing.supervision import queries
from routing.supervision.tables import BlindAnswer


class NothingToAnswer(Conflict):
    code = "nothing-to-answer"
    title = "This case does not ask for your answer first"


class AnsweredOtherwise(Conflict):
    code = "answered-otherwise"
    title = "Another answer of yours is stored"


def answer(
    session: Session, item_id: UUID, output: Any, *, agent: AgentEntry, actor: Actor, now: datetime, lease: timedelta
) -> ReviewItem:
    """Store what this person says of the case they hold, before they see the output; from now on they may."""
    item = desk.renew(session, item_id, actor=actor, now=now, lease=lease)  # two answers at once take turns here
    if item.arm != BLIND:
        raise NothingToAnswer(f"the output of case {item.case_id} is shown at once; rule on it")
    given = queries.answer_of(session, item.decision_id, actor.name)
    if given is not None:
        if same(given.output, output):
            return item
        raise AnsweredOtherwise("your first answer stays; say in the ruling what is right")
    _check(agent, output)
    decision = reviews.decision_of(session, item)
    found = compare(decision.output, output, agent.comparison, schema_valid=decision.output_valid)
    equal = found.kind == Kind.EQUAL
    session.add(
        BlindAnswer(
            item_id=item_id, decision_id=decision.id, login=actor.name, output=output, equal=equal, at=now
        )
    )  # fmt: skip
    if item.kind != GOLD:
        audit.record(
            session, actor, "review.answered", item_id, now=now, agent=item.agent, case_id=item.case_id,
            decision_id=decision.id, equal=equal, output_sha256=sha256_of(output),
        )  # fmt: skip
    return item


def _check(agent: AgentEntry, output: Any) -> None:
    """A person's answer is held to what the agent's outputs are."""
    if output is None:
        raise Invalid("an answer is needed", places=[Place("output", "it is empty", "say what the output should be")])
    if agent.schema is not None and (problems := agent.schema.problems(output)):
        places = [Place(f"output{found.path}", found.words, "") for found in problems]
        raise Invalid("the answer does not fit the agent's schema", places=places)
