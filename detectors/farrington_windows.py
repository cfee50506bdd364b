"""Tocsin mode of Farrington flexible: the newest one, two and three weeks, judged together by one calibrated p-value.

Called by ``detectors/farrington.py`` only, which checks every argument. For each week the baseline
(``detectors/farrington_baseline.py``) gives a predictive law; each window's count has a mid-p under it; the smallest of
them, each divided by the window's weight, is the statistic. Its own null probability is then *computed*, by adding up
the joint law of the three weeks over all outcomes that are less surprising, so that no rule for small counts is needed
and discreteness is not hidden: beside the mid-p stands the exact tail.

Windows of two and three weeks count only while the newest week is above what is usual: they should say that an
outbreak goes on, not that there was one.
"""

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from detectors.compiled import parallel, serial
from detectors.farrington_baseline import N_TERMS, fit_baseline
from detectors.farrington_tails import point_probability, upper_quantile, upper_tail

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_WINDOWS = 3

WEIGHTS = (1.0, 1.0, 0.125)
"""How the chance of a false alarm is shared by the windows of one, two and three weeks: the first two alike, the third
an eighth, because it sounds on for longest after an outbreak has ended. An eighth and not a quarter after a run of the
weekly benchmark in which a quarter was too slow; seeds of later runs were not used to choose it."""

DEVIATE = 2.5758293035489004
"""Where the doubt about the dispersion matters: the normal quantile of .995."""

_WIDEST = 3000
"""Counts up to here are added up one by one; above, the windows' weights are added (Bonferroni), which is safe."""

_LEAST = 1e-9
"""Below this one minus a sum has no digits left; twice the windows' weights bound the exact probability instead."""

_BELIEVED = 4.0
"""An extrapolation above so many times the greatest count ever seen is cut there."""

_SAME = 1e-9


@serial
def _mid(count: int, mean: float, phi: float) -> float:
    tail, point = upper_tail(count, mean, phi)
    return tail - 0.5 * point


@serial
def _critical(level: float, mean: float, phi: float) -> int:
    """Return the least count whose mid-p is at or below the level."""
    if level >= 1.0:
        return 0
    # A normal deviate good enough to start the search from (Abramowitz and Stegun 26.2.23).
    small = min(max(level, 1e-300), 1.0 - level)
    root = math.sqrt(-2.0 * math.log(max(small, 1e-300)))
    deviate = root - (2.515517 + root * (0.802853 + root * 0.010328)) / (
        1.0 + root * (1.432788 + root * (0.189269 + root * 0.001308))
    )
    if level > 0.5:  # noqa: PLR2004 (the upper half of the normal law)
        deviate = -deviate
    count = upper_quantile(level, deviate, mean, phi)
    while _mid(count, mean, phi) > level:
        count += 1
    while count > 0 and _mid(count - 1, mean, phi) <= level:
        count -= 1
    return count


@serial
def joint_tail(smallest: float, means: FloatArray, window_phi: FloatArray, phi: float) -> float:
    """Return the null probability that the statistic is at or below ``smallest``.

    ``means`` are the newest week's mean, the one's before and the one's before that; the weeks are independent with
    variance ``phi`` times the mean, the critical counts those of the windows' own laws.
    """
    if smallest < _LEAST:
        return 2.0 * smallest * (WEIGHTS[0] + WEIGHTS[1] + WEIGHTS[2])
    critical = np.zeros(N_WINDOWS, dtype=np.int64)
    if means.sum() > _WIDEST:
        return min(1.0, smallest * (WEIGHTS[0] + WEIGHTS[1] + WEIGHTS[2]))
    total = 0.0
    for window in range(N_WINDOWS):
        total += means[window]
        critical[window] = _critical(smallest * WEIGHTS[window], total, window_phi[window])
    if critical[0] == 0:
        return 1.0
    if critical.max() > _WIDEST:
        return min(1.0, smallest * (WEIGHTS[0] + WEIGHTS[1] + WEIGHTS[2]))
    # The distribution of the oldest week, for windows of three.
    n = critical[2] + 1
    below = np.zeros(n + 1)
    _fill(below, n, means[2], phi)
    for k in range(1, n + 1):
        below[k] += below[k - 1]
    middle = np.zeros(critical[1] + 1)
    _fill(middle, critical[1], means[1], phi)
    newest = np.zeros(critical[0] + 1)
    _fill(newest, critical[0], means[0], phi)
    quiet = 0.0
    for y in range(critical[0]):
        if y <= means[0]:
            quiet += newest[y + 1]
            continue
        inner = 0.0
        for before in range(min(critical[1] - y, critical[2] - y)):
            inner += middle[before + 1] * below[critical[2] - y - before]
        quiet += newest[y + 1] * inner
    return min(max(1.0 - quiet, 0.0), 1.0)


@serial
def _fill(probabilities: FloatArray, n: int, mean: float, phi: float) -> None:
    """Put P(X = k) into ``probabilities[k + 1]`` for k below n, outwards from the likeliest count."""
    if n <= 0:
        return
    excess = phi - 1.0
    start = min(int(mean), n - 1)
    centre = point_probability(start, mean, phi)
    probabilities[start + 1] = centre
    point = centre
    for k in range(start, n - 1):
        point *= (mean + k * excess) / (phi * (k + 1.0))
        probabilities[k + 2] = point
    point = centre
    for k in range(start, 0, -1):
        point *= k * phi / (mean + (k - 1.0) * excess)
        probabilities[k] = point


@serial
def _statistic(newest: int, second: int, third: int, means: FloatArray, window_phi: FloatArray) -> float:
    smallest = _mid(newest, means[0], window_phi[0]) / WEIGHTS[0]
    if newest > means[0]:
        two = _mid(newest + second, means[0] + means[1], window_phi[1]) / WEIGHTS[1]
        three = _mid(newest + second + third, means[0] + means[1] + means[2], window_phi[2]) / WEIGHTS[2]
        smallest = min(smallest, two, three)
    return smallest


@serial
def combined(
    newest: int, second: int, third: int, means: FloatArray, window_phi: FloatArray, phi: float
) -> tuple[float, float]:
    """Return the mid-p and the exact p-value of three weeks' counts, the newest first."""
    smallest = _statistic(newest, second, third, means, window_phi)
    exact = joint_tail(smallest * (1.0 + _SAME), means, window_phi, phi)
    strict = joint_tail(smallest * (1.0 - _SAME), means, window_phi, phi)
    return 0.5 * (exact + min(strict, exact)), exact


@serial
def _series(
    counts: IntArray,
    weeks: IntArray,
    lags: IntArray,
    terms: FloatArray,
    now: FloatArray,
    settings: FloatArray,
    out: FloatArray,
) -> None:
    """Judge the weeks of one series; ``out[:, j]``: expected, dispersion, upper, mid-p, exact p, alarm of week j."""
    threshold, alpha, season_sd, slope_sd = settings
    n, left_out = lags.size, lags[-1] - 1
    means, window_phi = np.zeros(N_WINDOWS), np.zeros(N_WINDOWS)
    towards = np.zeros(N_TERMS)
    for j in range(weeks.size):
        week = weeks[j]
        last = week - left_out
        beta, inverse, fitted, doubt = fit_baseline(
            counts[last - n : last], terms, threshold, season_sd, slope_sd
        )
        base = max(fitted, 1.0)
        # A law mixed over log phi is, where it matters, the law with log phi moved by half its variance times the
        # slope of the log tail, which is half the squared deviate.
        known = max(base * math.exp(0.25 * doubt * DEVIATE * DEVIATE), 1.0)
        highest = math.log(_BELIEVED * (counts[last - n : last].max() + 0.5))
        towards[:] = 0.0
        total = 0.0
        for window in range(N_WINDOWS):
            eta = 0.0
            for k in range(N_TERMS):
                eta += beta[k] * now[window, k]
            means[window] = math.exp(min(eta, highest))
            total += means[window]
            variance = 0.0
            for k in range(N_TERMS):
                towards[k] += means[window] * now[window, k]
            for k in range(N_TERMS):
                for m in range(N_TERMS):
                    variance += towards[k] * inverse[k, m] * towards[m]
            # Variance of the sum's mean over the sum: what not knowing the mean adds to the dispersion.
            window_phi[window] = known + base * variance / total
        joint_phi = window_phi[1]
        y, second, third = counts[week], counts[week - 1], counts[week - 2]
        mid, exact = combined(y, second, third, means, window_phi, joint_phi)
        # Bisection: the p-value falls as the newest count grows.
        low, high = -1, upper_quantile(0.1 * alpha, 3.3, means[0], window_phi[0]) + 1
        if mid <= alpha:
            high = min(high, y)
        else:
            low = y
            high = max(high, y + 1)
        while high - low > 1:
            half = (low + high) // 2
            if combined(half, second, third, means, window_phi, joint_phi)[0] <= alpha:
                high = half
            else:
                low = half
        out[0, j], out[1, j], out[2, j] = means[0], base, low
        out[3, j], out[4, j], out[5, j] = mid, exact, 1.0 if mid <= alpha else 0.0


@serial
def windows_serial(
    counts: IntArray,
    weeks: IntArray,
    lags: IntArray,
    terms: FloatArray,
    now: FloatArray,
    settings: FloatArray,
) -> FloatArray:
    """Judge every series in the calling thread; the answer has the shape (n_series, 6, n_evaluated)."""
    out = np.empty((counts.shape[0], 6, weeks.size))
    for s in range(counts.shape[0]):
        _series(counts[s], weeks, lags, terms, now, settings, out[s])
    return out


@parallel
def windows_parallel(
    counts: IntArray,
    weeks: IntArray,
    lags: IntArray,
    terms: FloatArray,
    now: FloatArray,
    settings: FloatArray,
) -> FloatArray:
    """Judge every series, the series shared among the cores: the same answer as :func:`windows_serial`."""
    out = np.empty((counts.shape[0], 6, weeks.size))
    for s in prange(counts.shape[0]):
        _series(counts[s], weeks, lags, terms, now, settings, out[s])
    return out
