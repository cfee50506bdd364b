"""Sustained rises: the generalised likelihood ratio over windows of one to fourteen days, given what is usual.

For counts that rise a little and stay up, which no single day shows. Called by benchmarks and by whoever has a mean that
is already known (``detectors/baseline.py``). It must never be handed a mean fitted to the days it judges, nor be taken
for calibrated: the statistic is compared with a threshold that null histories set (``detectors/calibration.py``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.compiled import serial
from detectors.count_series import FloatArray, IntArray, checked_counts, checked_range, checked_whole

STOCK_THRESHOLD = 5.0
"""The threshold that R's charts have when nobody sets one."""

LEAST_EXPECTED = 1e-100
"""Smaller means say that an event is impossible, which no count can be compared with."""

_LEAST_ALPHA = 1e-10
"""A day whose variance exceeds its mean by less than this share of the squared mean is Poisson to double precision."""

_MOST_SHIFT = 100.0
"""A factor of e**100: with larger ones means overflow, and no ratio is left."""

_STEPS = 60
"""Bisection alone would be exact to double precision after as many; Newton needs about five."""


@dataclass(frozen=True, slots=True, eq=False)
class Glr:
    """The most likely rise that still lasts, for every day; each array has the shape (n_series, n_days).

    Attributes
    ----------
    statistic : ndarray of float64
        Logarithm of the likelihood ratio, maximised over windows that end on the day and over shifts upwards; 0 where
        no window is above its mean.
    window : ndarray of int64
        Days of the maximising window, the day itself included, the shortest of equals; 0 where there is none.
    kappa : ndarray of float64
        Logarithm of the relative increase in that window; at least 0.
    alarm : ndarray of bool
        Whether the statistic reaches the threshold. The chart is not started anew after an alarm: a rise that lasts
        is one alarm that lasts.
    """

    statistic: FloatArray
    window: IntArray
    kappa: FloatArray
    alarm: NDArray[np.bool_]


def glr(
    counts: ArrayLike,
    expected: ArrayLike,
    *,
    dispersion: ArrayLike | None = None,
    max_window: int = 14,
    threshold: float = STOCK_THRESHOLD,
    shift: float | None = None,
) -> Glr:
    """Compare every window that ends on each day with the same window raised by a common factor.

    Parameters
    ----------
    counts : array_like of int, shape (n_series, n_days)
        Events a day, oldest first, none left out.
    expected : array_like of float, shape (n_series, n_days) or one that spreads to it
        Mean of each count in control; above 0 (at least 1e-100).
    dispersion : array_like of float, optional, shape as ``expected``
        Variance over mean in control, at least 1: negative binomial of size ``expected / (dispersion - 1)``. Poisson
        when left out. For a variance of ``mu + alpha mu**2`` give ``1 + alpha * expected``.
    max_window : int
        Longest window in days; earlier days of a series have shorter ones.
    threshold : float
        Alarm where the statistic is at least this. The stock 5 is no false-alarm rate: on the 42 weekly scenarios of
        Noufaily et al. (2013) R's chart at stock settings raises an alarm in 4.2 % of the weeks in which nothing
        happened and finds 50.0 % of the outbreaks.
    shift : float, optional
        A log relative increase fixed beforehand (above 0); estimated for each window when left out.

    Returns
    -------
    Glr

    Raises
    ------
    ValueError
        If an argument has another shape, type or range; the message names it.

    Notes
    -----
    In control y_t has mean mu_t; after the change, mean ``mu_t exp(kappa)`` with the same size. The statistic of day n
    is ``max_w sup_{kappa >= 0} sum_{t = n - w + 1}^{n} log f(y_t; kappa) / f(y_t; 0)``: Hohle and Paul (2008), Comput.
    Stat. Data Anal. 52:4357, section 3 (Poisson and negative binomial, intercept shift). For Poisson counts with sums
    Y and M, kappa is ``log(Y / M)`` and the statistic ``Y log(Y / M) - (Y - M)``; for negative binomial ones the score
    ``sum (y_t - m_t) / (1 + alpha_t m_t)`` with ``m_t = mu_t exp(kappa)`` falls in kappa, and Newton steps kept within
    a bracket find its zero. Equal to R's ``algo.glrpois`` and ``algo.glrnb`` as black boxes.

    Examples
    --------
    >>> found = glr([[2, 1, 2, 2, 5, 4, 6]], 2.0)
    >>> int(found.window[0, -1]), round(float(np.exp(found.kappa[0, -1])), 2), bool(found.alarm[0, -1])
    (3, 2.5, False)
    """
    seen = checked_counts(counts)
    mean = checked_range(expected, seen.shape, name="expected", least=LEAST_EXPECTED)
    length = checked_whole(max_window, name="max_window", least=1)
    if not np.isfinite(threshold) or threshold <= 0:
        raise ValueError(f"threshold is {threshold!r}; wanted a finite number above 0")
    if shift is not None and not 0.0 < shift <= _MOST_SHIFT:
        raise ValueError(f"shift is {shift!r}; wanted a number above 0, at most {_MOST_SHIFT:g}")
    length = min(length, max(seen.shape[1], 1))
    if dispersion is None:
        statistic, window, kappa = _poisson(seen.astype(np.float64), mean, length, shift)
    else:
        spread = checked_range(dispersion, seen.shape, name="dispersion", least=1.0)
        alpha = (spread - 1.0) / mean
        statistic, window, kappa = negative_binomial(
            seen.astype(np.float64), mean.copy(), alpha, length, np.nan if shift is None else float(shift)
        )
    return Glr(statistic, window, kappa, statistic >= threshold)


def _poisson(
    seen: FloatArray, mean: FloatArray, length: int, shift: float | None
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Poisson counts, all series and days at once: running sums, one more day of the past with each step."""
    statistic, kappa = np.zeros(seen.shape), np.zeros(seen.shape)
    window = np.zeros(seen.shape, dtype=np.int64)
    found, usual = np.zeros(seen.shape), np.zeros(seen.shape)
    for days in range(1, length + 1):
        # The first days of a series have no longer window: they keep the one they have.
        whole = slice(days - 1, None)
        past = slice(None, seen.shape[1] - days + 1)
        found[:, whole] += seen[:, past]
        usual[:, whole] += mean[:, past]
        y, m = found[:, whole], usual[:, whole]
        rise = np.log(np.maximum(y, m) / m) if shift is None else np.full(y.shape, shift)
        ratio = y * rise - m * np.expm1(rise)
        better = ratio > statistic[:, whole]
        statistic[:, whole][better] = ratio[better]
        kappa[:, whole][better] = rise[better]
        window[:, whole][better] = days
    return statistic, window, kappa


@serial
def negative_binomial(  # noqa: C901, PLR0912 (one loop nest, compiled as one)
    seen: FloatArray, mean: FloatArray, alpha: FloatArray, length: int, shift: float
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Negative binomial counts with variance ``mean + alpha mean**2``; ``shift`` NaN: estimated.

    Arrays have the shape (n_series, n_days). A kernel: :func:`glr` has checked what it is given.
    """
    n_series, n_days = seen.shape
    statistic = np.zeros(seen.shape)
    window = np.zeros(seen.shape, dtype=np.int64)
    kappa = np.zeros(seen.shape)
    for i in range(n_series):
        for n in range(n_days):
            slope_at_0 = 0.0
            highest = 0.0
            start = 0.0
            for days in range(1, min(length, n + 1) + 1):
                first = n - days + 1
                slope_at_0 += (seen[i, first] - mean[i, first]) / (1.0 + alpha[i, first] * mean[i, first])
                if seen[i, first] > mean[i, first]:
                    highest = max(highest, np.log(seen[i, first] / mean[i, first]))
                rise = shift
                if np.isnan(shift):
                    if slope_at_0 <= 0.0:
                        continue
                    # The zero lies below the largest of the days' own rises.
                    low, high = 0.0, highest
                    rise = start if low < start < high else 0.5 * (low + high)
                    for _ in range(_STEPS):
                        slope, bend = 0.0, 0.0
                        for t in range(first, n + 1):
                            m = mean[i, t] * np.exp(rise)
                            below = 1.0 + alpha[i, t] * m
                            slope += (seen[i, t] - m) / below
                            bend += m * (1.0 + alpha[i, t] * seen[i, t]) / (below * below)
                        if slope > 0.0:
                            low = rise
                        else:
                            high = rise
                        step = slope / bend
                        there = rise + step
                        if not low <= there <= high:
                            there = 0.5 * (low + high)
                        small = abs(there - rise) <= 1e-12 * (1.0 + rise)
                        rise = there
                        if small:
                            break
                    start = rise
                ratio = 0.0
                for t in range(first, n + 1):
                    more = mean[i, t] * np.expm1(rise)
                    if alpha[i, t] < _LEAST_ALPHA:
                        ratio += seen[i, t] * rise - more
                    else:
                        grown = np.log1p(alpha[i, t] * more / (1.0 + alpha[i, t] * mean[i, t]))
                        ratio += seen[i, t] * rise - (seen[i, t] + 1.0 / alpha[i, t]) * grown
                if ratio > statistic[i, n]:
                    statistic[i, n] = ratio
                    window[i, n] = days
                    kappa[i, n] = rise
    return statistic, window, kappa
