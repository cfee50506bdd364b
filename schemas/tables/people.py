"""People, their roles, the on-call rota, and links that were used up. No password is kept: sign-in is by link."""

from sqlalchemy import Boolean, Column, Index, String, Table

from schemas.tables.base import Moment, metadata

person = Table(
    "person",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(120), nullable=False),
    Column("email", String(254)),
    Column("active", Boolean, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

person_role = Table(
    "person_role",
    metadata,
    Column("person", String(64), primary_key=True),
    Column("jurisdiction", String(64), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("granted_at", Moment, nullable=False),
)

rota_shift = Table(
    "rota_shift",
    metadata,
    Column("jurisdiction", String(64), primary_key=True),
    Column("person", String(64), primary_key=True),
    Column("starts_at", Moment, primary_key=True),
    # Not included.
    Column("ends_at", Moment, nullable=False),
    Index("ix_rota_shift_jurisdiction_ends_at", "jurisdiction", "ends_at"),
)

spent_link = Table(
    "spent_link",
    metadata,
    # Hash of a link that works once; kept until the link would have expired anyway.
    Column("id", String(64), primary_key=True),
    Column("purpose", String(32), nullable=False),
    Column("spent_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)
