"""What the pages about past rulings show: one's own words, where they differ from the agent's, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from fastapi import Request

from evidence.comparing import compare
from review_ui import words
from review_ui.blind_form import beside
from review_ui.desk_views import kind_of
from review_ui.opinions_views import Change, words_of
from review_ui.shown import Shown, show_all
from routing.reviewer.past import Judged, Later, Line, Past
from routing.reviews.service import ENDS
from routing.reviews.tables import Ruling
from routing.snapshot import AgentEntry, SnapshotHolder

_MARKS = {"approve": "approved", "edit": "edited", "reject": "rejected", "escalate": "escalated", "judge": "judged"}
_SAID_BY = {
    "review": "Another reviewer ruled on it",
    "audit": "Somebody looked at it again in an audit",
    "bulk": "Somebody approved it together with other cases",
    "second": "A second reviewer looked at it, knowing nothing of the first",
    "adjudication": "Somebody ruled between two people who differed",
    "judgement": "Somebody said who was right, the agent or a person",
    "extra_judgement": "Somebody said who was right, the agent or a person",
    "human_output": "Somebody did the case without the agent",
    "failure": "A failure was reported",
    "cancelled": "The agent took the case back",
    "superseded": "The agent sent another output in its place",
}
_VERDICTS = {"agree": "the output is right", "override": "the output is wrong"}


@dataclass(frozen=True, slots=True)
class Row:
    item_id: UUID
    case_id: str
    agent: str
    kind: str
    ruling: str  # of the badge
    why: str
    at: datetime
    gold: bool


@dataclass(frozen=True, slots=True)
class LaterRow:
    """`against`: it says the opposite of the ruling."""

    words: str
    note: str
    at: datetime
    against: bool
    link: str


@dataclass(frozen=True, slots=True)
class PastView:
    ruling: str
    why: str
    note: str
    at: datetime
    changes: Sequence[Change]
    came_of_it: str
    undo_until: datetime | None
    later: Sequence[LaterRow]
    whose: str
    """Whose of two outputs was whose, where that is told."""
    instead: Sequence[Shown]
    """What they said would have been right, where neither was."""


def reasons_of(request: Request, agent: str) -> Mapping[str, str]:
    """The words of an agent's reasons, by code, from this process's snapshot."""
    entry = cast("SnapshotHolder", request.app.state.holder).agent(agent)
    return {one.code: one.words for one in entry.settings.reasons} if entry is not None else {}


def row_of(line: Line, reasons: Mapping[str, str]) -> Row:
    ruling, item = line.ruling, line.item
    return Row(
        item_id=item.id,
        case_id=item.case_id,
        agent=item.agent,
        kind=kind_of(item),
        ruling=_MARKS[ruling.ruling],
        why=_which(line.judged.said, two=line.judged.differed) if line.judged else _why(ruling, reasons),
        at=ruling.at,
        gold=line.gold,
    )


def past_view(found: Past, agent: AgentEntry) -> PastView:
    ruling, judged = found.ruling, found.judged
    reasons = {one.code: one.words for one in agent.settings.reasons}
    return PastView(
        ruling=_MARKS[ruling.ruling],
        why=_which(judged.right, two=len(judged.pair.outputs) > 1) if judged else _why(ruling, reasons),
        note=ruling.note,
        at=ruling.at,
        changes=_changes(found, agent),
        came_of_it=_came_of_it(found),
        undo_until=found.item.concludes_at,
        later=[_later(one, ruling, reasons, found.item.agent) for one in found.later],
        whose=_whose(found.judged),
        instead=_instead(found, agent),
    )


def _which(right: str | None, *, two: bool) -> str:
    if not two:
        return "it is right" if right == "both" else "it is wrong"
    return {"both": "both are right", "neither": "neither is right"}.get(right or "", f"{right} is right")


def _whose(judged: Judged | None) -> str:
    if judged is None or judged.agent_is is None:
        return ""
    return f"{judged.agent_is} was the agent's, {'B' if judged.agent_is == 'A' else 'A'} was a person's."


def _instead(found: Past, agent: AgentEntry) -> list[Shown]:
    if found.judged is None or found.ruling.output is None:
        return []
    return show_all(found.ruling.output, agent.settings.fields.output, "Output")


def _why(ruling: Ruling, reasons: Mapping[str, str]) -> str:
    return reasons.get(ruling.reason_code or "", ruling.reason_code or "")


def _changes(found: Past, agent: AgentEntry) -> list[Change]:
    """What they made of the output, field by field."""
    if found.ruling.ruling != "edit":
        return []
    decision, output = found.decision, found.ruling.output
    compared = compare(decision.output, output, agent.comparison, schema_valid=decision.output_valid)
    rows = beside(output, decision.output, agent.settings, compared)
    return [Change(row.label, row.agent, row.mine) for row in rows if row.mine != row.agent]


def _came_of_it(found: Past) -> str:
    """In words that would fit any case: of a gold case whose result is not told they say no more and no less."""
    if found.item.concludes_at is not None:
        return "Nothing yet: your ruling can still be undone on the desk."
    if found.item.state != ENDS[found.ruling.ruling]:
        return "Nothing: the case ended before your ruling was passed on."
    if found.ruling.bulk:
        return "You ruled on it together with other cases, so it counts in no figure."
    if found.outcome is not None:
        return f"You passed it on, and there it ended: {found.outcome}."
    if found.judged is not None:
        return f"What you said was taken. {_whose(found.judged)}".rstrip()
    return "You passed it on to the second line." if found.ruling.ruling == "escalate" else "Your ruling was taken."


def _later(one: Later, ruling: Ruling, reasons: Mapping[str, str], agent: str) -> LaterRow:
    said = _VERDICTS.get(one.verdict, "")
    told = _SAID_BY.get(one.source, "Somebody looked at it")
    why = reasons.get(one.reason_code or "", one.reason_code or "")
    parts = [part for part in (said, words_of(why) if why else "") if part]
    against = ruling.verdict in _VERDICTS and one.verdict in _VERDICTS and one.verdict != ruling.verdict
    return LaterRow(
        words=words.sentence(": ".join([told, *parts])),
        note=one.note,
        at=one.at,
        against=against,
        link=f"/agents/{agent}/failures/{one.source_id}" if one.source == "failure" else "",
    )
