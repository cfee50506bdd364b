"""The last quarter of a year against earlier ones frozen a year ago: how much more, and how surprising that is.

The arithmetic behind ``detectors/slow_onset.py``, which names it for others. Nothing of the last year before the judged
quarter may teach what is usual; what is not known of the baseline goes into the tail.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import nbinom

from detectors.count_series import (
    FloatArray,
    IntArray,
    checked_counts,
    checked_range,
    checked_share,
    checked_whole,
)
from detectors.frozen_quarters import RECENT_WEEKS, FrozenQuarters
from detectors.scoring import mid_p

_SAME_SEASON_YEARS = 2
"""With the same weeks of two frozen years the season is in the comparison itself."""

_FEWEST_FROZEN = 26
"""Half a year: less says too little of what a usual week is."""

LEVEL_SD = 0.1
"""How far a quiet quarter lies from the same quarter of other years, as a share, before the series itself has told:
our assumption. Ambulance naloxone in Scotland ran from 885 to 1,022 patients a quarter, a relative SD of 6 %."""

SEASON_SD = 0.15
"""The same for another season, while less than two frozen years tell nothing of it: an amplitude of 0.2, over root 2."""

_HALF_EVENT = 0.5
"""Jeffreys' prior of a Poisson rate, Gamma(1/2, 0): a baseline of no events is not a mean of zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Onset:
    """What the quarter that ends with each evaluated week looks like; arrays of shape (n_series, n_evaluated).

    NaN (0 for ``observed`` and ``years``) where there is no year between the quarter and half a year of history.

    Attributes
    ----------
    statistic : ndarray of float64
        Rate ratio: the quarter's count over ``expected``.
    observed : ndarray of int64
        Events of the last 13 weeks.
    expected : ndarray of float64
        What the frozen years would give those weeks, as far as they are known by now.
    size : ndarray of float64
        Of the negative binomial predictive distribution: what is not known of the baseline is in it.
    p_value : ndarray of float64
        Mid-p of that count or a larger one with no drift; not corrected for how many series are looked at.
    low, high : ndarray of float64
        Central prediction interval of the count with no drift.
    years : ndarray of int64
        How many frozen years the same weeks were taken from; 0 where the season is not in the comparison.
    """

    statistic: FloatArray
    observed: IntArray
    expected: FloatArray
    size: FloatArray
    p_value: FloatArray
    low: FloatArray
    high: FloatArray
    years: IntArray


def slow_onset(
    weekly_counts: ArrayLike,
    *,
    weeks: ArrayLike | None = None,
    first_week: ArrayLike = 0,
    known: ArrayLike = 1.0,
    most_years: int = 3,
    level: float = 0.95,
) -> Onset:
    """Compare the 13 weeks that end with each week with a baseline that ends a year before.

    Parameters
    ----------
    weekly_counts : array_like of int, shape (n_series, n_weeks)
        Events a week, oldest first, none left out.
    weeks : array_like of int, shape (n_evaluated,), optional
        The last week of each quarter that is judged, as index of a column; every week when left out.
    first_week : array_like of int, shape (n_series,) or a single number
        Index of the first week in which the series existed: what comes before is no history.
    known : array_like of float, shape (n_series, n_weeks) or one that spreads to it
        Share of each week's events that is known by now; below 1 only in the last weeks (it is applied to the quarter,
        never to the frozen years, and nothing is imputed).
    most_years : int
        Frozen years that are looked back on, at least 2: older ones say little of the level of a year ago.
    level : float
        Of the prediction interval.

    Returns
    -------
    Onset

    Raises
    ------
    ValueError
        If an argument has another shape, type or range; the message names it.

    Notes
    -----
    Let B be the frozen blocks of 13 weeks: those one, two, ... years before, where at least two exist; otherwise all
    weeks up to a year before. Their K blocks hold S events, so the quarter's mean is ``m = (S + 1/2) / K`` with the
    relative variance ``phi / (S + 1/2)`` (Gamma posterior under Jeffreys' prior, over-dispersion phi by the squared
    steps from week to week, which a level that moves slowly hardly enters).
    Quarters also differ from year to year by more than chance: relative variance tau^2 by moments (Marshall 1991, Appl.
    Statist. 40:283) over the quarters of the frozen years, shrunk to ``LEVEL_SD``, each comparison weighing as much as
    its count can tell. The quarter is negative binomial with mean m and relative variance ``phi / m + phi / (S + 1/2) +
    tau^2 (1 + 1 / K)``; mid-p as in ``detectors/scoring.py``.

    Examples
    --------
    A series that grows by 5 % a month for a year after three quiet ones, season included:

    >>> week = np.arange(4 * 52)
    >>> mean = 20 * (1 + 0.3 * np.cos(2 * np.pi * week / 52)) * 1.05 ** np.maximum((week - 156) / 4.35, 0)
    >>> found = slow_onset(np.round(mean).astype(int)[None, :])
    >>> round(float(found.statistic[0, -1]), 2), bool(found.p_value[0, -1] < 0.001), bool(found.p_value[0, 155] < 0.1)
    (1.66, True, False)
    """
    counts = checked_counts(weekly_counts, name="weekly_counts", axes="(n_series, n_weeks)")
    shares = checked_range(known, counts.shape, name="known", least=1e-6, most=1.0)
    years_back = checked_whole(most_years, name="most_years", least=_SAME_SEASON_YEARS)
    tail = (1.0 - checked_share(level, name="level")) / 2.0
    judged = _indices(np.arange(counts.shape[1]) if weeks is None else weeks, counts.shape[1], "weeks")
    starts = _indices(first_week, counts.shape[1] + 1, "first_week", counts.shape[0])
    past = FrozenQuarters.of(counts, starts, judged)

    quarter, whole = past.block(0)
    same, seasons = past.same_season(years_back)
    every, frozen_weeks = past.all_frozen()
    by_season = seasons >= _SAME_SEASON_YEARS
    defined = whole & (by_season | (frozen_weeks >= _FEWEST_FROZEN))
    dispersion = past.dispersion()
    between = np.where(
        by_season,
        past.spread_between_years(years_back, dispersion, LEVEL_SD**2),
        past.spread_between_quarters(years_back, dispersion, LEVEL_SD**2 + SEASON_SD**2),
    )
    events = np.where(by_season, same, every) + _HALF_EVENT
    blocks = np.where(defined, np.where(by_season, seasons, frozen_weeks / RECENT_WEEKS), 1.0)
    # The share of the quarter's events that is known by now: what is seen is compared with what would be seen.
    running = np.concatenate([np.zeros((counts.shape[0], 1)), shares.cumsum(axis=1)], axis=1)
    start = np.maximum(judged + 1 - RECENT_WEEKS, 0)
    seen = np.where(defined, (running[:, judged + 1] - running[:, start]) / RECENT_WEEKS, 1.0)
    mean = events / blocks * seen
    size = 1.0 / ((dispersion - 1.0) / mean + dispersion / events + between * (1.0 + 1.0 / blocks))

    observed = np.where(defined, quarter, 0.0)
    p_value = mid_p(observed, mean, size)
    low, high = (nbinom.ppf(share, size, size / (size + mean)) for share in (tail, 1.0 - tail))
    blank = [np.where(defined, item, np.nan) for item in (observed / mean, mean, size, p_value, low, high)]
    return Onset(
        statistic=blank[0],
        observed=observed.astype(np.int64),
        expected=blank[1],
        size=blank[2],
        p_value=blank[3],
        low=blank[4],
        high=blank[5],
        years=np.where(defined & by_season, seasons, 0),
    )


def _indices(given: ArrayLike, below: int, name: str, spread: int | None = None) -> IntArray:
    index = np.asarray(given)
    if index.size == 0 and index.dtype.kind == "f":
        index = index.astype(np.int64)
    if index.dtype.kind not in "iu":
        raise ValueError(f"{name} holds {index.dtype}; wanted whole numbers of an integer type")
    if spread is not None and index.shape in {(), (spread,)}:
        index = np.broadcast_to(index, (spread,))
    elif index.ndim != 1 or spread is not None:
        wanted = "(n_evaluated,)" if spread is None else f"({spread},) or a single number"
        raise ValueError(f"{name} has the shape {index.shape}; wanted {wanted}")
    if index.size and (int(index.min()) < 0 or int(index.max()) >= below):
        raise ValueError(f"{name} runs from {index.min()} to {index.max()}; wanted 0 to {below - 1}")
    return index.astype(np.int64)
