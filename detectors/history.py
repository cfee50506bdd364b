"""What a detector is given to look at: counts by series, day and area, as they were known at a moment.

A detection run reads a :class:`CountCube` from the database. Calibration and tests hold an :class:`OccurrenceHistory`
(when each event happened and when it became known) and grow a cube from it with :class:`AsKnownCube`, day by day,
exactly as the service would have known it. Nothing here reads a clock, a file or a database, and no array that is
handed in is ever changed.

A *series* is a feed together with a substance class. Arrays have one column for each area, in the order of ``areas``,
and one more for the jurisdiction's total, which also holds the events that could not be placed in an area.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

Series = tuple[Feed, SubstanceClass]
"""What is counted together: one feed and one class (``any`` counts every event of the feed once)."""

IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class CountCube:
    """Counts as known at the end of one day.

    Attributes
    ----------
    first_day : date
        The civil day of the first row of each series.
    areas : tuple of AreaCode
        The detection areas, sorted.
    series : tuple of (Feed, SubstanceClass)
        What the first axis counts.
    counts : ndarray of int32, shape (n_series, n_days, n_areas + 1)
        Events by day of happening. The last day is *today*; the last column is the jurisdiction's total.

    Raises
    ------
    ValueError
        If the shapes disagree or the counts are not whole numbers; the message names ``counts``.
    """

    first_day: date
    areas: tuple[AreaCode, ...]
    series: tuple[Series, ...]
    counts: IntArray

    def __post_init__(self) -> None:
        counts = self.counts
        if counts.ndim != 3 or counts.shape[0] != len(self.series) or counts.shape[2] != len(self.areas) + 1:  # noqa: PLR2004 (three axes)
            raise ValueError("counts must have the shape (series, days, areas + 1)")
        if not np.issubdtype(counts.dtype, np.integer):
            raise ValueError("counts must be whole numbers")
        if counts.shape[1] < 1:
            raise ValueError("counts must hold at least one day")

    @property
    def n_days(self) -> int:
        """How many days it holds."""
        return int(self.counts.shape[1])

    @property
    def last_day(self) -> date:
        """Today: the last day it holds."""
        return self.first_day + timedelta(days=self.n_days - 1)

    def refuse_negative(self) -> None:
        """Raise :class:`ValueError` if a count is below zero (asked by each computation, of the days it uses)."""
        if self.counts.size and int(self.counts.min()) < 0:
            raise ValueError("counts must not be negative")

    def recent(self, days: int) -> "CountCube":
        """Return the last ``days`` days (or all of them, when there are fewer) without copying."""
        kept = min(days, self.n_days)
        return CountCube(
            first_day=self.last_day - timedelta(days=kept - 1),
            areas=self.areas,
            series=self.series,
            counts=self.counts[:, self.n_days - kept :],
        )


@dataclass(frozen=True, slots=True, eq=False)
class OccurrenceHistory:
    """Every counted event of some years: when it happened, when it became known, where, in which series.

    One row for each (event, class): an event has a row for each class it names and one for ``any``.

    Attributes
    ----------
    first_day : date
        Day 0.
    n_days : int
        How many days the history covers.
    areas, series
        As in :class:`CountCube`.
    day, known_day : ndarray of int32, shape (n_rows,)
        Index of the day it happened and of the day by whose end it was known; a row known only after the last day is
        allowed and never seen.
    area : ndarray of int32, shape (n_rows,)
        Index into ``areas``; -1 where the event could not be placed.
    series_index : ndarray of int32, shape (n_rows,)
        Index into ``series``.
    """

    first_day: date
    n_days: int
    areas: tuple[AreaCode, ...]
    series: tuple[Series, ...]
    day: IntArray
    known_day: IntArray
    area: IntArray
    series_index: IntArray

    def __post_init__(self) -> None:
        rows = self.day.shape
        for name in ("day", "known_day", "area", "series_index"):
            column = getattr(self, name)
            if column.ndim != 1 or column.shape != rows:
                raise ValueError(f"{name} must be one-dimensional and as long as day")
            if not np.issubdtype(column.dtype, np.integer):
                raise ValueError(f"{name} must be whole numbers")
        if self.n_days < 1:
            raise ValueError("n_days must be at least 1")
        _within(self.day, "day", 0, self.n_days)
        _within(self.area, "area", -1, len(self.areas))
        _within(self.series_index, "series_index", 0, len(self.series))
        if np.any(self.known_day < self.day):
            raise ValueError("known_day must not be before day")

    def as_known(self) -> "AsKnownCube":
        """Return a cube of this history that can be moved from day to day."""
        return AsKnownCube(self)


class AsKnownCube:
    """The cube of a history, grown day by day: each step adds only the rows that became known on that day.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> from schemas.geography import AreaCode
    >>> row = lambda *values: np.array(values, dtype=np.int32)
    >>> series = ((Feed.AMBULANCE_NALOXONE, SubstanceClass.ANY),)
    >>> areas = (AreaCode("E07000114"),)
    >>> history = OccurrenceHistory(date(2024, 1, 1), 3, areas, series, row(0), row(2), row(0), row(0))
    >>> growing = history.as_known()
    >>> [int(growing.advance_to(day).counts.sum()) for day in range(3)]
    [0, 0, 2]
    """

    def __init__(self, history: OccurrenceHistory) -> None:
        self._history = history
        shape = (len(history.series), history.n_days, len(history.areas) + 1)
        self._counts: IntArray = np.zeros(shape, dtype=np.int32)
        order = np.argsort(history.known_day, kind="stable")
        self._series = history.series_index[order]
        self._day = history.day[order]
        self._area = history.area[order]
        # Rows of day d stand between starts[d] and starts[d + 1].
        self._starts = np.searchsorted(history.known_day[order], np.arange(history.n_days + 1))
        self._today = -1

    def advance_to(self, today: int) -> CountCube:
        """Add what became known up to the end of day ``today`` and return the cube that ends there.

        The cube is a view that the next step changes: use it before moving on, or copy it.

        Parameters
        ----------
        today : int
            Index of the day, not before the last one asked for.

        Raises
        ------
        ValueError
            If ``today`` goes backwards or is past the history.
        """
        if not self._today <= today < self._history.n_days:
            raise ValueError("today must not go backwards, nor past the history's last day")
        rows = slice(self._starts[self._today + 1], self._starts[today + 1])
        series, day, area = self._series[rows], self._day[rows], self._area[rows]
        placed = area >= 0
        np.add.at(self._counts, (series[placed], day[placed], area[placed]), 1)
        np.add.at(self._counts, (series, day, np.full(area.shape, -1)), 1)
        self._today = today
        history = self._history
        return CountCube(history.first_day, history.areas, history.series, self._counts[:, : today + 1])


def _within(column: IntArray, name: str, low: int, high: int) -> None:
    if column.size and (int(column.min()) < low or int(column.max()) >= high):
        raise ValueError(f"{name} must lie from {low} to {high - 1}")
