"""
The router: a pure function of policy and case. Its reasons to refuse stand in order, strongest first.

Anything that is not clearly allowed means a person: no policy, an unknown version, a number that is none.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from rollout.domain.phase import FreezeMode, Lane, Phase, Route, Standing
from rollout.domain.policy import Policy
from routing.domain.activation import evaluate
from routing.domain.sampling import audit_position, input_position, ramp_position

HUMAN_LOOP, CONDITIONS_MET = "human_loop", "conditions_met"
"""The reasons of cases that Amazon A2I would have had a human loop for."""

INTERRUPT = "interrupt:"
"""How the ids of cases begin that an agent's graph stopped for."""

ConfidenceState = Literal["valid", "missing", "invalid"]


@dataclass(frozen=True, slots=True)
class Case:
    """What the router may look at; nothing else of a request decides."""

    case_id: str
    confidence: float | None  # in [0, 1]; None when missing or invalid
    confidence_state: ConfidenceState
    output_valid: bool | None  # against the agent's JSON Schema; None: the agent has none
    segment: str = ""
    action: str | None = None
    amount: float | None = None  # NaN and infinity are possible and never go alone
    risk: str | None = None
    output: Any = None  # for activation conditions alone, as is the input
    shown_input: Any = None


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code and a sentence."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    route: Route
    lane: Lane
    reasons: tuple[Reason, ...]
    threshold: float | None = None  # the one that applied, if one was looked at
    audit_probability: float | None = None  # of every automated case, drawn or not; the lane says which


def decide(policy: Policy | None, case: Case, secret: bytes) -> Answer:
    """Who answers this case. Same policy, same case, same key: the same answer, for ever."""
    if policy is None:
        return _human("unknown_version", "This version is not registered, so there is no policy for it.")
    for refuse in _REFUSALS:
        if (answer := refuse(policy, case)) is not None:
            return answer
    if policy.phase is Phase.SUPERVISED:
        answer = _review("supervised", "In supervised production a person rules on every case in scope.")
        return replace(answer, reasons=answer.reasons + _activating(policy, case, secret))
    return _by_confidence(policy, case, secret)


def unreadable(what: Literal["agent", "policy"]) -> Answer:
    """Where nobody can tell what is allowed, because this release does not understand what is stored."""
    return _human(f"{what}_unreadable", f"This release cannot read the {what} that is stored, so a person does it.")


def handed_over(answer: Answer) -> Answer:
    """Of a case that a person has got already: nobody rules on it and nothing goes alone; the rest is as it was."""
    if answer.route in {Route.AUTO, Route.REVIEW}:
        return _human("handed_over", "The agent got no certain answer in time and gave the case to a person.")
    return answer


def asked_for(answer: Answer) -> Answer:
    """Of a case that was sent as a human loop: it never goes alone, and a person needs no confidence to rule on it."""
    mark = Reason(HUMAN_LOOP, "It was sent as a human loop: a person is asked to rule on it.")
    codes = {reason.code for reason in answer.reasons}
    if answer.route is Route.AUTO or codes == {"confidence_missing"}:
        return Answer(Route.REVIEW, Lane.REVIEW, (mark,), answer.threshold)
    return replace(answer, reasons=(*answer.reasons, mark))


def _activating(policy: Policy, case: Case, secret: bytes) -> tuple[Reason, ...]:
    """Why the activation conditions call a person; nothing where they do not."""
    activation = policy.rules.activation
    if activation is None:
        return ()
    found = evaluate(
        activation, case.output, lambda: input_position(secret, policy.agent, case.shown_input, case.case_id)
    )
    if not found.activated:
        return ()
    which = f": {', '.join(found.met)}" if found.met else ", for there are none that would exempt a case"
    met = Reason(CONDITIONS_MET, f"The activation conditions call a person{which}.")
    if not found.unread:
        return (met,)
    words = f"{found.unread[0]} of the output could not be read, so what is asked of it counts as met."
    return met, Reason("conditions_unread", words)


def _blocked(policy: Policy, case: Case) -> Answer | None:
    if case.action is not None and case.action in policy.rules.blocked_actions:
        return Answer(
            Route.BLOCK, Lane.BLOCK, (Reason("action_blocked", f"The policy forbids “{case.action}” altogether."),)
        )
    return None


def _retired(policy: Policy, _case: Case) -> Answer | None:
    if policy.standing is Standing.RETIRED:
        return _human("version_retired", "This version is retired; it has no autonomy.")
    return None


def _frozen(policy: Policy, _case: Case) -> Answer | None:
    if policy.frozen is FreezeMode.ROUTING:
        return _human("frozen", "Routing of this version is frozen; people do all of its cases.")
    return None


def _evaluation(policy: Policy, _case: Case) -> Answer | None:
    if policy.phase is Phase.EVALUATION:
        return _human("evaluation", "This version is in evaluation; it does not touch real work yet.")
    return None


def _shadow(policy: Policy, _case: Case) -> Answer | None:
    if policy.phase is Phase.SHADOW:
        reason = Reason("shadow", "This version is in shadow: its output is recorded, people work as before.")
        return Answer(Route.SHADOW, Lane.SHADOW, (reason,))
    return None


def _output_invalid(_policy: Policy, case: Case) -> Answer | None:
    if case.output_valid is False:
        return _human("output_invalid", "The output does not fit the agent's JSON Schema.")
    return None


def _amount_invalid(_policy: Policy, case: Case) -> Answer | None:
    """Also where no scope limits the amount: what is done with such a number downstream nobody can foresee."""
    if case.amount is not None and not math.isfinite(case.amount):
        return _human("amount_invalid", "The amount is not a finite number.")
    return None


def _out_of_scope(policy: Policy, case: Case) -> Answer | None:
    scope = policy.rules.scope
    if scope.segments is not None and case.segment not in scope.segments:
        return _human("segment_out_of_scope", f"The segment “{case.segment or 'none'}” is not in scope.")
    if scope.actions is not None and case.action not in scope.actions:
        return _human("action_out_of_scope", f"The action “{case.action or 'none'}” is not in scope.")
    if scope.amount_at_most is not None:
        if case.amount is None:
            return _human("amount_missing", "The scope limits the amount and the case has none.")
        if not abs(case.amount) <= scope.amount_at_most:
            return _human("amount_out_of_scope", f"The amount is above {scope.amount_at_most:g}.")
    return None


def _confidence_unusable(policy: Policy, case: Case) -> Answer | None:
    if case.confidence_state == "invalid":
        return _human("confidence_invalid", "The confidence is not a number from 0 to 1.")
    if case.confidence_state == "missing" and policy.phase in {Phase.CONFIDENCE, Phase.FULL}:
        return _human("confidence_missing", "The case came without a confidence.")
    return None


_REFUSALS: tuple[Callable[[Policy, Case], Answer | None], ...] = (
    _blocked,
    _retired,
    _frozen,
    _evaluation,
    _shadow,
    _output_invalid,
    _amount_invalid,
    _out_of_scope,
    _confidence_unusable,
)


def _by_confidence(policy: Policy, case: Case, secret: bytes) -> Answer:
    rules = policy.rules
    threshold = rules.thresholds.get(case.segment, rules.threshold)
    if flagged := _flagged(policy, case, secret):
        return Answer(Route.REVIEW, Lane.REVIEW, flagged, threshold)
    if threshold is None:
        closed = case.segment in rules.thresholds
        code = "segment_closed" if closed else "no_threshold"
        words = f"The segment “{case.segment}” is closed" if closed else "No threshold is set"
        return _review(code, f"{words}, so a person rules.")
    if case.confidence is None or not case.confidence >= threshold:
        return _review("below_threshold", f"The confidence is below the threshold of {threshold:g}.", threshold)
    if not ramp_position(policy.rollout_id, case.case_id) < policy.ramp_share:
        share = f"{policy.ramp_share * 100:g} %"
        return _review("outside_ramp", f"Only {share} of the eligible cases go alone so far.", threshold)
    reason = Reason("above_threshold", f"The confidence is at or above the threshold of {threshold:g}.")
    if audit_position(secret, policy.rollout_id, case.case_id) < rules.audit_rate:
        drawn = Reason("audit_drawn", "It was drawn for an audit: a person checks it afterwards.")
        return Answer(Route.AUTO, Lane.AUDIT, (reason, drawn), threshold, rules.audit_rate)
    return Answer(Route.AUTO, Lane.AUTO, (reason,), threshold, rules.audit_rate)


def _flagged(policy: Policy, case: Case, secret: bytes) -> tuple[Reason, ...]:
    """What calls a person however confident the agent is."""
    if case.risk is not None and case.risk in policy.rules.review_risks:
        flagged = Reason("risk_flagged", f"Cases with the risk “{case.risk}” are always reviewed.")
        return (flagged, *_activating(policy, case, secret))
    return _activating(policy, case, secret)


def _human(code: str, words: str) -> Answer:
    return Answer(Route.HUMAN, Lane.HUMAN, (Reason(code, words),))


def _review(code: str, words: str, threshold: float | None = None) -> Answer:
    return Answer(Route.REVIEW, Lane.REVIEW, (Reason(code, words),), threshold)
