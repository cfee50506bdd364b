"""The course of an incident: the events behind each of its feeds by day, and by area, as known now.

The incident page and its pictures read it. It counts events and not cells of the cube, because a tripwire's signal
names the drug that a laboratory found while most people harmed by it are known only by "opioid" or by nothing: such a
curve counts whatever may be the same drug (``schemas.overlap``), each event once. Every figure here is true: callers
authorise before they ask.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from alerts.card import FEED_NAMES
from alerts.charts import DayCount
from schemas.events import Status
from schemas.geography import AreaCode
from schemas.incidents import Incident
from schemas.overlap import classes_overlap
from schemas.signals import Signal
from schemas.substances import SubstanceClass
from schemas.tables.events import event_version
from schemas.vocabulary import Feed, Stratum

_DAYS = 28
_DAYS_AFTER = 14
_EVENT = event_version.c


@dataclass(frozen=True, slots=True)
class Course:
    """One feed's events by day, in the areas of its strongest signal."""

    feed: Feed
    name: str
    days: tuple[DayCount, ...]
    may_be: bool
    """Whether it counts events that may be of the signal's class, and not only those known to be."""


def course_of(
    connection: Connection,
    incident: Incident,
    signals: Sequence[Signal],
    feed: Feed,
    *,
    today: date,
    root: AreaCode,
) -> Course | None:
    """Return the course of one feed; None if no signal of the incident rests on it.

    Parameters
    ----------
    today : date
        The civil day up to which it may be shown.
    root : AreaCode
        The area that is the whole jurisdiction: a signal that names it is of every area.
    """
    signal = strongest_of(signals, feed)
    if signal is None:
        return None
    last = max(signal.window_end, min(today, signal.window_end + timedelta(days=_DAYS_AFTER)))
    first = min(signal.window_start, last - timedelta(days=_DAYS - 1))
    areas = () if root in signal.areas else signal.areas
    events = _events(connection, incident, [feed], (first, last), areas)
    part = next(part for part in signal.feeds if part.feed is feed)
    window = (signal.window_start, signal.window_end)
    matching, may_be = _matching(events, signal, window, part.observed)
    counts = Counter(row.day for row in matching)
    usual = part.expected / ((signal.window_end - signal.window_start).days + 1)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return Course(
        feed=feed,
        name=FEED_NAMES[feed],
        days=tuple(
            DayCount(day, counts[day], usual if inside else None, inside)
            for day in days
            for inside in (window[0] <= day <= window[1],)
        ),
        may_be=may_be,
    )


def counts_by_area(connection: Connection, incident: Incident, signals: Sequence[Signal]) -> dict[str, int]:
    """Return the events of the incident's feeds by area, in its window."""
    events = _events(connection, incident, incident.feeds, incident.window, ())
    strongest = max(signals, key=_strength, default=None)
    if strongest is None:
        return {}
    matching, _ = _matching(events, strongest, incident.window, strongest.observed)
    return dict(Counter(row.detection_area for row in matching))


def strongest_of(signals: Sequence[Signal], feed: Feed) -> Signal | None:
    """Return the strongest signal to which ``feed`` contributes, if there is one."""
    holding = [
        item for item in signals if any(part.feed is feed and part.observed > 0 for part in item.feeds)
    ]
    return max(holding, key=_strength, default=None)


def _strength(signal: Signal) -> tuple[int, float, date]:
    return signal.tier.rank, signal.recurrence_interval_days, signal.window_end


def _events(
    connection: Connection,
    incident: Incident,
    feeds: Iterable[Feed],
    days: tuple[date, date],
    areas: Sequence[AreaCode],
) -> Sequence[Row[Any]]:
    """Return the present versions of the events of some days, in ``areas`` or, where there are none, anywhere."""
    statement: Select[Any] = select(_EVENT.identity, _EVENT.day, _EVENT.detection_area, _EVENT.classes).where(
        _EVENT.jurisdiction == incident.jurisdiction,
        _EVENT.day.between(*days),
        _EVENT.feed.in_([feed.value for feed in feeds]),
        _EVENT.grain == "day",
        _EVENT.stratum == Stratum.GENERAL.value,
        _EVENT.status != Status.RETRACTED.value,
        _EVENT.superseded_at.is_(None),
    )
    if areas:
        statement = statement.where(_EVENT.detection_area.in_(sorted(areas)))
    return connection.execute(statement).all()


def _matching(
    events: Sequence[Row[Any]], signal: Signal, window: tuple[date, date], observed: int
) -> tuple[list[Row[Any]], bool]:
    """Return the events of the signal's class; where those are fewer than it saw, all that may be of its class."""
    wanted = signal.substance_class
    exact = [row for row in events if wanted is SubstanceClass.ANY or wanted in _classes(row)]
    if sum(window[0] <= row.day <= window[1] for row in exact) >= observed:
        return exact, False
    evidence = frozenset(signal.evidence)
    wide = [
        row
        for row in events
        if row.identity in evidence or any(classes_overlap(wanted, each) for each in _classes(row))
    ]
    return wide, len(wide) > len(exact)


def _classes(row: Row[Any]) -> set[SubstanceClass]:
    return {SubstanceClass(name) for name in row.classes.split()}
