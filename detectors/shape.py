"""Fit the log-linear shape of series: a penalised Poisson regression by Newton's method, one compiled loop.

Only ``detectors/baseline.py`` calls this. The penalty is the Gaussian prior of each coefficient; the spread of that
prior is itself learnt within limits, group by group. It draws no random number, and where the iteration begins changes
only how long it takes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import serial

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int_]

_SPREAD_STRENGTH = 4.0
"""Coefficients that the prior spread is worth when a group's own spread is learnt."""
_SPREAD_ROUNDS = 2
_WIDEST = 10.0
_MOSTLY = 0.5
_FLAT = 1e-6
"""Prior precision of the average: next to nothing is known about it beforehand."""
_SMALL_STEP = 1e-6
_MOST_STEPS = 60
_HALVINGS = 20
_LONGEST_STEP = 4.0
_LARGEST = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Fitted coefficients of one series.

    Attributes
    ----------
    average : float
        Log of the rate when every term is zero.
    terms : ndarray of float64, shape (n_terms,)
        Zero where a term was not active.
    covariance : ndarray of float64, shape (n_terms + 1, n_terms + 1)
        Posterior covariance, the average last; zero where a term was not active.
    """

    average: float
    terms: FloatArray
    covariance: FloatArray


def fit_shape(  # noqa: PLR0913 (a regression and its prior)
    counts: FloatArray,
    exposure: FloatArray,
    weights: FloatArray,
    terms: FloatArray,
    dispersion: float,
    *,
    spread: FloatArray,
    groups: IndexArray,
    start: FloatArray | None = None,
    rounds: int = _SPREAD_ROUNDS,
) -> Shape:
    """Return the maximum a-posteriori coefficients of one series.

    The quasi-likelihood ``sum weights (y eta - exposure exp(eta)) / dispersion`` (McCullagh and Nelder 1989, section
    9.2) less ``b**2 / (2 spread**2)`` for each coefficient. After each fit the squared spread of a group is replaced by
    ``(4 s0**2 + sum (b**2 + var b)) / (4 + n)`` in units of its prior ``s0`` (the EM step of a variance with an
    inverse-gamma prior worth four coefficients: Gelman et al. 2013, Bayesian Data Analysis, section 13.6), twice.
    That is what picks the number of waves: waves that a series does not need are shrunk away.

    Parameters
    ----------
    counts, exposure, weights : ndarray of float64, shape (n_days,)
        Events; what the count would be proportional to without any term; the trust in each day (0 to 1).
    terms : ndarray of float64, shape (n_days, n_terms)
    dispersion : float
        Variance over mean, at least 1.
    spread : ndarray of float64, shape (n_terms,)
        Prior standard deviation of each coefficient; 0 for one that is not active.
    groups : ndarray of int, shape (n_terms,)
        Terms of one group share the factor by which their spread changes; a negative group keeps its spread.
    start : ndarray of float64, shape (n_terms,), optional
        Where to begin.
    rounds : int
        How often the spreads are learnt anew.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.tile([4.0, 8.0], 500)
    >>> terms = np.tile([[0.0], [1.0]], (500, 1))
    >>> fitted = fit_shape(counts, np.ones(1000), np.ones(1000), terms, 1.0, spread=np.ones(1), groups=np.zeros(1, int))
    >>> np.round(np.exp(fitted.terms), 2).tolist()
    [2.0]
    """
    n_terms = terms.shape[1]
    active = np.flatnonzero(spread > 0)
    trusted = weights * exposure
    seen = weights * counts
    if seen.sum() <= 0 or trusted.sum() <= 0:
        return Shape(0.0, np.zeros(n_terms), np.zeros((n_terms + 1, n_terms + 1)))
    # Columns that are mostly zero come last: the loop skips them, and they then lengthen no other column's row.
    active = active[np.argsort((terms[:, active] == 0).mean(axis=0) > _MOSTLY, kind="stable")]
    columns = np.hstack([np.ones((terms.shape[0], 1)), terms[:, active]])
    guess = np.zeros(active.size + 1)
    if start is not None:
        guess[1:] = start[active]
    shape = np.exp(np.clip(columns @ guess, -_LARGEST, _LARGEST))
    guess[0] = np.log(seen.sum() / max((trusted * shape).sum(), 1e-300))
    prior = spread[active]
    group = groups[active]
    wide = prior
    covariance = np.zeros((active.size + 1, active.size + 1))
    for turn in range(rounds + 1):
        precision = np.append(_FLAT, wide**-2.0)
        guess, covariance = _newton(seen / dispersion, trusted / dispersion, columns, precision, guess)
        if turn < rounds:
            wide = _spreads(guess[1:], np.diag(covariance)[1:], prior, group)
    coefficients = np.zeros(n_terms)
    coefficients[active] = guess[1:]
    whole = np.zeros((n_terms + 1, n_terms + 1))
    at = np.append(n_terms, active)
    whole[np.ix_(at, at)] = covariance
    return Shape(float(guess[0]), coefficients, whole)


def _spreads(values: FloatArray, variances: FloatArray, prior: FloatArray, groups: IndexArray) -> FloatArray:
    square = (values**2 + variances) / prior**2
    kept = groups >= 0
    n = np.bincount(groups[kept])
    factor = (_SPREAD_STRENGTH + np.bincount(groups[kept], square[kept])) / (_SPREAD_STRENGTH + n)
    wide = prior.copy()
    wide[kept] = np.minimum(prior[kept] * np.sqrt(factor[groups[kept]]), _WIDEST)
    return wide


@serial
def _newton(  # noqa: C901, PLR0912, PLR0915 (one compiled loop: calls would cost what it saves)
    seen: FloatArray, trusted: FloatArray, columns: FloatArray, precision: FloatArray, start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Maximise ``sum seen eta - trusted exp(eta) - precision b**2 / 2``; return b and the inverse of the curvature."""
    n, p = columns.shape
    point = start.copy()
    trial = start.copy()
    step = np.zeros(p)
    gradient = np.zeros(p)
    curvature = np.zeros((p, p))
    factor = np.zeros((p, p))
    best = -np.inf
    size = 1.0
    halvings = 0
    for _ in range(_MOST_STEPS):
        # One pass over the days: value, gradient and curvature at the trial point.
        value = 0.0
        gradient[:] = 0.0
        curvature[:] = 0.0
        for t in range(n):
            row = columns[t]
            if trusted[t] <= 0.0:
                continue
            eta = 0.0
            for j in range(p):
                eta += row[j] * trial[j]
            mean = trusted[t] * np.exp(min(max(eta, -_LARGEST), _LARGEST))
            value += seen[t] * eta - mean
            rest = seen[t] - mean
            for j in range(p):
                if row[j] != 0.0:
                    gradient[j] += rest * row[j]
                    part = mean * row[j]
                    for k in range(j + 1):
                        curvature[j, k] += part * row[k]
        for j in range(p):
            value -= 0.5 * precision[j] * trial[j] ** 2
        if value < best - 1e-12 * abs(best) and halvings < _HALVINGS:
            size *= 0.5
            halvings += 1
            for j in range(p):
                trial[j] = point[j] + size * step[j]
            continue
        best = value
        halvings = 0
        point[:] = trial
        for j in range(p):
            gradient[j] -= precision[j] * point[j]
            curvature[j, j] += precision[j]
        # Cholesky, then two triangular solves.
        for j in range(p):
            for k in range(j + 1):
                total = curvature[j, k]
                for i in range(k):
                    total -= factor[j, i] * factor[k, i]
                factor[j, k] = np.sqrt(max(total, 1e-12)) if j == k else total / factor[k, k]
        for j in range(p):
            total = gradient[j]
            for i in range(j):
                total -= factor[j, i] * step[i]
            step[j] = total / factor[j, j]
        for j in range(p - 1, -1, -1):
            total = step[j]
            for i in range(j + 1, p):
                total -= factor[i, j] * step[i]
            step[j] = total / factor[j, j]
        longest = np.abs(step).max()
        if longest < _SMALL_STEP:
            # Newton's error is squared by each step: what is left after this one is rounding.
            for j in range(p):
                point[j] += step[j]
            break
        size = min(1.0, _LONGEST_STEP / longest) if longest > 0 else 1.0
        for j in range(p):
            trial[j] = point[j] + size * step[j]
    inverse = np.zeros((p, p))
    column = np.zeros(p)
    for c in range(p):
        for j in range(p):
            total = 1.0 if j == c else 0.0
            for i in range(j):
                total -= factor[j, i] * column[i]
            column[j] = total / factor[j, j]
        for j in range(p - 1, -1, -1):
            total = column[j]
            for i in range(j + 1, p):
                total -= factor[i, j] * column[i]
            column[j] = total / factor[j, j]
        for j in range(p):
            inverse[j, c] = column[j]
    return point, inverse
