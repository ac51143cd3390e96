"""What was acknowledged is there: a benchmark that loses rows is worth nothing."""

from bench.decisions.services import Service
from bench.evidence.report import Section

_MUST_BE_ZERO = {
    "cases that are stored twice": (
        "SELECT count(*) - count(DISTINCT agent || ' ' || case_id || ' ' || version || ' ' || attempt) FROM decisions"
    ),
    "decisions for a person without their review item, and the reverse": (
        "SELECT (SELECT count(*) FROM decisions WHERE route = 'review' OR lane = 'audit')"
        " - (SELECT count(*) FROM review_items)"
    ),
    "decisions without their audit event, and the reverse": (
        "SELECT (SELECT count(*) FROM decisions) - (SELECT count(*) FROM audit_events WHERE verb = 'decision.stored')"
    ),
    "rulings without their message in the outbox, and the reverse": (
        "SELECT (SELECT count(*) FROM rulings) - (SELECT count(*) FROM outbox)"
    ),
    "decisions that are not settled when the worker has caught up": "SELECT count(*) FROM decisions WHERE unsettled",
}


def check(section: Section, service: Service, database: str, acknowledged: int) -> None:
    """Held against the rows, once the worker has caught up; every line is a claim."""
    took = service.wait_until_settled()
    table = section.table("database", "after all loads", "expected", "found")
    found = int(service.scalar("SELECT count(*) FROM decisions"))
    table.add(database, "decisions", acknowledged, found, claim="as many as acknowledged", met=found == acknowledged)
    for words, statement in _MUST_BE_ZERO.items():
        count = int(service.scalar(statement))
        table.add(database, words, 0, count, claim="none", met=count == 0)
    waiting = int(service.scalar("SELECT count(*) FROM review_items"))
    events = int(service.scalar("SELECT count(*) FROM audit_events"))
    table.note = (
        f"On {database} there are {waiting:,} review items and {events:,} audit events, sealed and signed; the worker "
        f"had caught up {took:.1f} s after the last load."
    )
