"""What the review desk shows: one case with its evidence and its output as a form, and how the queue stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from kit.errors import Invalid
from review_ui import words
from review_ui.forms import OutField, field_errors, out_fields, with_draft
from review_ui.pages import Posted, Viewer
from review_ui.shown import Shown, Tab, label_of, plain, pretty, show_all, steps_of
from rollout.agents.schemas import RejectReason
from routing.cases.tables import Decision
from routing.reviews import queries, service
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry

DWELL_MS = 800
MOST_REASONS = 9

# Reasons that would tell how sure the agent was; a reviewer judges first.
_ABOUT_CONFIDENCE = {"below_threshold", "above_threshold", "outside_ramp"}


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case on the desk."""

    item_id: UUID
    agent: str
    case_id: str
    version: str
    kind: str  # review | audit | escalated
    why: str
    facts: list[tuple[str, str]]
    tabs: list[Tab]
    fields: list[OutField]
    action: str
    reasons: Sequence[RejectReason]
    more_reasons: Sequence[RejectReason]
    fingerprint: str
    seconds: int
    confidence: str
    signals: list[tuple[str, str]]
    problem: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """How the queue stands for this person, in one line."""

    agent: str
    left: int
    done: int
    an_hour: int
    oldest_due: datetime | None
    late: bool
    now: datetime
    today: dict[str, int] = field(default_factory=dict)
    others: dict[str, int] = field(default_factory=dict)

    @property
    def all(self) -> int:
        return self.left + self.done

    @property
    def done_in_words(self) -> str:
        names = (("approve", "approved"), ("edit", "edited"), ("reject", "rejected"), ("escalate", "escalated"))
        parts = [f"{self.today[key]:,} {name}" for key, name in names if self.today.get(key)]
        return ", ".join(parts)


def status_of(session: Session, viewer: Viewer, now: datetime, agent: str) -> Status:
    levels = service.levels_of(viewer.actor)
    waiting = queries.waiting_counts(session, levels)
    today = queries.ruled_since(session, viewer.login, now.replace(hour=0, minute=0, second=0, microsecond=0))
    an_hour = queries.ruled_since(session, viewer.login, now - timedelta(hours=1))
    first = queries.open_page(session, agent=agent or None, levels=levels, offset=0, limit=1)
    due = first[0].due_at if first else None
    return Status(
        agent=agent,
        left=waiting.get(agent, 0) if agent else min(sum(waiting.values()), queries.COUNTED_UP_TO),
        done=sum(today.values()),
        an_hour=sum(an_hour.values()),
        oldest_due=due,
        late=due is not None and due < now,
        now=now,
        today=today,
        others={name: count for name, count in sorted(waiting.items()) if name != agent},
    )


def case_of(
    item: ReviewItem, decision: Decision, agent: AgentEntry, now: datetime, *, passed_on: bool = False
) -> CaseView:
    """`passed_on`: a person escalated it; else it is in the second line because its time was over in the first."""
    settings = agent.settings
    held = item.claimed_until or now
    return CaseView(
        item_id=item.id,
        agent=item.agent,
        case_id=item.case_id,
        version=item.version,
        kind="escalated" if item.level > 1 else item.kind,
        why=_why(item, decision, passed_on=passed_on),
        facts=_facts(decision),
        tabs=_tabs(decision, agent),
        fields=out_fields(decision.output, settings.fields.output, settings.output_schema),
        action=decision.action or "",
        reasons=settings.reasons[:MOST_REASONS],
        more_reasons=settings.reasons[MOST_REASONS:],
        fingerprint=item.fingerprint,
        seconds=max(int((held - now).total_seconds()), 0),
        confidence=_confidence(decision),
        signals=[(label_of(key), plain(value)) for key, value in (decision.signals or {}).items()],
    )


def with_problem(view: CaseView, form: Posted, problem: Invalid) -> CaseView:
    """The case with the person's draft in it and what is wrong beside each field."""
    from dataclasses import replace

    errors = field_errors(problem, view.fields)
    said = problem.detail if not errors else f"{words.plural(len(errors), 'field')} cannot be stored as it is"
    return replace(view, fields=with_draft(view.fields, form, errors), problem=said, note=form.text("note"))


def _why(item: ReviewItem, decision: Decision, *, passed_on: bool) -> str:
    """Why a person looks at it, without telling how sure the agent was."""
    if item.level > 1 and not passed_on:
        return "Nobody in the first line ruled on it in time."
    if item.kind == "audit":
        return "Drawn for an audit: the output was used already. Say whether it was right."
    if item.level > 1:
        return "Somebody passed it on to you because they were not sure."
    told = [reason["words"] for reason in decision.reasons if reason.get("code") not in _ABOUT_CONFIDENCE]
    said = " ".join(words.sentence(text) for text in told) or "The policy asks a person to rule on it."
    revision = f" (policy {decision.policy_revision})" if decision.policy_revision is not None else ""
    return f"{said.removesuffix('.')}{revision}."


def _facts(decision: Decision) -> list[tuple[str, str]]:
    facts = [
        ("Action", decision.action),
        ("Amount", f"{decision.amount:,.2f}" if decision.amount is not None else None),
        ("Segment", decision.segment or None),
        ("Risk", decision.risk),
    ]
    extra = [(label_of(key), plain(value)) for key, value in (decision.attributes or {}).items()]
    return [(name, value) for name, value in facts if value] + extra


def _tabs(decision: Decision, agent: AgentEntry) -> list[Tab]:
    """The fields that the agent names, the steps it took, and everything as it came."""
    named = agent.settings.fields.input
    fields = show_all(decision.input, named, "Input")
    tabs = [Tab("case", "Case", fields=fields)]
    if decision.trace:
        tabs.append(Tab("trace", "Trace", steps=steps_of(decision.trace)))
    if any(one.kind in {"image", "table"} for one in fields):
        tabs.append(Tab("all", "Everything", fields=[_as_it_came(decision.input)]))
    return tabs


def _as_it_came(value: Any) -> Shown:
    return Shown("", "Input as it came", "json", text=pretty(value))


def _confidence(decision: Decision) -> str:
    if decision.confidence is not None:
        return f"Confidence {decision.confidence:.2f}."
    return f"No usable confidence; the agent sent {decision.confidence_given}." if decision.confidence_given else ""
