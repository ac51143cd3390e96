"""Second opinions on pages: the two rulings that somebody rules between, and what all of them came to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evidence.agreement.kappa import Share
from evidence.comparing import compare
from review_ui.blind_form import beside
from review_ui.people_views import Figure, figure
from rollout.domain import words
from routing.cases.tables import Decision
from routing.opinions.figures import Reviewer
from routing.opinions.report import Report
from routing.opinions.schemas import in_words
from routing.opinions.service import Shown
from routing.snapshot import AgentEntry


@dataclass(frozen=True, slots=True)
class Change:
    """A field that somebody changed: what the agent said and what they said."""

    label: str
    agent: str
    theirs: str


@dataclass(frozen=True, slots=True)
class OneOfTwo:
    """What one of two people said, who is called A or B."""

    name: str
    ruling: str  # approved | edited | rejected
    words: str
    changes: Sequence[Change]
    note: str


@dataclass(frozen=True, slots=True)
class OpinionRow:
    name: str
    wrong: Figure
    found: Figure
    let_pass: Figure


@dataclass(frozen=True, slots=True)
class OpinionsView:
    """`alone`: that something waits though nobody may rule on it. `open`: what else waits. Empty where nothing does."""

    words: str
    asked: int
    given: int
    same: Figure
    beyond: str
    beyond_name: str
    why_not: str
    people: Figure
    agent: Figure
    rows: list[OpinionRow]
    open: str
    alone: str


_ENDS = {"approve": "approved", "edit": "edited", "reject": "rejected"}


def one_of_two(shown: Shown, decision: Decision, agent: AgentEntry) -> OneOfTwo:
    changes: list[Change] = []
    said = "The output is right as it is."
    if shown.ruling == "edit":
        found = compare(decision.output, shown.output, agent.comparison, schema_valid=decision.output_valid)
        rows = beside(shown.output, decision.output, agent.settings, found)
        changes = [Change(row.label, row.agent, row.mine) for row in rows if row.mine != row.agent]
        said = "The output is right once this is changed."
    if shown.ruling == "reject":
        known = (one.words for one in agent.settings.reasons if one.code == shown.reason_code)
        said = f"The output is not to be used: {words_of(next(known, shown.reason_code or 'no reason given'))}."
    return OneOfTwo(shown.name, _ENDS[shown.ruling], said, changes, shown.note)


def words_of(reason: str) -> str:
    return reason[:1].lower() + reason[1:].removesuffix(".")


def opinions_view(report: Report, names: Mapping[str, str]) -> OpinionsView | None:
    """None where nobody was ever asked for one."""
    found = report.figures
    if not found.asked:
        return None
    return OpinionsView(
        words=in_words(found),
        asked=found.asked,
        given=found.given,
        same=figure(found.same),
        beyond="–" if found.coefficient.value is None else f"{found.coefficient.value:.2f}",
        beyond_name="Gwet's AC1" if found.coefficient_name == "ac1" else "Cohen's kappa",
        why_not=found.coefficient.reason or "",
        people=_wrong(found.people, found.given),
        agent=_wrong(found.agent, found.given),
        rows=sorted((_row(one, names) for one in found.reviewers), key=lambda row: row.name.lower()),
        open=_open(report),
        alone=_alone(report.for_nobody),
    )


def _wrong(share: Share, given: int) -> Figure:
    """The bounds are shown as soon as anybody gave a second opinion: they allow for what nobody has settled."""
    if not given:
        return figure(share)
    seen = "none settled" if share.share is None else "none seen" if share.part == 0 else words.seen(share.share)
    between = f"{words.at_least(share.lower)} to {words.at_most(share.upper)}"
    return Figure(seen, between, f"{share.part:,} of {share.whole:,}")


def _row(one: Reviewer, names: Mapping[str, str]) -> OpinionRow:
    found = one.found
    return OpinionRow(
        names.get(one.person, one.person), figure(one.wrong), figure(found.sensitivity), figure(found.specificity)
    )


def _open(report: Report) -> str:
    parts = []
    if report.waiting:
        parts.append(f"{words.plural(report.waiting, 'output')} {_wait(report.waiting)} for a second person")
    if report.to_adjudicate:
        count = report.to_adjudicate
        parts.append(f"{words.plural(count, 'output')} {_wait(count)} for a lead to rule between two")
    told = f"{'; '.join(parts)}." if parts else ""
    if report.not_given:
        told += f" {words.plural(report.not_given, 'second opinion')} nobody gave in time; they count as none."
    return told.strip()


def _wait(count: int) -> str:
    return "waits" if count == 1 else "wait"


def _alone(count: int) -> str:
    if not count:
        return ""
    those = "One of them waits" if count == 1 else f"{count:,} of them wait"
    return (
        f"{those} for nobody: whoever could rule on it has ruled on the same output before. It takes another reviewer, "
        "or another lead where two differed; until then nothing comes of it."
    )
