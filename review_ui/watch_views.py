"""What the page that watches a version shows: what comes in, week against week, draws, and what the audits say."""

from collections.abc import Sequence
from dataclasses import dataclass

from review_ui import words
from rollout.domain import words as figures
from routing.audits.service import Report as AuditsReport
from routing.drift.service import AttributeDrift, Draw, Report, Value, Week

_SHOWN = 8
_BAR = 156
_RARE = 10

_WHAT = {"audit": "Drawn for an audit", "ramp": "Alone, of those sure enough"}


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One value in both windows; widths are of a common scale of the attribute."""

    name: str
    before: str
    now: str
    before_width: float
    now_width: float


@dataclass(frozen=True, slots=True)
class AttributeCard:
    name: str
    state: str  # pass | fail | no_evidence, as badges have it
    badge: str
    sentence: str
    rows: list[ValueRow]


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """Two figures beside each other, and what they say: the weeks of a rate, or what was wanted and what came out."""

    name: str
    first: str
    second: str
    state: str
    badge: str


@dataclass(frozen=True, slots=True)
class AuditsView:
    """`title` is the sentence to put a name under; empty where nothing can be said."""

    title: str
    sentences: list[str]
    cases: str
    audited: str
    open: str
    wrong: str


def cards(report: Report) -> list[AttributeCard]:
    return [_card(one) for one in report.attributes]


def _card(one: AttributeDrift) -> AttributeCard:
    name = words.initial(one.attribute)
    shown = list(one.values[:_SHOWN]) if one.attribute != "confidence" else list(one.values)
    rest = one.values[len(shown) :]
    if rest:
        before, now = sum(value.before for value in rest), sum(value.now for value in rest)
        shown.append(Value(f"{words.plural(len(rest), 'other value')}", before, now))
    rows = _rows(shown, one.before, one.now)
    if one.found.stability is None:
        return AttributeCard(name, "no_evidence", "", words.sentence(one.found.reason), rows)
    if one.found.alarmed:
        return AttributeCard(name, "fail", "Changed", _most_moved(one), rows)
    return AttributeCard(name, "pass", "As before", "No change that chance would not explain.", rows)


def _rows(values: Sequence[Value], before: int, now: int) -> list[ValueRow]:
    shares = [(value.before / before if before else 0.0, value.now / now if now else 0.0) for value in values]
    scale = max((max(pair) for pair in shares), default=0.0) or 1.0
    return [
        ValueRow(
            name=value.value,
            before=_share(value.before, before),
            now=_share(value.now, now),
            before_width=round(old / scale * _BAR, 1),
            now_width=round(new / scale * _BAR, 1),
        )
        for value, (old, new) in zip(values, shares, strict=True)
    ]


def _share(count: int, cases: int) -> str:
    return words.share(count / cases) if cases else words.DASH


def _most_moved(one: AttributeDrift) -> str:
    """The value that has moved most, in words."""
    moved = max(one.values, key=lambda value: abs(value.now / max(one.now, 1) - value.before / max(one.before, 1)))
    before, now = _share(moved.before, one.before), _share(moved.now, one.now)
    return f"{words.initial(moved.value)} was {before} of the cases and is {now} now."


def weeks(report: Report) -> list[ComparedRow]:
    return [_week(one) for one in report.weeks]


def _week(one: Week) -> ComparedRow:
    state, badge = "pass", "As before"
    if not one.before[1] or not one.now[1]:
        state, badge = "no_evidence", ""
    elif one.found.changed:
        more = one.now[0] / one.now[1] > one.before[0] / one.before[1]  # all of these are better when they are few
        state, badge = ("fail", "More than before") if more else ("pass", "Fewer than before")
    return ComparedRow(words.initial(one.metric.words), _of(one.before), _of(one.now), state, badge)


def _of(counted: tuple[int, int]) -> str:
    bad, cases = counted
    return f"{bad:,} of {cases:,}, {words.share(bad / cases)}" if cases else "no case"


_HEALTH = {
    "healthy": ("pass", "As configured"),
    "unhealthy": ("fail", "Off"),
    "not-enough-traffic": ("no_evidence", "Too few"),
}


def draws(report: Report) -> list[ComparedRow]:
    return [_draw(one) for one in report.draws]


def _draw(one: Draw) -> ComparedRow:
    state, badge = _HEALTH[one.split.health.value]
    got = f"{one.drawn:,} of {one.cases:,}, {_share(one.drawn, one.cases)}"
    return ComparedRow(_WHAT[one.what], figures.percent(one.probability), got, state, badge)


def audits(report: AuditsReport) -> AuditsView:
    found = report.found
    outputs = words.plural(found.cases, "output")
    title = f"At most {report.at_most.wrong:,} of {outputs} wrong, {figures.sure(found.confidence)}"
    return AuditsView(
        title=title if found.audited else "",
        sentences=[*_found(report), *_needed(report)] if found.cases else [],
        cases=f"{found.cases:,}",
        audited=f"{found.audited:,}",
        open=f"{report.open:,}",
        wrong=f"{found.bad:,}",
    )


def _found(report: AuditsReport) -> list[str]:
    found = report.found
    said = []
    if found.wrong_expected is not None and found.bad:
        expected = found.wrong_expected
        about = f"{expected:,.0f}" if expected >= _RARE else f"{expected:.1f}"
        said.append(f"About {about} are to be expected; that is an estimate and no promise.")
    if found.nothing_found is not None and found.audited:
        bound = figures.at_most(found.nothing_found)
        said.append(f"None wrong in {words.plural(found.audited, 'audit')} still leaves up to {bound} possible.")
    if report.open:
        worst = report.at_most_if_open_are_wrong.wrong
        waiting = "audit is" if report.open == 1 else "audits are"
        said.append(f"{report.open:,} {waiting} not ruled on yet; if all of them were wrong, it would be {worst:,}.")
    return said


def _needed(report: AuditsReport) -> list[str]:
    """What it would take to say "at most the risk"."""
    risk = figures.percent(report.risk)
    if report.at_most.rate <= report.risk:
        return [f"That is within the {risk} that the plan allows."]
    if report.rate_needed is None:
        audits_needed = words.plural(report.audits_needed, "audit")
        return [f"To say at most {risk} takes {audits_needed}, more than there are cases so far."]
    rate = figures.at_most(report.rate_needed)
    return [f"To say at most {risk} of as many cases, audit {rate} of them."]
