"""Detection: each jurisdiction's state and lease, signals and fitted baselines."""

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Float,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from schemas.tables.base import Document, Moment, metadata
from schemas.tables.log import Position

jurisdiction_state = Table(
    "jurisdiction_state",
    metadata,
    Column("jurisdiction", String(64), primary_key=True),
    # Raised by every transaction that changes the jurisdiction's incidents or audit chain: it serialises them.
    Column("revision", BigInteger, nullable=False, default=0),
    # Head of the audit chain: the hash of its last entry.
    Column("audit_head", String(64), nullable=False, default=""),
    Column("audit_length", BigInteger, nullable=False, default=0),
    # Raised by intake; a run notes the value it started from, and the jurisdiction is dirty while the two differ.
    Column("dirty_revision", BigInteger, nullable=False, default=0),
    Column("clean_revision", BigInteger, nullable=False, default=0),
    Column("dirty_since", Moment),
    Column("last_run_at", Moment),
    Column("lease_owner", String(64)),
    Column("lease_until", Moment),
    # Which parts of the last detection run failed (names separated by spaces), and since when any has.
    Column("failed_parts", String(400), nullable=False, default=""),
    Column("failing_since", Moment),
)

signal = Table(
    "signal",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("jurisdiction", String(64), nullable=False),
    Column("detector", String(48), nullable=False),
    Column("family", String(48), nullable=False),
    Column("key", String(120), nullable=False),
    Column("window_end", Date, nullable=False),
    Column("window_start", Date, nullable=False),
    Column("substance_class", String(32), nullable=False),
    Column("tier", String(8), nullable=False),
    Column("observed", Integer, nullable=False),
    Column("expected", Float, nullable=False),
    Column("p_value", Float, nullable=False),
    Column("recurrence_interval_days", Float, nullable=False),
    # The whole Signal as JSON (schemas.signals.Signal).
    Column("body", Document, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    UniqueConstraint("jurisdiction", "detector", "key", "window_end"),
    Index("ix_signal_jurisdiction_window", "jurisdiction", "window_end"),
)

baseline = Table(
    "baseline",
    metadata,
    Column("jurisdiction", String(64), primary_key=True),
    # The Monday from which it is used.
    Column("valid_from", Date, primary_key=True),
    Column("model_version", String(64), primary_key=True),
    Column("fitted_at", Moment, nullable=False),
    Column("body", Text, nullable=False),
)
