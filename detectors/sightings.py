"""Single events as detectors see them: which feed, what it names, when, since when it is known, and where.

A count cube is enough for one feed and one area at a time. Detectors that put feeds together, look at places finer than
a detection area, or ask what was never seen before are given :class:`Sightings`. Only the general stratum, only events
whose day is known; nothing that points to a person.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.history import OccurrenceHistory, Series
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FEEDS: tuple[Feed, ...] = tuple(Feed)
CLASSES: tuple[SubstanceClass, ...] = tuple(item for item in SubstanceClass if item is not SubstanceClass.ANY)
CLASS_BIT = {name: 1 << number for number, name in enumerate(CLASSES)}

IntArray = NDArray[np.int64]


def class_bits(classes: Iterable[SubstanceClass]) -> int:
    """Return some classes as bits (``CLASS_BIT``); ``any`` has none."""
    bits = 0
    for name in classes:
        bits |= CLASS_BIT.get(name, 0)
    return bits


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Events in the one order that does not depend on how they arrived.

    Attributes
    ----------
    first_day : date
        Day 0.
    n_days : int
        The last day, *today*, is ``n_days - 1``.
    day, known_day : ndarray of int64, shape (n_events,)
        Index of the day it happened, and of the day by whose end it was known.
    feed : ndarray of int64
        Index into ``FEEDS``.
    classes : ndarray of int64
        What it names, as bits (``CLASS_BIT``): of a sample or of toxicology what was detected, of other records what
        was suspected. Never empty: an event that names nothing is ``unknown`` or ``unknown_opioid``.
    sold_as : ndarray of int64
        The classes that a sample was sold as, as bits; 0 where nobody said.
    area : ndarray of int64
        Index into the terrain's ``areas``; -1 where it could not be placed.
    fine : ndarray of int64
        Index into the terrain's ``fine``; -1 where no finer place is known.

    Raises
    ------
    ValueError
        If a column has another length or holds an impossible number; the message names it.
    """

    first_day: date
    n_days: int
    day: IntArray
    known_day: IntArray
    feed: IntArray
    classes: IntArray
    sold_as: IntArray
    area: IntArray
    fine: IntArray

    def __post_init__(self) -> None:
        if self.n_days < 1:
            raise ValueError(f"n_days must be at least 1, not {self.n_days}")
        for name in COLUMNS:
            column = getattr(self, name)
            if column.shape != self.day.shape or column.ndim != 1:
                raise ValueError(f"{name} must have the shape of day, {self.day.shape}, not {column.shape}")
            if not np.issubdtype(column.dtype, np.integer):
                raise ValueError(f"{name} must be whole numbers, not {column.dtype}")
        _within(self.day, "day", 0, self.n_days - 1)
        _within(self.feed, "feed", 0, len(FEEDS) - 1)
        _within(self.classes, "classes", 1, (1 << len(CLASSES)) - 1)
        _within(self.sold_as, "sold_as", 0, (1 << len(CLASSES)) - 1)
        _within(self.area, "area", -1, None)
        _within(self.fine, "fine", -1, None)
        if np.any(self.known_day < self.day):
            raise ValueError("known_day must not be before day")
        order = np.lexsort(
            (self.sold_as, self.classes, self.fine, self.area, self.feed, self.known_day, self.day)
        )
        for name in COLUMNS:
            object.__setattr__(self, name, getattr(self, name)[order].astype(np.int64))

    def __len__(self) -> int:
        return int(self.day.size)

    @property
    def last_day(self) -> date:
        """Today."""
        return self.first_day + timedelta(days=self.n_days - 1)

    def as_known(self, today: int, days: int | None = None) -> "Sightings":
        """Return what was known at the end of day ``today`` of its last ``days`` days (all when None), ending there."""
        first = 0 if days is None else max(today - days + 1, 0)
        kept = (self.known_day <= today) & (self.day >= first) & (self.day <= today)
        columns = {name: getattr(self, name)[kept] for name in COLUMNS}
        for name in ("day", "known_day"):
            columns[name] = columns[name] - first
        return Sightings(self.first_day + timedelta(days=first), today - first + 1, **columns)


COLUMNS = tuple(item.name for item in fields(Sightings) if item.name not in {"first_day", "n_days"})


def occurrences_of(
    sightings: Sightings, areas: tuple[AreaCode, ...], series: tuple[Series, ...]
) -> OccurrenceHistory:
    """Return the counts that follow from single events: a row for each series that an event is counted in.

    Parameters
    ----------
    sightings : Sightings
    areas : tuple of AreaCode
        The terrain's detection areas.
    series : tuple of (Feed, SubstanceClass)
        What to count; ``any`` counts every event of its feed once.
    """
    none = np.zeros(0, dtype=np.int64)
    event, index = [none], [none]
    for number, (feed, name) in enumerate(series):
        counted = sightings.feed == FEEDS.index(feed)
        if name is not SubstanceClass.ANY:
            counted &= (sightings.classes & CLASS_BIT[name]) != 0
        rows = np.flatnonzero(counted)
        event.append(rows)
        index.append(np.full(rows.size, number, dtype=np.int64))
    rows, numbers = np.concatenate(event), np.concatenate(index)
    order = np.lexsort((numbers, rows))
    rows, numbers = rows[order], numbers[order]
    return OccurrenceHistory(
        first_day=sightings.first_day,
        n_days=sightings.n_days,
        areas=areas,
        series=series,
        day=sightings.day[rows].astype(np.int32),
        known_day=sightings.known_day[rows].astype(np.int32),
        area=sightings.area[rows].astype(np.int32),
        series_index=numbers.astype(np.int32),
    )


def _within(column: IntArray, name: str, low: int, high: int | None) -> None:
    if column.size and (int(column.min()) < low or (high is not None and int(column.max()) > high)):
        raise ValueError(f"{name} must lie from {low} to {'the last index' if high is None else high}")
