"""
The verdict on a rollout: advance, hold or demote, with every reason and the time of the next look.

Harm is looked at first, and in every state that is not the last: a freeze, a closed window, an overdue review or
people who are being waited for stop advancing, never demotion. After that, everything must be in order at once;
what is not is told, strongest first, with what would change it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from rollout.domain import words
from rollout.domain.gate import judge_gate, tallies_of
from rollout.domain.guardrail import judge_guardrail
from rollout.domain.oversight import next_review_due
from rollout.domain.phase import FreezeMode, Phase, Severity, Standing
from rollout.domain.plan import Plan, RampApproval
from rollout.domain.readiness import ReadinessResult, judge_readiness
from rollout.domain.situation import Situation, Source
from rollout.domain.verdict import Conclusion, GateResult, GuardrailResult, Verdict, record
from rollout.domain.window import is_open, next_opening


@dataclass(frozen=True, slots=True)
class Step:
    """A place on the way up: a phase, and in it a ramp step (from 0) with its share of the eligible cases."""

    phase: Phase
    ramp_step: int
    share: float

    @property
    def words(self) -> str:
        return (
            self.phase.capitalize() if self.share >= 1 else f"{self.phase.capitalize()} at {words.percent(self.share)}"
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a stable code and a sentence; `about` names the gate, guardrail or item whose record shows it."""

    code: str
    words: str
    what_would_change: str = ""
    about: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """
    What was concluded, and all it rests on. `target` is where the version goes if the conclusion is carried out.

    `without_signature` is true for a ramp step that the plan lets happen by itself; everything else upwards is
    signed for.
    """

    verdict: Conclusion
    reasons: tuple[Reason, ...]
    gates: tuple[GateResult, ...]
    guardrails: tuple[GuardrailResult, ...]
    readiness: tuple[ReadinessResult, ...]
    target: Step | None
    without_signature: bool
    next_look_at: datetime
    at: datetime
    version: str
    phase: Phase
    epoch: int
    ramp_step: int
    share: float
    days_in_phase: int
    settle_days: int
    plan_digest: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON with every count, e-value, bound and parameter; `recheck` recomputes it from this."""
        return record(self)


def judge(plan: Plan, situation: Situation) -> Judgement:
    """Judge a rollout. Pure: the same plan and situation give the same judgement, for ever."""
    phase_plan = plan.phase(situation.phase)
    tallies = tallies_of(plan, situation)
    gates = tuple(judge_gate(gate, plan, situation, tallies) for gate in phase_plan.gates)
    guardrails = tuple(judge_guardrail(guardrail, situation) for guardrail in phase_plan.guardrails)
    readiness = judge_readiness(phase_plan, situation.readiness)
    verdict, target, reasons = _conclude(_Found(plan, situation, gates, guardrails, readiness))
    return Judgement(
        verdict=verdict,
        reasons=reasons,
        gates=gates,
        guardrails=guardrails,
        readiness=readiness,
        target=target,
        without_signature=verdict is Conclusion.ADVANCE and _by_itself(plan, situation, target),
        next_look_at=_next_look(plan, situation),
        at=situation.now,
        version=situation.version,
        phase=situation.phase,
        epoch=situation.epoch,
        ramp_step=present_step(plan, situation).ramp_step,
        share=present_step(plan, situation).share,
        days_in_phase=situation.days_since(situation.phase_since),
        settle_days=plan.settle_days,
        plan_digest=plan.digest,
    )


def present_step(plan: Plan, situation: Situation) -> Step:
    """Where the version stands; a step beyond the plan's ramp is its last."""
    steps = plan.phase(situation.phase).steps
    at = min(max(situation.ramp_step, 0), len(steps) - 1)
    return Step(situation.phase, at, steps[at])


def step_up(plan: Plan, situation: Situation) -> Step | None:
    """The next ramp step, after the last one the next phase, after the last phase nothing."""
    steps = plan.phase(situation.phase).steps
    at = present_step(plan, situation).ramp_step + 1
    if at < len(steps):
        return Step(situation.phase, at, steps[at])
    return entry(plan, situation.phase.next) if situation.phase.next else None


def entry(plan: Plan, phase: Phase) -> Step:
    """A phase is entered at the first step of its ramp, from below and from above."""
    return Step(phase, 0, plan.phase(phase).steps[0])


@dataclass(frozen=True, slots=True)
class _Found:
    plan: Plan
    situation: Situation
    gates: tuple[GateResult, ...]
    guardrails: tuple[GuardrailResult, ...]
    readiness: tuple[ReadinessResult, ...]

    @property
    def breached(self) -> tuple[GuardrailResult, ...]:
        return tuple(result for result in self.guardrails if result.breached)


def _conclude(found: _Found) -> tuple[Conclusion, Step | None, tuple[Reason, ...]]:
    situation = found.situation
    if situation.standing is Standing.RETIRED:
        retired = Reason("retired", f"Version {situation.version} is retired.", "Another version is rolled out.")
        return Conclusion.HOLD, None, (retired,)
    down = situation.phase.previous
    if found.breached and down is not None:
        lower = entry(found.plan, down)
        return Conclusion.DEMOTE, lower, tuple(_breaches(found, f"It goes back to {lower.words}."))
    holds = (*_breaches(found, "It is in its first phase and cannot go back further."), *_holds(found))
    target = step_up(found.plan, situation)
    if holds or target is None:
        return Conclusion.HOLD, None, holds
    return Conclusion.ADVANCE, target, (_all_passed(found, target),)


def _all_passed(found: _Found, target: Step) -> Reason:
    gates = words.plural(len(found.gates), "gate")
    said = f"{'The gate passes' if len(found.gates) == 1 else f'All {gates} pass'}, and nothing stands against it."
    if _by_itself(found.plan, found.situation, target):
        return Reason("all_pass", said, f"It goes to {target.words} by itself.")
    return Reason("all_pass", said, f"It goes to {target.words} when it is signed for.")


def _by_itself(plan: Plan, situation: Situation, target: Step | None) -> bool:
    if target is None or target.phase is not situation.phase:
        return False
    return plan.approvals.ramp_approval is RampApproval.AUTOMATIC


def _breaches(found: _Found, consequence: str) -> Iterator[Reason]:
    for result in found.breached:
        change = f"{consequence} {result.what_would_change}"
        yield Reason("guardrail_breached", result.words, change, result.name)


def _holds(found: _Found) -> Iterator[Reason]:
    """Everything that stands against advancing, strongest first."""
    yield from _glass(found.situation)
    yield from _failures(found.situation)
    yield from _segments_closed(found)
    yield from _gates(found)
    yield from _guardrail_errors(found)
    if step_up(found.plan, found.situation) is None:
        yield Reason("last_phase", "It has all the autonomy there is; its guardrails keep watch.")
        return
    yield from _times(found.plan, found.situation)
    yield from _people(found)
    yield from _closed(found.plan, found.situation)


def _glass(situation: Situation) -> Iterator[Reason]:
    if situation.glass_until is not None:
        until = words.moment(situation.glass_until)
        said = f"Break-glass is open until {until}: what is counted now advances nothing."
        yield Reason("glass_open", said, "It ends by itself, and the version goes back to where it was.")


def _failures(situation: Situation) -> Iterator[Reason]:
    if (broken := situation.broken.get(Source.FAILURES)) is not None:
        said = f"Whether critical failures are open is not known: {broken}."
        yield Reason("failures_unknown", said, "The source answers again.")
    count = situation.open_failures.get(Severity.CRITICAL, 0)
    if count:
        said = f"{words.plural(count, 'critical failure')} {'is' if count == 1 else 'are'} open."
        yield Reason("critical_failure_open", said, "They are investigated and closed.")


GATE_CODES = {
    Verdict.FAIL: "gate_failed",
    Verdict.ERROR: "gate_error",
    Verdict.NO_EVIDENCE: "gate_no_evidence",
    Verdict.INCONCLUSIVE: "gate_inconclusive",
}


def _gates(found: _Found) -> Iterator[Reason]:
    for verdict, code in GATE_CODES.items():
        for result in found.gates:
            if result.verdict is verdict:
                yield Reason(code, result.words, result.what_would_change, result.name)
    if not found.gates and step_up(found.plan, found.situation) is not None:
        said = f"The plan has no gate in {found.situation.phase.capitalize()}, and no evidence is never a pass."
        yield Reason("no_gates", said, "The plan says what must be shown.")


def _segments_closed(found: _Found) -> Iterator[Reason]:
    """At the look that closes it; afterwards its cases go to people, and it holds nothing up."""
    for result in found.guardrails:
        if result.closes:
            yield Reason("segment_closed", result.words, result.what_would_change, result.name)


def _guardrail_errors(found: _Found) -> Iterator[Reason]:
    for result in found.guardrails:
        if result.verdict is Verdict.ERROR:
            yield Reason("guardrail_error", result.words, result.what_would_change, result.name)


def _times(plan: Plan, situation: Situation) -> Iterator[Reason]:
    phase_plan, leaves = plan.phase(situation.phase), _leaves(plan, situation)
    asked = [
        ("minimum_time", "in the phase", phase_plan.minimum_days if leaves else 0, situation.phase_since),
        ("ramp_minimum_time", "at this share", phase_plan.days_per_step, situation.step_since),
    ]
    for code, where, days, since in asked:
        stayed = situation.days_since(since)
        if stayed < days:
            said = f"{words.plural(stayed, 'day')} {where}; at least {words.plural(days, 'day')} are asked for."
            yield Reason(code, said, f"{words.plural(days - stayed, 'day')} more.")


def _leaves(plan: Plan, situation: Situation) -> bool:
    """Whether the step up leads out of the phase."""
    target = step_up(plan, situation)
    return target is not None and target.phase is not situation.phase


def _people(found: _Found) -> Iterator[Reason]:
    situation = found.situation
    if _leaves(found.plan, situation):
        for item in found.readiness:
            if not item.done:
                yield Reason("readiness_open", f"{item.question} {item.words}", "Yes, with a link.", item.key)
    due = next_review_due(found.plan.oversight, situation.first_phase_at, situation.reviews_held)
    if due is not None and situation.today > due:
        said = f"The periodic review was due on {words.day(due)} and was not held."
        yield Reason("review_overdue", said, "The review is held and signed.")


def _closed(plan: Plan, situation: Situation) -> Iterator[Reason]:
    if situation.frozen is not None:
        everything = " Every case goes to a person." if situation.frozen is FreezeMode.ROUTING else ""
        said = f"It is frozen: nothing advances.{everything}"
        yield Reason(f"frozen_{situation.frozen}", said, "Somebody lifts the freeze.")
    if not is_open(plan.windows, situation.now):
        opens = next_opening(plan.windows, situation.now)
        when = f"The next window opens on {words.moment(opens)}." if opens else ""
        yield Reason("outside_window", "Advancing is not allowed at this hour.", when)


def _next_look(plan: Plan, situation: Situation) -> datetime:
    """After `look_every`, or earlier if a day or a window that was waited for comes first."""
    phase_plan = plan.phase(situation.phase)
    moments = [
        situation.now + timedelta(hours=phase_plan.look_every),
        situation.phase_since + timedelta(days=phase_plan.minimum_days),
        situation.step_since + timedelta(days=phase_plan.days_per_step),
        # A new day settles one more day of cases.
        datetime.combine(situation.today + timedelta(days=1), time(), tzinfo=UTC),
        next_opening(plan.windows, situation.now),
        situation.glass_until,
    ]
    return min(moment for moment in moments if moment is not None and moment > situation.now)
