"""
The contract of a shadow comparison, against our shadow: people's answer is what counts and what goes out, whatever
the agent said or failed to say.

Ours does not call people; they work as before, and what they did is sent afterwards. So there is no order of
execution, and what happens around a call is the agent's own.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, replace
from importlib.metadata import EntryPoint
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest
from phasegate_client import calls, errors
from phasegate_client.breaker import Breaker
from phasegate_client.decisions import Decision
from phasegate_client.decisions import Route as ClientRoute
from phasegate_client.requests import Proposal

from evidence.comparing import Comparison, ComparisonConfig, Kind, compare, custom, storable
from rollout.domain.judge import judge
from rollout.domain.phase import FreezeMode, Lane, Phase, Route, Standing
from rollout.domain.policy import Policy, Rules
from rollout.domain.verdict import Conclusion, Verdict
from routing.domain import decide as router
from tests.field.rollout.mapping import Case, Divergence, Unmapped
from tests.unit.rollout.making import plan, situation, totals

KEY = b"a key nobody else has"
SHADOW = Policy(
    UUID(int=1), "claims", "v1", 1, Standing.CANDIDATE, Phase.SHADOW, 1, None, 1.0, Rules.model_validate({})
)
_BASE = plan()


def hold(case: Case) -> Divergence | None:
    if "candidates" in case:
        return partition(case)
    if "control" in case and "candidate" in case:
        return pair(case)
    for words, held in KINDS.items():
        if words in case["id"]:
            return held()
    raise Unmapped(case)


def pair(case: Case) -> Divergence | None:
    if any(str(case[side]).startswith("raise") for side in ("control", "candidate")):
        return an_error()
    given = config(AS_TEXT) if case.get("compare") == "a.to_s == b.to_s" else config()
    found = compared(case["candidate"], case["control"], given)
    differs = case["mismatched"] if "mismatched" in case else case["expected"] == "mismatched"
    assert found.kind is (Kind.DIFFERENT if differs else Kind.EQUAL)
    assert_people_work_as_before()
    return None


def partition(case: Case) -> None:
    """Each version has a shadow of its own, compared with the same answer of people."""
    control = int(case["control"].split("=")[1])
    found = {name: compared(candidate, control) for name, candidate in case["candidates"].items()}
    assert sorted(name for name, one in found.items() if one.kind is Kind.DIFFERENT) == sorted(case["mismatched"])


AS_TEXT = {"default": {"compare": "custom", "name": "as_text"}}


def config(section: dict[str, Any] | None = None) -> ComparisonConfig:
    return ComparisonConfig.parse(section or {})


@contextmanager
def installed_comparators() -> Iterator[None]:
    here = "tests.field.rollout.comparators"
    points = [EntryPoint(name, f"{here}:{name}", custom.GROUP) for name in ("as_text", "broken")]
    with patch.object(custom, "entry_points", lambda group: points if group == custom.GROUP else []):
        custom.installed.cache_clear()
        yield
    custom.installed.cache_clear()


def compared(output: Any, human_output: Any, given: ComparisonConfig | None = None, **more: Any) -> Comparison:
    with installed_comparators():
        return compare(output, human_output, given or config(), **more)


def routed(policy: Policy = SHADOW, *, output_valid: bool | None = True) -> router.Answer:
    case = router.Case("c-1", 0.99, "valid", output_valid)
    return router.decide(policy, case, KEY)


def assert_people_work_as_before() -> None:
    """Whatever the output is, it is recorded and not used, and the agent's library lets nothing proceed."""
    for valid in (True, False, None):
        answer = routed(output_valid=valid)
        assert (answer.route, answer.lane) == (Route.SHADOW, Lane.SHADOW)
        assert not _at_the_client(answer).may_proceed


def _at_the_client(answer: router.Answer) -> Decision:
    route = ClientRoute(answer.route.value)
    return Decision(
        id="1", agent="claims", case_id="c-1", version="v1", attempt=1, route=route, reasons=(), is_final=True
    )


def an_error() -> Divergence:
    """
    An exception is no output to compare: what an agent sends in its place does not fit its schema. It is void in
    what is compared, counted as an invalid output, and people's answer stands. A person who has not answered leaves
    the case without a verdict, which speaks against the version.
    """
    for human_output in ("ok", {"error": "E"}, None):
        found = compared({"error": "E"}, human_output, schema_valid=False)
        assert found.kind is Kind.INVALID_OUTPUT
        assert found.score == 0
    assert_people_work_as_before()
    unanswered = totals(Lane.SHADOW, 300, pending=300)
    assert judge(_BASE, situation(Phase.SHADOW, totals=unanswered)).verdict is Conclusion.HOLD
    return Divergence.ERRORS_ARE_NO_OUTPUTS


def nothing_to_compare() -> None:
    judgement = judge(_BASE, situation(Phase.SHADOW, totals={}))
    assert (judgement.verdict, judgement.gates[0].verdict) == (Conclusion.HOLD, Verdict.NO_EVIDENCE)


def switched_off() -> Divergence:
    """Frozen or not yet in shadow: people do it all, and nothing of it is counted as shadow; that is recorded."""
    for off in (replace(SHADOW, frozen=FreezeMode.ROUTING), replace(SHADOW, phase=Phase.EVALUATION)):
        answer = routed(off)
        assert (answer.route, answer.lane) == (Route.HUMAN, Lane.HUMAN)
        assert answer.reasons
    return Divergence.ALWAYS_RECORDED


def unreadable() -> None:
    for what in ("agent", "policy"):
        answer = router.unreadable(what)  # type: ignore[arg-type]
        assert answer.route is Route.HUMAN
        assert "cannot read" in answer.reasons[0].words


def no_order() -> Divergence:
    """The answer does not depend on when it is asked for: the same a hundred times."""
    assert len({routed() for _ in range(100)}) == 1
    assert_people_work_as_before()
    return Divergence.NOT_IN_LINE


def broken_comparison() -> Divergence:
    """Reported, and neither an agreement nor a disagreement; without a verdict it speaks against the version."""
    found = compared(1, 1.5, config({"default": {"compare": "custom", "name": "broken"}}))
    assert found.kind is Kind.ERROR
    assert "broke: ValueError" in found.differences[0].words
    without_verdict = judge(_BASE, situation(Phase.SHADOW, totals=totals(Lane.SHADOW, 300, pending=300)))
    assert without_verdict.gates[0].verdict is Verdict.INCONCLUSIVE
    return Divergence.ERROR_IS_ERROR


def all_ignored() -> None:
    assert compared({"at": 1}, {"at": 2}, config({"ignore": ["/at"]})).kind is Kind.IGNORED
    assert compared(1, 2, config({"ignore": [""]})).kind is Kind.IGNORED


def some_rules_ignore() -> None:
    """One rule that applies is enough, and one that does not leaves the question to the next."""
    rules = [{"path": "/at", "when": "both_empty"}, "/elsewhere", "/at"]
    assert compared({"at": 1}, {"at": 2}, config({"ignore": rules})).kind is Kind.IGNORED
    assert compared({"at": 1}, {"at": 2}, config({"ignore": rules[:2]})).kind is Kind.DIFFERENT


def one_of_two_ignored() -> None:
    found = compared({"at": 1, "total": 2}, {"at": 5, "total": 3}, config({"ignore": ["/at"]}))
    assert (found.kind, [one.path for one in found.differences]) == (Kind.DIFFERENT, ["/total"])


def cleaned() -> None:
    given = config({"clean": [{"path": "/iban", "redact": True}, {"path": "/nothing", "redact": True}]})
    found = compared({"iban": "A", "nothing": None}, {"iban": "B", "nothing": None}, given)
    kept = storable(found, given)
    assert found.kind is kept.kind is Kind.DIFFERENT
    assert (found.differences[0].actual, kept.differences[0].actual) == ("A", "[redacted]")
    assert compared({"iban": "A"}, {"iban": "A"}, given).kind is Kind.EQUAL


def nowhere_to_publish() -> None:
    """The agent is told to leave the case to a person, and why; it meets no exception."""
    breaker = Breaker(lambda: 0.0, lambda: 0.0)
    asking = calls.Calls("claims", "v1", 0.0, False, lambda: 0.0, lambda: 0.0, breaker)
    steps = asking.decide(Proposal("c-1", {"x": 1}))
    given: Any = None
    while True:
        try:
            step = steps.send(given)
        except StopIteration as answered:
            decision: Decision = answered.value
            break
        given = errors.Unreachable("connection refused") if isinstance(step, calls.Send) else None
    assert (decision.route, decision.certain, decision.may_proceed) == (ClientRoute.HUMAN, False, False)
    assert decision.error is not None


def immutable() -> None:
    found = compared(1, 2)
    for value, name in ((found, "kind"), (found.differences[0], "path"), (_at_the_client(routed()), "route")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "another")


def in_the_agents_hands() -> Divergence:
    """There is no call of people to wrap, to time or to fail: ours knows outputs only, and has no field for those."""
    fields = set(Comparison.__dataclass_fields__) | set(Decision.__dataclass_fields__)
    assert not fields & {"duration", "before_run", "after_run", "raise_on_mismatches"}
    return Divergence.NOT_IN_LINE


KINDS: dict[str, Callable[[], Divergence | None]] = {
    "raises same": an_error,
    "both raise": an_error,
    "only one raises": an_error,
    "no candidate": nothing_to_compare,
    "enabled?=false": switched_off,
    "enabled?/run_if raise": unreadable,
    "order": no_order,
    "compare raises": broken_comparison,
    "several ignore": some_rules_ignore,
    "ignore block": all_ignored,
    "mismatches ignored": one_of_two_ignored,
    "clean": cleaned,
    "publish raises": nowhere_to_publish,
    "immutable": immutable,
    "result and observations": immutable,
    "before_run": in_the_agents_hands,
    "raise_on_mismatches": in_the_agents_hands,
    "durations": in_the_agents_hands,
}


def test_every_case_has_our_answer(cases: Callable[[str], list[Case]]) -> None:
    for case in cases("scientist.semantics"):
        hold(case)
