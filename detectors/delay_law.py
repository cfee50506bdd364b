"""How late events become known, learnt from a reporting triangle: a law that drifts, and how sure we are of it.

For ``detectors/nowcast.py`` and for whoever needs the completeness ``q(d)`` *with its variance*; the law is one for all
areas of a feed, so its error is shared by them and never drawn for each. ``detectors/completeness.py`` estimates the
same law from single events for a detection run: without discounting both give the same numbers (tested).

Events of a period are Dirichlet-multinomial over the delays, in the form of Connor and Mosimann (1969, J. Am. Statist.
Ass. 64:194): running back from the longest delay, the part that arrives at exactly delay d among what is known by d is
beta-binomial. That is the reverse-time hazard of Lagakos, Barraj and De Gruttola (1988, Biometrika 75:515), so that
periods which are still incomplete teach what they can.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import betaln

from detectors.count_series import FloatArray, IntArray

HALF_LIVES = np.array([8.0, 13.0, 26.0, 52.0, 104.0, 208.0, np.inf])
"""Periods after which what was learnt counts half: of these the one that foretold the later periods best."""

PRIOR_EVENTS = 1.0
"""One event, spread evenly over the delays, where nobody says more."""

_PRIOR_CORRELATION, _PRIOR_PAIRS = 0.02, 50.0
"""How alike two events of one period are in their delay, before 50 pairs of events have told: our assumption."""

_MOST_CORRELATION = 0.5
_ROUNDS = 2
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class DelayLaw:
    """The share of events known by each delay, and two kinds of doubt about it.

    Attributes
    ----------
    completeness : ndarray of float64, shape (n_delays,)
        ``q(d)``: share of a period's events known ``d`` periods after it; rises and ends at 1.
    law_variance : ndarray of float64, shape (n_delays,)
        Variance of the estimate of ``q(d)``: shared by all areas, and by periods of the same age.
    period_variance : ndarray of float64, shape (n_delays,)
        Variance of one period's own share about the law (batches, holidays), the estimate's included.
    half_life : float
        Periods; infinite where nothing drifted.
    correlation : float
        Of two events of one period that are known by the same delay.
    """

    completeness: FloatArray
    law_variance: FloatArray
    period_variance: FloatArray
    half_life: float
    correlation: float

    @classmethod
    def fitted(
        cls,
        triangle: IntArray,
        as_of: int,
        *,
        prior: FloatArray | None = None,
        strength: float = PRIOR_EVENTS,
        half_lives: FloatArray = HALF_LIVES,
    ) -> Self:
        """Fit the law to what a triangle of shape (n_periods, n_delays) had shown by the end of period ``as_of``.

        Parameters
        ----------
        triangle : ndarray of int64
            Row t, column d: events of period t that became known in period ``t + d``; cells after ``as_of`` are not
            looked at.
        as_of : int
        prior : ndarray of float64, shape (n_delays,), optional
            The law before anything is seen, rising to 1.
        strength : float
            How many events the prior is worth.
        half_lives : ndarray of float64
            The memories to choose from; one alone is taken as it is.
        """
        n_delays = triangle.shape[1]
        before = np.arange(1, n_delays + 1) / n_delays if prior is None else prior
        prior_here = strength * np.diff(before, prepend=0.0)
        prior_by = strength * before
        known = seen_by(triangle.shape, as_of)
        here = np.where(known, triangle, 0).astype(np.float64)
        risk = np.where(known, here.cumsum(axis=1), 0.0)
        hazards = {
            float(one): (_remembered(here, one) + prior_here)
            / np.maximum(_remembered(risk, one) + prior_by, _LEAST)
            for one in half_lives
        }
        # How alike the events of one period are and how fast the law drifts explain the same misses: each in turn.
        half_life = float(half_lives[len(half_lives) // 2])
        correlation = _correlation(here, risk, hazards[half_life])
        for _ in range(_ROUNDS):
            telling = _telling(risk, correlation)
            support = {
                one: _foretold(here, risk, hazard, _remembered(telling, one) + prior_by, correlation)
                for one, hazard in hazards.items()
            }
            half_life = max(support, key=lambda one: support[one])
            correlation = _correlation(here, risk, hazards[half_life])
        # Periods that end now: the newest one counts most.
        fade = 0.5 ** (np.maximum(as_of - np.arange(triangle.shape[0]), 0) / half_life)
        at = (fade[:, None] * here).sum(axis=0) + prior_here
        among = (fade[:, None] * risk).sum(axis=0) + prior_by
        share = np.clip(at / np.maximum(among, _LEAST), 0.0, 1.0)
        # Events of one period tell less than as many of different ones.
        telling = (fade[:, None] * risk / (1.0 + np.maximum(risk - 1.0, 0.0) * correlation)).sum(
            axis=0
        ) + prior_by
        doubt = share * (1.0 - share) / (telling + 1.0)
        own = doubt + correlation * share * (1.0 - share)
        q = _running_back(1.0 - share)
        return cls(
            completeness=q,
            law_variance=_variance(share, doubt, q),
            period_variance=_variance(share, own, q),
            half_life=half_life,
            correlation=correlation,
        )


def seen_by(shape: tuple[int, int], as_of: int) -> NDArray[np.bool_]:
    """Return which cells of a triangle are known at the end of period ``as_of``."""
    return np.arange(shape[0])[:, None] + np.arange(shape[1]) <= as_of


def _remembered(values: FloatArray, half_life: float) -> FloatArray:
    """Return, for each period, the discounted sum over the periods before it."""
    keep = 0.5 ** (1.0 / half_life)
    filtered = lfilter([0.0, keep], [1.0, -keep], values, axis=0)
    found: FloatArray = np.maximum(filtered, 0.0)
    return found


def _telling(risk: FloatArray, correlation: float) -> FloatArray:
    """Return how many independent events would tell as much as those of one period."""
    return risk / (1.0 + np.maximum(risk - 1.0, 0.0) * correlation)


def _foretold(
    here: FloatArray, risk: FloatArray, hazard: FloatArray, telling: FloatArray, correlation: float
) -> float:
    """Return the log of the beta-binomial probability of every period's delays, given the periods before it.

    The Beta has the hazard's mean and, as a share of ``p (1 - p)``, the doubt about it and the correlation together.
    """
    counted = (risk > 0) & (np.arange(here.shape[1]) > 0)
    n, m, p = here[counted], risk[counted], np.clip(hazard[counted], _LEAST, 1.0 - _LEAST)
    total = 1.0 / (1.0 / (telling[counted] + 1.0) + correlation) - 1.0
    a, b = (np.maximum(total * part, _LEAST) for part in (p, 1.0 - p))
    return float(np.sum(betaln(n + a, m - n + b) - betaln(a, b)))


def _correlation(here: FloatArray, risk: FloatArray, hazard: FloatArray) -> float:
    """Return the intra-period correlation by moments, all delays together, shrunk to the prior."""
    spread = (hazard * (1.0 - hazard))[:, 1:]
    n, m, p = here[:, 1:], risk[:, 1:], hazard[:, 1:]
    excess = float(np.sum((n - m * p) ** 2 - m * spread))
    pairs = float(np.sum(np.maximum(m * (m - 1.0), 0.0) * spread))
    found = (excess + _PRIOR_CORRELATION * _PRIOR_PAIRS) / (pairs + _PRIOR_PAIRS)
    return min(max(found, 0.0), _MOST_CORRELATION)


def _running_back(stay: FloatArray) -> FloatArray:
    """Return the products of all later factors, ending with 1: from 1 minus the hazards to the law."""
    law = np.ones(stay.shape)
    law[:-1] = stay[:0:-1].cumprod()[::-1]
    return law


def _variance(share: FloatArray, doubt: FloatArray, q: FloatArray) -> FloatArray:
    """Return the variance of the law from those of its independent hazards."""
    found: FloatArray = np.maximum(_running_back((1.0 - share) ** 2 + doubt) - q**2, 0.0)
    return found
