"""The second opinions of an agent as figures, with what still waits and what waits for nobody."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from routing.domain.opinions import SECOND
from routing.domain.scope import Scope
from routing.opinions import queries
from routing.opinions.figures import Figures, figures
from routing.reviews.tables import ReviewItem
from routing.skills import service as skills


@dataclass(frozen=True, slots=True)
class Report:
    """
    `waiting` and `to_adjudicate`: how many wait, counted no further than `queries.MOST_OPEN`; of them `for_nobody` wait
    though there is nobody who may rule on them. `not_given`: their time was over, or the output was replaced.
    """

    scope: Scope
    figures: Figures
    waiting: int
    to_adjudicate: int
    for_nobody: int
    not_given: int


def report(session: Session, scope: Scope) -> Report:
    found = figures(queries.counted(session, scope))
    open_items = queries.open_items(session, scope)
    seconds = sum(item.kind == SECOND for item in open_items)
    return Report(
        scope=scope,
        figures=found,
        waiting=seconds,
        to_adjudicate=len(open_items) - seconds,
        for_nobody=_for_nobody(session, scope.agent, [item for item in open_items if item.state == "waiting"]),
        not_given=max(found.asked - found.given - seconds, 0),
    )


def _for_nobody(session: Session, agent: str, items: Sequence[ReviewItem]) -> int:
    """Of how many everybody who works their queue has ruled on the same output."""
    if not items:
        return 0
    ruled = queries.ruled_by(session, [item.decision_id for item in items])
    able = skills.dealt_to(session, agent, [(item.segment, item.level) for item in items])
    return sum(not able[item.segment, item.level] - ruled[item.decision_id] for item in items)
