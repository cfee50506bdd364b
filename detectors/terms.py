"""The calendar in a baseline: weekday, bank holiday and annual season, as columns of a log-linear rate.

Only ``detectors/baseline.py`` calls this. A series' *shape* is its rate relative to its own average; how high that
average stands just now is the *level* (``detectors/level.py``).
"""

from collections.abc import Collection
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.linear_model import PoissonRegressor
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

FloatArray = NDArray[np.float64]

N_TERMS = 12
"""Seven weekdays, bank holiday, and the cosine and sine of one and of two waves a year."""

_YEAR = 365.25
_WEEKDAYS = 7
_HOLIDAY = 7
_FIRST_WAVE = slice(8, 10)
_SECOND_WAVE = slice(10, 12)

# How far, on the log scale, each kind of term is expected to stray from nothing (one standard deviation of its
# Gaussian prior). Ambulance naloxone moves by a fifth between weekdays and by about a third between summer and winter.
_PRIOR_SPREAD = np.array([0.2] * _WEEKDAYS + [0.3] + [0.25] * 2 + [0.1] * 2)
_TREND_SPREAD = 0.3
"""A year's drift, on the log scale. Fitted beside the season so that growth is not read as season, then left out."""

_DAYS_FOR_ONE_WAVE = 364
_DAYS_FOR_TWO_WAVES = 728


def calendar_terms(first_day: date, n_days: int, holidays: Collection[date]) -> FloatArray:
    """Return the terms of ``n_days`` civil days, shape (n_days, 12)."""
    ordinals = first_day.toordinal() + np.arange(n_days)
    terms = np.zeros((n_days, N_TERMS))
    # date.toordinal() counts from a Monday.
    terms[np.arange(n_days), (ordinals - 1) % _WEEKDAYS] = 1.0
    for holiday in holidays:
        index = holiday.toordinal() - first_day.toordinal()
        if 0 <= index < n_days:
            terms[index, _HOLIDAY] = 1.0
    turn = 2 * np.pi * ordinals / _YEAR
    terms[:, 8], terms[:, 9] = np.cos(turn), np.sin(turn)
    terms[:, 10], terms[:, 11] = np.cos(2 * turn), np.sin(2 * turn)
    return terms


def fit_shape(
    counts: FloatArray, exposure: FloatArray, weights: FloatArray, terms: FloatArray, dispersion: float
) -> FloatArray:
    """Fit the calendar's coefficients of one series by penalised Poisson regression.

    The penalty is the Gaussian prior of each coefficient (spreads above), so a sparse series keeps a flat shape and a
    rich one shows its own. scikit-learn minimises the *mean* half deviance plus ``alpha / 2`` times the squared
    coefficients; on columns scaled by their prior spread the maximum a-posteriori estimate of an over-dispersed count
    therefore has ``alpha = dispersion / sum of weights`` (McCullagh and Nelder 1989, section 9.2, for the
    quasi-likelihood). One wave a year is fitted from 52 weeks of history on, two from 104.

    Parameters
    ----------
    counts, exposure, weights : ndarray of float64, shape (n_days,)
        Events; what the count would be proportional to without any calendar; the trust in each day (0 to 1).
    terms : ndarray of float64, shape (n_days, 12)
    dispersion : float
        Variance over mean, at least 1.

    Returns
    -------
    ndarray of float64, shape (12,)
        Zero where the history is too short, all zero when nothing was counted.
    """
    used = (exposure > 0) & (weights > 0)
    if not used.any() or counts[used].sum() <= 0:
        return np.zeros(N_TERMS)
    days = int(used.sum())
    active = np.ones(N_TERMS, dtype=bool)
    active[_FIRST_WAVE] = days >= _DAYS_FOR_ONE_WAVE
    active[_SECOND_WAVE] = days >= _DAYS_FOR_TWO_WAVES
    scaled = terms[used][:, active] * _PRIOR_SPREAD[active]
    if days >= _DAYS_FOR_ONE_WAVE:
        trend = (np.flatnonzero(used) / _YEAR)[:, None]
        scaled = np.hstack([scaled, (trend - trend.mean()) * _TREND_SPREAD])
    trust = exposure[used] * weights[used]
    model = PoissonRegressor(alpha=dispersion / trust.sum(), solver="newton-cholesky", tol=1e-6, max_iter=100)
    # A fit of a thousand days lasts under a millisecond; waking a second thread for it takes twenty times as long
    # whenever the machine has anything else to do.
    with (
        _threads().limit(limits=1, user_api="openmp"),
        config_context(assume_finite=True, skip_parameter_validation=True),
    ):
        model.fit(scaled, counts[used] / exposure[used], sample_weight=trust)
    coefficients = np.zeros(N_TERMS)
    coefficients[active] = model.coef_[: int(active.sum())] * _PRIOR_SPREAD[active]
    return coefficients


@cache
def _threads() -> ThreadpoolController:
    """Looking for the loaded libraries takes milliseconds, so it is done once."""
    return ThreadpoolController()
