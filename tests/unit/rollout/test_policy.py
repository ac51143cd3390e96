import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import ValidationError

from rollout.domain.phase import FreezeMode, Phase, Standing
from rollout.domain.policy import GlassEnd, Policy, Rules, Scope

ROLLOUT = UUID(int=7)
RULES = Rules(
    scope=Scope(segments=frozenset({"a", "b"}), actions=frozenset({"pay"}), amount_at_most=10_000),
    threshold=0.93,
    thresholds={"a": 0.97, "b": None},
    blocked_actions=frozenset({"delete"}),
)


def policy(frozen: FreezeMode | None = None) -> Policy:
    return Policy(ROLLOUT, "reader", "v1", 3, Standing.STABLE, Phase.CONFIDENCE, 4, frozen, 0.25, RULES)


@pytest.mark.parametrize("frozen", [None, *FreezeMode])
def test_a_stored_policy_comes_back_as_it_was(frozen: FreezeMode | None) -> None:
    body = json.loads(json.dumps(policy(frozen).body()))

    assert Policy.from_body(ROLLOUT, 3, body) == policy(frozen)


def test_break_glass_comes_back_from_the_store_and_is_over_at_its_moment() -> None:
    until = datetime(2026, 1, 5, 13, tzinfo=UTC)
    open_now = replace(policy(), glass=GlassEnd(until, Phase.SUPERVISED, 1.0))

    stored = Policy.from_body(ROLLOUT, 3, json.loads(json.dumps(open_now.body())))

    assert stored == open_now
    assert stored.at(until - timedelta(microseconds=1)) == open_now
    assert stored.at(until) == replace(open_now, phase=Phase.SUPERVISED, ramp_share=1.0)
    assert policy().at(until) == policy()


def test_a_policy_from_before_there_was_break_glass_is_read() -> None:
    body = policy().body()
    del body["glass"]

    assert Policy.from_body(ROLLOUT, 3, body) == policy()


def test_an_action_is_not_both_in_scope_and_blocked() -> None:
    with pytest.raises(ValidationError, match="pay is both in scope and blocked"):
        Rules(scope=Scope(actions=frozenset({"pay"})), blocked_actions=frozenset({"pay"}))


def test_without_rules_nothing_goes_alone() -> None:
    assert Rules().threshold is None
    assert Rules().audit_rate > 0
