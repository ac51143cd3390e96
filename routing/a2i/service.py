"""The verbs of human loops: look at one, read its output, stop it, try conditions out."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import service as audit
from kit import json_body
from kit.errors import Conflict, Invalid, NotFound, Place, Problem
from rollout.domain.activation import Activation
from rollout.domain.policy import Policy
from rollout.versions import queries as versions
from routing.a2i import queries, shapes
from routing.a2i.schemas import EvaluateIn, StartIn
from routing.cases import queries as cases
from routing.cases.cancelling import cancel
from routing.cases.closing import close_reviews
from routing.cases.schemas import HumanLoopIn
from routing.cases.tables import Decision
from routing.delivery import service as delivery
from routing.domain.activation import Evaluation, evaluate
from routing.domain.sampling import input_position


class LoopEnded(Conflict):
    code = "loop-ended"
    title = "This human loop has ended"


class NoLoop(Conflict):
    code = "no-human-loop"
    title = "This case was decided without a human loop"


def case_of(body: StartIn) -> HumanLoopIn:
    """A loop as a case: its name is the case's, its input content the input."""
    content = _content(body.HumanLoopInput.InputContent)
    names = [name for name in ("selectedAiServiceResponse", "initialValue") if name in content]
    if "Output" not in body.model_fields_set and not names:
        mend = "send Output, or selectedAiServiceResponse or initialValue in the input content"
        raise Invalid("nothing to rule on", places=[Place("Output", "there is nothing a person could rule on", mend)])
    output = body.Output if "Output" in body.model_fields_set else content[names[0]]
    return HumanLoopIn(case_id=body.HumanLoopName, version=body.Version, input=content, output=output)


def _content(text: str) -> dict[str, Any]:
    place, mend = "HumanLoopInput.InputContent", "send an object as JSON text"
    try:
        content = json_body.parse(text.encode("utf-8", "surrogatepass"))
    except Problem as wrong:
        raise Invalid(f"{place}: {wrong.detail}", places=[Place(place, wrong.detail, mend)]) from None
    if not isinstance(content, dict):
        raise Invalid(f"{place}: it is no object", places=[Place(place, "it is no object", mend)])
    return content


def get_loop(session: Session, agent: str, name: str) -> Decision:
    """The newest decision on a case that was a human loop."""
    rows = [row for row in cases.decisions_of_case(session, agent, name) if shapes.is_loop(row)]
    if not rows:
        raise NotFound(f"agent {agent} has no human loop “{name}”")
    return rows[-1]


def output_of(session: Session, row: Decision, *, secret: bytes) -> dict[str, Any]:
    """output.json of a loop; NotFound while or where there is none, as it was in the bucket."""
    ruling = queries.last_ruling(session, row.id) if shapes.status(row) == "Completed" else None
    if ruling is None:
        raise NotFound(f"the human loop “{row.case_id}” has no output: it is {shapes.status(row)}")
    return shapes.output(row, ruling, None if shapes.was_sent(row) else _explain(session, row, secret))


def _explain(session: Session, row: Decision, secret: bytes) -> Evaluation | None:
    """The tree behind a stored route, from the policy revision that the row names; it decides nothing any more."""
    if row.rollout_id is None or row.policy_revision is None:
        return None
    revision = versions.get_policy(session, row.rollout_id, row.policy_revision)
    activation = Policy.from_body(row.rollout_id, revision.revision, revision.body).rules.activation
    if activation is None:
        return None
    return _evaluate(activation, row.agent, row.output, row.input, row.case_id, secret=secret)


def stop(session: Session, row: Decision, *, actor: Actor, now: datetime) -> None:
    """Nobody needs to rule any more; the case is void, for nobody said that its output was wrong."""
    decision = cases.get_locked(session, row.id) or row
    if shapes.status(decision) != "InProgress":
        raise LoopEnded(f"the human loop “{row.case_id}” has ended: it is {shapes.status(decision)}")
    close_reviews(session, decision.id, state="cancelled", actor=actor.name, now=now, kind="review")
    words = "the caller stopped the human loop before a person ruled"
    cancel(session, decision, by=actor.name, reason_code=shapes.STOPPED, words=words, source_id=decision.id, now=now)
    delivery.tell(session, decision, kind="decision.cancelled", now=now)
    audit.record(session, actor, "human_loop.stopped", decision.id, now=now, agent=row.agent, case_id=row.case_id)


def try_out(session: Session, agent: str, body: EvaluateIn, *, secret: bytes) -> Evaluation:
    """What conditions make of an answer; nothing is stored."""
    activation = body.conditions
    if (activation is None) == (body.version is None):
        place = Place("conditions", "neither or both of version and conditions are sent", "send one of them")
        raise Invalid("send either version or conditions", places=[place])
    if body.version is not None:
        rollout = versions.get_rollout(session, agent, body.version)
        revision = versions.get_policy(session, rollout.id, rollout.policy_revision)
        activation = Policy.from_body(rollout.id, revision.revision, revision.body).rules.activation
    if activation is None:
        raise NotFound(f"the rules of version {body.version} have no activation conditions")
    return _evaluate(activation, agent, body.output, body.input, body.case_id, secret=secret)


def _evaluate(
    activation: Activation, agent: str, output: Any, shown_input: Any, case_id: str, *, secret: bytes
) -> Evaluation:
    return evaluate(activation, output, lambda: input_position(secret, agent, shown_input, case_id))
