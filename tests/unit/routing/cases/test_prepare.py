import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.comparing import ComparisonConfig, OutputSchema
from rollout.agents.schemas import AgentSettings
from rollout.domain.phase import Phase, Standing
from rollout.domain.policy import GlassEnd, Policy, Rules
from routing.cases.prepare import Entry, canonical, digest, fingerprint, prepare, prepare_again
from routing.cases.schemas import CaseIn
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from routing.snapshot import AgentEntry, Snapshot

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ROLLOUT = UUID("01890000-0000-7000-8000-000000000001")
KEY = b"a key nobody else has"
WHOLE = {
    "case_id": "c-1",
    "version": "v1",
    "output": {"total": 12.5, "lines": [1, 2]},
    "input": {"text": "hello"},
    "confidence": 0.9,
    "segment": "de",
    "action": "pay",
    "amount": 12.5,
    "risk": "low",
    "attributes": {"channel": "mail"},
    "signals": {"length": 3},
    "trace": [{"step": 1}],
    "usage": {"tokens": 10},
    "attempt": 1,
    "occurred_at": "2026-01-05T08:00:00Z",
}

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=10,
)


def case(**changes: Any) -> CaseIn:
    return CaseIn.model_validate(WHOLE | changes)


def prepared(given_case: CaseIn | None = None, *, schema: Any = None, phase: Phase = Phase.FULL, **rules: Any) -> Entry:
    agent = AgentEntry(
        "claims", AgentSettings(), OutputSchema(schema) if schema is not None else None, ComparisonConfig.parse({})
    )
    policy = Policy(
        ROLLOUT,
        "claims",
        "v1",
        7,
        Standing.STABLE,
        phase,
        3,
        None,
        0.75,
        Rules.model_validate({"threshold": 0.0} | rules),
    )
    snapshot = Snapshot({"claims": agent}, {("claims", "v1"): policy}, (1,))
    return prepare(snapshot, agent.name, given_case or case(), secret=KEY, now=NOW)


class TestAgain:
    def test_break_glass_that_ended_while_the_case_waited_is_over(self) -> None:
        until = NOW + timedelta(seconds=1)
        glass = GlassEnd(until, Phase.SUPERVISED, 0.0)
        agent = AgentEntry("claims", AgentSettings(), None, ComparisonConfig.parse({}))
        rules = Rules.model_validate({"threshold": 0.0, "audit_rate": 1e-9})
        policy = Policy(ROLLOUT, "claims", "v1", 7, Standing.STABLE, Phase.FULL, 3, None, 1.0, rules, glass)
        snapshot = Snapshot({"claims": agent}, {("claims", "v1"): policy}, (1,))

        first = prepare(snapshot, "claims", case(), secret=KEY, now=NOW)
        then = prepare_again(first, snapshot, secret=KEY, now=until)

        assert prepare_again(first, snapshot, secret=KEY, now=NOW) is first
        assert (first.row["route"], then.row["route"], then.row["phase"]) == ("auto", "review", "supervised")
        assert prepare_again(then, snapshot, secret=KEY, now=until + timedelta(days=1)) is then


class TestDigest:
    @given(st.dictionaries(st.text(max_size=5), json_values, max_size=6), st.randoms(use_true_random=False))
    def test_does_not_hang_on_the_order_of_keys(self, output: dict[str, Any], order: Any) -> None:
        names = list(output)
        order.shuffle(names)

        assert digest(case(output=output)) == digest(case(output={name: output[name] for name in names}))

    @pytest.mark.parametrize(
        ("field", "other"),
        [
            ("case_id", "c-2"),
            ("version", "v2"),
            ("output", {"total": 12.5, "lines": [2, 1]}),
            ("output", None),
            ("input", None),
            ("confidence", 0.91),
            ("confidence", None),
            ("confidence", "0.9"),
            ("segment", ""),
            ("action", None),
            ("amount", 12.51),
            ("amount", None),
            ("amount", math.nan),
            ("risk", None),
            ("attributes", {}),
            ("signals", None),
        ],
    )
    def test_tells_another_case_by_what_decides_or_is_judged(self, field: str, other: Any) -> None:
        assert digest(case(**{field: other})) != digest(case())

    @pytest.mark.parametrize(
        ("field", "other"),
        [("trace", None), ("usage", {"tokens": 99}), ("occurred_at", None), ("attempt", 2), ("handed_over", True)],
    )
    def test_leaves_out_what_may_differ_in_a_retry(self, field: str, other: Any) -> None:
        assert digest(case(**{field: other})) == digest(case())

    @pytest.mark.parametrize("one", [math.nan, math.inf])
    def test_numbers_that_are_none_are_told_apart_from_nothing_and_from_each_other(self, one: float) -> None:
        others = [digest(case(amount=value)) for value in (None, -math.inf, 1.0)]

        assert digest(case(amount=one)) == digest(case(amount=one))
        assert digest(case(amount=one)) not in others
        assert digest(case(confidence=one)) != digest(case(confidence=None))

    @pytest.mark.parametrize("field", ["confidence", "amount", "output", "input"])
    @pytest.mark.parametrize(("one", "other"), [(1, 1.0), (0, 0.0), (0.0, -0.0), (10**15, 1e15)])
    def test_takes_a_number_as_the_number_that_it_is(self, field: str, one: Any, other: Any) -> None:
        assert digest(case(**{field: one})) == digest(case(**{field: other}))

    @pytest.mark.parametrize("one", [True, "1", "1.0", [1], {"a": 1}, "nan", None])
    def test_but_nothing_else_for_a_number(self, one: Any) -> None:
        assert digest(case(confidence=one)) not in {digest(case(confidence=n)) for n in (1, math.nan)}

    def test_does_not_hang_on_the_order_of_keys_in_a_confidence(self) -> None:
        assert digest(case(confidence={"a": 1, "b": 2})) == digest(case(confidence={"b": 2, "a": 1}))

    @pytest.mark.parametrize("one", [10**400, 1e300, 2.0**80, -(2.0**63), math.inf])
    def test_has_one_for_every_number(self, one: float) -> None:
        assert digest(case(confidence=one)) != digest(case())

    @given(json_values, json_values)
    def test_other_values_have_another_canonical_form(self, one: Any, other: Any) -> None:
        if canonical(one) == canonical(other):
            assert one == other


class TestFingerprint:
    def test_is_of_what_a_reviewer_is_shown(self) -> None:
        shown = fingerprint({"a": 1}, {"b": 2}, "pay")

        assert shown == fingerprint({"a": 1}, {"b": 2}, "pay")
        assert len({shown, fingerprint(None, {"b": 2}, "pay"), fingerprint({"a": 1}, {"b": 3}, "pay"),
                    fingerprint({"a": 1}, {"b": 2}, None)}) == 4  # fmt: skip

    def test_cannot_be_met_by_moving_a_field_over(self) -> None:
        assert fingerprint("a", "b", None) != fingerprint("b", "a", None)


class TestRow:
    def test_has_a_value_for_every_column(self) -> None:
        assert set(prepared().row) == {column.name for column in Decision.__table__.columns}

    def test_keeps_what_was_sent_and_what_decided(self) -> None:
        row = prepared().row

        assert {name: row[name] for name in WHOLE if name != "occurred_at"} == {
            name: value for name, value in WHOLE.items() if name != "occurred_at"
        }
        assert row["occurred_at"] == datetime(2026, 1, 5, 8, tzinfo=UTC)
        assert {name: row[name] for name in ("rollout_id", "policy_revision", "phase", "epoch", "ramp_share")} == {
            "rollout_id": ROLLOUT,
            "policy_revision": 7,
            "phase": "full",
            "epoch": 3,
            "ramp_share": 0.75,
        }
        assert (row["decided_at"], row["unsettled"], row["counted_as"]) == (NOW, True, None)

    def test_names_the_ramp_share_only_where_it_decided(self) -> None:
        assert prepared(phase=Phase.SUPERVISED).row["ramp_share"] is None

    def test_an_unknown_version_is_stored_without_a_policy(self) -> None:
        entry = prepared(case(version="nobody's"))

        assert (entry.row["route"], entry.row["rollout_id"], entry.row["policy_revision"], entry.item) == (
            "human", None, None, None,
        )  # fmt: skip
        assert entry.row["reasons"][0]["code"] == "unknown_version"

    @pytest.mark.parametrize(
        ("given_one", "usable", "instead", "reason"),
        [
            (math.nan, None, "nan", "confidence_invalid"),
            (1.2, None, "1.2", "confidence_invalid"),
            ("0.9", None, "'0.9'", "confidence_invalid"),
            (True, None, "True", "confidence_invalid"),
            (None, None, None, "confidence_missing"),
        ],
    )
    def test_an_unusable_confidence_is_kept_and_means_a_person(
        self, given_one: Any, usable: float | None, instead: str | None, reason: str
    ) -> None:
        row = prepared(case(confidence=given_one)).row

        assert (row["confidence"], row["confidence_given"]) == (usable, instead)
        assert (row["route"], row["reasons"][0]["code"]) == ("human", reason)

    @pytest.mark.parametrize("amount", [math.nan, math.inf, -math.inf])
    def test_an_amount_no_database_holds_is_left_out_of_the_row(self, amount: float) -> None:
        assert prepared(case(amount=amount)).row["amount"] is None

    @pytest.mark.parametrize(
        ("schema", "valid"), [(None, None), ({"type": "object"}, True), ({"type": "array"}, False), (False, False)]
    )
    def test_says_whether_the_output_fits_the_schema(self, schema: Any, valid: bool | None) -> None:
        row = prepared(schema=schema).row

        assert row["output_valid"] is valid
        assert (row["reasons"][0]["code"] == "output_invalid") is (valid is False)

    def test_two_preparations_of_one_case_differ_only_in_their_ids(self) -> None:
        one, other = prepared().row, prepared().row

        assert one["id"] != other["id"]
        assert {**one, "id": None} == {**other, "id": None}


class TestItem:
    def test_has_a_value_for_every_column(self) -> None:
        item = prepared(phase=Phase.SUPERVISED).item

        assert item is not None
        assert set(item) == {column.name for column in ReviewItem.__table__.columns}

    @pytest.mark.parametrize(
        ("phase", "rules", "kind"),
        [
            (Phase.EVALUATION, {}, None),
            (Phase.SHADOW, {}, None),
            (Phase.SUPERVISED, {}, "review"),
            (Phase.SUPERVISED, {"scope": {"segments": ["fr"]}}, None),
            (Phase.FULL, {"threshold": 0.95}, "review"),
            (Phase.FULL, {"blocked_actions": ["pay"]}, None),
        ],
    )
    def test_stands_where_a_person_must_look(self, phase: Phase, rules: Any, kind: str | None) -> None:
        item = prepared(phase=phase, **rules).item

        assert (item["kind"] if item else None) == kind

    def test_is_an_audit_for_a_drawn_case(self) -> None:
        entries = [prepared(case(case_id=f"c-{n}"), audit_rate=0.5) for n in range(40)]

        lanes = {(entry.row["lane"], entry.item["kind"] if entry.item else None) for entry in entries}

        assert lanes == {("review", "review"), ("auto", None), ("audit", "audit")}

    def test_is_due_as_the_policy_says(self) -> None:
        item = prepared(phase=Phase.SUPERVISED, review_within_hours=1.5).item

        assert item is not None
        assert (item["created_at"], item["due_at"]) == (NOW, NOW + timedelta(hours=1.5))

    def test_is_due_as_the_policy_says_of_its_segment(self) -> None:
        rules = {"review_within_hours": 8, "review_within_hours_by_segment": {"rush": 0.5}}

        items = [
            prepared(case(segment=segment), phase=Phase.SUPERVISED, **rules).item for segment in ("rush", "paper", "")
        ]

        assert [item["due_at"] - NOW for item in items if item] == [timedelta(hours=each) for each in (0.5, 8, 8)]

    def test_a_flagged_risk_goes_first(self) -> None:
        items = [
            prepared(case(risk=risk), review_risks=["low"], phase=Phase.SUPERVISED).item for risk in ("low", "none")
        ]

        assert [item["priority"] for item in items if item] == [1, 0]

    def test_names_the_fingerprint_of_what_will_be_shown(self) -> None:
        item = prepared(phase=Phase.SUPERVISED).item

        assert item is not None
        assert item["fingerprint"] == fingerprint(WHOLE["input"], WHOLE["output"], "pay")
