"""A queue as the service would have left it: many supervised cases wait for a person; made by the server itself."""

# ruff: noqa: S608 - the statements are put together from our own words; values are bound
import json
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import psycopg

from bench.decisions import cases

_CHUNK = 100_000
_ID = "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '{kind}' || lpad(to_hex(n), 16, '0'))::uuid"
_ROWS = f"""
    SELECT n, at, {_ID.format(kind="7000")} AS id, md5(n::text) || md5(n::text) AS digest,
           'segment ' || n %% 3 AS segment
    FROM (SELECT n, %(now)s::timestamptz - interval '1 hour' + (n / 1000.0) * interval '1 second' AS at
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n) AS numbered
"""
_STATEMENTS = (
    """
    INSERT INTO decisions (id, agent, case_id, version, attempt, body_digest, input, output, confidence, segment,
        attributes, route, lane, reasons, rollout_id, policy_revision, phase, epoch, ramp_share, output_valid,
        decided_at, unsettled, counted_as)
    SELECT id, %(agent)s, 'case-' || n, %(version)s, 1, digest, %(input)s, %(output)s, 0.9, segment, '{}', 'review',
        'review', '[]', %(rollout)s, 1, 'supervised', 1, 1.0, true, at, false, 'pending'
    FROM rows
    """,
    """
    INSERT INTO decision_keys (agent, case_id, version, attempt, decision_id)
    SELECT %(agent)s, 'case-' || n, %(version)s, 1, id FROM rows
    """,
    f"""
    INSERT INTO review_items (id, decision_id, agent, version, rollout_id, case_id, kind, level, segment, priority,
        fingerprint, created_at, due_at, escalates_at, state)
    SELECT {_ID.format(kind="7002")}, id, %(agent)s, %(version)s, %(rollout)s, 'case-' || n, 'review', 1, segment,
        CASE WHEN n %% 50 = 0 THEN 1 ELSE 0 END, digest, at, at + interval '2 days', at + interval '1 day', 'waiting'
    FROM rows
    """,
    """
    INSERT INTO totals (rollout_id, epoch, lane, segment, day, cases, agreed, overridden, severe, void, invalid_output,
        invalid_confidence, minor, low_confidence)
    SELECT %(rollout)s, 1, 'review', segment, (at AT TIME ZONE 'UTC')::date, count(*), 0, 0, 0, 0, 0, 0, 0, 0
    FROM rows GROUP BY segment, (at AT TIME ZONE 'UTC')::date
    ON CONFLICT (rollout_id, epoch, lane, segment, day) DO UPDATE SET cases = totals.cases + excluded.cases
    """,
)


def fill(url: str, rollout_id: UUID, waiting: int, undo_seconds: int, now: datetime) -> None:
    """So many cases of the supervised agent, one in fifty urgent, over three segments; rulings can be undone."""
    sample = cases.case(0.9)
    values = {
        "agent": cases.SUPERVISED, "version": cases.VERSION, "rollout": rollout_id, "now": now,
        "input": json.dumps(sample["input"]), "output": json.dumps(sample["output"]),
    }  # fmt: skip
    with psycopg.connect(url, autocommit=True) as connection:
        for first, last in _chunks(waiting):
            for statement in _STATEMENTS:
                bound = values | {"first": first, "last": last}
                connection.execute(f"WITH rows AS ({_ROWS}) {statement}", bound)
        settings = "jsonb_set(settings, '{undo_seconds}', to_jsonb(%s::int))"
        changed = f"UPDATE agents SET settings = {settings}, revision = revision + 1 WHERE name = %s"
        connection.execute(changed, (undo_seconds, cases.SUPERVISED))
        connection.execute("VACUUM (ANALYZE)")


def _chunks(waiting: int) -> Iterator[tuple[int, int]]:
    for first in range(1, waiting + 1, _CHUNK):
        yield first, min(first + _CHUNK - 1, waiting)
