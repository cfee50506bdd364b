"""How far wrong the baseline's own rule went at this time of earlier years, beyond what its variance allowed for.

Only ``detectors/feed_fit.py`` calls this. A season does not come every year in the same week nor at the same height, a
level wanders, and a calendar term may be missing: none of that is in the posterior of the level. But each of these has
left its mark on the forecasts that the very same rule would have made of the weeks before, so they are asked.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NEAR_WEEKS = 3
"""Forecasts of weeks within three of the coming one, in earlier years, tell how unsteady this time of the year is."""

_POOL_YEARS = 2.0
"""Years that all weeks together are worth beside the weeks of this time of the year."""

_USUAL_ERROR = 0.1**2
"""Squared relative error that a level is expected to have without any proof: a tenth."""

_MOST = 4.0
_FIRST_WEEKS = 26
"""The first half year's forecasts rest on a level that nobody knew yet."""

_WEEK = 7


def unforeseen(
    counts: FloatArray,
    forecast: FloatArray,
    variance: FloatArray,
    weights: FloatArray,
    dispersion: FloatArray,
    *,
    weeks_ahead: float,
    year_days: float,
) -> FloatArray:
    """Return the squared relative error of a forecast for the coming week that its variance leaves out.

    By moments: ``v = sum w ((y - m)**2 - V) / sum w m**2`` over the weeks at the same time of earlier years, where m and
    V are what the rule would have forecast. Chance alone gives v a standard error ``se``, which is taken off, so that a
    steady series is not made unsure by it. Sparse series cannot prove such an error at all: what is left counts as
    ``v t**2 / (t**2 + se**2)``, with t the error that is usual (empirical Bayes: Efron and Morris 1975, J. Am. Statist.
    Ass. 70:311, section 2). Past outbreaks keep their weights.

    Parameters
    ----------
    counts, forecast, variance, weights : ndarray of float64, shape (n_series, n_weeks)
        Counts and forecasts are both already weighed down in past outbreaks. The last week ended ``weeks_ahead`` weeks before the coming one; ``variance`` is NaN where nothing was forecast.
    dispersion : ndarray of float64, shape (n_series,)

    Returns
    -------
    ndarray of float64, shape (n_series,)
        At least 0.
    """
    n_weeks = counts.shape[1]
    a_year = year_days / _WEEK
    away = n_weeks - 1 - np.arange(n_weeks) + weeks_ahead
    phase = np.abs((away + a_year / 2) % a_year - a_year / 2)
    usable = np.isfinite(variance) & (np.arange(n_weeks) >= _FIRST_WEEKS)
    weight = np.where(usable, weights, 0.0)
    mean = np.where(usable, forecast, 0.0)
    beyond = np.where(usable, (counts - mean) ** 2 - variance, 0.0)
    here = phase <= NEAR_WEEKS
    pooled, pooled_chance = _moments(beyond, mean, weight, dispersion)
    near, near_chance = _moments(beyond[:, here], mean[:, here], weight[:, here], dispersion)
    years = (weight[:, here] > 0).sum(axis=1) / (2 * NEAR_WEEKS + 1)
    part = years / (years + _POOL_YEARS)
    error = part * near + (1.0 - part) * pooled
    chance = part**2 * near_chance + (1.0 - part) ** 2 * pooled_chance
    shrunk = (error - np.sqrt(chance)) * _USUAL_ERROR**2 / (_USUAL_ERROR**2 + chance)
    found: FloatArray = np.clip(shrunk, 0.0, _MOST)
    return found


def _moments(
    beyond: FloatArray, mean: FloatArray, weight: FloatArray, dispersion: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the moment estimate of v and its variance by chance alone; both 0 where nothing was forecast."""
    square = (weight * mean**2).sum(axis=1)
    safe = np.maximum(square, 1e-12)
    error = (weight * beyond).sum(axis=1) / safe
    # The variance of a squared deviation is about twice the square of the variance, and its kurtosis adds its mean.
    noise = dispersion[:, None] * mean
    chance = (weight**2 * (2.0 * noise**2 + dispersion[:, None] ** 2 * noise)).sum(axis=1) / safe**2
    return np.where(square > 0, error, 0.0), np.where(square > 0, chance, 0.0)
