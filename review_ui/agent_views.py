"""What the pages of agents show about where a version stands: phase path, banner, history, versions, failures."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from review_ui import words
from review_ui.evidence_views import deciding_gate, short_figure
from rollout.domain.phase import Phase, Standing
from rollout.domain.plan import Plan
from rollout.domain.words import moment
from rollout.failures.tables import Failure
from rollout.gates.tables import EvidenceSnapshot
from rollout.versions.tables import PhaseChange, Rollout, Version

WHO_WORKS = {
    "evaluation": "no real work yet",
    "shadow": "records only, people work as before",
    "supervised": "people rule on all of it",
    "confidence": "alone where it is sure",
    "full": "all of it, people see what is flagged",
}


@dataclass(frozen=True, slots=True)
class PathStep:
    name: str
    state: str  # done | now | left | ""
    ramp: list[bool] = field(default_factory=list)
    share: str = ""
    aside: str = ""
    dates: str = ""


@dataclass(frozen=True, slots=True)
class Banner:
    tone: str
    icon: str
    strong: str
    rest: str


@dataclass(frozen=True, slots=True)
class HistoryLine:
    tone: str
    icon: str
    strong: str
    rest: str
    at: datetime
    version: str
    evidence: str


@dataclass(frozen=True, slots=True)
class VersionColumn:
    version: str
    standing: str
    phase: str
    since: datetime
    figure: str
    verdict: str
    digest: str
    about: str


def path_of(rollout: Rollout, plan: Plan | None, history: Sequence[PhaseChange]) -> list[PathStep]:
    """The five phases; the current one with its ramp steps, those that were lost marked as left."""
    here = Phase(rollout.phase)
    entered = {change.entered: change.at for change in reversed(history) if change.entered}
    left = {change.left: change.at for change in reversed(history) if change.kind == "demoted" and change.left}
    return [_path_step(phase, here, rollout, plan, entered, left) for phase in Phase]


def _path_step(
    phase: Phase,
    here: Phase,
    rollout: Rollout,
    plan: Plan | None,
    entered: dict[str, datetime],
    left: dict[str, datetime],
) -> PathStep:
    name, since = words.word(phase.value), entered.get(phase.value)
    if phase < here:
        return PathStep(name, "done", aside="done", dates=f"from {_day(since)}" if since else "")
    if phase is here:
        steps = plan.phase(phase).steps if plan is not None and phase >= Phase.CONFIDENCE else ()
        at = min(rollout.ramp_step, len(steps) - 1) if steps else 0
        share = words.amount(steps[at], "rate") if steps else ""
        return PathStep(
            name, "now", [index <= at for index in range(len(steps))], share, dates=f"since {_day(rollout.phase_since)}"
        )
    if phase.value in left:
        return PathStep(
            name, "left", aside=f"left on {_day(left[phase.value])}", dates=f"left {_day(left[phase.value])}"
        )
    return PathStep(name, "", aside="not yet")


def _day(at: datetime | None) -> str:
    return f"{at.day} {at:%b}" if at else ""


def share_of(rollout: Rollout, plan: Plan | None) -> str:
    """`25 % of eligible cases alone`, in the phases that have a ramp."""
    phase = Phase(rollout.phase)
    if plan is None or phase < Phase.CONFIDENCE:
        return WHO_WORKS[phase.value]
    steps = plan.phase(phase).steps
    share = steps[min(rollout.ramp_step, len(steps) - 1)]
    return WHO_WORKS[phase.value] if share >= 1 else f"{words.amount(share, 'rate')} of eligible cases alone"


def stay(rollout: Rollout, now: datetime) -> str:
    days = max((now - rollout.phase_since).days, 0)
    return words.plural(days, "day") if days else "less than a day"


def state_of(rollout: Rollout, body: dict[str, Any] | None, demoted: PhaseChange | None) -> tuple[str, str, str]:
    """The badge of a rollout: tone, icon and one word."""
    if rollout.frozen or body is None:
        return ("warn", "pause", "Frozen") if rollout.frozen else ("", "none", "No evidence")
    if body["verdict"] == "advance":
        return "ok", "sign", "Ready"
    return ("bad", "down", "Demoted") if demoted is not None else _held(body)


def _held(body: dict[str, Any]) -> tuple[str, str, str]:
    """Why it stays where it is, in one word."""
    codes = [reason["code"] for reason in body["reasons"]]
    if codes == ["last_phase"]:
        return "ok", "pass", "Steady"
    if "critical_failure_open" in codes:
        return "bad", "alert", "Failure open"
    verdicts = [gate["verdict"] for gate in body["gates"]]
    for verdict in ("fail", "error", "no_evidence", "inconclusive"):
        if verdict in verdicts:
            tone, icon, _ = words.BADGES[verdict]
            return tone, icon, words.word(verdict)
    return "", "pause", "Hold"


def why(body: dict[str, Any] | None) -> str:
    """Why no further, in one or two sentences: the strongest reason, then what would change it."""
    if body is None:
        return "Nobody has looked at it yet. The first look comes by itself within a minute."
    if not body["reasons"]:
        return "Nothing stands against it."
    first = body["reasons"][0]
    said = " ".join(words.sentence(part) for part in (first["words"], first.get("what_would_change", "")) if part)
    more = len(body["reasons"]) - 1
    return f"{said} {words.plural(more, 'more reason')} on its page." if more > 0 else said


def banner_of(rollout: Rollout, body: dict[str, Any] | None, approval: str, demoted: PhaseChange | None) -> Banner:
    """The one sentence that is true of the whole page now."""
    if (still := _out_of_order(rollout)) is not None:
        return still
    if body is None:
        return Banner("", "none", "No evidence yet.", why(None))
    first = body["reasons"][0] if body["reasons"] else {"words": "Nothing stands against it.", "what_would_change": ""}
    if body["verdict"] == "advance":
        return Banner(
            "ok", "pass", words.sentence(first["words"]), approval or words.sentence(first["what_would_change"])
        )
    if demoted is not None:
        strong = f"Demoted from {words.word(demoted.left or '')} on {_day(demoted.at)}."
        return Banner("bad", "down", strong, words.sentence(demoted.reason))
    tone, icon, _ = state_of(rollout, body, None)
    return Banner(tone, icon, words.sentence(first["words"]), words.sentence(first.get("what_would_change", "") or ""))


def _out_of_order(rollout: Rollout) -> Banner | None:
    """What a person has done to it that outweighs every figure."""
    if rollout.standing == Standing.RETIRED:
        return Banner("", "x", "This version is retired.", "It decides nothing. Its record stays.")
    if rollout.frozen == "routing":
        return Banner(
            "warn", "pause", "Frozen: every case goes to a person.", "Nothing advances. Guardrails go on working."
        )
    if rollout.frozen == "advancing":
        return Banner(
            "warn", "pause", "Frozen: nothing advances.", "It keeps its phase and share. Guardrails go on working."
        )
    if rollout.glass_until is not None:
        strong = f"Break-glass until {moment(rollout.glass_until)}: more autonomy than its evidence carries."
        back = words.word(rollout.glass_from_phase or "")
        return Banner("bad", "alert", strong, f"It goes back to {back} by itself. Nothing advances meanwhile.")
    return None


_HISTORY: dict[str, tuple[str, str, str]] = {
    "started": ("", "go", "Registered"),
    "advanced": ("ok", "go", "Advanced to {entered}"),
    "broke_glass": ("bad", "alert", "Break-glass: {entered} for a few hours"),
    "glass_ended": ("", "down", "Break-glass is over, back to {entered}"),
    "ramped": ("ok", "go", "Share grew to {share}"),
    "demoted": ("bad", "down", "Demoted to {entered}"),
    "rolled_back": ("bad", "back", "Rolled back"),
    "restored": ("ok", "back", "Back in charge in {entered}"),
    "promoted": ("ok", "up", "Now the stable version"),
    "retired": ("", "x", "Retired"),
    "stopped": ("warn", "x", "Candidate stopped"),
    "frozen": ("warn", "pause", "Frozen"),
    "unfrozen": ("ok", "go", "Freeze lifted"),
    "refused": ("warn", "x", "Advance refused"),
    "segment_closed": ("bad", "down", "A segment was closed"),
    "plan": ("accent", "edit", "Plan changed"),
}


def history_line(change: PhaseChange, names: dict[str, str]) -> HistoryLine:
    tone, icon, template = _HISTORY.get(change.kind, ("", "info", words.word(change.kind)))
    strong = template.format(
        entered=words.word(change.entered or ""),
        share=words.amount(change.share, "rate") if change.share is not None else "the next step",
    )
    by = "" if change.by == "system" else f"By {names.get(change.by, change.by)}."
    if change.by == "system" and change.kind in {"demoted", "ramped", "segment_closed"}:
        by = "By itself."
    rest = " ".join(part for part in (words.sentence(change.reason), by) if part)
    evidence = str(change.evidence_id) if change.evidence_id else ""
    return HistoryLine(tone, icon, f"{strong}.", rest, change.at, change.version, evidence)


def column(version: Version, rollout: Rollout, snapshot: EvidenceSnapshot | None) -> VersionColumn:
    gate = deciding_gate(snapshot.body.get("gates", [])) if snapshot is not None else None
    return VersionColumn(
        version=rollout.version,
        standing=rollout.standing,
        phase=rollout.phase,
        since=rollout.phase_since,
        figure=short_figure(gate) if gate is not None else words.DASH,
        verdict=gate["verdict"] if gate is not None else "no_evidence",
        digest=version.digest or "",
        about=version.about,
    )


def newest_demotion(history: Sequence[PhaseChange], rollout: Rollout) -> PhaseChange | None:
    """The demotion that brought the version where it is, while nothing has happened since."""
    moves = [change for change in history if change.rollout_id == rollout.id and change.entered is not None]
    return moves[0] if moves and moves[0].kind == "demoted" else None


def open_first(failures: Sequence[Failure]) -> list[Failure]:
    return sorted(failures, key=lambda failure: failure.state == "closed")
