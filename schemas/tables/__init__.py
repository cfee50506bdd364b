"""Table definitions, a module per room of the house. ``metadata`` knows them all once this package is imported."""

from schemas.tables import counts, detection, events, log
from schemas.tables.base import metadata

__all__ = ["counts", "detection", "events", "log", "metadata"]
