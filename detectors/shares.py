"""Which part of a jurisdiction's events each area has: counts shrunk to population, classes shrunk to their feed.

Only ``detectors/baseline.py`` calls this. An area's rate relative to what its population would give is Gamma-Poisson:
``theta ~ Gamma(nu, nu)``, ``n | theta ~ Poisson(theta E)``, so its posterior mean is ``(nu + n) / (nu + E)`` (Clayton and
Kaldor 1987, Biometrics 43:671, section 2.1). How much areas truly differ, ``1 / nu``, is found by moments (Marshall
1991, Appl. Statist. 40:283, section 3).
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_PRIOR_VARIANCE = 0.3
_PRIOR_EVENTS = 50.0
_LEAST_VARIANCE, _MOST_VARIANCE = 0.02, 5.0


def population_shares(populations: FloatArray) -> FloatArray:
    """Return each area's share of the people, shape (n_areas,).

    An area whose population nobody has said (NaN or 0) gets the mean of the others; when none is known all are equal.

    Raises
    ------
    ValueError
        If a population is negative or infinite.
    """
    given = np.asarray(populations, dtype=np.float64)
    if np.any(np.isinf(given)) or np.any(given < 0):
        raise ValueError("populations must not be negative or infinite")
    known = given > 0
    people = np.where(known, given, given[known].mean() if known.any() else 1.0)
    total = people.sum()
    shares: FloatArray = people / total if total > 0 else people
    return shares


def area_shares(counts: FloatArray, expected_share: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each area's share of the placed events and the Gamma shape of what is known about it.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_series, n_areas)
        Placed events, older ones discounted.
    expected_share : ndarray of float64, shape (n_areas,)
        The share that each area would have if all were alike; above 0, adds up to 1.

    Returns
    -------
    shares : ndarray of float64, shape (n_series, n_areas)
        Above 0; adds up to 1 in each series.
    shapes : ndarray of float64, shape (n_series, n_areas)
        ``nu + n``: the squared relative error of a share is ``1 / shape``.
    """
    total = counts.sum(axis=1, keepdims=True)
    expected = total * expected_share
    ratio = np.divide(counts, expected, out=np.ones_like(counts), where=expected > 0)
    n_areas = counts.shape[1]
    spread = ((ratio - 1.0) ** 2 * expected_share).sum(axis=1, keepdims=True)
    noise = n_areas / np.maximum(total, 1e-9)
    variance = np.maximum(spread - np.minimum(noise, 1e9), 0.0)
    variance = (total * variance + _PRIOR_EVENTS * _PRIOR_VARIANCE) / (total + _PRIOR_EVENTS)
    nu = 1.0 / np.clip(variance, _LEAST_VARIANCE, _MOST_VARIANCE)
    shapes = nu + counts
    raw = expected_share * shapes / (nu + expected)
    return raw / raw.sum(axis=1, keepdims=True), shapes
