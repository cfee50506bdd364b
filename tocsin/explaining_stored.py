"""Signals as they stand in the database: found by number or by name, and the recent ones listed.

For ``tocsin explain``. A signal's *name* is ``detector:key:window_end``; a key may hold colons of its own. It reads
only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, Row, select

from schemas.signals import Signal
from schemas.tables.detection import signal as signal_table
from schemas.vocabulary import Jurisdiction

SIGNAL = signal_table.c


@dataclass(frozen=True)
class Stored:
    """One signal and when it was written."""

    id: int
    signal: Signal
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def name(self) -> str:
        """What identifies it within its jurisdiction."""
        return f"{self.signal.detector}:{self.signal.key}:{self.signal.window_end}"


class NoSuchSignal(ValueError):  # noqa: N818 (named as it is said)
    """No signal answers to what was asked for; the message says what to do."""


def recent(connection: Connection, jurisdictions: Sequence[Jurisdiction], most: int) -> list[Stored]:
    """Return the signals that were written last, the newest first."""
    rows = connection.execute(
        select(signal_table)
        .where(SIGNAL.jurisdiction.in_(sorted(jurisdictions)))
        .order_by(SIGNAL.last_seen_at.desc(), SIGNAL.id.desc())
        .limit(most)
    ).all()
    return [_stored(row) for row in rows]


def of_day(connection: Connection, jurisdiction: Jurisdiction, day: date) -> list[Stored]:
    """Return every signal whose window ends on ``day``, the strongest first."""
    rows = connection.execute(
        select(signal_table)
        .where(SIGNAL.jurisdiction == jurisdiction, SIGNAL.window_end == day)
        .order_by(SIGNAL.recurrence_interval_days.desc(), SIGNAL.detector, SIGNAL.key)
    ).all()
    return [_stored(row) for row in rows]


def find(connection: Connection, wanted: str, jurisdictions: Sequence[Jurisdiction]) -> Stored:
    """Return the signal of a number or a name.

    Raises
    ------
    NoSuchSignal
        If there is none, or a name is that of signals in several jurisdictions.
    """
    if wanted.isdecimal():
        condition = SIGNAL.id == int(wanted)
    else:
        detector, _, rest = wanted.partition(":")
        key, _, day = rest.rpartition(":")
        try:
            window_end = date.fromisoformat(day)
        except ValueError:
            window_end = None
        if not key or window_end is None:
            raise NoSuchSignal(
                f"{wanted} names no signal: give its number, or detector:key:YYYY-MM-DD; `tocsin explain` lists them."
            )
        condition = (SIGNAL.detector == detector) & (SIGNAL.key == key) & (SIGNAL.window_end == window_end)
    rows = connection.execute(
        select(signal_table).where(condition, SIGNAL.jurisdiction.in_(sorted(jurisdictions)))
    ).all()
    if not rows:
        raise NoSuchSignal(
            f"There is no signal {wanted}; `tocsin explain` without one lists the recent ones."
        )
    if len(rows) > 1:
        places = ", ".join(sorted(row.jurisdiction for row in rows))
        raise NoSuchSignal(f"Several jurisdictions have a signal {wanted}: {places}; add --jurisdiction.")
    return _stored(rows[0])


def _stored(row: Row) -> Stored:  # type: ignore[type-arg]
    return Stored(row.id, Signal.model_validate(row.body), row.first_seen_at, row.last_seen_at)
