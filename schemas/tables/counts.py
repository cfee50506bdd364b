"""The count cube: area x day x feed x class x stratum, kept incrementally and rebuildable from the events."""

from sqlalchemy import Column, Date, Index, Integer, String, Table

from schemas.tables.base import metadata

count_cell = Table(
    "count_cell",
    metadata,
    Column("jurisdiction", String(64), primary_key=True),
    Column("area", String(64), primary_key=True),
    # "day", or "week" or "month" for events whose date is known no better; the day column then holds its first day.
    Column("grain", String(8), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("feed", String(32), primary_key=True),
    Column("substance_class", String(32), primary_key=True),
    Column("stratum", String(16), primary_key=True),
    Column("count", Integer, nullable=False),
    Index("ix_count_cell_jurisdiction_day", "jurisdiction", "day"),
)
