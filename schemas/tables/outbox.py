"""The outbox: every message owed to a person, each attempt to deliver it, and what was said outside before."""

from sqlalchemy import Boolean, Column, Date, Index, Integer, String, Table

from schemas.tables.base import Document, Moment, metadata

outbox = Table(
    "outbox",
    metadata,
    # Hash of the dedupe key.
    Column("id", String(32), primary_key=True),
    Column("dedupe_key", String(200), nullable=False, unique=True),
    Column("jurisdiction", String(64), nullable=False),
    Column("incident_id", String(32)),
    Column("kind", String(16), nullable=False),
    # Which of the incident's notices it belongs to.
    Column("notice", Integer, nullable=False),
    Column("recipient", String(64), nullable=False),
    Column("channel", String(32), nullable=False),
    # The words to send, already safe outside (schemas.messages.OutsideCard).
    Column("body", Document, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("not_before", Moment, nullable=False),
    # pending, claimed, sent, not_sent (no longer wanted) or failed
    Column("state", String(8), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    # When it may be tried next; while claimed, when the claim runs out.
    Column("due_at", Moment, nullable=False),
    Column("claimed_by", String(64)),
    Column("finished_at", Moment),
    # Why it was not sent, or the code of its last failure.
    Column("reason", String(200)),
    Index("ix_outbox_state_due_at", "state", "due_at"),
    Index("ix_outbox_incident_id", "incident_id"),
)

delivery = Table(
    "delivery",
    metadata,
    # Hash of the dedupe key and the attempt: stamped on what is sent.
    Column("id", String(32), primary_key=True),
    Column("outbox_id", String(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    # sent, transient, permanent; empty while under way, and for ever if the process died in between
    Column("outcome", String(16)),
    Column("detail", String(200)),
    # Whether it told its reader that they may have had it already.
    Column("possible_repeat", Boolean, nullable=False),
    Index("ix_delivery_outbox_id", "outbox_id"),
)

published_count = Table(
    "published_count",
    metadata,
    # What has been said outside about one count, so that two statements cannot be subtracted from each other.
    Column("id", String(32), primary_key=True),
    Column("jurisdiction", String(64), nullable=False),
    Column("feed", String(32), nullable=False),
    Column("substance_class", String(32), nullable=False),
    Column("areas", Document, nullable=False),
    Column("window_start", Date, nullable=False),
    Column("window_end", Date, nullable=False),
    Column("low", Integer, nullable=False),
    Column("high", Integer, nullable=False),
    Column("published_on", Date, nullable=False),
    Column("published_at", Moment, nullable=False),
    Index("ix_published_count_scope", "jurisdiction", "feed", "window_end"),
)
