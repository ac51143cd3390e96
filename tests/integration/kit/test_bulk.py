"""What goes in as one document comes out as if every row had been written by itself."""

import contextlib
import itertools
import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from governance.audit import service as audit
from governance.audit.tables import AuditEvent
from kit.bulk import NotAllNew
from kit.context import Context
from kit.ids import new_id
from routing.cases import queries
from routing.cases.prepare import prepare
from routing.cases.tables import Decision
from routing.reviews.tables import ReviewItem
from routing.snapshot import Snapshot
from tests import factories

NOW = datetime(2026, 1, 5, 9, 0, 0, 123456, tzinfo=UTC)
_numbers = itertools.count()

text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([-0.0, 1e300, 5e-324]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, text)
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
objects = st.none() | st.dictionaries(text, documents, max_size=3)
moments = st.none() | st.floats(-2.2e9, 7.2e9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
rows = st.fixed_dictionaries(
    {
        "input": documents, "output": documents, "attributes": objects, "signals": objects, "usage": objects,
        "trace": st.none() | st.lists(documents, max_size=3), "reasons": st.lists(objects, max_size=2),
        "confidence": st.none() | st.floats(0, 1),
        "amount": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "segment": text, "action": st.none() | text, "occurred_at": moments, "decided_at": moments.filter(bool),
        "output_valid": st.none() | st.booleans(), "rollout_id": st.none() | st.uuids(),
        "epoch": st.none() | st.integers(0, 9), "unsettled": st.booleans(),
    }
)  # fmt: skip


def row(fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """A whole one, as `prepare` lays it out, under a key of its own."""
    case = factories.case(f"c-{next(_numbers)}")
    made = prepare(Snapshot({}, {}, ()), "claims", case, secret=b"s", now=NOW).row
    return made | (fields or {})


def event(of: dict[str, Any]) -> dict[str, Any]:
    return audit.event_row("agent:claims", "decision.stored", of["id"], now=NOW, agent="claims", case_id=of["case_id"])


def item(of: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id(), "decision_id": of["id"], "agent": "claims", "version": "v1", "rollout_id": new_id(),
        "case_id": of["case_id"], "kind": "review", "level": 1, "segment": "", "priority": 0, "fingerprint": "f",
        "created_at": NOW, "due_at": NOW, "state": "waiting", "claimed_by": None, "claimed_at": None,
        "claimed_until": None, "ended_at": None, "expires_at": None, "escalates_at": None, "concludes_at": None,
        "ahead": False, "arm": "assisted", "shown_as": None, "seconded": False, "second_probability": None,
        "not_for": None, "arm_probability": None,
    }  # fmt: skip


def read(ctx: Context, row_id: UUID) -> dict[str, Any]:
    """Every column but those that say which row it is; a number with its sign and its kind."""
    with ctx.db.read() as session:
        kept = session.get_one(Decision, row_id)
        return {
            name: repr(getattr(kept, name))
            for name in (column.name for column in Decision.__table__.columns)
            if name not in {"id", "case_id", "body_digest"}
        }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=rows)
def test_a_row_is_read_as_if_it_had_been_written_alone(ctx: Context, fields: dict[str, Any]) -> None:
    alone, together = row(fields), row(fields)
    with ctx.db.begin() as session:
        session.add(Decision(**alone))
    with ctx.db.begin() as session:
        assert queries.insert_decisions(session, [together], [], [event(together)]) == {together["id"]}

    assert read(ctx, together["id"]) == read(ctx, alone["id"])


@pytest.mark.parametrize("count", [1, 3, 16, 17, 64, 85, 150])
def test_every_row_of_a_batch_is_stored_with_what_follows_it(ctx: Context, count: int) -> None:
    made = [row() for _ in range(count)]
    with ctx.db.begin() as session:
        new = queries.insert_decisions(session, made, [item(one) for one in made[::2]], [event(one) for one in made])

    with ctx.db.read() as session:
        ids = {one["id"] for one in made}
        assert new == set(session.scalars(select(Decision.id))) == ids
        assert set(session.scalars(select(ReviewItem.decision_id))) == {one["id"] for one in made[::2]}
        events = session.scalars(select(AuditEvent.subject).where(AuditEvent.verb == "decision.stored")).all()
        assert sorted(events) == sorted(map(str, ids))


def test_what_was_there_before_brings_nothing_with_it(ctx: Context) -> None:
    first, other = row(), row()
    with ctx.db.begin() as session:
        queries.insert_decisions(session, [first], [item(first)], [event(first)])
    again = first | {"id": new_id()}

    with ctx.db.begin() as session:
        new = queries.insert_decisions(
            session, [again, other], [item(again), item(other)], [event(again), event(other)]
        )

    with ctx.db.read() as session:
        assert new == {other["id"]}
        assert set(session.scalars(select(Decision.id))) == {first["id"], other["id"]}
        assert set(session.scalars(select(ReviewItem.decision_id))) == {first["id"], other["id"]}
        assert len(session.scalars(select(AuditEvent.id).where(AuditEvent.verb == "decision.stored")).all()) == 2


def test_an_integer_of_any_length_is_stored_as_the_database_can(ctx: Context) -> None:
    one = row({"output": {"n": 10**30}})
    with ctx.db.begin() as session:
        queries.insert_decisions(session, [one], [], [event(one)])

    with ctx.db.read() as session:
        assert math.isclose(session.get_one(Decision, one["id"]).output["n"], 1e30)


def at_once(ctx: Context, *made: dict[str, Any], sequence: int = 1000) -> int:
    """Stored without a session, each with its item and its event."""
    items, events = [item(one) for one in made], [event(one) for one in made]
    with ctx.db.at_once() as connection:
        return queries.insert_decisions_at_once(connection, sequence, made, items, events)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=rows)
def test_what_is_stored_at_once_is_read_as_if_it_had_been_written_alone(ctx: Context, fields: dict[str, Any]) -> None:
    alone, together = row(fields), row(fields)
    with ctx.db.begin() as session:
        session.add(Decision(**alone))

    assert at_once(ctx, together) == 1
    assert read(ctx, together["id"]) == read(ctx, alone["id"])


def test_at_once_nothing_is_stored_that_an_older_policy_decided(ctx: Context) -> None:
    factories.agent(ctx)
    factories.rollout(ctx)  # the first policy
    one = row()

    assert (at_once(ctx, one, sequence=0), at_once(ctx, one, sequence=1)) == (0, 1)


def test_at_once_only_what_is_new_is_stored_and_it_is_told(ctx: Context) -> None:
    first, other = row(), row()
    assert at_once(ctx, first) == 1

    with contextlib.suppress(NotAllNew):
        assert at_once(ctx, first | {"id": new_id()}, other) < 2

    with ctx.db.begin() as session:
        queries.insert_decisions(session, [other], [item(other)], [event(other)])  # what is there already is let be
    with ctx.db.read() as session:
        assert set(session.scalars(select(Decision.id))) == {first["id"], other["id"]}
        assert sorted(session.scalars(select(ReviewItem.decision_id))) == sorted([first["id"], other["id"]])
        assert len(session.scalars(select(AuditEvent.id).where(AuditEvent.verb == "decision.stored")).all()) == 2
