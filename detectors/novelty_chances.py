"""How likely a share of samples, or a gap without a find, is under a class's own past: beta-binomial, Gamma-Poisson.

Arithmetic for ``detectors/novelty.py`` and what it learns. A class's share is Beta distributed; of ``trials`` samples
the number that hold it is then beta-binomial (Johnson, Kemp and Kotz 2005, *Univariate Discrete Distributions*, section
6.2.2). Nothing here knows a feed, a class or a day.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln

FloatArray = NDArray[np.float64]

_CENTRAL = (0.025, 0.975)
_SMALLEST = 1e-300
_LEAST_CONCENTRATION = 1.0
"""However much months differ, samples of one month are not taken to be copies of each other."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What was to be expected of a number of samples, and how unusual the number that was found is.

    Attributes
    ----------
    expected : float
    interval : tuple of float
        The central 95 % of the number of finds.
    p_value : float
        Mid-p of at least so many.
    """

    expected: float
    interval: tuple[float, float]
    p_value: float


def log_beta_binomial(
    found: FloatArray, trials: FloatArray, alpha: FloatArray, beta: FloatArray
) -> FloatArray:
    """Return the log probability of ``found`` among ``trials``; all broadcast, none need be whole numbers."""
    value: FloatArray = (
        gammaln(trials + 1.0)
        - gammaln(found + 1.0)
        - gammaln(trials - found + 1.0)
        + betaln(found + alpha, trials - found + beta)
        - betaln(alpha, beta)
    )
    return value


def chance_of(found: int, trials: int, alpha: float, beta: float) -> Chance:
    """Return how unusual ``found`` of ``trials`` is when the share is Beta(alpha, beta).

    Raises
    ------
    ValueError
        If ``found`` does not lie from 0 to ``trials``, or ``alpha`` or ``beta`` is not above 0.

    Examples
    --------
    A class never found in 140 samples, with a prior of one sample's weight, and now in 3 of 11:

    >>> round(chance_of(3, 11, 1 / 12, 140 + 11 / 12).p_value, 7)
    5e-06
    """
    if not 0 <= found <= trials:
        raise ValueError(f"found must lie from 0 to trials ({trials}), not {found}")
    if not (alpha > 0 and beta > 0 and np.isfinite(alpha + beta)):
        raise ValueError(f"alpha and beta must be above 0 and finite, not {alpha} and {beta}")
    every = np.arange(trials + 1.0)
    law = np.exp(log_beta_binomial(every, *np.array([[trials], [alpha], [beta]], dtype=np.float64)))
    rising = law.cumsum() / law.sum()
    low, high = (float(min(int(np.searchsorted(rising, share)), trials)) for share in _CENTRAL)
    p_value = float(law[found + 1 :].sum() + law[found] / 2)
    return Chance(trials * alpha / (alpha + beta), (low, high), min(max(p_value, _SMALLEST), 1.0))


def widened(alpha: float, beta: float, trials: int, spread: float) -> tuple[float, float]:
    """Return the Beta of the same mean under which the variance of ``trials`` samples is ``spread`` times as great.

    With concentration ``s = alpha + beta`` the variance is ``n p q (s + n) / (s + 1)``; solved for ``s``. One sample
    alone cannot vary more than it does.
    """
    total = alpha + beta
    ratio = spread * (total + trials) / (total + 1.0)
    if trials < 2 or spread <= 1.0:  # noqa: PLR2004 (one sample)
        return alpha, beta
    wanted = max((trials - ratio) / (ratio - 1.0), min(_LEAST_CONCENTRATION, total))
    return alpha / total * wanted, beta / total * wanted


def gap_chance(found: float, tested: float, since: float, prior: float) -> float:
    """Return the chance of no find in ``since`` samples for a class found ``found`` times in ``tested``.

    The rate by sample is Gamma(prior + found, 1 + tested), and with ``since`` samples as the exposure the chance of
    none is ``((1 + tested) / (1 + tested + since)) ** (prior + found)`` (Gamma-Poisson).

    Examples
    --------
    >>> round(gap_chance(20, 200, 100, 1 / 12), 5)
    0.0003
    """
    if min(found, tested, since) < 0 or prior <= 0:
        raise ValueError("found, tested and since must not be negative, and prior must be above 0")
    value = ((1.0 + tested) / (1.0 + tested + since)) ** (prior + found)
    return max(float(value), _SMALLEST)
