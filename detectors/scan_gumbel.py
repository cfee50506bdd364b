"""How rare a score is, judged by the best scores of replicates: by rank, and by a Gumbel law fitted to them.

``detectors/scan.py`` uses it. With 999 replicates a rank cannot say less than 1 in 1,000; the Gumbel fit can, and
needs fewer replicates for the same accuracy (Abrams, Kulldorff and Kleinman 2010, Int. J. Health Geogr. 9:61). From 99
replicates it reads a true 365-day interval as anything from half a year to five: for display, never for paging.
"""

from dataclasses import dataclass
from math import exp, expm1, pi, sqrt

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Gumbel:
    """A Gumbel law of maxima.

    Attributes
    ----------
    location, scale : float
        ``P(max <= x) = exp(-exp(-(x - location) / scale))``.
    """

    location: float
    scale: float

    @classmethod
    def fitted(cls, maxima: FloatArray) -> "Gumbel":
        """Fit by moments, as Abrams et al. do: ``scale = sd sqrt(6) / pi``, ``location = mean - 0.5772 scale``.

        Parameters
        ----------
        maxima : ndarray of float64, shape (n_replicates,)
            At least two.

        Examples
        --------
        >>> law = Gumbel.fitted(np.array([1.0, 2.0, 3.0, 2.0]))
        >>> round(law.location, 3), round(law.scale, 3)
        (1.633, 0.637)
        """
        if maxima.size < 2:  # noqa: PLR2004 (a spread needs two values)
            raise ValueError(f"maxima must hold at least 2 replicates, not {maxima.size}")
        scale = float(maxima.std(ddof=1)) * sqrt(6.0) / pi
        return cls(float(maxima.mean()) - _EULER * scale, scale)

    def survival(self, score: float) -> float:
        """Return the probability that the best score of a look reaches ``score`` by chance."""
        if self.scale <= 0:
            return 1.0 if score <= self.location else 0.0
        return -expm1(-exp(min(-(score - self.location) / self.scale, 700.0)))


def rank_p_value(score: float, maxima: FloatArray) -> float:
    """Return (1 + replicates at least as good) / (1 + replicates), Dwass's exact Monte Carlo p-value."""
    at_least = int(np.count_nonzero(maxima >= score - 1e-9 * (1.0 + abs(score))))
    return (1 + at_least) / (1 + maxima.size)
