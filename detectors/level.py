"""How high a series stands just now, how sure we are of it, and which past weeks were outbreaks.

Only ``detectors/baseline.py`` calls this, with weekly totals: weeks smooth out the weekday and hold an outbreak
together. Every function takes all series of a feed at once; the first axis is the series, the second the week, oldest
first.

The level is a Gamma-Poisson local level model with discounting (Smith 1979, J. R. Statist. Soc. B 41:375; Harvey and
Fernandes 1989, J. Bus. Econ. Statist. 7:407, section 2): each week that passes, what was learnt before counts a little
less. So a drift cannot build up bias for longer than the memory, and the uncertainty of the level never shrinks below
what drift allows. How long the memory is, each series says itself: the half-life is the one under which its weeks
would have been predicted best from the weeks before the guard.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import gammaln

FloatArray = NDArray[np.float64]

HALF_LIVES = np.array([13.0, 26.0, 52.0, 104.0, 208.0])
"""Weeks. From a quarter (a service that has just changed) to four years (deaths, which are too few to tell)."""

_FAVOURED_HALF_LIFE = 52.0
_LOG_ODDS_PER_DOUBLING = 1.0
"""How strongly a year is favoured until the series says otherwise; only sparse series are decided by it."""

PRIOR_EVENTS = 0.5
"""Weight of the prior level: half an event, as in Jeffreys' Gamma(1/2, 0) for a Poisson rate."""

_NEIGHBOUR_WEEKS = 8
"""An outbreak is judged against the 8 weeks on either side: what lasts longer than half of 17 weeks is the level."""

OUTBREAK_RESIDUAL = 2.58
"""Noufaily et al. 2013, Statist. Med. 32:1206, section 3.3."""

_HOPELESS_RESIDUAL = 10.0
_NORMAL_QUARTILES = 1.349
"""Distance between the quartiles of a standard normal variable."""

_ABSURD = 4.0
"""A week above this many times the ninth decile of all weeks is an error or a load, whatever the level."""

_FEWEST_IN_OUTBREAK = 3
"""Below this a residual only says that the series is sparse; weighing such weeks down would teach it zero."""

WEEKS_A_YEAR = 52
_SAME_TIME_WEEKS = 2
_FEWEST_OTHER_YEARS = 2

TREND_ODDS = 2.0
"""Log odds against a trend: the weeks must have been predicted better with it by more than a factor of e squared."""

_PRIOR_DISPERSION = 1.2
_PRIOR_DISPERSION_EVENTS = 50.0
MOST_DISPERSION = 20.0


def local_mean(counts: FloatArray, exposure: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Return the mean of each week under the average level of the weeks around it, shape (n_series, n_weeks)."""
    trusted = np.ones(counts.shape) if weights is None else weights
    seen, basis = trusted * counts, trusted * exposure
    level = (_around(seen) + 0.5) / (_around(basis) + _half_event_exposure(seen, basis))
    mean: FloatArray = level * exposure
    return mean


def outbreak_weights(counts: FloatArray, exposure: FloatArray) -> FloatArray:
    """Return how far each week may teach the baseline: 1, or ``1 / s**2`` where its Anscombe residual s is above 2.58.

    The residual is that of Farrington et al. 1996 (J. R. Statist. Soc. A 159:547, section 3.3) without the leverage:
    ``s = 3 (y**(2/3) - m**(2/3)) / (2 sqrt(dispersion) m**(1/6))``; the weight is that of Noufaily et al. 2013. The
    dispersion is that of the middle half of the residuals, and the mean is taken with absurd weeks cut down, so that one
    such week can neither hide itself nor make its neighbours look empty.

    A rise that came back at the same time of at least half of the other years (two or more) is a season, whatever its
    residual, and keeps its weight: winter influenza would otherwise never become usual.
    """
    if not counts.shape[1]:
        return np.ones(counts.shape)
    most = _ABSURD * _quantile(np.sort(counts, axis=1), 0.9) + _FEWEST_IN_OUTBREAK
    mean = np.maximum(local_mean(np.minimum(counts, most), exposure), 1e-9)
    residual = 1.5 * (counts ** (2 / 3) - mean ** (2 / 3)) / mean ** (1 / 6)
    ranked = np.sort(residual, axis=1)
    residual /= np.maximum((_quantile(ranked, 0.75) - _quantile(ranked, 0.25)) / _NORMAL_QUARTILES, 1.0)
    outbreak = (residual > OUTBREAK_RESIDUAL) & (counts >= _FEWEST_IN_OUTBREAK) & (exposure > 0)
    outbreak &= ~_comes_back(outbreak)
    weights: FloatArray = np.where(outbreak, 1.0 / np.maximum(residual, 1.0) ** 2, 1.0)
    # The squared count of an absurd week would outgrow its weight.
    weights[outbreak & (residual > _HOPELESS_RESIDUAL)] = 0.0
    return weights


def _comes_back(outbreak: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which weeks were high in at least half of the other years too, within two weeks of the same time."""
    weeks = outbreak.shape[1]
    if weeks <= 2 * WEEKS_A_YEAR or not outbreak.any():
        return np.zeros(outbreak.shape, dtype=bool)
    near = np.pad(outbreak, ((0, 0), (_SAME_TIME_WEEKS, _SAME_TIME_WEEKS)))
    around = np.asarray(sliding_window_view(near, 2 * _SAME_TIME_WEEKS + 1, axis=1).any(axis=2))
    again = np.zeros(outbreak.shape)
    years = np.zeros(weeks)
    for away in range(WEEKS_A_YEAR, weeks, WEEKS_A_YEAR):
        again[:, away:] += around[:, :-away]
        years[away:] += 1
        again[:, :-away] += around[:, away:]
        years[:-away] += 1
    found: NDArray[np.bool_] = (years >= _FEWEST_OTHER_YEARS) & (2 * again >= years)
    return found


def dispersion_by_moments(
    counts: FloatArray,
    mean: FloatArray,
    weights: FloatArray,
    prior: FloatArray,
    *,
    own_share: float = 1.0 / (2 * _NEIGHBOUR_WEEKS + 1),
) -> FloatArray:
    """Return variance over mean for each series, at least 1, shrunk towards ``prior`` by the weight of 50 events.

    The moment is the ratio of sums ``sum w (y - m)**2 / sum w m``, which stays sound where most counts are 0 (the mean
    of the single ratios does not: Farrington 1995, Biometrika 82:309).
    """
    events = mean.reshape(mean.shape[0], -1).sum(axis=1)
    excess = _moment(counts, mean, weights) / (1.0 - own_share) - 1.0
    shrunk = (events * excess + _PRIOR_DISPERSION_EVENTS * (prior - 1.0)) / (
        events + _PRIOR_DISPERSION_EVENTS
    )
    clipped: FloatArray = np.clip(1.0 + shrunk, 1.0, MOST_DISPERSION)
    return clipped


def prior_dispersion(n_series: int) -> FloatArray:
    """Return the dispersion assumed for series about which nothing is known, shape (n_series,)."""
    return np.full(n_series, _PRIOR_DISPERSION)


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """Levels as they stand now, and how well the same rule would have predicted the past.

    Attributes
    ----------
    shape, rate : ndarray of float64, shape (n_series,)
        Gamma posterior.
    half_life : ndarray of float64, shape (n_series,)
        Weeks.
    trended : ndarray of bool, shape (n_series,)
        Whether the exposure with a trend predicted better.
    forecast, variance : ndarray of float64, shape (n_series, n_weeks)
        What each week would have been predicted from the weeks before its guard; NaN where none came before.
    """

    shape: FloatArray
    rate: FloatArray
    half_life: FloatArray
    trended: NDArray[np.bool_]
    forecast: FloatArray
    variance: FloatArray


def level_posterior(
    counts: FloatArray,
    exposure: FloatArray,
    weights: FloatArray,
    dispersion: FloatArray,
    prior_rate: FloatArray,
    *,
    guard_weeks: float,
    trended: FloatArray | None = None,
) -> Level:
    """Return the level of each series just now, with the memory under which its weeks were predicted best.

    Parameters
    ----------
    counts, exposure, weights : ndarray of float64, shape (n_series, n_weeks)
        Weekly totals; what each would be proportional to at an even level; the trust in each week (0 to 1).
    dispersion : ndarray of float64, shape (n_series,)
        Evidence from over-dispersed counts is divided by it.
    prior_rate : ndarray of float64, shape (n_series,)
        Level before anything was seen, in events per unit of exposure; above 0.
    guard_weeks : float
        How long ago the last week ended: what it taught has faded that much.
    trended : ndarray of float64, shape (n_series, n_weeks), optional
        The exposure under each series' trend, which is 1 now. It is used where it predicts better by ``TREND_ODDS``.
    """
    n_series, n_weeks = counts.shape
    prior_exposure = PRIOR_EVENTS / prior_rate
    steps = int(np.ceil(guard_weeks)) + 1
    ahead = slice(min(steps, n_weeks), n_weeks)
    bases = [exposure] if trended is None else [exposure, trended]
    memories = len(HALF_LIVES)
    evidence = weights / dispersion[:, None]
    seen = np.empty((memories, n_series, n_weeks))
    basis = np.empty((len(bases), memories, n_series, n_weeks))
    for index, half_life in enumerate(HALF_LIVES):
        keep = 0.5 ** (1.0 / half_life)
        seen[index] = lfilter([1.0], [1.0, -keep], evidence * counts, axis=1)
        for which, one in enumerate(bases):
            basis[which, index] = lfilter([1.0], [1.0, -keep], evidence * one, axis=1)
    fade = (0.5 ** (guard_weeks / HALF_LIVES))[:, None, None]
    shape = seen * fade + PRIOR_EVENTS
    rate = basis * fade + prior_exposure[:, None]
    lagged = max(n_weeks - steps, 0)
    exposed = np.stack(bases)[:, None, :, ahead]
    mean = np.maximum(exposed * shape[:, :, :lagged] / rate[..., :lagged], 1e-12)
    fit = _negative_binomial_log(counts[:, ahead], mean, shape[:, :, :lagged], dispersion)
    gain = np.where(exposed > 0, fit * weights[:, ahead], 0.0).sum(axis=3)
    gain -= _LOG_ODDS_PER_DOUBLING * abs(np.log2(HALF_LIVES / _FAVOURED_HALF_LIFE))[:, None]
    gain[1:] -= TREND_ODDS
    best = gain.reshape(-1, n_series).argmax(axis=0)
    which, memory = np.divmod(best, memories)
    every = np.arange(n_series)
    forecast, variance = np.full((2, n_series, n_weeks), np.nan)
    forecast[:, ahead] = mean[which, memory, every]
    variance[:, ahead] = (
        dispersion[:, None] * forecast[:, ahead] + forecast[:, ahead] ** 2 / shape[memory, every][:, :lagged]
    )
    variance[:, ahead][exposed[0, 0] <= 0] = np.nan
    if n_weeks:
        now, per_unit = shape[memory, every, -1], rate[which, memory, every, -1]
    else:
        now, per_unit = np.full(n_series, PRIOR_EVENTS), prior_exposure
    return Level(now, per_unit, HALF_LIVES[memory], which == 1, forecast, variance)


def _negative_binomial_log(
    counts: FloatArray, mean: FloatArray, shape: FloatArray, dispersion: FloatArray
) -> FloatArray:
    """Log probability of each count, less what depends on the count alone: Gamma(shape) level, dispersed counts."""
    size = mean / ((dispersion[:, None] - 1.0) + mean / shape)
    value: FloatArray = (
        gammaln(counts + size)
        - gammaln(size)
        + size * np.log(size / (size + mean))
        + counts * np.log(mean / (size + mean))
    )
    return value


def _moment(counts: FloatArray, mean: FloatArray, weights: FloatArray) -> FloatArray:
    rows = counts.shape[0]
    squares = (weights * (counts - mean) ** 2).reshape(rows, -1).sum(axis=1)
    total = (weights * mean).reshape(rows, -1).sum(axis=1)
    moment: FloatArray = squares / np.maximum(total, 1e-9)
    return moment


def _around(values: FloatArray) -> FloatArray:
    rows, n_weeks = values.shape
    sums = np.zeros((rows, n_weeks + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    weeks = np.arange(n_weeks)
    after = np.minimum(weeks + _NEIGHBOUR_WEEKS + 1, n_weeks)
    before = np.maximum(weeks - _NEIGHBOUR_WEEKS, 0)
    total: FloatArray = sums[:, after] - sums[:, before]
    return total


def _quantile(ranked: FloatArray, share: float) -> FloatArray:
    """Return a quantile of each row of sorted values, interpolated, shape (n_series, 1)."""
    at = share * (ranked.shape[1] - 1)
    low = int(at)
    high = min(low + 1, ranked.shape[1] - 1)
    value: FloatArray = ranked[:, [low]] + (at - low) * (ranked[:, [high]] - ranked[:, [low]])
    return value


def _half_event_exposure(counts: FloatArray, exposure: FloatArray) -> FloatArray:
    """Exposure in which the whole history would give half an event: the local level leans that far on the long one."""
    total: FloatArray = 0.5 * (exposure.sum(axis=1) + 1.0) / (counts.sum(axis=1) + 0.5)
    return total[:, None]
