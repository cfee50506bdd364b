"""The embedded event log: an append-only table and one reader's cursor."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from schemas.tables.base import Moment, metadata

# SQLite gives an alias of ROWID, and so a sequence that never reuses a position, only to INTEGER PRIMARY KEY.
Position = BigInteger().with_variant(Integer, "sqlite")

event_log = Table(
    "event_log",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=True),
    Column("feed", String(32), nullable=False),
    Column("jurisdiction", String(64), nullable=False),
    Column("delivery", String(16), nullable=False),
    Column("origin", String(64), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

event_log_cursor = Table(
    "event_log_cursor",
    metadata,
    Column("reader", String(64), primary_key=True),
    Column("position", BigInteger, nullable=False),
)

log_applied = Table(
    "log_applied",
    metadata,
    # The highest position of each partition whose effects are committed; written in the intake transaction.
    Column("topic", String(128), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("applied_at", Moment, nullable=False),
)
