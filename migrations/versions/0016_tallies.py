"""Draws, work and verdicts counted by day; which labels are counted, and which decisions have several verdicts."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import UtcTime, utc_day, utc_hour

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_DECISIONS = sa.table(
    "decisions",
    *(sa.column(name) for name in ("id", "rollout_id", "epoch", "lane", "phase", "risk", "counted_as")),
    *(sa.column(name) for name in ("confidence", "threshold", "ramp_share", "audit_probability", "several_verdicts")),
    sa.column("decided_at", UtcTime()),
)
_LABELS = sa.table("labels", *map(sa.column, ("decision_id", "verdict", "source", "source_id", "person")))
_RULINGS = sa.table("rulings", *map(sa.column, ("id", "item_id", "login", "held_seconds")))
_ITEMS = sa.table("review_items", *map(sa.column, ("id", "arm", "arm_probability")))
_ANSWERS = sa.table("blind_answers", *map(sa.column, ("id", "decision_id", "login")), sa.column("equal", sa.Boolean()))
_DRAW = ("rollout_id", "epoch", "draw", "probability", "lane", "day")
_WORK = ("rollout_id", "day", "hour", "lane")
_VERDICT = ("rollout_id", "day", "source", "person", "verdict", "arm", "arm_probability", "answered")
_VERDICTS = ("agree", "override", "severe", "minor")


def upgrade() -> None:
    _add_marks()
    _add_tables()
    _count_draws()
    _count_work()
    _count_verdicts()
    _mark_several()


def _add_marks() -> None:
    """All labels that are there are counted here, whether settled or not; what comes later is not."""
    op.add_column("labels", sa.Column("counted", sa.Boolean(), server_default=sa.true(), nullable=False))
    with op.batch_alter_table("labels") as labels:
        labels.alter_column("counted", server_default=sa.false())
    op.add_column("decisions", sa.Column("several_verdicts", sa.Boolean(), server_default=sa.false(), nullable=False))
    where = sa.text("several_verdicts")
    op.create_index(
        "ix_decisions_several_verdicts",
        "decisions",
        ["agent", "decided_at", "id"],
        postgresql_where=where,
        sqlite_where=where,
    )


def _add_tables() -> None:
    _add(
        "draw_totals",
        _DRAW,
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("draw", sa.String(length=8), nullable=False),
        sa.Column("probability", sa.Double(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("cases", "left_out", "audited", "wrong")),
    )
    _add(
        "work_totals",
        _WORK,
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("cases", "timed")),
        sa.Column("held_ms", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
    )
    _add(
        "verdict_totals",
        _VERDICT,
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("arm", sa.String(length=16), nullable=False),
        sa.Column("arm_probability", sa.Double(), nullable=False),
        sa.Column("answered", sa.String(length=16), nullable=False),
        sa.Column("verdicts", sa.Integer(), nullable=False),
    )


def _add(name: str, keys: tuple[str, ...], *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f(f"fk_{name}_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint(*keys, name=op.f(f"pk_{name}")),
    )


# What is counted, as it was at this revision, written out: no later program can change what this one counted.


def _count_draws() -> None:
    row = _DECISIONS.c
    of_audit = row.lane.in_(("auto", "audit")), row.audit_probability.is_not(None)
    of_ramp = (
        row.phase.in_(("confidence", "full")),
        row.lane.in_(("review", "auto", "audit")),
        row.risk.is_(None),
        row.confidence >= row.threshold,
        row.ramp_share.is_not(None),
    )
    figures = (
        sa.func.count(),
        _number(row.counted_as.in_(("void", "nothing"))),
        _number(row.counted_as.in_(_VERDICTS)),
        _number(row.counted_as.in_(_VERDICTS[1:])),
    )
    for draw, probability, drawn in (("audit", row.audit_probability, of_audit), ("ramp", row.ramp_share, of_ramp)):
        key = row.rollout_id, row.epoch, probability, row.lane, _day()
        found = sa.select(*key[:2], sa.literal(draw), *key[2:], *figures).where(*_counted(), *drawn).group_by(*key)
        _insert("draw_totals", (*_DRAW, "cases", "left_out", "audited", "wrong"), found)


def _count_work() -> None:
    """Cases and, of those that were ruled on, how long they were held: both by the hour of the decision."""
    row, dialect = _DECISIONS.c, op.get_bind().dialect.name
    key = row.rollout_id, _day(), sa.cast(utc_hour(row.decided_at, dialect), sa.Integer).label("hour"), row.lane
    cases = sa.select(*key, sa.func.count().label("cases"), _zero("timed"), _zero("held_ms"))
    cases = cases.where(*_counted(), row.lane.in_(("review", "auto", "audit"))).group_by(*key)
    held = _RULINGS.c.held_seconds * 1000.0
    whole = sa.cast(sa.func.trunc(held), sa.BigInteger) if dialect == "postgresql" else sa.cast(held, sa.Integer)
    timed = sa.select(*key, _zero("cases"), sa.func.count().label("timed"), sa.func.sum(whole).label("held_ms"))
    timed = _of_labels(timed).where(_RULINGS.c.held_seconds > 0.0).group_by(*key)
    both = sa.union_all(cases, timed).subquery("both_kinds")
    keys = [both.c[name] for name in _WORK]
    figures = [sa.func.sum(both.c[name]) for name in ("cases", "timed", "held_ms")]
    _insert("work_totals", (*_WORK, "cases", "timed", "held_ms"), sa.select(*keys, *figures).group_by(*keys))


def _count_verdicts() -> None:
    item = _ITEMS.c
    equal = (
        sa.select(_ANSWERS.c.equal)
        .where(_ANSWERS.c.decision_id == _DECISIONS.c.id, _ANSWERS.c.login == _RULINGS.c.login)
        .order_by(_ANSWERS.c.id)
        .limit(1)
        .correlate(_DECISIONS, _RULINGS)
        .scalar_subquery()
    )
    drawn = sa.and_(item.arm_probability > 0.0, item.arm_probability < 1.0)
    blind = sa.and_(drawn, item.arm == "blind", equal.is_not(None))
    in_an_arm = sa.or_(blind, sa.and_(drawn, item.arm == "assisted"))
    key = (
        _DECISIONS.c.rollout_id,
        _day(),
        _LABELS.c.source,
        sa.func.coalesce(_LABELS.c.person, ""),
        _LABELS.c.verdict,
        sa.case((in_an_arm, item.arm), else_=""),
        sa.case((in_an_arm, item.arm_probability), else_=0.0),
        sa.case((blind, sa.case((equal.is_(sa.true()), "equal"), else_="different")), else_=""),
    )
    labelled = [column.label(name) for name, column in zip(_VERDICT, key, strict=True)]
    found = _of_labels(sa.select(*labelled, sa.func.count())).group_by(*labelled)
    _insert("verdict_totals", (*_VERDICT, "verdicts"), found)


def _mark_several() -> None:
    said = sa.select(_LABELS.c.decision_id).where(_LABELS.c.verdict.in_(("agree", "override")))
    several = said.group_by(_LABELS.c.decision_id).having(sa.func.count() > 1)
    op.get_bind().execute(sa.update(_DECISIONS).where(_DECISIONS.c.id.in_(several)).values(several_verdicts=sa.true()))


def _of_labels(wanted: sa.Select[tuple[object, ...]]) -> sa.Select[tuple[object, ...]]:
    joined = (
        _LABELS.join(_DECISIONS, _DECISIONS.c.id == _LABELS.c.decision_id)
        .outerjoin(_RULINGS, _RULINGS.c.id == _LABELS.c.source_id)
        .outerjoin(_ITEMS, _ITEMS.c.id == _RULINGS.c.item_id)
    )
    return wanted.select_from(joined).where(_DECISIONS.c.rollout_id.is_not(None))


def _counted() -> tuple[sa.ColumnElement[bool], ...]:
    return _DECISIONS.c.rollout_id.is_not(None), _DECISIONS.c.counted_as.is_not(None)


def _insert(table: str, names: tuple[str, ...], found: sa.Select[tuple[object, ...]]) -> None:
    op.get_bind().execute(sa.insert(sa.table(table, *map(sa.column, names))).from_select(list(names), found))


def _day() -> sa.ColumnElement[object]:
    return utc_day(_DECISIONS.c.decided_at, op.get_bind().dialect.name).label("day")  # type: ignore[no-any-return]


def _zero(name: str) -> sa.ColumnElement[int]:
    return sa.literal_column("0", sa.Integer).label(name)


def _number(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def downgrade() -> None:
    for name in ("verdict_totals", "work_totals", "draw_totals"):
        op.drop_table(name)
    op.drop_index("ix_decisions_several_verdicts", "decisions")
    op.drop_column("decisions", "several_verdicts")
    op.drop_column("labels", "counted")
