"""How far wrong the baseline's own rule went at this time of earlier years, beyond what its variance allowed for.

Only ``detectors/feed_fit.py`` calls this. A season does not come every year in the same week nor at the same height, a
level wanders, and a calendar term may be missing: none of that is in the posterior of the level. But each of these has
left its mark on the forecasts that the very same rule would have made of the weeks before, so they are asked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

NEAR_WEEKS = 2
"""Forecasts of weeks within two of the coming one, in earlier years, tell how unsteady this time of the year is: as far
as the longest window reaches back."""

_POOL_YEARS = 2.0
"""Years that all weeks together are worth beside the weeks of this time of the year."""

_USUAL_ERROR = 0.1**2
"""Squared relative error that a level is expected to have without any proof: a tenth."""

_MOST = 4.0
_FEWEST_YEARS = 2
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

    Each week tells ``x = ((y - m)**2 - V) / m**2``, where m and V are what the rule would have forecast, with the
    variance c that chance alone gives it. Their mean, weighted by ``1 / (c + t**2)``, estimates the error v (DerSimonian
    and Laird 1986, Control. Clin. Trials 7:177, with t the error that is usual, then the one found). The weeks at the
    same time of earlier years are mixed with all weeks. Chance alone gives v a standard error, which is taken off, so
    that a steady series is not made unsure by it; and what sparse series cannot prove is shrunk away: v counts as
    ``v t**2 / (t**2 + se**2)`` (empirical Bayes: Efron and Morris 1975, J. Am. Statist. Ass. 70:311, section 2).

    Past outbreaks keep their weights, so that the year after one is no less watched. But what was forecast wrongly at the
    same time of two years is no outbreak: the years are asked again without weights, the worst of them counting as the
    second worst (a winsorised mean), and the larger answer holds.

    Parameters
    ----------
    counts, forecast, variance, weights : ndarray of float64, shape (n_series, n_weeks)
        The last week ended ``weeks_ahead`` weeks before the coming one; ``variance`` is NaN where nothing was forecast.
    dispersion : ndarray of float64, shape (n_series,)

    Returns
    -------
    ndarray of float64, shape (n_series,)
        From 0 to 4.
    """
    n_weeks = counts.shape[1]
    if n_weeks <= _FIRST_WEEKS:
        return np.zeros(counts.shape[0])
    a_year = year_days / _WEEK
    away = n_weeks - 1 - np.arange(n_weeks) + weeks_ahead
    usable = np.isfinite(variance) & (np.arange(n_weeks) >= _FIRST_WEEKS) & (forecast > 0)
    mean = np.where(usable, forecast, 1.0)
    error = np.where(usable, ((counts - mean) ** 2 - variance) / mean**2, 0.0)
    # The variance of a squared deviation is about twice the square of the variance, and its kurtosis adds its mean.
    noise = dispersion[:, None] / mean
    chance = 2.0 * noise**2 + dispersion[:, None] * noise**2 / mean
    asked = _Weeks(error, chance, np.round(away / a_year).astype(np.int_))
    here = (np.abs((away + a_year / 2) % a_year - a_year / 2) <= NEAR_WEEKS) & (away > a_year / 2)
    trusted = np.where(usable, weights, 0.0)
    pooled, pooled_chance = asked.error_of(trusted)
    near, near_chance = asked.error_of(trusted * here)
    again, again_chance = asked.winsorised(usable * here)
    near, near_chance = np.maximum(near, again), np.where(again > near, again_chance, near_chance)
    years = (usable & here).sum(axis=1) / (2 * NEAR_WEEKS + 1)
    part = years / (years + _POOL_YEARS)
    mixed = part * near + (1.0 - part) * pooled
    mixed_chance = part**2 * near_chance + (1.0 - part) ** 2 * pooled_chance
    shrunk = (mixed - np.sqrt(mixed_chance)) * _USUAL_ERROR**2 / (_USUAL_ERROR**2 + mixed_chance)
    found: FloatArray = np.clip(shrunk, 0.0, _MOST)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Weeks:
    """What each week of each series tells about the error, with the variance that chance gives it, and its year."""

    error: FloatArray
    chance: FloatArray
    year: NDArray[np.int_]

    def error_of(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the weighted mean error and its variance by chance; both 0 where no week has a weight."""
        first, _ = self._mean(weight, np.full(weight.shape[0], _USUAL_ERROR))
        return self._mean(weight, np.maximum(first, _USUAL_ERROR))

    def _mean(self, weight: FloatArray, usual: FloatArray) -> tuple[FloatArray, FloatArray]:
        part = weight / (self.chance + usual[:, None] ** 2)
        total = np.maximum(part.sum(axis=1), 1e-30)
        return (part * self.error).sum(axis=1) / total, (part**2 * self.chance).sum(axis=1) / total**2

    def winsorised(self, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the mean over years, the worst as bad as the second worst, and its variance; 0 with one year."""
        years = np.unique(self.year[(weight > 0).any(axis=0)])
        if years.size < _FEWEST_YEARS:
            return np.zeros(weight.shape[0]), np.zeros(weight.shape[0])
        each = [self.error_of(weight * (self.year == year)) for year in years]
        error = np.sort(np.stack([one[0] for one in each]), axis=0)
        error[-1] = error[-2]
        return error.mean(axis=0), np.stack([one[1] for one in each]).mean(axis=0) / years.size
