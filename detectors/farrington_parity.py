"""Farrington flexible exactly as the R package fits it, in closed form: the kernel of parity mode.

Called by ``detectors/farrington.py`` only, which checks every argument. Never to be made better: where the method is
odd, so is this; ``detectors/farrington_windows.py`` is where its faults are mended.

The model of Noufaily et al. (2013) has one level for each of ten seasonal groups and one slope in time. So one step of
iteratively reweighted least squares needs no matrix: given the slope, each level is a group's weighted mean, and the
slope a ratio of two sums over groups. The unweighted sums of exp(slope * week) over a group depend on no count at all
and are built from runs of consecutive weeks; the few weeks that are weighted down are put right one by one. What R's
answers carry of the last iteration (working weights one step behind the mean) is carried here too.
"""

# ruff: noqa: FBT001, FBT003, PLR0913, PLR0917, PLR0915, C901 (kernels take everything, their scratch too, by position)

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from detectors.compiled import parallel, serial
from detectors.farrington_reference import TABLED
from detectors.farrington_tails import upper_quantile, upper_tail

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_TOLERANCE = 1e-8
_ITERATIONS = 25
"""When R's ``glm`` stops: a relative change of the deviance, or so many iterations (its documented defaults)."""

_START = 0.1
"""R's first guess of a mean is the count plus this (documented for its Poisson family)."""


@serial
def _unweighted_sums(slope: float, runs: IntArray, centre: float, sums: FloatArray) -> None:
    """Fill ``sums[group]`` with the sums of e, e i and e i**2, where e = exp(slope * i) and i the centred week."""
    longest = 0
    for run in range(runs.shape[0]):
        longest = max(longest, runs[run, 1])
    within = np.zeros((longest + 1, 4))
    step = math.exp(slope)
    within[0, 3] = 1.0
    for j in range(longest):
        power = within[j, 3]
        within[j + 1, 0] = within[j, 0] + power
        within[j + 1, 1] = within[j, 1] + power * j
        within[j + 1, 2] = within[j, 2] + power * (j * j)
        within[j + 1, 3] = power * step
    sums[:] = 0.0
    # The runs follow one another without a gap, so each starts where the growth over the last one ends.
    e = math.exp(-slope * centre)
    for run in range(runs.shape[0]):
        length, group = runs[run, 1], runs[run, 2]
        i = runs[run, 0] - centre
        w0, w1, w2 = within[length, 0], within[length, 1], within[length, 2]
        sums[group, 0] += e * w0
        sums[group, 1] += e * (i * w0 + w1)
        sums[group, 2] += e * (i * (i * w0 + 2.0 * w1) + w2)
        e *= within[length, 3]


@serial
def _step(sums: FloatArray, response: FloatArray, cross: float, level: FloatArray, trend: bool) -> float:
    """Solve one weighted least-squares step: fill ``level`` and return the slope.

    ``sums`` holds each group's weights, weights times week, weights times week squared; ``response`` the weighted sum
    of the working response of each group and ``cross`` that of response times week over all.
    """
    n_groups = level.size
    slope = 0.0
    if trend:
        spread = 0.0
        for g in range(n_groups):
            mean_week = sums[g, 1] / sums[g, 0]
            spread += sums[g, 2] - mean_week * sums[g, 1]
            cross -= mean_week * response[g]
        slope = cross / spread
    for g in range(n_groups):
        level[g] = (response[g] - slope * sums[g, 1]) / sums[g, 0]
    return slope


@serial
def _fit(
    counts: IntArray,
    runs: IntArray,
    marked: IntArray,
    deficit: FloatArray,
    n_marked: int,
    gamma: float,
    tables: FloatArray,
    level: FloatArray,
    before: FloatArray,
    sums: FloatArray,
    trend: bool,
) -> tuple[float, float, bool]:
    """Fit by iteratively reweighted least squares; every week weighs ``gamma``, less ``deficit`` for marked ones.

    Fills ``level`` (one per group), ``before`` (the levels one iteration earlier) and ``sums`` (the last iteration's
    weights of :func:`_step`); returns the slope, the slope one iteration earlier, and whether it converged.
    """
    n, n_groups = counts.size, level.size
    centre = 0.5 * (n - 1)
    total = np.zeros(n_groups)
    response = np.zeros(n_groups)
    sums[:] = 0.0
    total_cross, cross, constant, deviance = 0.0, 0.0, 0.0, 0.0
    next_marked = 0
    for run in range(runs.shape[0]):
        first, length, g = runs[run, 0], runs[run, 1], runs[run, 2]
        s0, s1, s2, r0, t0 = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(first, first + length):
            y = counts[k]
            weight = gamma
            if next_marked < n_marked and marked[next_marked] == k:
                weight -= deficit[next_marked]
                next_marked += 1
            i = k - centre
            if y < TABLED:
                start, own, gap = tables[y, 1], tables[y, 2], tables[y, 3]
            else:
                start = (y + _START) * math.log(y + _START) - _START
                own = y * math.log(y) - y
                gap = y * math.log(y / (y + _START)) + _START
            w, working, cases = weight * (y + _START), weight * start, weight * y
            s0 += w
            s1 += w * i
            s2 += w * i * i
            r0 += working
            cross += working * i
            t0 += cases
            total_cross += cases * i
            constant += weight * own
            deviance += weight * gap
        sums[g, 0] += s0
        sums[g, 1] += s1
        sums[g, 2] += s2
        response[g] += r0
        total[g] += t0
    deviance *= 2.0
    slope, slope_before = 0.0, 0.0
    for iteration in range(_ITERATIONS):
        slope_before = slope
        before[:] = level
        if iteration > 0:
            # The working response is eta - 1 + y / mu: its weighted sums need the counts only through their totals.
            cross = total_cross
            for g in range(n_groups):
                response[g] = total[g] + (level[g] - 1.0) * sums[g, 0] + slope * sums[g, 1]
                cross += (level[g] - 1.0) * sums[g, 1] + slope * sums[g, 2]
        last = sums.copy()
        slope = _step(sums, response, cross, level, trend)
        if iteration == 0:
            slope_before = slope
            before[:] = level
        _unweighted_sums(slope, runs, centre, sums)
        sums *= gamma
        for m in range(n_marked):
            g, i = runs_group(runs, marked[m]), marked[m] - centre
            e = deficit[m] * math.exp(slope * i)
            sums[g, 0] -= e
            sums[g, 1] -= e * i
            sums[g, 2] -= e * i * i
        new = constant - slope * total_cross
        for g in range(n_groups):
            rate = math.exp(level[g])
            sums[g, 0] *= rate
            sums[g, 1] *= rate
            sums[g, 2] *= rate
            new += sums[g, 0] - level[g] * total[g]
        new *= 2.0
        if abs(new - deviance) < _TOLERANCE * (abs(new) + _START):
            sums[:] = last
            return slope, slope_before, True
        deviance = new
    return slope, slope_before, False


@serial
def runs_group(runs: IntArray, week: int) -> int:
    """Return the group of a reference week."""
    low, high = 0, runs.shape[0] - 1
    while low < high:
        middle = (low + high + 1) // 2
        if runs[middle, 0] <= week:
            low = middle
        else:
            high = middle - 1
    return int(runs[low, 2])


@serial
def fit_reference(
    counts: IntArray, runs: IntArray, tables: FloatArray, threshold: float, trend: bool, reweight: bool
) -> tuple[float, float, bool]:
    """Fit, weight past outbreaks down by their Anscombe residuals, fit again (Noufaily et al. 2013, section 2).

    Parameters
    ----------
    counts : ndarray of int64, shape (n_reference,)
    runs : ndarray of int64, shape (n_runs, 3)
        First index, length and group of each run of weeks (``detectors/farrington_reference.py``).
    tables : ndarray of float64
        Functions of small counts, from the same module.

    Returns
    -------
    expected, dispersion : float
    converged : bool
    """
    n = counts.size
    n_groups = 1 + runs[:, 2].max()
    centre = 0.5 * (n - 1)
    freedom = n - n_groups - (1 if trend else 0)
    level, before, sums = np.zeros(n_groups), np.zeros(n_groups), np.zeros((n_groups, 3))
    marked, deficit = np.zeros(n, dtype=np.int64), np.zeros(n)
    n_marked, gamma = 0, 1.0
    mean, weight = np.empty(n), np.empty(n)
    phi = 1.0
    slope = 0.0
    for attempt in range(2 if reweight else 1):
        slope, slope_before, converged = _fit(
            counts, runs, marked, deficit, n_marked, gamma, tables, level, before, sums, trend
        )
        if not converged and attempt == 0:
            return math.nan, math.nan, False
        # Pearson residuals with the last iteration's working weights, as R's summary has them.
        growth, growth_before = math.exp(slope), math.exp(slope_before)
        square = 0.0
        e, e_before = math.exp(-slope * centre), math.exp(-slope_before * centre)
        for run in range(runs.shape[0]):
            first, length, g = runs[run, 0], runs[run, 1], runs[run, 2]
            rate, rate_before = math.exp(level[g]), math.exp(before[g])
            for k in range(first, first + length):
                mu, w = rate * e, rate_before * e_before
                mean[k], weight[k] = mu, w
                residual = (counts[k] - mu) / mu
                square += w * residual * residual
                e *= growth
                e_before *= growth_before
        square *= gamma
        for m in range(n_marked):
            k = marked[m]
            residual = (counts[k] - mean[k]) / mean[k]
            square -= deficit[m] * weight[k] * residual * residual
        phi = max(1.0, square / freedom)
        if attempt == 1 or not reweight:
            break
        n_marked, gamma = _mark(
            counts, runs, tables, mean, weight, sums, phi, threshold, marked, deficit, trend
        )
    expected = math.exp(level[0] + slope * (_now(runs, n) - centre))
    return expected, phi, True


@serial
def _now(runs: IntArray, n: int) -> int:
    """Return the index of the week under test: the excluded weeks follow the last reference week."""
    return n + int(runs[0, 3])


@serial
def _mark(
    counts: IntArray,
    runs: IntArray,
    tables: FloatArray,
    mean: FloatArray,
    weight: FloatArray,
    sums: FloatArray,
    phi: float,
    threshold: float,
    marked: IntArray,
    deficit: FloatArray,
    trend: bool,
) -> tuple[int, float]:
    """Find the weeks with an Anscombe residual above the threshold; they weigh by its inverse square.

    Fills ``marked`` and ``deficit`` and returns how many there are and the weight of all others, by which the weights
    sum to the number of weeks (Farrington et al. 1996, section 3.6).
    """
    n, n_groups = counts.size, sums.shape[0]
    centre = 0.5 * (n - 1)
    limit = threshold * threshold * phi
    spread = 0.0
    for g in range(n_groups):
        spread += sums[g, 2] - sums[g, 1] * sums[g, 1] / sums[g, 0]
    n_marked, total = 0, 0.0
    for run in range(runs.shape[0]):
        g = runs[run, 2]
        for k in range(runs[run, 0], runs[run, 0] + runs[run, 1]):
            excess = counts[k] - mean[k]
            if excess <= 0.0:
                continue
            from_middle = k - centre - sums[g, 1] / sums[g, 0]
            leverage = weight[k] / sums[g, 0]
            if trend:
                leverage += weight[k] * from_middle * from_middle / spread
            # By concavity the Anscombe residual is never above Pearson's: most weeks need no power.
            if excess * excess <= limit * (1.0 - leverage) * mean[k]:
                continue
            y = counts[k]
            power = tables[y, 0] if y < TABLED else y ** (2.0 / 3.0)
            root = math.sqrt(mean[k])
            residual = 1.5 * root * (power * mean[k] ** (-2.0 / 3.0) - 1.0)
            scaled = residual * residual / (phi * (1.0 - leverage))
            if residual > 0.0 and scaled > threshold * threshold:
                marked[n_marked] = k
                deficit[n_marked] = 1.0 / scaled
                total += 1.0 / scaled
                n_marked += 1
    gamma = n / (n - n_marked + total)
    for m in range(n_marked):
        deficit[m] = gamma * (1.0 - deficit[m])
    return n_marked, gamma


@serial
def _series(
    counts: IntArray,
    weeks: IntArray,
    runs: IntArray,
    tables: FloatArray,
    threshold: float,
    alpha: float,
    deviate: float,
    cases: int,
    period: int,
    out: FloatArray,
    reweight: bool,
) -> None:
    """Judge the weeks of one series; ``out[:, j]`` is expected, dispersion, upper, exact tail and alarm of week j."""
    n = runs[-1, 0] + runs[-1, 1]
    left_out = runs[0, 3]
    for j in range(weeks.size):
        week = weeks[j]
        last = week - left_out
        reference = counts[last - n : last]
        mean, phi, converged = fit_reference(reference, runs, tables, threshold, True, reweight)
        if not converged or mean > reference.max():
            # An extrapolation above all that was ever seen is not believed (Farrington et al. 1996, section 3.2).
            mean, phi, converged = fit_reference(reference, runs, tables, threshold, False, reweight)
        out[:, j] = math.nan
        out[4, j] = 0.0
        if not converged:
            continue
        y = counts[week]
        out[0, j], out[1, j] = mean, phi
        out[3, j] = upper_tail(y, mean, phi)[0]
        if counts[max(week - period + 1, 0) : week + 1].sum() >= cases:
            upper = upper_quantile(alpha, deviate, mean, phi)
            out[2, j] = upper
            out[4, j] = 1.0 if y > upper else 0.0


@serial
def judge_serial(
    counts: IntArray,
    weeks: IntArray,
    runs: IntArray,
    tables: FloatArray,
    threshold: float,
    alpha: float,
    deviate: float,
    cases: int,
    period: int,
    reweight: bool,
) -> FloatArray:
    """Judge every series in the calling thread; the answer has the shape (n_series, 5, n_evaluated)."""
    out = np.empty((counts.shape[0], 5, weeks.size))
    for s in range(counts.shape[0]):
        _series(counts[s], weeks, runs, tables, threshold, alpha, deviate, cases, period, out[s], reweight)
    return out


@parallel
def judge_parallel(
    counts: IntArray,
    weeks: IntArray,
    runs: IntArray,
    tables: FloatArray,
    threshold: float,
    alpha: float,
    deviate: float,
    cases: int,
    period: int,
    reweight: bool,
) -> FloatArray:
    """Judge every series, the series shared among the cores: the same answer as :func:`judge_serial`."""
    out = np.empty((counts.shape[0], 5, weeks.size))
    for s in prange(counts.shape[0]):
        _series(counts[s], weeks, runs, tables, threshold, alpha, deviate, cases, period, out[s], reweight)
    return out
