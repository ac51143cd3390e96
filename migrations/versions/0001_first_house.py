"""The first house: every table of the service."""

import sqlalchemy as sa
from alembic import op

from kit.dialects import Json, UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_checkpoints",
        sa.Column(
            "size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("start", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("frontier", Json, nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
        sa.UniqueConstraint("start", name=op.f("uq_audit_checkpoints_start")),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("verb", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=True),
        sa.Column("detail", Json, nullable=False),
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("leaf", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
    )
    op.create_index(op.f("ix_audit_events_agent_at"), "audit_events", ["agent", "at"], unique=False)
    op.create_index(op.f("ix_audit_events_place"), "audit_events", ["place"], unique=True)
    op.create_index(op.f("ix_audit_events_subject_at"), "audit_events", ["subject", "at"], unique=False)
    op.create_index(
        "ix_audit_events_unsealed",
        "audit_events",
        ["id"],
        unique=False,
        postgresql_where=sa.text("place IS NULL"),
        sqlite_where=sa.text("place IS NULL"),
    )
    op.create_table(
        "comparisons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("human_output_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("differences", Json, nullable=False),
        sa.Column("compared_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comparisons")),
    )
    op.create_index(
        op.f("ix_comparisons_decision_id_human_output_id"),
        "comparisons",
        ["decision_id", "human_output_id"],
        unique=True,
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("body_digest", sa.String(length=64), nullable=False),
        sa.Column("input", Json, nullable=True),
        sa.Column("output", Json, nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("confidence_given", sa.String(length=64), nullable=True),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=128), nullable=True),
        sa.Column("amount", sa.Double(), nullable=True),
        sa.Column("risk", sa.String(length=32), nullable=True),
        sa.Column("attributes", Json, nullable=True),
        sa.Column("signals", Json, nullable=True),
        sa.Column("trace", Json, nullable=True),
        sa.Column("usage", Json, nullable=True),
        sa.Column("occurred_at", UtcTime(), nullable=True),
        sa.Column("route", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("reasons", Json, nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=True),
        sa.Column("policy_revision", sa.Integer(), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("ramp_share", sa.Double(), nullable=True),
        sa.Column("audit_probability", sa.Double(), nullable=True),
        sa.Column("output_valid", sa.Boolean(), nullable=True),
        sa.Column("decided_at", UtcTime(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("outcome_output", Json, nullable=True),
        sa.Column("outcome_at", UtcTime(), nullable=True),
        sa.Column("outcome_detail", Json, nullable=True),
        sa.Column("superseded_by", sa.Uuid(), nullable=True),
        sa.Column("label", sa.String(length=16), nullable=True),
        sa.Column("label_severity", sa.String(length=16), nullable=True),
        sa.Column("label_source", sa.String(length=16), nullable=True),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("counted_as", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(
        op.f("ix_decisions_agent_case_id_version_attempt"),
        "decisions",
        ["agent", "case_id", "version", "attempt"],
        unique=True,
    )
    op.create_index(op.f("ix_decisions_agent_decided_at"), "decisions", ["agent", "decided_at"], unique=False)
    op.create_index(op.f("ix_decisions_rollout_id_epoch"), "decisions", ["rollout_id", "epoch"], unique=False)
    op.create_index(
        "ix_decisions_unsettled",
        "decisions",
        ["id"],
        unique=False,
        postgresql_where=sa.text("unsettled"),
        sqlite_where=sa.text("unsettled"),
    )
    op.create_table(
        "human_outputs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("output", Json, nullable=True),
        sa.Column("person", sa.String(length=128), nullable=True),
        sa.Column("posted_by", sa.String(length=128), nullable=False),
        sa.Column("occurred_at", UtcTime(), nullable=True),
        sa.Column("stored_at", UtcTime(), nullable=False),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_human_outputs")),
    )
    op.create_index(
        op.f("ix_human_outputs_agent_case_id_revision"),
        "human_outputs",
        ["agent", "case_id", "revision"],
        unique=True,
    )
    op.create_index(
        "ix_human_outputs_unsettled",
        "human_outputs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("unsettled"),
        sqlite_where=sa.text("unsettled"),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_labels")),
    )
    op.create_index(op.f("ix_labels_decision_id_at"), "labels", ["decision_id", "at"], unique=False)
    op.create_index(
        op.f("ix_labels_source_id_decision_id"), "labels", ["source_id", "decision_id"], unique=True
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("delivered_at", UtcTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "people",
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("roles", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("disabled_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("login", name=op.f("pk_people")),
    )
    op.create_table(
        "review_items",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("claimed_by", sa.String(length=128), nullable=True),
        sa.Column("claimed_at", UtcTime(), nullable=True),
        sa.Column("claimed_until", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_items")),
    )
    op.create_index(
        "ix_review_items_claimed_until",
        "review_items",
        ["claimed_until"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting' AND claimed_until IS NOT NULL"),
        sqlite_where=sa.text("state = 'waiting' AND claimed_until IS NOT NULL"),
    )
    op.create_index(
        "ix_review_items_decision_id_level", "review_items", ["decision_id", "level"], unique=True
    )
    op.create_index(
        "ix_review_items_waiting",
        "review_items",
        ["level", "agent", sa.literal_column("priority DESC"), "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_review_items_waiting_anywhere",
        "review_items",
        ["level", sa.literal_column("priority DESC"), "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_review_items_waiting_of_rollout",
        "review_items",
        ["rollout_id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting' AND kind = 'review'"),
        sqlite_where=sa.text("state = 'waiting' AND kind = 'review'"),
    )
    op.create_index(
        "ix_review_items_waiting_due_at",
        "review_items",
        ["level", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_review_items_waiting_expires_at",
        "review_items",
        ["expires_at"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting' AND expires_at IS NOT NULL"),
        sqlite_where=sa.text("state = 'waiting' AND expires_at IS NOT NULL"),
    )
    op.create_table(
        "rulings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("ruling", sa.String(length=16), nullable=False),
        sa.Column("output", Json, nullable=True),
        sa.Column("reason_code", sa.String(length=64), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("held_seconds", sa.Double(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rulings")),
    )
    op.create_index(op.f("ix_rulings_item_id"), "rulings", ["item_id"], unique=True)
    op.create_index(op.f("ix_rulings_login_at"), "rulings", ["login", "at"], unique=False)
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(length=128), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "agents",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("second", sa.String(length=128), nullable=True),
        sa.Column("settings", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner"], ["people.login"], name=op.f("fk_agents_owner_people")),
        sa.ForeignKeyConstraint(["second"], ["people.login"], name=op.f("fk_agents_second_people")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_agents")),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=True),
        sa.Column("login", sa.String(length=128), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_keys_login_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
    )
    op.create_index(op.f("ix_keys_digest"), "keys", ["digest"], unique=True)
    op.create_table(
        "sign_ins",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("form_token", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("preferences", Json, nullable=False),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_sign_ins_login_people")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_ins")),
    )
    op.create_table(
        "periodic_reviews",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("held_at", UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("decision", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("figures", Json, nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_periodic_reviews_agent_agents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_periodic_reviews")),
    )
    op.create_index(
        op.f("ix_periodic_reviews_agent_held_at"), "periodic_reviews", ["agent", "held_at"], unique=False
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_plans_agent_agents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    op.create_index(op.f("ix_plans_agent_revision"), "plans", ["agent", "revision"], unique=True)
    op.create_table(
        "suites",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_suites_agent_agents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suites")),
    )
    op.create_index(
        op.f("ix_suites_agent_name_revision"), "suites", ["agent", "name", "revision"], unique=True
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=200), nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_versions_agent_agents")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_agent_label"), "versions", ["agent", "label"], unique=True)
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("phase_since", UtcTime(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("ramp_step", sa.Integer(), nullable=False),
        sa.Column("ramp_since", UtcTime(), nullable=False),
        sa.Column("frozen", sa.String(length=16), nullable=True),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("policy_revision", sa.Integer(), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
        sa.Column("looked_at", UtcTime(), nullable=True),
        sa.Column("next_look_at", UtcTime(), nullable=True),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.Column("glass_until", UtcTime(), nullable=True),
        sa.Column("glass_from_phase", sa.String(length=16), nullable=True),
        sa.Column("glass_from_step", sa.Integer(), nullable=True),
        sa.Column("lock", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_rollouts_agent_agents")),
        sa.ForeignKeyConstraint(["id"], ["versions.id"], name=op.f("fk_rollouts_id_versions")),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name=op.f("fk_rollouts_plan_id_plans")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollouts")),
    )
    op.create_index(op.f("ix_rollouts_agent_standing"), "rollouts", ["agent", "standing"], unique=False)
    op.create_index(op.f("ix_rollouts_agent_version"), "rollouts", ["agent", "version"], unique=True)
    op.create_table(
        "suite_cases",
        sa.Column("suite_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("input", Json, nullable=True),
        sa.Column("expected", Json, nullable=True),
        sa.Column("tags", Json, nullable=False),
        sa.ForeignKeyConstraint(["suite_id"], ["suites.id"], name=op.f("fk_suite_cases_suite_id_suites")),
        sa.PrimaryKeyConstraint("suite_id", "key", name=op.f("pk_suite_cases")),
    )
    op.create_table(
        "evaluation_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("suite_id", sa.Uuid(), nullable=False),
        sa.Column("suite", sa.String(length=128), nullable=False),
        sa.Column("suite_revision", sa.Integer(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("equal", sa.Integer(), nullable=False),
        sa.Column("missing", sa.Integer(), nullable=False),
        sa.Column("invalid", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("baseline_run_id", sa.Uuid(), nullable=True),
        sa.Column("baseline_score", sa.Double(), nullable=True),
        sa.Column("failed_cases", Json, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_evaluation_runs_agent_agents")),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_evaluation_runs_rollout_id_rollouts")
        ),
        sa.ForeignKeyConstraint(["suite_id"], ["suites.id"], name=op.f("fk_evaluation_runs_suite_id_suites")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_runs")),
    )
    op.create_index(
        op.f("ix_evaluation_runs_rollout_id_at"), "evaluation_runs", ["rollout_id", "at"], unique=False
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("ramp_step", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("seen_again_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_evidence_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_rollout_id_at"), "evidence", ["rollout_id", "at"], unique=False)
    op.create_table(
        "failures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=True),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("case_id", sa.String(length=200), nullable=True),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("input", Json, nullable=True),
        sa.Column("correct_output", Json, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("suite", sa.String(length=128), nullable=True),
        sa.Column("reported_at", UtcTime(), nullable=False),
        sa.Column("reported_by", sa.String(length=128), nullable=False),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["agent"], ["agents.name"], name=op.f("fk_failures_agent_agents")),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_failures_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_failures")),
    )
    op.create_index(op.f("ix_failures_agent_state"), "failures", ["agent", "state"], unique=False)
    op.create_index(op.f("ix_failures_decision_id"), "failures", ["decision_id"], unique=False)
    op.create_table(
        "phase_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.String(length=128), nullable=False),
        sa.Column("version", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("left", sa.String(length=16), nullable=True),
        sa.Column("entered", sa.String(length=16), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=True),
        sa.Column("glass_until", UtcTime(), nullable=True),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_phase_changes_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phase_changes")),
    )
    op.create_index(op.f("ix_phase_changes_agent_at"), "phase_changes", ["agent", "at"], unique=False)
    op.create_index(op.f("ix_phase_changes_kind_at"), "phase_changes", ["kind", "at"], unique=False)
    op.create_index(
        op.f("ix_phase_changes_rollout_id_at"), "phase_changes", ["rollout_id", "at"], unique=False
    )
    op.create_table(
        "policies",
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("body", Json, nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_policies_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("rollout_id", "revision", name=op.f("pk_policies")),
    )
    op.create_index(op.f("ix_policies_sequence"), "policies", ["sequence"], unique=True)
    op.create_table(
        "readiness_answers",
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.String(length=8), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("due", sa.Date(), nullable=True),
        sa.Column("answered_at", UtcTime(), nullable=False),
        sa.Column("answered_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_readiness_answers_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("rollout_id", "item", name=op.f("pk_readiness_answers")),
    )
    op.create_table(
        "totals",
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("segment", sa.String(length=128), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("agreed", sa.Integer(), nullable=False),
        sa.Column("overridden", sa.Integer(), nullable=False),
        sa.Column("severe", sa.Integer(), nullable=False),
        sa.Column("void", sa.Integer(), nullable=False),
        sa.Column("invalid_output", sa.Integer(), nullable=False),
        sa.Column("invalid_confidence", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name=op.f("fk_totals_rollout_id_rollouts")),
        sa.PrimaryKeyConstraint("rollout_id", "epoch", "lane", "segment", "day", name=op.f("pk_totals")),
    )
    op.create_table(
        "signatures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rollout_id", sa.Uuid(), nullable=False),
        sa.Column("evidence_id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(length=128), nullable=False),
        sa.Column("capacity", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("used_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["evidence_id"], ["evidence.id"], name=op.f("fk_signatures_evidence_id_evidence")
        ),
        sa.ForeignKeyConstraint(["login"], ["people.login"], name=op.f("fk_signatures_login_people")),
        sa.ForeignKeyConstraint(
            ["rollout_id"], ["rollouts.id"], name=op.f("fk_signatures_rollout_id_rollouts")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signatures")),
    )
    op.create_index(
        op.f("ix_signatures_evidence_id_login"), "signatures", ["evidence_id", "login"], unique=True
    )


def downgrade() -> None:
    op.drop_table("signatures")
    op.drop_table("totals")
    op.drop_table("readiness_answers")
    op.drop_table("policies")
    op.drop_table("phase_changes")
    op.drop_table("failures")
    op.drop_table("evidence")
    op.drop_table("evaluation_runs")
    op.drop_table("suite_cases")
    op.drop_table("rollouts")
    op.drop_table("versions")
    op.drop_table("suites")
    op.drop_table("plans")
    op.drop_table("periodic_reviews")
    op.drop_table("sign_ins")
    op.drop_table("keys")
    op.drop_table("agents")
    op.drop_table("webhooks")
    op.drop_table("rulings")
    op.drop_table("review_items")
    op.drop_table("people")
    op.drop_table("outbox")
    op.drop_table("labels")
    op.drop_table("human_outputs")
    op.drop_table("decisions")
    op.drop_table("comparisons")
    op.drop_table("audit_events")
    op.drop_table("audit_checkpoints")
