"""The threshold in force, what putting another one in force changes, the way to the next look, and the looks so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evidence.thresholds import Groups
from review_ui import words
from review_ui.calibration_views import accepted_by, share_of
from rollout.agents.tables import Agent
from rollout.domain.phase import Phase, Standing
from rollout.domain.policy import Rules
from rollout.domain.threshold_plan import ThresholdPlan
from rollout.versions.tables import PolicyRevision, Rollout
from routing.thresholds.service import Outlook
from routing.thresholds.tables import Calibration

_TOO_FAR = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class Present:
    """The threshold in force, where it comes from, and whether less is asked for than the labels allow."""

    value: str
    words: str
    since: datetime | None
    by: str
    rests_on: Calibration | None
    warning: str
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """The way to the next look. `share` from 0 to 1."""

    words: str
    rest: str
    share: float | None
    day: datetime | None


@dataclass(frozen=True, slots=True)
class LookRow:
    row: Calibration
    name: str
    answer: str
    wrong: int
    shown: bool


@dataclass(frozen=True, slots=True)
class SegmentRow:
    name: str
    key: str
    answer: str
    labels: str
    present: str
    shown: bool


def in_force(rules: Rules, segment: str) -> float | None:
    return rules.thresholds.get(segment, rules.threshold) if segment else rules.threshold


def present_of(
    rows: Sequence[Calibration],
    rules: Rules,
    segment: str,
    policies: Sequence[PolicyRevision],
    names: Mapping[str, str],
) -> Present:
    """`policies`: the revisions of the version, the newest first."""
    value = in_force(rules, segment)
    applied = next((row for row in rows if row.applied_revision is not None and row.threshold == value), None)
    newest = rows[0] if rows else None
    own = segment in rules.thresholds
    said = "No case goes alone." if value is None else "Cases that are at least so sure may go alone."
    if segment and not own:
        said += " It is the threshold of all cases; this segment has none of its own."
    revision = _since(policies, segment, value)
    return Present(
        value=words.confidence(value) if value is not None else "None",
        words=said,
        since=revision.created_at if revision is not None else None,
        by=names.get(revision.created_by, revision.created_by) if revision is not None else "",
        rests_on=applied,
        warning=_too_low(value, newest),
        is_answer=newest is not None and value == newest.threshold and (own or not segment),
    )


def _since(policies: Sequence[PolicyRevision], segment: str, value: float | None) -> PolicyRevision | None:
    """The oldest of the newest revisions that agree on the threshold."""
    found = None
    for policy in policies:
        rules = policy.body["rules"]
        if rules.get("thresholds", {}).get(segment, rules.get("threshold")) != value:
            return found
        found = policy
    return found


def _too_low(value: float | None, newest: Calibration | None) -> str:
    if value is None or newest is None:
        return ""
    if newest.threshold is None:
        return f"{words.confidence(value)} is in force, and the labels allow none: what goes alone has no promise."
    if value < newest.threshold:
        return (
            f"It is lower than the labels allow: they promise something from {words.confidence(newest.threshold)} on, "
            "and nothing below."
        )
    return ""


def change_of(row: Calibration, rollout: Rollout, value: float | None, groups: Groups) -> list[str]:
    """What putting it in force means for the cases, in words to be read before. `value`: the one in force."""
    now, then = (share_of(accepted_by(groups, at)[0], row.labels) for at in (value, row.threshold))
    which = f" of segment {row.segment}" if row.segment else ""
    present = "Now none goes alone." if value is None else f"With the one in force, {words.confidence(value)}: {now}."
    if row.threshold is None:
        said = [f"No case{which} goes alone any more: a person rules on each."]
    else:
        said = [
            f"Cases{which} with a confidence of {words.confidence(row.threshold)} or more may go alone.",
            f"Of the labelled cases {then} are that sure. {present}",
        ]
    back = "It is the next policy revision, with your name. Raising it again needs no calibration."
    return [*said, _when_it_counts(rollout), back]


def _when_it_counts(rollout: Rollout) -> str:
    phase = Phase(rollout.phase)
    if phase < Phase.CONFIDENCE:
        return f"Nothing changes today: in {words.word(phase.value)} no case goes alone. It counts from Confidence on."
    if rollout.frozen == "routing":
        return "Nothing changes today: the version is frozen, and every case goes to a person."
    return "It takes effect with the next case, within the present share of the ramp."


def who_may(agent: Agent, names: Mapping[str, str]) -> str:
    both = [agent.owner, agent.second] if agent.second else [agent.owner]
    return " or ".join(names.get(login, login) for login in both if login)


def progress_of(outlook: Outlook, declared: ThresholdPlan, rollout: Rollout, now: datetime) -> Progress:
    """How far it is to the next look, and when it will be at the present pace."""
    if outlook.next_labels is None:
        last = declared.looks[-1]
        said = f"Frozen at {last:,} labels, the declared horizon." if len(declared.looks) > 1 else "The look is taken."
        return Progress(said, "No other is declared; the answer stays until the next version.", None, None)
    settled = min(outlook.settled_labels, outlook.next_labels)
    said, share = f"{settled:,} of {outlook.next_labels:,} settled labels", settled / outlook.next_labels
    missing = outlook.next_labels - settled
    if (held := _held(rollout, missing)) is not None:
        return Progress(said, held, share, None)
    wait = timedelta(days=missing / outlook.per_day) if outlook.per_day > 0 else None
    if wait is None or wait > _TOO_FAR:
        return Progress(said, "At the present pace they will not come in.", share, None)
    return Progress(said, "At the present pace on", share, now + wait)


def _held(rollout: Rollout, missing: int) -> str | None:
    """Why the pace says nothing."""
    phase = Phase(rollout.phase)
    if rollout.standing == Standing.RETIRED:
        return "The version is retired; no label comes in."
    if phase is Phase.EVALUATION:
        return "Labels come in from Shadow on."
    if missing:
        return None
    if phase >= Phase.CONFIDENCE:
        return "Where the agent goes alone only a drawn sample counts, so it takes some more."
    return "The look is taken within a minute, if each of them has a confidence."


def look_rows(rows: Sequence[Calibration], shown: Calibration) -> list[LookRow]:
    return [
        LookRow(
            row,
            "First look" if row.look == 0 else f"Look {row.look + 1}",
            f"from {words.confidence(row.threshold)}" if row.threshold is not None else "no threshold",
            row.answer["errors"],
            row.id == shown.id,
        )
        for row in rows
    ]


def segment_rows(
    newest: Mapping[str, Calibration], declared: Sequence[str], rules: Rules, shown: str
) -> list[SegmentRow]:
    """All cases and every segment that has a threshold of its own; nothing where there are no segments."""
    keys = list(dict.fromkeys([*declared, *(key for key in newest if key)]))
    if not keys:
        return []
    return [_segment_row(key, newest.get(key), rules, shown) for key in ("", *keys)]


def _segment_row(key: str, row: Calibration | None, rules: Rules, shown: str) -> SegmentRow:
    found = (
        "not looked yet"
        if row is None
        else f"from {words.confidence(row.threshold)}"
        if row.threshold is not None
        else "none"
    )
    present = in_force(rules, key)
    return SegmentRow(
        name=key or "All cases",
        key=key,
        answer=found,
        labels=f"{row.labels:,}" if row is not None else words.DASH,
        present=f"from {words.confidence(present)}" if present is not None else "none",
        shown=key == shown,
    )
