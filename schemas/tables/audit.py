"""The audit trail: append-only, one hash chain per jurisdiction, ids and codes only.

The head of each chain stands in ``jurisdiction_state``. Nothing ever updates or deletes a row here.
"""

from sqlalchemy import BigInteger, Column, Index, String, Table

from schemas.tables.base import Document, Moment, metadata

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("jurisdiction", String(64), primary_key=True),
    # 1, 2, 3 ... without a gap.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    # A person's id, or "system".
    Column("actor", String(64), nullable=False),
    Column("authenticated_by", String(16), nullable=False),
    Column("action", String(48), nullable=False),
    # What it was done to, such as ("incident", "KM-2018-0003").
    Column("subject_kind", String(24), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("detail", Document, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_entry_subject", "subject_kind", "subject"),
)
