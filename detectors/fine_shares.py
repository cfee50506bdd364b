"""Which part of a detection area's events each of its small areas has: counts shrunk to population.

The fusion detector learns them weekly, over all feeds together, because one feed says little about a place of 1,700
people. As in ``detectors/shares.py``: a place's rate relative to what its population would give is Gamma-Poisson,
posterior mean ``(nu + n) / (nu + E)`` (Clayton and Kaldor 1987, Biometrics 43:671, section 2.1), and how much places
truly differ, ``1 / nu``, is found by moments (Marshall 1991, Appl. Statist. 40:283, section 3).
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

CLUMPING = 1.5
"""Records are worth fewer people: one person is in several feeds, or calls again. A count is divided by this."""

_PRIOR_VARIANCE = 0.5
_PRIOR_EVENTS = 100.0
"""Before events are seen, places of a detection area are taken to differ by seven tenths of the mean."""

_LEAST_VARIANCE, _MOST_VARIANCE = 0.02, 5.0


def fine_shares(
    counts: FloatArray, population: FloatArray, area_of: NDArray[np.integer], n_areas: int
) -> tuple[FloatArray, FloatArray]:
    """Return each small area's share of its detection area's events and the Gamma shape of what is known about it.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_fine,)
        Events of all feeds.
    population : ndarray of float64, shape (n_fine,)
    area_of : ndarray of int, shape (n_fine,)
        The detection area of each.
    n_areas : int

    Returns
    -------
    shares : ndarray of float64, shape (n_fine,)
        Above 0; adds up to 1 in each detection area.
    shapes : ndarray of float64, shape (n_fine,)
        The squared relative error of a share is ``1 / shape``.

    Examples
    --------
    >>> import numpy as np
    >>> shares, _ = fine_shares(np.array([30.0, 0.0]), np.ones(2), np.zeros(2, dtype=int), 1)
    >>> bool(shares[0] > 0.8)
    True
    """
    people = np.maximum(population, 1e-9)
    held = np.bincount(area_of, weights=people, minlength=n_areas)
    alike = people / held[area_of]
    effective = counts / CLUMPING
    expected = np.bincount(area_of, weights=effective, minlength=n_areas)[area_of] * alike
    total = float(effective.sum())
    square = float((expected**2).sum())
    spread = float(((effective - expected) ** 2 - expected).sum())
    own = max(spread / square, 0.0) if square > 0 else 0.0
    variance = (total * own + _PRIOR_EVENTS * _PRIOR_VARIANCE) / (total + _PRIOR_EVENTS)
    nu = 1.0 / float(np.clip(variance, _LEAST_VARIANCE, _MOST_VARIANCE))
    shapes = nu + effective
    raw = alike * shapes / (nu + expected)
    return raw / np.bincount(area_of, weights=raw, minlength=n_areas)[area_of], shapes
