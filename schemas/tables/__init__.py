"""Table definitions, a module per room of the house. ``metadata`` knows them all once this package is imported."""

from schemas.tables import audit, counts, detection, events, incidents, log, outbox, people, web
from schemas.tables.base import metadata

__all__ = [
    "audit",
    "counts",
    "detection",
    "events",
    "incidents",
    "log",
    "metadata",
    "outbox",
    "people",
    "web",
]
