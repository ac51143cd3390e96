"""
Which gold cases are dealt to nobody, because everybody would know them at sight: the id of the original stands where no
other can take its place, or the case came in a way that no case of the router's own can look like.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from kit.errors import Invalid, Place
from routing.cases.tables import Decision
from routing.domain.decide import INTERRUPT
from routing.gold import queries
from routing.gold.disguise import betrays
from routing.gold.tables import GoldCase

_SHOWN = ("input", "output", "action", "attributes", "signals", "trace")
_WHERE = "its id stands there in an address or as a part of a word, where no other can take its place"
_HOW = "it came by an interrupt or as a human loop"


def require_fit(row: Mapping[str, Any]) -> None:
    """Refuse what would give itself away, of a case that is to be made."""
    places = [Place(name, _WHERE, "make it by hand, without the id there") for name in _shows_its_id(row)]
    if row["case_id"].startswith(INTERRUPT):
        places = [Place("case_id", _HOW, "use an id such as the agent's other cases have")]
    if places:
        raise Invalid("every reviewer would know it for a gold case", places=places)


def require_own(decision: Decision) -> None:
    """Refuse what an agent did not send by itself."""
    if not queries.by_itself(decision.case_id, decision.reasons):
        place = Place("decision_id", _HOW, "take a case that the agent sent by itself")
        raise Invalid("every reviewer would know it for a gold case", places=[place])


def left_out(session: Session, cases: Sequence[GoldCase]) -> dict[UUID, str]:
    """Those of these that are dealt to nobody, and why: they were made before any was refused."""
    asked = queries.asked_for(session, [case.decision_id for case in cases if case.decision_id is not None])
    found = {}
    for case in cases:
        if case.decision_id in asked or case.case_id.startswith(INTERRUPT):
            found[case.id] = _HOW
        elif names := _shows_its_id({name: getattr(case, name) for name in (*_SHOWN, "case_id")}):
            found[case.id] = f"{names[0]}: {_WHERE}"
    return found


def _shows_its_id(row: Mapping[str, Any]) -> list[str]:
    return [name for name in _SHOWN if betrays(row[name], row["case_id"])]
