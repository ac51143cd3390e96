import dataclasses
import math
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollout.domain.phase import FreezeMode, Lane, Phase, Route, Standing
from rollout.domain.policy import Policy, Rules, Scope
from routing.domain.decide import Answer, Case, decide
from routing.domain.sampling import audit_position, ramp_position

KEY = b"a key nobody else has"
ROLLOUT = UUID("01890000-0000-7000-8000-000000000001")
ALONE = {Phase.CONFIDENCE, Phase.FULL}
MANY = 20_000
RAMP_OF_C1 = 0.258068679786827  # a release that moved it would flip cases that are under way
AUDIT_OF_C1 = 0.9527946198463996


def policy(phase: Phase = Phase.CONFIDENCE, **changes: Any) -> Policy:
    """A stable version with a threshold of 0.8, all cases on the ramp and few audits."""
    names = {field.name for field in dataclasses.fields(Policy)}
    state = {name: changes.pop(name) for name in list(changes) if name in names}
    rules = {"threshold": 0.8, "audit_rate": 1e-9} | changes
    base = Policy(ROLLOUT, "claims", "v1", 7, Standing.STABLE, phase, 3, None, 1.0, Rules.model_validate(rules))
    return dataclasses.replace(base, **state)


def case(**changes: Any) -> Case:
    return Case(**({"case_id": "c-1", "confidence": 0.9, "confidence_state": "valid", "output_valid": True} | changes))


def code(answer: Answer) -> str:
    return answer.reasons[0].code


class TestEveryPhase:
    @pytest.mark.parametrize(
        ("phase", "route", "lane", "reason"),
        [
            (Phase.EVALUATION, Route.HUMAN, Lane.HUMAN, "evaluation"),
            (Phase.SHADOW, Route.SHADOW, Lane.SHADOW, "shadow"),
            (Phase.SUPERVISED, Route.REVIEW, Lane.REVIEW, "supervised"),
            (Phase.CONFIDENCE, Route.AUTO, Lane.AUTO, "above_threshold"),
            (Phase.FULL, Route.AUTO, Lane.AUTO, "above_threshold"),
        ],
    )
    def test_answers_as_the_product_says(self, phase: Phase, route: Route, lane: Lane, reason: str) -> None:
        answer = decide(policy(phase), case(), KEY)

        assert (answer.route, answer.lane, code(answer)) == (route, lane, reason)

    @pytest.mark.parametrize("phase", list(Phase))
    def test_gives_a_reason_in_words(self, phase: Phase) -> None:
        answer = decide(policy(phase), case(), KEY)

        assert all(reason.code and reason.words.endswith(".") for reason in answer.reasons)

    @pytest.mark.parametrize("standing", [Standing.STABLE, Standing.CANDIDATE])
    def test_does_not_ask_whether_a_version_is_stable_or_a_candidate(self, standing: Standing) -> None:
        assert decide(policy(standing=standing), case(), KEY).route is Route.AUTO

    def test_below_confidence_nothing_goes_alone_whatever_the_confidence(self) -> None:
        routes = {decide(policy(phase), case(confidence=1.0), KEY).route for phase in set(Phase) - ALONE}

        assert Route.AUTO not in routes

    def test_supervised_needs_no_confidence(self) -> None:
        answer = decide(policy(Phase.SUPERVISED), case(confidence=None, confidence_state="missing"), KEY)

        assert answer.route is Route.REVIEW


class TestRefusals:
    """Each reason alone, then the order among them."""

    # Strongest first. Every entry: what the policy says, what the case brings, the reason given.
    ORDER = (
        ({"blocked_actions": {"pay"}}, {"action": "pay"}, "action_blocked"),
        ({"standing": Standing.RETIRED}, {}, "version_retired"),
        ({"frozen": FreezeMode.ROUTING}, {}, "frozen"),
        ({}, {"output_valid": False}, "output_invalid"),
        ({"scope": {"segments": ["de"]}}, {"segment": "fr"}, "segment_out_of_scope"),
        ({"scope": {"actions": ["note"]}}, {"action": "pay"}, "action_out_of_scope"),
        ({"scope": {"amount_at_most": 10}}, {"amount": 11.0}, "amount_out_of_scope"),
        ({}, {"confidence": None, "confidence_state": "invalid"}, "confidence_invalid"),
        ({"review_risks": {"high"}}, {"risk": "high"}, "risk_flagged"),
        ({"threshold": 0.95}, {}, "below_threshold"),
        ({"ramp_share": 0.0}, {}, "outside_ramp"),
    )

    @pytest.mark.parametrize(("rules", "brings", "reason"), ORDER, ids=[entry[2] for entry in ORDER])
    def test_one_thing_wrong_is_the_reason(self, rules: Any, brings: Any, reason: str) -> None:
        assert code(decide(policy(**rules), case(**brings), KEY)) == reason

    @pytest.mark.parametrize("first", range(len(ORDER)), ids=[entry[2] for entry in ORDER])
    def test_of_many_things_wrong_the_strongest_is_the_reason(self, first: int) -> None:
        rules: dict[str, Any] = {}
        brings: dict[str, Any] = {}
        for changed, brought, _ in reversed(self.ORDER[first:]):
            scope = rules.get("scope", {}) | changed.get("scope", {})
            rules |= changed | ({"scope": scope} if scope else {})
            brings = brings | brought

        assert code(decide(policy(**rules), case(**brings), KEY)) == self.ORDER[first][2]

    @pytest.mark.parametrize("frozen", [None, *FreezeMode])
    @pytest.mark.parametrize("standing", list(Standing))
    @pytest.mark.parametrize("phase", list(Phase))
    def test_a_blocked_action_is_blocked_in_every_state(
        self, phase: Phase, standing: Standing, frozen: FreezeMode | None
    ) -> None:
        blocking = policy(phase, standing=standing, frozen=frozen, blocked_actions={"pay"})

        answer = decide(blocking, case(action="pay", output_valid=False), KEY)

        assert (answer.route, answer.lane) == (Route.BLOCK, Lane.BLOCK)

    def test_another_action_is_not_blocked(self) -> None:
        assert decide(policy(blocked_actions={"pay"}), case(action="note"), KEY).route is Route.AUTO

    def test_no_action_is_not_blocked(self) -> None:
        assert decide(policy(blocked_actions={"pay"}), case(), KEY).route is Route.AUTO

    def test_without_a_policy_a_person_does_it(self) -> None:
        answer = decide(None, case(), KEY)

        assert (answer.route, answer.lane, code(answer)) == (Route.HUMAN, Lane.HUMAN, "unknown_version")
        assert answer.threshold is None
        assert answer.audit_probability is None

    @pytest.mark.parametrize("phase", list(Phase))
    def test_a_retired_version_does_nothing_in_any_phase(self, phase: Phase) -> None:
        answer = decide(policy(phase, standing=Standing.RETIRED), case(), KEY)

        assert (answer.route, code(answer)) == (Route.HUMAN, "version_retired")

    @pytest.mark.parametrize("phase", list(Phase))
    def test_frozen_routing_sends_every_case_to_a_person(self, phase: Phase) -> None:
        answer = decide(policy(phase, frozen=FreezeMode.ROUTING), case(), KEY)

        assert (answer.route, code(answer)) == (Route.HUMAN, "frozen")

    @pytest.mark.parametrize("phase", list(Phase))
    def test_frozen_advancing_changes_no_route(self, phase: Phase) -> None:
        assert decide(policy(phase, frozen=FreezeMode.ADVANCING), case(), KEY) == decide(policy(phase), case(), KEY)

    def test_shadow_records_also_what_would_be_refused_later(self) -> None:
        odd = case(output_valid=False, confidence=None, confidence_state="invalid", segment="fr")

        answer = decide(policy(Phase.SHADOW, scope={"segments": ["de"]}), odd, KEY)

        assert answer.route is Route.SHADOW

    def test_an_agent_without_a_schema_is_not_refused_for_it(self) -> None:
        assert decide(policy(), case(output_valid=None), KEY).route is Route.AUTO


class TestConfidence:
    @pytest.mark.parametrize(
        ("confidence", "route"),
        [
            pytest.param(0.8, Route.AUTO, id="at the threshold"),
            pytest.param(math.nextafter(0.8, 0), Route.REVIEW, id="the next number below it"),
            pytest.param(math.nextafter(0.8, 1), Route.AUTO, id="the next number above it"),
            pytest.param(0.0, Route.REVIEW, id="none at all"),
            pytest.param(1.0, Route.AUTO, id="certain"),
        ],
    )
    def test_at_the_threshold_or_above_it_passes(self, confidence: float, route: Route) -> None:
        answer = decide(policy(), case(confidence=confidence), KEY)

        assert answer.route is route
        assert answer.threshold == 0.8

    def test_a_threshold_of_zero_lets_the_least_sure_pass(self) -> None:
        assert decide(policy(threshold=0.0), case(confidence=0.0), KEY).route is Route.AUTO

    def test_a_threshold_of_one_lets_only_the_certain_pass(self) -> None:
        routes = [decide(policy(threshold=1.0), case(confidence=sure), KEY).route for sure in (1 - 2**-53, 1.0)]

        assert routes == [Route.REVIEW, Route.AUTO]

    @pytest.mark.parametrize("phase", sorted(ALONE))
    @pytest.mark.parametrize("state", ["missing", "invalid"])
    def test_without_a_usable_one_a_person_does_it(self, phase: Phase, state: Any) -> None:
        answer = decide(policy(phase, threshold=0.0), case(confidence=None, confidence_state=state), KEY)

        assert (answer.route, code(answer)) == (Route.HUMAN, f"confidence_{state}")

    def test_an_invalid_one_is_refused_in_supervised_too(self) -> None:
        answer = decide(policy(Phase.SUPERVISED), case(confidence=None, confidence_state="invalid"), KEY)

        assert code(answer) == "confidence_invalid"

    @pytest.mark.parametrize("odd", [math.nan, None])
    def test_one_that_slipped_through_as_valid_is_still_below_every_threshold(self, odd: float | None) -> None:
        assert decide(policy(threshold=0.0), case(confidence=odd), KEY).route is Route.REVIEW

    def test_the_threshold_of_the_segment_goes_before_the_general_one(self) -> None:
        strict = policy(thresholds={"de": 0.95, "fr": 0.5})

        answers = {name: decide(strict, case(segment=name), KEY) for name in ("de", "fr", "it", "")}

        assert {name: (found.route, found.threshold) for name, found in answers.items()} == {
            "de": (Route.REVIEW, 0.95),
            "fr": (Route.AUTO, 0.5),
            "it": (Route.AUTO, 0.8),
            "": (Route.AUTO, 0.8),
        }

    def test_a_closed_segment_is_reviewed_whatever_the_confidence(self) -> None:
        answer = decide(policy(thresholds={"de": None}), case(segment="de", confidence=1.0), KEY)

        assert (answer.route, code(answer), answer.threshold) == (Route.REVIEW, "segment_closed", None)

    def test_without_any_threshold_no_case_goes_alone(self) -> None:
        answer = decide(policy(threshold=None), case(confidence=1.0), KEY)

        assert (answer.route, code(answer)) == (Route.REVIEW, "no_threshold")

    @given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
    def test_more_confidence_never_takes_autonomy_away(self, threshold: float, one: float, other: float) -> None:
        ruled = policy(threshold=threshold)

        less, more = (decide(ruled, case(confidence=sure), KEY).route for sure in sorted((one, other)))

        assert (less, more) != (Route.AUTO, Route.REVIEW)


class TestScope:
    @pytest.mark.parametrize(
        ("segments", "segment", "inside"),
        [
            (None, "", True),
            (None, "de", True),
            (["de"], "de", True),
            (["de"], "DE", False),
            (["de"], "", False),
            (["de"], "de ", False),
            ([], "de", False),
            ([], "", False),
        ],
    )
    def test_segments(self, segments: Any, segment: str, inside: bool) -> None:
        answer = decide(policy(scope={"segments": segments}), case(segment=segment), KEY)

        assert (code(answer) != "segment_out_of_scope") is inside

    @pytest.mark.parametrize(
        ("actions", "action", "inside"),
        [
            (None, None, True),
            (["pay"], "pay", True),
            (["pay"], None, False),
            (["pay"], "Pay", False),
            ([], "pay", False),
        ],
    )
    def test_actions(self, actions: Any, action: str | None, inside: bool) -> None:
        answer = decide(policy(scope={"actions": actions}), case(action=action), KEY)

        assert (code(answer) != "action_out_of_scope") is inside

    @pytest.mark.parametrize(
        ("amount", "reason"),
        [
            pytest.param(100.0, "above_threshold", id="at the limit"),
            pytest.param(math.nextafter(100, 200), "amount_out_of_scope", id="the next number above it"),
            pytest.param(0.0, "above_threshold", id="nothing"),
            pytest.param(-100.0, "above_threshold", id="a credit at the limit"),
            pytest.param(-100.01, "amount_out_of_scope", id="a credit above it"),
            pytest.param(math.nan, "amount_invalid", id="not a number"),
            pytest.param(math.inf, "amount_invalid", id="endless"),
            pytest.param(-math.inf, "amount_invalid", id="endless the other way"),
            pytest.param(None, "amount_missing", id="none given"),
        ],
    )
    def test_amounts(self, amount: float | None, reason: str) -> None:
        assert code(decide(policy(scope={"amount_at_most": 100}), case(amount=amount), KEY)) == reason

    def test_an_amount_without_a_limit_may_be_any_finite_number(self) -> None:
        assert decide(policy(), case(amount=-1e300), KEY).route is Route.AUTO

    @pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("phase", [Phase.SUPERVISED, Phase.CONFIDENCE, Phase.FULL])
    def test_an_amount_that_is_no_finite_number_means_a_person_also_without_a_limit(
        self, phase: Phase, amount: float
    ) -> None:
        answer = decide(policy(phase), case(amount=amount), KEY)

        assert (answer.route, code(answer)) == (Route.HUMAN, "amount_invalid")

    def test_a_limit_of_zero_lets_nothing_but_zero_pass(self) -> None:
        limited = policy(scope={"amount_at_most": 0})

        routes = [decide(limited, case(amount=amount), KEY).route for amount in (0.0, 0.01)]

        assert routes == [Route.AUTO, Route.HUMAN]

    def test_supervised_reviews_in_scope_and_leaves_the_rest_to_people(self) -> None:
        supervised = policy(Phase.SUPERVISED, scope={"segments": ["de"]})

        routes = [decide(supervised, case(segment=name), KEY).route for name in ("de", "fr")]

        assert routes == [Route.REVIEW, Route.HUMAN]


class TestRisk:
    def test_a_flagged_risk_is_always_reviewed(self) -> None:
        answer = decide(policy(review_risks={"high"}), case(risk="high", confidence=1.0), KEY)

        assert (answer.route, code(answer), answer.threshold) == (Route.REVIEW, "risk_flagged", 0.8)

    @pytest.mark.parametrize("risk", [None, "low", "HIGH"])
    def test_others_are_not(self, risk: str | None) -> None:
        assert decide(policy(review_risks={"high"}), case(risk=risk), KEY).route is Route.AUTO


class TestRamp:
    def test_a_share_of_zero_is_zero(self) -> None:
        none = policy(ramp_share=0.0)

        assert {decide(none, case(case_id=f"c-{n}"), KEY).route for n in range(MANY)} == {Route.REVIEW}

    def test_a_share_of_one_is_all(self) -> None:
        assert {decide(policy(), case(case_id=f"c-{n}"), KEY).route for n in range(MANY)} == {Route.AUTO}

    @pytest.mark.parametrize("share", [0.05, 0.25, 0.5])
    def test_a_share_is_close_to_its_step_and_the_same_at_every_call(self, share: float) -> None:
        ramped = policy(ramp_share=share)

        drawn = [[decide(ramped, case(case_id=f"c-{n}"), KEY).route for n in range(MANY)] for _ in range(2)]

        assert drawn[0] == drawn[1]
        assert drawn[0].count(Route.AUTO) / MANY == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / MANY))

    @given(st.text(min_size=1, max_size=20), st.uuids(), st.floats(0, 1), st.floats(0, 1))
    def test_a_growing_share_never_flips_a_case(self, case_id: str, rollout: UUID, one: float, other: float) -> None:
        less, more = (
            decide(policy(rollout_id=rollout, ramp_share=share), case(case_id=case_id), KEY).route
            for share in sorted((one, other))
        )

        assert (less, more) != (Route.AUTO, Route.REVIEW)

    def test_another_rollout_draws_other_cases(self) -> None:
        other = UUID(int=ROLLOUT.int + 1)
        same = sum(
            (ramp_position(ROLLOUT, f"c-{n}") < 0.5) == (ramp_position(other, f"c-{n}") < 0.5) for n in range(MANY)
        )

        assert same / MANY == pytest.approx(0.5, abs=0.02)

    def test_a_position_is_a_fraction_and_stable_over_releases(self) -> None:
        positions = [ramp_position(ROLLOUT, f"c-{n}") for n in range(1000)]

        assert all(0.0 <= position < 1.0 for position in positions)
        assert (ramp_position(ROLLOUT, "c-1"), audit_position(KEY, ROLLOUT, "c-1")) == (RAMP_OF_C1, AUDIT_OF_C1)

    def test_a_case_outside_the_ramp_is_reviewed_with_its_threshold(self) -> None:
        answer = decide(policy(ramp_share=0.0), case(), KEY)

        assert (answer.route, code(answer), answer.threshold) == (Route.REVIEW, "outside_ramp", 0.8)
        assert answer.audit_probability is None


class TestAudits:
    def test_a_rate_of_one_draws_every_automated_case(self) -> None:
        answers = [decide(policy(audit_rate=1.0), case(case_id=f"c-{n}"), KEY) for n in range(500)]

        assert {(found.route, found.lane, found.audit_probability) for found in answers} == {
            (Route.AUTO, Lane.AUDIT, 1.0)
        }

    def test_a_tiny_rate_draws_next_to_none(self) -> None:
        lanes = {decide(policy(audit_rate=1e-12), case(case_id=f"c-{n}"), KEY).lane for n in range(MANY)}

        assert lanes == {Lane.AUTO}

    def test_the_realised_rate_is_close_to_the_stated_one(self) -> None:
        lanes = [decide(policy(audit_rate=0.1), case(case_id=f"c-{n}"), KEY).lane for n in range(MANY)]

        assert lanes.count(Lane.AUDIT) / MANY == pytest.approx(0.1, abs=0.01)

    def test_the_probability_is_stored_with_drawn_and_undrawn_cases_alike(self) -> None:
        answers = [decide(policy(audit_rate=0.5), case(case_id=f"c-{n}"), KEY) for n in range(50)]

        assert {found.lane for found in answers} == {Lane.AUTO, Lane.AUDIT}
        assert {found.audit_probability for found in answers} == {0.5}

    def test_a_drawn_case_says_so(self) -> None:
        answer = decide(policy(audit_rate=1.0), case(), KEY)

        assert [reason.code for reason in answer.reasons] == ["above_threshold", "audit_drawn"]

    def test_who_has_not_the_key_cannot_tell_who_is_drawn(self) -> None:
        ours = [audit_position(KEY, ROLLOUT, f"c-{n}") < 0.5 for n in range(MANY)]
        theirs = [audit_position(b"a guess", ROLLOUT, f"c-{n}") < 0.5 for n in range(MANY)]

        agree = sum(one == other for one, other in zip(ours, theirs, strict=True))

        assert agree / MANY == pytest.approx(0.5, abs=0.02)

    def test_the_draw_does_not_hang_on_the_ramp_position(self) -> None:
        early = [n for n in range(MANY) if ramp_position(ROLLOUT, f"c-{n}") < 0.1]

        drawn = sum(audit_position(KEY, ROLLOUT, f"c-{n}") < 0.5 for n in early)

        assert drawn / len(early) == pytest.approx(0.5, abs=0.05)

    def test_nothing_of_a_case_but_its_name_moves_the_draw(self) -> None:
        half = policy(audit_rate=0.5)
        variants = [case(), case(confidence=1.0), case(segment="de"), case(amount=3.0), case(action="note")]

        assert len({decide(half, variant, KEY).lane for variant in variants}) == 1

    @given(st.text(min_size=1, max_size=50))
    def test_same_policy_case_and_key_give_the_same_answer_for_ever(self, case_id: str) -> None:
        half = policy(audit_rate=0.5, ramp_share=0.5)

        assert decide(half, case(case_id=case_id), KEY) == decide(half, case(case_id=case_id), KEY)


class TestRules:
    """The ways to write rules that would mean something else than they say are refused."""

    @pytest.mark.parametrize("rate", [0.0, -0.1, 1.1, math.nan, math.inf])
    def test_an_audit_rate_is_above_zero_and_at_most_one(self, rate: float) -> None:
        with pytest.raises(ValueError):
            Rules(audit_rate=rate)

    @pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, math.inf])
    def test_a_threshold_is_a_share(self, threshold: float) -> None:
        with pytest.raises(ValueError):
            Rules(threshold=threshold)

    def test_an_action_is_not_both_in_scope_and_blocked(self) -> None:
        with pytest.raises(ValueError, match="both in scope and blocked"):
            Rules(scope=Scope(actions=frozenset({"pay"})), blocked_actions=frozenset({"pay"}))
