"""
Decisions as the service would have left them, made by the server itself: millions in minutes.

Of a hundred, 70 went alone, 5 were drawn for audit and 25 were drafts for a person, of which 10 still wait. One in
fifty of those that were ruled on has a second verdict, by somebody else. They are spread over half a year up to now;
keys, audit events, review items, rulings, labels and all that is counted go with them.
"""

# ruff: noqa: S608 - the statements are put together from our own words; values are bound
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from kit import partitions

DAYS = 180

_ID = "(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '{kind}' || lpad(to_hex(n), 16, '0'))::uuid"
_ROWS = f"""
    SELECT n, at, {_ID.format(kind="7000")} AS id,
           CASE WHEN n %% 100 < 70 THEN 'auto' WHEN n %% 100 < 75 THEN 'audit' ELSE 'review' END AS lane,
           n %% 100 >= 90 AS waits, n %% 33 = 0 AS wrong,
           n %% 100 BETWEEN 70 AND 89 AND n / 100 %% 50 = 0 AS twice
    FROM (SELECT n, %(end)s::timestamptz - (%(last)s - n) * (%(span)s::interval / %(whole)s) AS at
          FROM generate_series(%(first)s::bigint, %(stop)s::bigint) AS n) AS numbered
"""

_STATEMENTS = (
    """
    INSERT INTO decisions (id, agent, case_id, version, attempt, body_digest, input, output, confidence, segment,
        attributes, route, lane, reasons, rollout_id, policy_revision, phase, epoch, threshold, ramp_share,
        audit_probability, output_valid, decided_at, outcome, outcome_at, label, label_severity, label_source,
        unsettled, counted_as, several_verdicts)
    SELECT id, %(agent)s, 'case-' || n, %(version)s, 1, md5(n::text) || md5(n::text),
        jsonb_build_object('text', repeat('a claim of some length ', 8), 'lines', jsonb_build_array(n, n + 1)),
        jsonb_build_object('amount', n %% 1000, 'accept', n %% 2 = 0),
        CASE WHEN lane = 'review' THEN 0.5 ELSE 0.9 END, 'segment ' || n %% 3,
        jsonb_build_object('channel', (ARRAY['mail', 'web', 'desk'])[1 + n %% 3]),
        CASE WHEN lane = 'review' THEN 'review' ELSE 'auto' END, lane,
        '[{"code": "above_threshold", "words": "sure enough"}]', %(rollout)s, 1, 'confidence', 1, 0.8, 1.0,
        CASE WHEN lane = 'review' THEN NULL ELSE 0.0667 END, NULL, at,
        CASE WHEN lane = 'review' AND NOT waits THEN CASE WHEN wrong THEN 'rejected' ELSE 'approved' END END,
        CASE WHEN lane = 'review' AND NOT waits THEN at END,
        CASE WHEN lane <> 'auto' AND NOT waits THEN CASE WHEN wrong THEN 'override' ELSE 'agree' END END,
        CASE WHEN lane <> 'auto' AND NOT waits AND wrong THEN 'major' END,
        CASE WHEN lane <> 'auto' AND NOT waits THEN lane END, false,
        CASE WHEN lane = 'auto' OR waits THEN 'pending' WHEN wrong THEN 'override' ELSE 'agree' END, twice
    FROM rows
    """,
    """
    INSERT INTO decision_keys (agent, case_id, version, attempt, decision_id)
    SELECT %(agent)s, 'case-' || n, %(version)s, 1, id FROM rows
    """,
    f"""
    INSERT INTO audit_events (id, at, actor, verb, subject, agent, detail, place, leaf)
    SELECT {_ID.format(kind="7001")}, at, 'agent:' || %(agent)s, 'decision.stored', id::text, %(agent)s,
        jsonb_build_object('route', lane, 'case_id', 'case-' || n, 'version', %(version)s), n, md5(n::text)
    FROM rows
    """,
    f"""
    INSERT INTO review_items (id, decision_id, agent, version, rollout_id, case_id, kind, level, segment, priority,
        fingerprint, created_at, due_at, escalates_at, state, ended_at)
    SELECT {_ID.format(kind="7002")}, id, %(agent)s, %(version)s, %(rollout)s, 'case-' || n, lane, 1,
        'segment ' || n %% 3, 0, md5(n::text), at, %(end)s::timestamptz + interval '30 days',
        CASE WHEN waits THEN %(end)s::timestamptz + interval '20 days' END,
        CASE WHEN waits THEN 'waiting' WHEN wrong THEN 'rejected' ELSE 'approved' END,
        CASE WHEN NOT waits THEN at END
    FROM rows WHERE lane <> 'auto'
    """,
    f"""
    INSERT INTO rulings (id, item_id, decision_id, login, ruling, note, fingerprint, held_seconds, at)
    SELECT {_ID.format(kind="7003")}, {_ID.format(kind="7002")}, id, 'reviewer-' || n %% 7,
        CASE WHEN wrong THEN 'reject' ELSE 'approve' END, '', md5(n::text), 30, at
    FROM rows WHERE lane <> 'auto' AND NOT waits
    """,
    f"""
    INSERT INTO labels (id, decision_id, verdict, severity, source, source_id, person, note, at, counted)
    SELECT {_ID.format(kind="7004")}, id, CASE WHEN wrong THEN 'override' ELSE 'agree' END,
        CASE WHEN wrong THEN 'major' END, lane, {_ID.format(kind="7003")}, 'reviewer-' || n %% 7, '', at, true
    FROM rows WHERE lane <> 'auto' AND NOT waits
    """,
    f"""
    INSERT INTO labels (id, decision_id, verdict, severity, source, source_id, person, note, at, counted)
    SELECT {_ID.format(kind="7005")}, id, CASE WHEN n / 100 %% 200 = 0 THEN 'override' ELSE 'agree' END,
        CASE WHEN n / 100 %% 200 = 0 THEN 'major' END, 'human_output', {_ID.format(kind="7006")},
        'clerk-' || n %% 3, '', at, true
    FROM rows WHERE twice
    """,
    """
    INSERT INTO totals (rollout_id, epoch, lane, segment, day, cases, agreed, overridden, severe, void, invalid_output,
        invalid_confidence, minor, low_confidence)
    SELECT %(rollout)s, 1, lane, 'segment ' || n %% 3, (at AT TIME ZONE 'UTC')::date, count(*),
        count(*) FILTER (WHERE lane <> 'auto' AND NOT waits AND NOT wrong),
        count(*) FILTER (WHERE lane <> 'auto' AND NOT waits AND wrong), 0, 0, 0, 0, 0,
        count(*) FILTER (WHERE lane = 'review')
    FROM rows GROUP BY lane, n %% 3, (at AT TIME ZONE 'UTC')::date
    ON CONFLICT (rollout_id, epoch, lane, segment, day) DO UPDATE SET cases = totals.cases + excluded.cases,
        agreed = totals.agreed + excluded.agreed, overridden = totals.overridden + excluded.overridden,
        low_confidence = totals.low_confidence + excluded.low_confidence
    """,
    """
    INSERT INTO attribute_totals (rollout_id, attribute, value, day, cases)
    SELECT %(rollout)s, attribute, value, day, count(*) FROM (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, unnest(ARRAY['confidence', 'segment', 'channel']) AS attribute,
            unnest(ARRAY[CASE WHEN lane = 'review' THEN '0.5 to 0.6' ELSE '0.9 to 1.0' END, 'segment ' || n %% 3,
                (ARRAY['mail', 'web', 'desk'])[1 + n %% 3]]) AS value
        FROM rows) AS kinds
    GROUP BY attribute, value, day
    ON CONFLICT (rollout_id, attribute, value, day) DO UPDATE SET cases = attribute_totals.cases + excluded.cases
    """,
    """
    INSERT INTO draw_totals (rollout_id, epoch, draw, probability, lane, day, cases, left_out, audited, wrong)
    SELECT %(rollout)s, 1, draw, CASE draw WHEN 'audit' THEN 0.0667 ELSE 1.0 END, lane,
        (at AT TIME ZONE 'UTC')::date, count(*), 0, count(*) FILTER (WHERE lane = 'audit'),
        count(*) FILTER (WHERE lane = 'audit' AND wrong)
    FROM rows CROSS JOIN (VALUES ('audit'), ('ramp')) AS draws (draw) WHERE lane <> 'review'
    GROUP BY draw, lane, (at AT TIME ZONE 'UTC')::date
    ON CONFLICT (rollout_id, epoch, draw, probability, lane, day) DO UPDATE SET
        cases = draw_totals.cases + excluded.cases, audited = draw_totals.audited + excluded.audited,
        wrong = draw_totals.wrong + excluded.wrong
    """,
    """
    INSERT INTO work_totals (rollout_id, day, hour, lane, cases, timed, held_ms)
    SELECT %(rollout)s, (at AT TIME ZONE 'UTC')::date, extract(hour FROM at AT TIME ZONE 'UTC')::int, lane, count(*),
        count(*) FILTER (WHERE lane <> 'auto' AND NOT waits),
        30000 * count(*) FILTER (WHERE lane <> 'auto' AND NOT waits)
    FROM rows GROUP BY (at AT TIME ZONE 'UTC')::date, extract(hour FROM at AT TIME ZONE 'UTC')::int, lane
    ON CONFLICT (rollout_id, day, hour, lane) DO UPDATE SET cases = work_totals.cases + excluded.cases,
        timed = work_totals.timed + excluded.timed, held_ms = work_totals.held_ms + excluded.held_ms
    """,
    """
    INSERT INTO verdict_totals (rollout_id, day, source, person, verdict, arm, arm_probability, answered, verdicts)
    SELECT %(rollout)s, day, source, person, verdict, '', 0.0, '', count(*) FROM (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, lane AS source, 'reviewer-' || n %% 7 AS person,
            CASE WHEN wrong THEN 'override' ELSE 'agree' END AS verdict
        FROM rows WHERE lane <> 'auto' AND NOT waits
        UNION ALL
        SELECT (at AT TIME ZONE 'UTC')::date, 'human_output', 'clerk-' || n %% 3,
            CASE WHEN n / 100 %% 200 = 0 THEN 'override' ELSE 'agree' END
        FROM rows WHERE twice) AS given
    GROUP BY day, source, person, verdict
    ON CONFLICT (rollout_id, day, source, person, verdict, arm, arm_probability, answered)
    DO UPDATE SET verdicts = verdict_totals.verdicts + excluded.verdicts
    """,
)


def fill(
    connection: psycopg.Connection,
    *,
    agent: str,
    version: str,
    rollout_id: UUID,
    count: int,
    end: datetime,
    already: int = 0,
    chunk: int = 250_000,
) -> None:
    """
    So many more decisions after the `already` there are, the newest of them at `end`; on one connection in autocommit.

    The audit log is furnished as if it were sealed: events have places, no checkpoint covers them.
    """
    _make_months(connection, end)
    values = {"agent": agent, "version": version, "rollout": rollout_id, "end": end, "span": timedelta(days=DAYS)}
    last = already + count
    for first in range(already + 1, last + 1, chunk):
        stop = min(first + chunk - 1, last)
        numbers = {"first": first, "stop": stop, "last": last, "whole": count}
        with connection.transaction():
            connection.execute("SET LOCAL synchronous_commit = off")
            for statement in _STATEMENTS:
                _run(connection, statement, values | numbers)


def _run(connection: psycopg.Connection, statement: str, values: dict[str, object]) -> None:
    head, _, tail = statement.partition("SELECT")
    made = f"{head} WITH rows AS MATERIALIZED ({_ROWS}) SELECT {tail}"
    psycopg.ClientCursor(connection).execute(made.encode(), values)


def _make_months(connection: psycopg.Connection, end: datetime) -> None:
    month = partitions.month_of(end - timedelta(days=DAYS))
    while month <= partitions.after(partitions.month_of(end)):
        first, stop = partitions.bounds(month)
        name = partitions.name_of("decisions", month)
        values = f"FROM ('{first}') TO ('{stop}')"
        connection.execute(f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF decisions FOR VALUES {values}".encode())
        month = partitions.after(month)


def finish(connection: psycopg.Connection) -> None:
    """What autovacuum would have done long ago."""
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
