"""Event versions (bitemporal), quarantine, unknown substance strings and what is known of each feed and source.

A version says what we knew from ``known_at`` until ``superseded_at`` (or until now, where that is empty). What was
known at a moment T is every row with ``known_at <= T`` and ``superseded_at`` empty or after T, less the retracted.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from schemas.tables.base import Document, Moment, metadata
from schemas.tables.log import Position

event_version = Table(
    "event_version",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("identity", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sender_version", Integer),
    Column("content_hash", String(32), nullable=False),
    Column("jurisdiction", String(64), nullable=False),
    Column("feed", String(32), nullable=False),
    Column("organisation", String(64), nullable=False),
    Column("site", String(64)),
    Column("status", String(16), nullable=False),
    Column("delivery", String(16), nullable=False),
    Column("occurred_at", Moment, nullable=False),
    Column("precision", String(8), nullable=False),
    # The civil day it is counted on; the first day of its week or month where the precision is coarser.
    Column("grain", String(8), nullable=False),
    Column("day", Date, nullable=False),
    # The finest area known, and the area at the detection level that holds it (the root where it cannot be placed).
    Column("area", String(64), nullable=False),
    Column("detection_area", String(64), nullable=False),
    Column("stratum", String(16), nullable=False),
    # Substance classes, sorted and separated by single spaces.
    Column("classes", String(400), nullable=False),
    Column("known_at", Moment, nullable=False),
    Column("superseded_at", Moment),
    # Tokens are dropped from here, never copied elsewhere, 28 days after the event became known.
    Column("scene", String(64)),
    Column("subject", String(64)),
    Column("body", Document, nullable=False),
    Column("retain_until", Date, nullable=False),
    UniqueConstraint("identity", "version"),
    Index("ix_event_version_current", "identity", "superseded_at"),
    Index("ix_event_version_jurisdiction_day", "jurisdiction", "day"),
    Index("ix_event_version_jurisdiction_known", "jurisdiction", "known_at"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Position, primary_key=True, autoincrement=True),
    Column("quarantined_at", Moment, nullable=False),
    Column("feed", String(32)),
    Column("jurisdiction", String(64)),
    Column("origin", String(64), nullable=False),
    # Where it came from: a file's row, a request's record number, or a log position.
    Column("place", String(200), nullable=False),
    # The same record sent twice is quarantined once.
    Column("fingerprint", String(64), nullable=False, unique=True),
    Column("reason_code", String(48), nullable=False),
    Column("reason", String(500), nullable=False),
    # The record with every identifying value replaced; empty when it could not be read at all.
    Column("body", Text),
    Column("body_complete", Boolean, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("delivery", String(16), nullable=False),
    # waiting, released or discarded
    Column("state", String(16), nullable=False),
    Column("decided_at", Moment),
    Column("decided_by", String(64)),
    Column("decision_note", String(500)),
    Index("ix_quarantine_state", "state", "quarantined_at"),
)

unknown_substance = Table(
    "unknown_substance",
    metadata,
    # A restricted list: the text may be a name. Kept 30 days.
    Column("text", String(80), primary_key=True),
    Column("feed", String(32), primary_key=True),
    Column("first_seen_at", Moment, nullable=False),
    Column("last_seen_at", Moment, nullable=False),
    Column("times", Integer, nullable=False),
)

feed_source = Table(
    "feed_source",
    metadata,
    Column("jurisdiction", String(64), primary_key=True),
    Column("feed", String(32), primary_key=True),
    Column("organisation", String(64), primary_key=True),
    Column("site", String(64), primary_key=True),
    Column("first_received_at", Moment, nullable=False),
    Column("last_received_at", Moment, nullable=False),
    Column("last_occurred_at", Moment, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    # The sender's own repeats, and our log's redeliveries: never mixed.
    Column("duplicates", BigInteger, nullable=False),
    Column("redelivered", BigInteger, nullable=False),
)
