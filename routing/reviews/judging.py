"""The verb of the desk for who was right: as a ruling, of two outputs of which nobody says whose they are."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from governance.actors import Actor
from governance.audit import queries as audit_queries
from kit.db import send_after_commit
from routing.cases import queries as cases
from routing.cases.prepare import same
from routing.domain.judging import JUDGED, JUDGEMENT
from routing.judgements import service as judgements
from routing.judgements.service import Judged, NothingToJudge
from routing.reviews import concluding, queries
from routing.reviews import service as desk
from routing.reviews.dealing import queries as dealing
from routing.reviews.refusals import NotForYou, ShownOtherwise
from routing.reviews.service import Given
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry


def judge(session: Session, item_id: UUID, said: Judged, *, agent: AgentEntry, actor: Actor, now: datetime) -> Given:
    """Say which of two outputs is right. Said twice, to the letter, it is one judgement, as with a ruling."""
    item, until = queries.get_item(session, item_id), concluding.undoable_until(agent, now)
    if item.kind != JUDGEMENT:
        raise NothingToJudge(f"case {item.case_id} asks for a ruling on one output")
    if until is None:  # it is concluded here, and settling may have changed the item
        cases.lock_decision(session, item.decision_id)
        item = queries.get_item(session, item_id)
    row = judgements.row_of(session, item_id)
    if (before := _judged_before(session, item, row.said, said, actor)) is not None:
        return before
    if said.fingerprint != item.fingerprint:
        raise ShownOtherwise("the case changed since it was shown to you; look at it again")
    if not dealing.may_judge(session, item_id, actor.name):
        raise NotForYou(f"case {item.case_id} is for somebody who has seen no output of it; give it back")
    decision = queries.decision_of(session, item)
    judgements.check(session, agent, row, decision, said)
    ended = queries.try_end(session, item_id, actor.name, state=JUDGED, now=now, concludes_at=until)
    if ended is None:
        item = queries.get_item(session, item_id)
        if (before := _judged_before(session, item, row.said, said, actor)) is not None:
            return before  # the same, by another request at the same moment
        raise desk.why_not(item, actor)
    ruling = judgements.ruling_of(ended, row, decision, said, agent, actor, now)
    session.add(ruling)
    session.flush()  # the label below names its id
    if until is None:
        concluding.conclude(session, ended, decision, ruling, now, desk=agent.settings.desk)
    else:
        send_after_commit(session, "routing.conclude", about=agent.settings.undo_seconds)
    audit_queries.add(session, [desk.event_row(ended, ruling, actor)])
    send_after_commit(session, "reviews:changed")
    return Given(ruling, until, new=True)


def _judged_before(session: Session, item: ReviewItem, right: str | None, said: Judged, actor: Actor) -> Given | None:
    if item.state != JUDGED or right != said.right:
        return None
    ruling = queries.standing_rulings(session, [item.id]).get(item.id)
    if ruling is None or ruling.login != actor.name or not same(said.output, ruling.output):
        return None
    same_words = (ruling.fingerprint, ruling.note) == (said.fingerprint, said.note)
    return Given(ruling, item.concludes_at, new=False) if same_words else None
