import math
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from uuid import UUID

import pytest

from governance.actors import of_agent
from governance.audit import service, signing
from governance.audit.tables import AuditEvent

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ID = UUID("0194fdc2-fa2f-7cc0-81d3-ff12045b73c8")
SECRET = b"a secret"


class _Phase(Enum):
    SHADOW = "shadow"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.25, 0.25),
        (math.nan, "nan"),
        (math.inf, "inf"),
        ("a\x00b", "a\ufffdb"),
        ("half \ud800", "half ?"),
        (_Phase.SHADOW, "shadow"),
        (ID, str(ID)),
        (date(2026, 1, 5), "2026-01-05"),
        (datetime(2026, 1, 5, 10, tzinfo=timezone(timedelta(hours=1))), "2026-01-05T09:00:00.000000Z"),
        ({"a": ID}, {"a": str(ID)}),
        ({3: (1, 2)}, {"3": [1, 2]}),
        (frozenset({"b", "a"}), ["a", "b"]),
        (timedelta(hours=1), "1:00:00"),
    ],
)
def test_details_are_stored_as_json_that_both_databases_keep(value: object, stored: object) -> None:
    assert service.event_row("alice", "thing.done", 1, now=NOW, value=value)["detail"] == {"value": stored}


def test_a_row_has_everything_but_a_place() -> None:
    row = service.event_row(of_agent("claims"), "case.decided", ID, now=NOW, agent="claims", route="auto")

    assert row.pop("id").version == 7
    assert row == {
        "at": NOW,
        "actor": "agent:claims",
        "verb": "case.decided",
        "subject": str(ID),
        "agent": "claims",
        "detail": {"route": "auto"},
        "place": None,
        "leaf": None,
    }


def test_the_bytes_of_an_event_do_not_depend_on_the_order_of_keys_or_on_its_place() -> None:
    first = _event(detail={"a": 1, "b": "ä"}, place=None)
    second = _event(detail={"b": "ä", "a": 1}, place=7)

    assert service.canonical(first) == service.canonical(second)
    assert service.canonical(first).decode() == (
        '{"actor":"alice","agent":null,"at":"2026-01-05T09:00:00.000000Z","detail":{"a":1,"b":"ä"},'
        f'"id":"{ID}","subject":"1","verb":"thing.done"}}'
    )


def test_a_signature_holds_for_just_what_was_signed() -> None:
    signature = signing.sign(SECRET, 7, "ab", NOW)

    assert signing.is_signed(SECRET, 7, "ab", NOW, signature)
    assert not signing.is_signed(SECRET, 8, "ab", NOW, signature)
    assert not signing.is_signed(SECRET, 7, "ac", NOW, signature)
    assert not signing.is_signed(SECRET, 7, "ab", NOW + timedelta(microseconds=1), signature)
    assert not signing.is_signed(b"another secret", 7, "ab", NOW, signature)
    assert not signing.is_signed(SECRET, 7, "ab", NOW, "not hex")


def test_the_public_key_stays_the_same_for_a_secret() -> None:
    assert signing.public_key(SECRET) == signing.public_key(SECRET)
    assert signing.public_key(SECRET) != signing.public_key(b"another secret")


def _event(detail: dict[str, object], place: int | None) -> AuditEvent:
    return AuditEvent(
        id=ID, at=NOW, actor="alice", verb="thing.done", subject="1", agent=None, detail=detail, place=place
    )
