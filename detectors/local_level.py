"""The rate of a period before its own records speak: a level that wanders, learnt from the periods before.

Only ``detectors/nowcast.py`` calls this. It is the discounted Gamma-Poisson level of ``detectors/level.py``, here for one
series whose newest periods are incomplete and with room for periods that differ by more than chance.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import gammaln

from detectors.count_series import FloatArray, IntArray

HALF_LIVES = np.array([1.0, 2.0, 4.0, 8.0, 13.0, 26.0, 52.0, 104.0])
"""Periods: how long a level lasts."""

SPREADS = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0])
"""Squared relative deviation of a period's rate from the level."""

_HALF_EVENT = 0.5
"""Jeffreys' prior of a Poisson rate, Gamma(1/2, 0), placed at the average of what is known."""


@dataclass(frozen=True, slots=True, eq=False)
class LevelBefore:
    """What each period's rate was taken to be before it: Gamma, negative binomial counts.

    Attributes
    ----------
    mean, size : ndarray of float64, shape (n_periods,)
        Events, and the Gamma's shape.
    half_life, spread : float
        The pair under which the complete periods would have been foretold best.
    """

    mean: FloatArray
    size: FloatArray
    half_life: float
    spread: float

    @classmethod
    def learnt(
        cls, seen: IntArray, exposure: FloatArray, usual: FloatArray, complete: NDArray[np.bool_]
    ) -> Self:
        """Learn from counts of shape (n_periods,).

        Parameters
        ----------
        seen : ndarray of int64
            Events known by now.
        exposure : ndarray of float64
            ``usual`` times the share that is known by now.
        usual : ndarray of float64
            What the period usually has against others.
        complete : ndarray of bool
            Whether all of a period is known: only such periods judge how well they were foretold.
        """
        average = (float(seen.sum()) + _HALF_EVENT) / max(float(exposure.sum()), 1e-12)
        best, chosen = -np.inf, cls(usual * average, np.full(seen.shape, _HALF_EVENT), np.inf, 0.0)
        judged = np.flatnonzero(complete)
        for half_life in HALF_LIVES:
            keep = 0.5 ** (1.0 / half_life)
            events, basis = (
                np.maximum(lfilter([0.0, keep], [1.0, -keep], item), 0.0) if item.size else item
                for item in (seen.astype(np.float64), exposure)
            )
            shape = events + _HALF_EVENT
            mean = usual * shape / (basis + _HALF_EVENT / average)
            for spread in SPREADS:
                size = 1.0 / (1.0 / shape + spread)
                support = _log_probability(seen[judged], mean[judged], size[judged])
                if support > best:
                    best, chosen = support, cls(mean, size, float(half_life), float(spread))
        return chosen


def _log_probability(seen: IntArray, mean: FloatArray, size: FloatArray) -> float:
    """Return the log of the negative binomial probability of the counts, their factorials left out."""
    part = gammaln(seen + size) - gammaln(size) - size * np.log1p(mean / size)
    return float(np.sum(part + seen * (np.log(mean) - np.log(mean + size))))
