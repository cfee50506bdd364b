"""Nowcast: how many events recent periods will have had, once all is known, with honest intervals.

For charts and for the shading of incomplete days. Detection must never use it: what is seen at age d is compared with
history *seen at age d*, by multiplying the expected count with ``q(d)`` and widening its variance
(``detectors/completeness.py``, ``detectors/scoring.py``). To impute the missing events and then test the sum treats
guesses as data, and would alarm on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincinv, gammaln

from detectors.count_series import (
    FloatArray,
    IntArray,
    checked_counts,
    checked_range,
    checked_share,
    checked_whole,
)
from detectors.delay_law import PRIOR_EVENTS, DelayLaw, seen_by
from detectors.local_level import LevelBefore

_NODES = 15
"""Equally likely shares known, over which a period's own share is averaged."""

_UNLIKE = 0.05
"""One period in twenty may be unlike those before it (an outbreak): our assumption."""

_UNLIKE_SIZE = 0.5
"""Gamma shape of such a period's rate: Jeffreys', next to nothing known."""

_FEWEST_DELAYS = 2

_MOST = 2.0**53
"""A tail that does not end before this is not followed further."""

_STEPS = 512
_TAIL_PART = 20.0
"""Counts that hold less than a twentieth of what the widest interval leaves out are not weighed."""


@dataclass(frozen=True, slots=True, eq=False)
class Nowcast:
    """What is known and what is still to come; periods run up to ``as_of``.

    Attributes
    ----------
    observed : ndarray of int64, shape (n_periods,)
        Events known by now.
    expected : ndarray of float64, shape (n_periods,)
        Mean of the final count.
    levels : tuple of float
    lower, upper : ndarray of int64, shape (n_levels, n_periods)
        Prediction intervals of the final count, ends included: its most probable values, so many that the probability
        inside is the nearest to ``level`` that whole numbers allow (not the next one above it). A higher level holds
        every lower one.
    completeness, completeness_error : ndarray of float64, shape (n_delays,)
        Share of events known at each age and the standard error of that share: one law for all areas.
    law : DelayLaw
    """

    observed: IntArray
    expected: FloatArray
    levels: tuple[float, ...]
    lower: IntArray
    upper: IntArray
    completeness: FloatArray
    completeness_error: FloatArray
    law: DelayLaw


def nowcast(
    triangle: ArrayLike,
    *,
    as_of: int | None = None,
    levels: Sequence[float] = (0.5, 0.9),
    usual: ArrayLike = 1.0,
    prior: ArrayLike | None = None,
    strength: float = PRIOR_EVENTS,
) -> Nowcast:
    """Foretell the final counts of a reporting triangle from what was known at the end of one period.

    Parameters
    ----------
    triangle : array_like of int, shape (n_periods, n_delays)
        Row t, column d: events of period t (a day or a week, oldest first) that became known in period ``t + d``; the
        last delay holds all later ones. Cells after ``as_of`` are not looked at: put 0 there.
    as_of : int, optional
        The last period whose end is known, by index; the last row when left out. It may lie after the last row.
    levels : sequence of float
        Of the prediction intervals.
    usual : array_like of float, shape (n_periods,) or a single number
        What a period usually has against others (weekday, season, a baseline's expected count); only its shape matters.
    prior : array_like of float, shape (n_delays,), optional
        Share known by each delay before anything is seen, rising to 1; every delay alike when left out.
    strength : float
        How many events the prior is worth.

    Returns
    -------
    Nowcast

    Raises
    ------
    ValueError
        If an argument has another shape, type or range; the message names it.

    Notes
    -----
    The delay law drifts (``detectors/delay_law.py``). Before its own records speak, a period's rate is Gamma with a mean
    and a size learnt from the periods before it, each as far as it is known (``detectors/local_level.py``). With the
    share q known, S events seen and a Gamma(r, b) rate, what is still to come is negative binomial of size ``r + S`` and
    success probability ``(b + q) / (b + 1)`` (Lawless 1994, Can. J. Statist. 22:15; Hohle and an der Heiden 2014,
    Biometrics 70:993). The period's own q is Beta with the law's mean and the period's variance, averaged over 15 equally
    likely values; and the rate may, one time in twenty, have nothing to do with the periods before. Each of these
    possibilities weighs as much as it explains S, so that an outbreak is believed from its first reports.

    Examples
    --------
    Of ten events a week half are known at once and the others a week later; of the last week only six are known yet:

    >>> found = nowcast([[5, 5]] * 30 + [[6, 0]], levels=[0.9])
    >>> int(found.observed[-1]), round(float(found.completeness[0]), 1), int(found.observed[0]), int(found.upper[0, 0])
    (6, 0.5, 10, 10)
    >>> bool(found.lower[0, -1] > 6), bool(9 < found.expected[-1] < 13)
    (True, True)
    """
    counts = checked_counts(triangle, name="triangle", axes="(n_periods, n_delays)")
    n_periods, n_delays = counts.shape
    if n_delays < _FEWEST_DELAYS:
        raise ValueError(f"triangle has the shape {counts.shape}; wanted at least {_FEWEST_DELAYS} delays")
    now = checked_whole(n_periods - 1 if as_of is None else as_of, name="as_of", least=-1)
    wanted = tuple(checked_share(level, name="levels") for level in levels)
    shape = checked_range(
        np.atleast_2d(np.asarray(usual)), (1, n_periods), name="usual", least=1e-12, most=1e12
    )[0]
    before = _checked_prior(prior, n_delays)
    if not 0.0 < strength < np.inf:
        raise ValueError(f"strength is {strength!r}; wanted a finite number above 0")

    shown = min(now + 1, n_periods)
    counts, shape = counts[:shown], shape[:shown]
    law = DelayLaw.fitted(counts, now, prior=before, strength=strength)
    observed = np.where(seen_by(counts.shape, now), counts, 0).sum(axis=1)
    age = now - np.arange(shown)
    last = n_delays - 1
    level = LevelBefore.learnt(observed, shape * law.completeness[np.minimum(age, last)], shape, age >= last)

    expected = observed.astype(np.float64)
    lower, upper = (np.tile(observed, (len(wanted), 1)) for _ in range(2))
    open_ = np.flatnonzero(age < last)
    if open_.size:
        coming = _Coming.of(observed[open_], level.size[open_], level.mean[open_], law, age[open_])
        expected[open_] += coming.mean
        if wanted:
            low, high = coming.intervals(wanted)
            lower[:, open_] += low
            upper[:, open_] += high
    return Nowcast(
        observed=observed,
        expected=expected,
        levels=wanted,
        lower=lower,
        upper=upper,
        completeness=law.completeness,
        completeness_error=np.sqrt(law.law_variance),
        law=law,
    )


def _checked_prior(prior: ArrayLike | None, n_delays: int) -> FloatArray | None:
    if prior is None:
        return None
    law = np.asarray(prior, dtype=np.float64)
    if law.shape != (n_delays,):
        raise ValueError(f"prior has the shape {law.shape}; wanted ({n_delays},)")
    if not np.all(np.diff(law, prepend=0.0) >= 0) or abs(law[-1] - 1.0) > 1e-9:  # noqa: PLR2004 (rounding)
        raise ValueError("prior must rise from 0 to 1")
    return law


@dataclass(frozen=True, slots=True, eq=False)
class _Coming:
    """What is still to come of each open period: a mixture of negative binomials, shape (n_open, n_nodes)."""

    size: FloatArray
    success: FloatArray
    weight: FloatArray

    @classmethod
    def of(
        cls, seen: IntArray, size: FloatArray, mean: FloatArray, law: DelayLaw, age: IntArray
    ) -> "_Coming":
        known = np.tile(_nodes(law.completeness[age], law.period_variance[age]), 2)
        like = np.arange(known.shape[1]) < _NODES
        shape = np.where(like, size[:, None], np.minimum(size[:, None], _UNLIKE_SIZE))
        rate = shape / mean[:, None]
        after: FloatArray = shape + seen[:, None].astype(np.float64)
        log_weight = (
            np.log(np.where(like, 1.0 - _UNLIKE, _UNLIKE))
            + (gammaln(after) - gammaln(shape) + shape * np.log(rate))
            + (seen[:, None] * np.log(known) - after * np.log(rate + known))
        )
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        return cls(after, (rate + known) / (rate + 1.0), weight / weight.sum(axis=1, keepdims=True))

    @property
    def mean(self) -> FloatArray:
        found: FloatArray = (self.weight * self.size * (1.0 - self.success) / self.success).sum(axis=1)
        return found

    def cdf(self, count: FloatArray) -> FloatArray:
        """Return ``P(X <= x)`` of each period, for whole numbers x of shape (n_open,) from -1."""
        at = np.maximum(count, 0.0)[:, None]
        found: FloatArray = (self.weight * betainc(self.size, at + 1.0, self.success)).sum(axis=1)
        return np.where(count < 0, 0.0, found)

    def intervals(self, levels: Sequence[float]) -> tuple[IntArray, IntArray]:
        """Return the ends of the most probable counts of each level, both of shape (n_levels, n_open)."""
        most = np.ones(self.weight.shape[0])
        tail = (1.0 - max(levels)) / _TAIL_PART
        while np.any(short := (1.0 - self.cdf(most) > tail) & (most < _MOST)):
            most = np.where(short, 2.0 * most + 1.0, most)
        # Large counts are taken together: 512 steps are finer than any chart.
        step: FloatArray = np.ceil((most + 1.0) / _STEPS)
        ends = np.arange(1, int(np.max(np.ceil((most + 1.0) / step))) + 1)
        upto = np.stack([self.cdf(step * end - 1.0) for end in ends], axis=1)
        chance = np.diff(upto, axis=1, prepend=0.0)
        order = np.argsort(-chance, axis=1, kind="stable")
        held = np.take_along_axis(chance, order, axis=1).cumsum(axis=1)
        first, last = np.minimum.accumulate(order, axis=1), np.maximum.accumulate(order, axis=1)
        nearest = np.stack([np.abs(held - level).argmin(axis=1) for level in levels])
        lower, upper = (end[np.arange(most.size), nearest] for end in (first, last))
        return (lower * step).astype(np.int64), ((upper + 1) * step - 1).astype(np.int64)


def _nodes(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """Return equally likely shares known of each period, from a Beta of that mean and variance."""
    middle = np.clip(mean, 1e-9, 1.0 - 1e-9)
    spread = np.clip(variance, 1e-12, 0.95 * middle * (1.0 - middle))
    total = middle * (1.0 - middle) / spread - 1.0
    steps = (np.arange(_NODES) + 0.5) / _NODES
    found: FloatArray = betaincinv((middle * total)[:, None], ((1.0 - middle) * total)[:, None], steps)
    return np.clip(found, 1e-9, 1.0)
