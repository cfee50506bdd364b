"""Quarters of thirteen weeks in the years before the last: sums, and how much they differ when nothing is wrong.

Only ``detectors/slow_onset.py`` calls this. It looks at no week of the last year before the one that is judged: what
grew in that year must not teach what is usual.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from detectors.count_series import FloatArray, IntArray

RECENT_WEEKS = 13
WEEKS_A_YEAR = 52
"""A season is found again after 364 days: a day and a quarter off each year."""

_QUARTERS = 4
_FEWEST_COMPARED = 2

_PRIOR_DEGREES = 4.0
"""How many comparisons of quarters the prior spread is worth: about one year of them."""

_PRIOR_DISPERSION, _PRIOR_DISPERSION_EVENTS, _MOST_DISPERSION = 1.2, 50.0, 20.0
"""As in ``detectors/level.py``: what a series' weeks vary by before it has told."""

Blocks = list[tuple[FloatArray, NDArray[np.bool_]]]
"""Sums of 13 weeks and whether the series existed then, each of shape (n_series, n_evaluated)."""


@dataclass(frozen=True, slots=True, eq=False)
class FrozenQuarters:
    """Sums over the weeks that lie before each evaluated week.

    Attributes
    ----------
    counts : ndarray of float64, shape (n_series, n_weeks)
        0 before a series began.
    total : ndarray of float64, shape (n_series, n_weeks + 1)
        Running sum of ``counts``, from 0.
    first : ndarray of int64, shape (n_series, 1)
        First week of each series.
    weeks : ndarray of int64, shape (n_evaluated,)
        The weeks that end a judged quarter.
    """

    counts: FloatArray
    total: FloatArray
    first: IntArray
    weeks: IntArray

    @classmethod
    def of(cls, counts: IntArray, first: IntArray, weeks: IntArray) -> Self:
        """Return the sums of whole numbers of shape (n_series, n_weeks)."""
        existing = np.arange(counts.shape[1]) >= first[:, None]
        kept = np.where(existing, counts, 0).astype(np.float64)
        total = np.concatenate([np.zeros((counts.shape[0], 1)), kept.cumsum(axis=1)], axis=1)
        return cls(kept, total, first[:, None], weeks)

    def block(self, weeks_back: int) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the quarters that ended so many weeks before each evaluated one, and whether they are whole."""
        end = self.weeks - weeks_back
        start = end - RECENT_WEEKS + 1
        whole = start[None, :] >= self.first
        start, end = (np.clip(item, 0, self.total.shape[1] - 1) for item in (start, end + 1))
        return np.where(whole, self.total[:, end] - self.total[:, start], 0.0), whole

    def same_season(self, years: int) -> tuple[FloatArray, IntArray]:
        """Return the events of the same weeks in the frozen years and how many such years there are."""
        blocks = [self.block(WEEKS_A_YEAR * year) for year in range(1, years + 1)]
        return sum_of(blocks), number_of(blocks)

    def all_frozen(self) -> tuple[FloatArray, IntArray]:
        """Return the events of all frozen weeks and how many such weeks there are."""
        end = np.clip(self.weeks - WEEKS_A_YEAR + 1, 0, None)
        weeks = np.maximum(end[None, :] - self.first, 0)
        return self.total[:, end], weeks

    def dispersion(self) -> FloatArray:
        """Return the weekly variance over mean, from the squared steps between frozen weeks.

        Steps hardly see a level that moves slowly (von Neumann 1941, Ann. Math. Statist. 12:367); shrunk to 1.2 with
        the weight of 50 events.
        """
        pair = np.arange(1, self.counts.shape[1]) > self.first
        steps = np.where(pair, np.diff(self.counts, axis=1) ** 2, 0.0)
        sums = np.where(pair, self.counts[:, 1:] + self.counts[:, :-1], 0.0)
        end = np.clip(self.weeks - WEEKS_A_YEAR, 0, max(self.counts.shape[1] - 1, 0))
        square, events = (
            np.concatenate([np.zeros((self.counts.shape[0], 1)), item.cumsum(axis=1)], axis=1)[:, end]
            for item in (steps, sums)
        )
        weight = 2.0 * _PRIOR_DISPERSION_EVENTS
        found: FloatArray = (square + weight * _PRIOR_DISPERSION) / (events + weight)
        return np.clip(found, 1.0, _MOST_DISPERSION)

    def spread_between_years(self, years: int, dispersion: FloatArray, prior: float) -> FloatArray:
        """Return the squared relative spread of a quarter about the mean of its season."""
        groups = [
            [self.block(WEEKS_A_YEAR * year + RECENT_WEEKS * quarter) for year in range(1, years + 1)]
            for quarter in range(_QUARTERS)
        ]
        return _spread(groups, dispersion, prior)

    def spread_between_quarters(self, years: int, dispersion: FloatArray, prior: float) -> FloatArray:
        """Return the squared relative spread of a quarter about the mean of all, seasons included."""
        quarters = range(_QUARTERS * years)
        return _spread(
            [[self.block(WEEKS_A_YEAR + RECENT_WEEKS * back) for back in quarters]], dispersion, prior
        )


def sum_of(blocks: Blocks) -> FloatArray:
    """Return the events of some blocks."""
    return np.sum([events for events, _ in blocks], axis=0)  # type: ignore[no-any-return]  # NumPy's sum of a list


def number_of(blocks: Blocks) -> IntArray:
    """Return how many of some blocks are whole."""
    return np.sum([whole for _, whole in blocks], axis=0, dtype=np.int64)  # type: ignore[no-any-return]  # as above


def _spread(groups: list[Blocks], dispersion: FloatArray, prior: float) -> FloatArray:
    """Return the relative variance beyond chance within groups of blocks, by moments, shrunk to ``prior``.

    A comparison weighs ``(prior / (prior + dispersion / mean))**2``: as much as its count can tell of a spread of that
    size (the inverse of the variance of a moment estimate, against that of counts without chance).
    """
    beyond = np.zeros(dispersion.shape)
    degrees = np.zeros(dispersion.shape)
    for blocks in groups:
        number = number_of(blocks)
        mean = np.maximum(sum_of(blocks) / np.maximum(number, 1), 1e-9)
        square = np.sum(
            [np.where(whole, (events / mean - 1.0) ** 2, 0.0) for events, whole in blocks], axis=0
        )
        chance = dispersion / mean
        free = np.where(number >= _FEWEST_COMPARED, number - 1, 0)
        weight = (prior / (prior + chance)) ** 2
        beyond += weight * np.where(free > 0, square - free * chance, 0.0)
        degrees += weight * free
    found: FloatArray = (np.maximum(beyond, 0.0) + _PRIOR_DEGREES * prior) / (degrees + _PRIOR_DEGREES)
    return found
