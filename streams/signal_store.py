"""Signals in the database: stored once by identity, and updated in place by a repeat."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from schemas.signals import Signal
from schemas.tables.detection import signal as signal_table

SIGNAL = signal_table.c


def store(connection: Connection, signals: Sequence[Signal], now: datetime) -> list[Signal]:
    """Store ``signals``; return those that are new or say something other than before, in a fixed order."""
    changed = []
    for item in sorted(signals, key=lambda one: (one.jurisdiction, one.detector, one.key, one.window_end)):
        body = item.model_dump(mode="json")
        here = (
            (SIGNAL.jurisdiction == item.jurisdiction)
            & (SIGNAL.detector == item.detector)
            & (SIGNAL.key == item.key)
            & (SIGNAL.window_end == item.window_end)
        )
        known = connection.execute(select(SIGNAL.id, SIGNAL.body).where(here)).one_or_none()
        if known is not None and known.body == body:
            continue
        values = {
            "family": item.family,
            "window_start": item.window_start,
            "substance_class": item.substance_class.value,
            "tier": item.tier.value,
            "observed": item.observed,
            "expected": item.expected,
            "p_value": item.p_value,
            "recurrence_interval_days": item.recurrence_interval_days,
            "body": body,
            "last_seen_at": now,
        }
        if known is None:
            connection.execute(
                insert(signal_table).values(
                    jurisdiction=item.jurisdiction,
                    detector=item.detector,
                    key=item.key,
                    window_end=item.window_end,
                    first_seen_at=now,
                    **values,
                )
            )
        else:
            connection.execute(update(signal_table).where(here).values(**values))
        changed.append(item)
    return changed
