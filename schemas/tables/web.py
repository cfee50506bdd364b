"""Sessions of the console, and the keys by which feeds are sent in. Of every secret only a hash is kept."""

from sqlalchemy import Boolean, Column, Index, String, Table

from schemas.tables.base import Moment, metadata

web_session = Table(
    "web_session",
    metadata,
    # SHA-256 of the random value in the cookie.
    Column("id", String(64), primary_key=True),
    Column("person", String(64), nullable=False),
    Column("started_at", Moment, nullable=False),
    # Raised every few minutes while it is used: it ends when it has been idle too long.
    Column("seen_at", Moment, nullable=False),
    # It ends then, however much it is used.
    Column("expires_at", Moment, nullable=False),
    Index("ix_web_session_person", "person"),
    Index("ix_web_session_expires_at", "expires_at"),
)

sign_in_request = Table(
    "sign_in_request",
    metadata,
    # Who was sent a sign-in link and when, so that nobody's mailbox can be flooded; kept a day.
    Column("person", String(64), primary_key=True),
    Column("asked_at", Moment, primary_key=True),
)

api_key = Table(
    "api_key",
    metadata,
    # The public half of the key, by which it is found, named and revoked.
    Column("id", String(64), primary_key=True),
    # SHA-256 of the whole key, which has 256 random bits: no slow hash is needed.
    Column("hash", String(64), nullable=False),
    Column("jurisdiction", String(64), nullable=False),
    Column("feed", String(32), nullable=False),
    # The only organisation it may report for; empty where it reports for several.
    Column("organisation", String(64)),
    Column("may_backfill", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("revoked_at", Moment),
    Column("revoked_by", String(64)),
)
