"""Signals in the database: stored once by identity, updated in place by a repeat, and tied to their evidence."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from schemas.signals import Signal
from schemas.tables.detection import signal as signal_table
from schemas.tables.detection import signal_evidence

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
            "withdrawn_at": None,
        }
        if known is None:
            made = connection.execute(
                insert(signal_table).values(
                    jurisdiction=item.jurisdiction,
                    detector=item.detector,
                    key=item.key,
                    window_end=item.window_end,
                    first_seen_at=now,
                    **values,
                )
            )
            number = made.inserted_primary_key[0]  # type: ignore[index]
        else:
            number = known.id
            connection.execute(update(signal_table).where(here).values(**values))
            connection.execute(delete(signal_evidence).where(signal_evidence.c.signal_id == number))
        if item.evidence:
            rows = [{"signal_id": number, "identity": identity} for identity in item.evidence]
            connection.execute(insert(signal_evidence), rows)
        changed.append(item)
    return changed


def signals_resting_on(connection: Connection, identities: Sequence[str]) -> list[int]:
    """Return the numbers of the signals that have any of these events among their evidence, sorted."""
    numbers: set[int] = set()
    keys = sorted(set(identities))
    for start in range(0, len(keys), 500):
        chunk = keys[start : start + 500]
        numbers.update(
            connection.execute(
                select(signal_evidence.c.signal_id).where(signal_evidence.c.identity.in_(chunk))
            ).scalars()
        )
    return sorted(numbers)
