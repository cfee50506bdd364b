"""The first tables."""

import sqlalchemy as sa
from alembic import op

from schemas.tables.base import Document, Moment
from schemas.tables.log import Position

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "acknowledgement",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("authenticated_by", sa.String(length=16), nullable=False),
        sa.Column("acknowledged_at", Moment(), nullable=False),
        sa.Column("review_by", Moment(), nullable=False),
        sa.Column("lapsed_at", Moment(), nullable=True),
        sa.Column("undone_at", Moment(), nullable=True),
        sa.Column("undone_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acknowledgement")),
    )
    op.create_index("ix_acknowledgement_incident_id", "acknowledgement", ["incident_id"], unique=False)
    op.create_table(
        "api_key",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=True),
        sa.Column("may_backfill", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_by", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
    )
    op.create_table(
        "audit_entry",
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("authenticated_by", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("subject_kind", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", Document, nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("jurisdiction", "position", name=op.f("pk_audit_entry")),
    )
    op.create_index("ix_audit_entry_subject", "audit_entry", ["subject_kind", "subject"], unique=False)
    op.create_table(
        "baseline",
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("model_version", sa.String(length=64), nullable=False),
        sa.Column("fitted_at", Moment(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("jurisdiction", "valid_from", "model_version", name=op.f("pk_baseline")),
    )
    op.create_table(
        "count_cell",
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("area", sa.String(length=64), nullable=False),
        sa.Column("grain", sa.String(length=8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("substance_class", sa.String(length=32), nullable=False),
        sa.Column("stratum", sa.String(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "jurisdiction",
            "area",
            "grain",
            "day",
            "feed",
            "substance_class",
            "stratum",
            name=op.f("pk_count_cell"),
        ),
    )
    op.create_index("ix_count_cell_jurisdiction_day", "count_cell", ["jurisdiction", "day"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("outbox_id", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("detail", sa.String(length=200), nullable=True),
        sa.Column("possible_repeat", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
    )
    op.create_index("ix_delivery_outbox_id", "delivery", ["outbox_id"], unique=False)
    op.create_table(
        "event_log",
        sa.Column("position", Position, autoincrement=True, nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("delivery", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_event_log")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "event_log_cursor",
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader", name=op.f("pk_event_log_cursor")),
    )
    op.create_table(
        "event_version",
        sa.Column("id", Position, autoincrement=True, nullable=False),
        sa.Column("identity", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sender_version", sa.Integer(), nullable=True),
        sa.Column("content_hash", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("delivery", sa.String(length=16), nullable=False),
        sa.Column("occurred_at", Moment(), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("grain", sa.String(length=8), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("area", sa.String(length=64), nullable=False),
        sa.Column("detection_area", sa.String(length=64), nullable=False),
        sa.Column("stratum", sa.String(length=16), nullable=False),
        sa.Column("classes", sa.String(length=400), nullable=False),
        sa.Column("known_at", Moment(), nullable=False),
        sa.Column("superseded_at", Moment(), nullable=True),
        sa.Column("scene", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.String(length=64), nullable=True),
        sa.Column("body", Document, nullable=False),
        sa.Column("retain_until", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_version")),
        sa.UniqueConstraint("identity", "version", name=op.f("uq_event_version_identity_version")),
    )
    op.create_index("ix_event_version_current", "event_version", ["identity", "superseded_at"], unique=False)
    op.create_index(
        "ix_event_version_jurisdiction_day", "event_version", ["jurisdiction", "day"], unique=False
    )
    op.create_index(
        "ix_event_version_jurisdiction_known", "event_version", ["jurisdiction", "known_at"], unique=False
    )
    op.create_table(
        "feed_source",
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("first_received_at", Moment(), nullable=False),
        sa.Column("last_received_at", Moment(), nullable=False),
        sa.Column("last_occurred_at", Moment(), nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("duplicates", sa.BigInteger(), nullable=False),
        sa.Column("redelivered", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("jurisdiction", "feed", "organisation", "site", name=op.f("pk_feed_source")),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("tier", sa.String(length=8), nullable=False),
        sa.Column("urgency", sa.String(length=8), nullable=False),
        sa.Column("substance_class", sa.String(length=32), nullable=False),
        sa.Column("areas", Document, nullable=False),
        sa.Column("feeds", Document, nullable=False),
        sa.Column("strongest_signal", sa.String(length=32), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("window_end", sa.Date(), nullable=False),
        sa.Column("observed", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("recurrence_interval_days", sa.Float(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("newest_evidence_at", Moment(), nullable=False),
        sa.Column("serious_outcome", sa.Boolean(), nullable=False),
        sa.Column("lab_confirmed", sa.Boolean(), nullable=False),
        sa.Column("evidence_withdrawn", sa.Integer(), nullable=False),
        sa.Column("evidence_withdrawn_at", Moment(), nullable=True),
        sa.Column("linked_to", sa.String(length=32), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint(
            "jurisdiction", "year", "sequence", name=op.f("uq_incident_jurisdiction_year_sequence")
        ),
    )
    op.create_index(
        "ix_incident_jurisdiction_last_day", "incident", ["jurisdiction", "last_day"], unique=False
    )
    op.create_table(
        "incident_decision",
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("grade_reliability", sa.String(length=16), nullable=True),
        sa.Column("grade_severity", sa.String(length=16), nullable=True),
        sa.Column("grade_spread", sa.String(length=16), nullable=True),
        sa.Column("verification", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=24), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.Column("closed_by", sa.String(length=64), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident_decision")),
    )
    op.create_table(
        "incident_escalation",
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("policy", Document, nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("noticed_at", Moment(), nullable=True),
        sa.Column("reasons", Document, nullable=False),
        sa.Column("told", Document, nullable=False),
        sa.Column("steps_taken", sa.Integer(), nullable=False),
        sa.Column("next_at", Moment(), nullable=True),
        sa.Column("ask_close_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incident_escalation")),
    )
    op.create_index(
        "ix_incident_escalation_ask_close_at", "incident_escalation", ["ask_close_at"], unique=False
    )
    op.create_index("ix_incident_escalation_next_at", "incident_escalation", ["next_at"], unique=False)
    op.create_table(
        "incident_evidence",
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("identity", sa.String(length=32), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("withdrawn_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "identity", name=op.f("pk_incident_evidence")),
    )
    op.create_index("ix_incident_evidence_identity", "incident_evidence", ["identity"], unique=False)
    op.create_table(
        "incident_signal",
        sa.Column("incident_id", sa.String(length=32), nullable=False),
        sa.Column("signal_id", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("tier", sa.String(length=8), nullable=False),
        sa.Column("substance_class", sa.String(length=32), nullable=False),
        sa.Column("areas", Document, nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("window_end", sa.Date(), nullable=False),
        sa.Column("body", Document, nullable=False),
        sa.Column("attached_at", Moment(), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "signal_id", name=op.f("pk_incident_signal")),
    )
    op.create_index(
        "ix_incident_signal_incident_id_window_end",
        "incident_signal",
        ["incident_id", "window_end"],
        unique=False,
    )
    op.create_index(
        "ix_incident_signal_jurisdiction_window_end",
        "incident_signal",
        ["jurisdiction", "window_end"],
        unique=False,
    )
    op.create_table(
        "jurisdiction_state",
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("audit_head", sa.String(length=64), nullable=False),
        sa.Column("audit_length", sa.BigInteger(), nullable=False),
        sa.Column("dirty_revision", sa.BigInteger(), nullable=False),
        sa.Column("clean_revision", sa.BigInteger(), nullable=False),
        sa.Column("dirty_since", Moment(), nullable=True),
        sa.Column("last_run_at", Moment(), nullable=True),
        sa.Column("lease_owner", sa.String(length=64), nullable=True),
        sa.Column("lease_until", Moment(), nullable=True),
        sa.Column("failed_parts", sa.String(length=400), nullable=False),
        sa.Column("failing_since", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("jurisdiction", name=op.f("pk_jurisdiction_state")),
    )
    op.create_table(
        "log_applied",
        sa.Column("topic", sa.String(length=128), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("applied_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_log_applied")),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("incident_id", sa.String(length=32), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("notice", sa.Integer(), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("body", Document, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("not_before", Moment(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("claimed_by", sa.String(length=64), nullable=True),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_outbox_dedupe_key")),
    )
    op.create_index("ix_outbox_incident_id", "outbox", ["incident_id"], unique=False)
    op.create_index("ix_outbox_state_due_at", "outbox", ["state", "due_at"], unique=False)
    op.create_table(
        "person",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_table(
        "person_role",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("granted_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("person", "jurisdiction", "role", name=op.f("pk_person_role")),
    )
    op.create_table(
        "published_count",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("substance_class", sa.String(length=32), nullable=False),
        sa.Column("areas", Document, nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("window_end", sa.Date(), nullable=False),
        sa.Column("low", sa.Integer(), nullable=False),
        sa.Column("high", sa.Integer(), nullable=False),
        sa.Column("published_on", sa.Date(), nullable=False),
        sa.Column("published_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published_count")),
    )
    op.create_index(
        "ix_published_count_scope", "published_count", ["jurisdiction", "feed", "window_end"], unique=False
    )
    op.create_table(
        "quarantine",
        sa.Column("id", Position, autoincrement=True, nullable=False),
        sa.Column("quarantined_at", Moment(), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=True),
        sa.Column("jurisdiction", sa.String(length=64), nullable=True),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("reason_code", sa.String(length=48), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("body_complete", sa.Boolean(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("delivery", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided_at", Moment(), nullable=True),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("decision_note", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_quarantine_fingerprint")),
    )
    op.create_index("ix_quarantine_state", "quarantine", ["state", "quarantined_at"], unique=False)
    op.create_table(
        "rota_shift",
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("jurisdiction", "person", "starts_at", name=op.f("pk_rota_shift")),
    )
    op.create_index(
        "ix_rota_shift_jurisdiction_ends_at", "rota_shift", ["jurisdiction", "ends_at"], unique=False
    )
    op.create_table(
        "sign_in_request",
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("person", "asked_at", name=op.f("pk_sign_in_request")),
    )
    op.create_table(
        "signal",
        sa.Column("id", Position, autoincrement=True, nullable=False),
        sa.Column("jurisdiction", sa.String(length=64), nullable=False),
        sa.Column("detector", sa.String(length=48), nullable=False),
        sa.Column("family", sa.String(length=48), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("window_end", sa.Date(), nullable=False),
        sa.Column("window_start", sa.Date(), nullable=False),
        sa.Column("substance_class", sa.String(length=32), nullable=False),
        sa.Column("tier", sa.String(length=8), nullable=False),
        sa.Column("observed", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Float(), nullable=False),
        sa.Column("p_value", sa.Float(), nullable=False),
        sa.Column("recurrence_interval_days", sa.Float(), nullable=False),
        sa.Column("body", Document, nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal")),
        sa.UniqueConstraint(
            "jurisdiction",
            "detector",
            "key",
            "window_end",
            name=op.f("uq_signal_jurisdiction_detector_key_window_end"),
        ),
    )
    op.create_index("ix_signal_jurisdiction_window", "signal", ["jurisdiction", "window_end"], unique=False)
    op.create_table(
        "spent_link",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("spent_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spent_link")),
    )
    op.create_table(
        "unknown_substance",
        sa.Column("text", sa.String(length=80), nullable=False),
        sa.Column("feed", sa.String(length=32), nullable=False),
        sa.Column("first_seen_at", Moment(), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("text", "feed", name=op.f("pk_unknown_substance")),
    )
    op.create_table(
        "web_session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=64), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
    )
    op.create_index("ix_web_session_expires_at", "web_session", ["expires_at"], unique=False)
    op.create_index("ix_web_session_person", "web_session", ["person"], unique=False)


def downgrade() -> None:
    """Refuse: a step back would drop what people decided. Restore the copy made before the upgrade instead."""
    msg = "Tocsin's database does not go back; restore the copy that was made before the upgrade."
    raise NotImplementedError(msg)
