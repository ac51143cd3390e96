"""What the review desk shows: one case with its evidence and its output as a form, and how the queue stands."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from evidence.comparing import compare
from kit.errors import Invalid
from review_ui import words
from review_ui.asked_form import EVERYTHING, Takes, evidence_of, fields_of, takes_of
from review_ui.blind_form import Beside, beside, blank_fields
from review_ui.forms import OutField, field_errors, with_draft
from review_ui.gold_desk import Told
from review_ui.judging_views import PairView, pair_view
from review_ui.opinions_views import OneOfTwo
from review_ui.pages import Posted, Viewer
from review_ui.shown import Shown, label_of, plain, pretty, show_all
from review_ui.trace import Tab, steps_of
from review_ui.wanted import Part
from rollout.agents.schemas import RejectReason
from rollout.domain.words import NBSP
from routing.cases.tables import Decision
from routing.domain.judging import JUDGE, JUDGEMENT
from routing.domain.opinions import ADJUDICATION
from routing.domain.sampling import BLIND
from routing.interrupts.asked import RESPOND
from routing.judgements.service import Pair
from routing.reviews import queries, service
from routing.reviews.dealing import queries as dealing
from routing.reviews.dwell import least_seconds
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry
from routing.supervision.tables import BlindAnswer

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
    kind: str  # review | audit | escalated | blind
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
    veiled: bool = False
    """The output is not shown before the reviewer has answered; `fields` are empty ones for the answer."""
    own: Sequence[Beside] = ()
    """What the reviewer had answered, beside what the agent said."""
    opinions: Sequence[OneOfTwo] = ()
    """What two people said who differed, for who rules between them."""
    pair: PairView | None = None
    """Two outputs of which somebody says which is right; `fields` are empty ones for what would have been."""
    dwell_ms: int = 0
    """How long it is shown before it can be approved: by how much there is to read."""
    see_all: bool = False
    """Whether all of its evidence must have been looked at before it can be approved."""
    takes: Takes = EVERYTHING
    response: str = ""
    """What somebody wrote as an answer in the tool's place, and is not stored yet."""


@dataclass(slots=True)
class Desk:
    """The whole page: the case, those that follow it, how the queue stands, and what can be undone."""

    case: CaseView | None
    ahead: list[CaseView]
    prefetched: bool
    """Whether `ahead` was asked for; else the page keeps what it has."""
    queue: "Status"
    undo_item: UUID | None
    undo_seconds: int
    lease_seconds: int
    have: frozenset[str] = frozenset()
    """Items that are in the page already."""
    again: bool = False
    """The case is shown anew though the page has it."""
    ruled: str = ""
    gone: str = ""
    """Why the case that the page shows by now is not theirs any more, as a sentence."""
    gold: Told | None = None
    """What came of a gold case that this person ruled on."""

    @property
    def ahead_seconds(self) -> int:
        return min((one.seconds for one in self.ahead), default=0)


@dataclass(frozen=True, slots=True)
class Status:
    """How the queue stands for this person, in one line."""

    part: Part
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
    def agent(self) -> str:
        return self.part.agent

    @property
    def done_in_words(self) -> str:
        names = (
            ("approve", "approved"), ("edit", "edited"), ("reject", "rejected"), ("escalate", "escalated"),
            (JUDGE, "judged"),
        )  # fmt: skip
        parts = [f"{self.today[key]:,} {name}" for key, name in names if self.today.get(key)]
        return ", ".join(parts)


def status_of(session: Session, viewer: Viewer, now: datetime, part: Part, *, since: datetime) -> Status:
    """`since`: when the viewer's day began."""
    agent, narrow = part.agent, part.narrow
    reach = service.reach_of(session, viewer.actor)
    waiting = queries.waiting_counts(session, reach)
    today = queries.ruled_since(session, viewer.login, since)
    an_hour = queries.ruled_since(session, viewer.login, now - timedelta(hours=1), one_by_one=True)
    due = dealing.earliest_due(session, narrow, reach, viewer.login)
    left = waiting.get(agent, 0) if agent else min(sum(waiting.values()), dealing.COUNTED_UP_TO)
    if part.narrowed:
        left = dealing.waiting_of(session, narrow, reach)
    return Status(
        part=part,
        # A second look is not counted, and is one case all the same when it comes; what is only for others is none.
        left=max(left, 1) if due is not None else 0,
        done=sum(today.values()),
        an_hour=sum(an_hour.values()),
        oldest_due=due,
        late=due is not None and due < now,
        now=now,
        today=today,
        others={name: count for name, count in sorted(waiting.items()) if part.narrowed or name != agent},
    )


def case_of(
    item: ReviewItem,
    decision: Decision,
    agent: AgentEntry,
    now: datetime,
    *,
    passed_on: bool = False,
    answer: BlindAnswer | None = None,
    opinions: Sequence[OneOfTwo] = (),
    pair: Pair | None = None,
) -> CaseView:
    """
    `passed_on`: a person escalated it; else it is in the second line because its time was over in the first.
    `answer`: what who looks at it said before they saw the output; without one a case of the blind arm is veiled.
    `opinions`: what two people said, for who rules between them. `pair`: what is to be judged, of whoever it is.
    """
    settings = agent.settings
    held = item.claimed_until or now
    if item.arm == BLIND and answer is None:
        return _veiled(item, decision, agent, max(int((held - now).total_seconds()), 0))
    if pair is not None:
        return _paired(item, decision, agent, pair, now)
    return CaseView(
        item_id=item.id,
        agent=item.agent,
        case_id=item.case_id,
        version=item.version,
        kind=kind_of(item),
        why=_why(item, decision, passed_on=passed_on),
        facts=_facts(decision),
        tabs=_tabs(decision, agent),
        fields=fields_of(decision, settings),
        takes=takes_of(decision),
        action=decision.action or "",
        reasons=settings.reasons[:MOST_REASONS],
        more_reasons=settings.reasons[MOST_REASONS:],
        fingerprint=item.fingerprint,
        seconds=max(int((held - now).total_seconds()), 0),
        confidence=_confidence(decision),
        signals=[(label_of(key), plain(value)) for key, value in (decision.signals or {}).items()],
        own=() if answer is None else _own(answer, decision, agent),
        opinions=opinions,
        dwell_ms=round(1000 * least_seconds(decision, settings.desk)),
        see_all=(decision.risk or "") in settings.desk.see_all_for_risks,
    )


def kind_of(item: ReviewItem) -> str:
    """What its badge says."""
    return "escalated" if item.level > 1 and item.kind not in {ADJUDICATION, JUDGEMENT} else item.shown_kind


def seconds_until(moment: datetime | None, now: datetime) -> int:
    return max(int((moment - now).total_seconds()), 0) if moment is not None else 0


def _veiled(item: ReviewItem, decision: Decision, agent: AgentEntry, seconds: int) -> CaseView:
    """Nothing in it from which the output could be read or guessed, which the page's source would show."""
    return CaseView(
        item_id=item.id,
        agent=item.agent,
        case_id=item.case_id,
        version=item.version,
        kind="blind",
        why=f"{100 * (item.arm_probability or 0.0):.0f}{NBSP}% of cases ask you first; so agreeing stays a decision.",
        facts=[("Segment", decision.segment)] if decision.segment else [],
        tabs=_tabs(decision, agent, veiled=True),
        fields=blank_fields(decision.output, agent.settings),
        action="",
        reasons=(),
        more_reasons=(),
        fingerprint="",
        seconds=seconds,
        confidence="",
        signals=[],
        veiled=True,
    )


def _paired(item: ReviewItem, decision: Decision, agent: AgentEntry, pair: Pair, now: datetime) -> CaseView:
    """Nothing in it from which could be read or guessed which output is whose."""
    view = pair_view(pair, agent.settings)
    bare = _veiled(item, decision, agent, seconds_until(item.claimed_until, now))
    outputs = [one.output for one in pair.outputs]
    return replace(
        bare,
        kind=item.shown_kind,
        why="Drawn to know who was right." if len(outputs) > 1 else "Drawn to know what is overlooked.",
        fields=view.fields,
        fingerprint=item.fingerprint,
        veiled=False,
        pair=view,
        dwell_ms=round(1000 * least_seconds(decision, agent.settings.desk, outputs)),
    )


def _own(answer: BlindAnswer, decision: Decision, agent: AgentEntry) -> list[Beside]:
    found = compare(decision.output, answer.output, agent.comparison, schema_valid=decision.output_valid)
    return beside(answer.output, decision.output, agent.settings, found)


def with_problem(view: CaseView, form: Posted, problem: Invalid) -> CaseView:
    """The case with the person's draft in it and what is wrong beside each field."""
    errors = field_errors(problem, view.fields)
    said = problem.detail if not errors else f"{words.plural(len(errors), 'field')} cannot be stored as it is"
    draft = with_draft(view.fields, form, errors)
    return replace(view, fields=draft, problem=said, note=form.text("note"), response=form.text(RESPOND))


def _why(item: ReviewItem, decision: Decision, *, passed_on: bool) -> str:
    """Why a person looks at it, without telling how sure the agent was."""
    if item.kind == ADJUDICATION:
        return "Two people ruled on this output and differ. Rule between them."
    if item.level > 1 and not passed_on:
        return "Nobody in the first line ruled on it in time."
    if item.shown_kind == "audit":
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


def _tabs(decision: Decision, agent: AgentEntry, *, veiled: bool = False) -> list[Tab]:
    """The fields that the agent names, the steps it took, and everything as it came."""
    named = agent.settings.fields.input
    evidence = evidence_of(decision)
    fields = show_all(evidence, named, "Input")
    tabs = [Tab("case", "Case", fields=fields)]
    if decision.trace and not veiled:
        tabs.append(Tab("trace", "Trace", steps=steps_of(decision.trace)))
    if evidence is not decision.input or any(one.kind in {"image", "table"} for one in fields):
        tabs.append(Tab("all", "Everything", fields=[_as_it_came(decision.input)]))
    return tabs


def _as_it_came(value: Any) -> Shown:
    return Shown("", "Input as it came", "json", text=pretty(value))


def _confidence(decision: Decision) -> str:
    if decision.confidence is not None:
        return f"Confidence {decision.confidence:.2f}."
    return f"No usable confidence; the agent sent {decision.confidence_given}." if decision.confidence_given else ""
