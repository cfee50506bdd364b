"""The usual count of a weekly series in tocsin mode: a robust regression with a season, a slope and honest doubt.

Called by ``detectors/farrington_windows.py``. A log-linear model with a level, a slope and two harmonics is fitted to
the reference weeks by penalised quasi-likelihood. Three things are unlike the parity fit:

* Season and slope are drawn towards none by a prior (``SEASON_SD``, ``SLOPE_SD``): a series with thirty cases in five
  years keeps only what it can support, one with thousands keeps all (model choice by penalty, not by test).
* Weeks of past outbreaks weigh less, continuously, and what this takes from the mean and the variance of a series
  *without* outbreaks is computed from the law itself and put back (Cantoni and Ronchetti 2001, J. Am. Statist. Ass.
  96:1022, Fisher consistency), so that the dispersion is not too small under the null.
* The inverse information goes with the answer: what is not known about the mean widens the predictive law.
"""

# ruff: noqa: C901, PLR0912, PLR0915 (a kernel is one loop on purpose)

import math

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import serial
from detectors.farrington_reference import YEAR
from detectors.farrington_tails import point_probability

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

N_TERMS = 6
"""Level, slope a year, cosine and sine of one and of two turns a year."""

SEASON_SD = 0.5
"""Prior standard deviation of each harmonic's coefficient: a usual season multiplies by up to 1.6 at its height."""

SLOPE_SD = 0.25
"""Prior standard deviation of the slope: growth or decline by a quarter a year is usual, by a half is not."""

_POWER = 6
"""A week whose residual is r times the threshold weighs r to minus this: at twice the threshold next to nothing, as an
outbreak's week should, yet without the jump that makes an estimate hang on one case (Farrington's inverse square lets
three weeks at twice the threshold raise the dispersion by a twentieth). Of the powers 2, 4, 6 and 12 it was the one whose
realised rate came nearest to nominal on series like those of the weekly benchmark, made with seeds of our own."""

_NODES = 9
_STEPS = 30
_TOLERANCE = 1e-5


def terms_of(lags: IntArray) -> FloatArray:
    """Return the six terms of weeks that lie ``lags`` weeks back, shape (n_lags, 6)."""
    years = -np.asarray(lags, dtype=np.float64) / YEAR
    turn = 2.0 * np.pi * years
    return np.column_stack(
        [np.ones_like(years), years, np.cos(turn), np.sin(turn), np.cos(2 * turn), np.sin(2 * turn)]
    )


@serial
def anscombe(count: int, mean: float, phi: float) -> float:
    """Return the Anscombe residual of a count (Farrington et al. 1996, section 3.6), without leverage."""
    root = math.sqrt(mean)
    return 1.5 * root * (math.pow(count / mean, 2.0 / 3.0) - 1.0) / math.sqrt(phi)


@serial
def lost_to_weights(mean: float, phi: float, threshold: float) -> tuple[float, float]:
    """Return what the weights take from a null count's mean and variance: E[(1-v)(Y-m)] and E[(1-v)(Y-m)^2].

    v is ``min(1, (threshold / residual)**6)``; only counts beyond the threshold differ from weight 1.
    """
    edge = (1.0 + threshold * math.sqrt(phi / mean) / 1.5) ** 1.5 * mean
    count = math.floor(edge) + 1
    point = point_probability(count, mean, phi)
    first, second, excess = 0.0, 0.0, phi - 1.0
    for _ in range(400):
        residual = anscombe(count, mean, phi)
        off = count - mean
        part = point * (1.0 - (threshold / residual) ** _POWER) * off
        first += part
        second += part * off
        if not point * off * off > 1e-9 * second + 1e-300:
            break
        point *= (mean + count * excess) / (phi * (count + 1.0))
        count += 1
    return first, second


@serial
def _solve(matrix: FloatArray, vector: FloatArray) -> None:
    """Turn a positive definite matrix into its inverse and the vector into the solution (Gauss-Jordan, in place)."""
    n = vector.size
    for k in range(n):
        pivot = 1.0 / matrix[k, k]
        matrix[k, k] = 1.0
        for j in range(n):
            matrix[k, j] *= pivot
        vector[k] *= pivot
        for i in range(n):
            if i != k:
                factor = matrix[i, k]
                matrix[i, k] = 0.0
                for j in range(n):
                    matrix[i, j] -= factor * matrix[k, j]
                vector[i] -= factor * vector[k]


@serial
def fit_baseline(
    counts: IntArray, terms: FloatArray, threshold: float, season_sd: float, slope_sd: float
) -> tuple[FloatArray, FloatArray, float, float]:
    """Fit one series' reference weeks.

    Parameters
    ----------
    counts : ndarray of int64, shape (n_reference,)
    terms : ndarray of float64, shape (n_reference, 6)

    Returns
    -------
    coefficients : ndarray of float64, shape (6,)
    inverse : ndarray of float64, shape (6, 6)
        Inverse of the information: dispersion times it is the coefficients' covariance.
    phi : float
        Dispersion, not yet held at 1 or above.
    doubt : float
        Variance of its logarithm, by the normal law's rule 2 / freedom (the weights have cut the heavy tail).
    """
    n = counts.size
    total = counts.sum()
    beta = np.zeros(N_TERMS)
    # Half a case more: a series without any has a level all the same.
    beta[0] = math.log((total + 0.5) / n)
    inverse = np.zeros((N_TERMS, N_TERMS))
    score = np.zeros(N_TERMS)
    mean = np.empty(n)
    node_first, node_second = np.zeros(_NODES), np.zeros(_NODES)
    phi, freedom = 1.0, 1.0 * n
    for step in range(_STEPS):
        low, high = math.inf, -math.inf
        for i in range(n):
            eta = 0.0
            for k in range(N_TERMS):
                eta += beta[k] * terms[i, k]
            mean[i] = eta
            low, high = min(low, eta), max(high, eta)
        at_least_one = max(phi, 1.0)
        gap = max(high - low, 1e-6) / (_NODES - 1)
        for node in range(_NODES):
            lost = lost_to_weights(math.exp(low + node * gap), at_least_one, threshold)
            node_first[node], node_second[node] = lost
        inverse[:] = 0.0
        score[:] = 0.0
        square, kept = 0.0, 0.0
        for i in range(n):
            place = (mean[i] - low) / gap
            node = min(int(place), _NODES - 2)
            part = place - node
            mu = math.exp(mean[i])
            off = counts[i] - mu
            weight = 1.0
            if off > 0.0 and off * off > threshold * threshold * at_least_one * mu:
                weight = min(1.0, (threshold / anscombe(counts[i], mu, at_least_one)) ** _POWER)
            square += weight * off * off / mu
            kept += 1.0 - ((1.0 - part) * node_second[node] + part * node_second[node + 1]) / (
                at_least_one * mu
            )
            response = weight * off + (1.0 - part) * node_first[node] + part * node_first[node + 1]
            information = weight * mu
            for k in range(N_TERMS):
                score[k] += response * terms[i, k]
                scaled = information * terms[i, k]
                for m in range(k + 1):
                    inverse[k, m] += scaled * terms[i, m]
        for k in range(N_TERMS):
            for m in range(k):
                inverse[m, k] = inverse[k, m]
        # Degrees of freedom that the penalised terms really take are fewer than six; the difference is a per cent.
        freedom = max(kept - N_TERMS, 1.0)
        for k in range(1, N_TERMS):
            penalty = at_least_one / ((slope_sd if k == 1 else season_sd) ** 2)
            inverse[k, k] += penalty
            score[k] -= penalty * beta[k]
        _solve(inverse, score)
        largest = 0.0
        for k in range(N_TERMS):
            change = min(max(score[k], -1.0), 1.0)
            beta[k] += change
            largest = max(largest, abs(change))
        before = phi
        if step > 0:
            phi = max(square / freedom, 0.2)
        if step > 2 and largest < _TOLERANCE and abs(phi - before) < 1e-3 * phi:  # noqa: PLR2004 (settled)
            break
    return beta, inverse, phi, 2.0 / freedom
