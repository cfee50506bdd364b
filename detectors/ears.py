"""EARS C1, C2 and C3: alarms for a series that has a week of history and no more.

For a cold start: seven days after a feed begins there is nothing else to compare with. Called by benchmarks, and by
whoever looks at a new series; a series with months of history belongs to ``detectors/farrington.py`` or the baseline.
It must never page: on weekly series in which nothing happens it raises an alarm in 4 to 9 % of all weeks.

The three methods compare a day with the mean and the standard deviation of a short moving baseline: C1 of the days just
before it, C2 of days that end two days before it, C3 adds up what C2 found on three days in a row.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from detectors.count_series import FloatArray, checked_counts, checked_share, checked_whole

Method = Literal["C1", "C2", "C3"]

_GUARD = {"C1": 0, "C2": 2, "C3": 2}
"""Days between the baseline and the day it judges."""

_STOCK_ALPHA = {"C1": 0.001, "C2": 0.001, "C3": 0.025}
"""The three EARS thresholds (3, 3 and 2 standard deviations) as Salmon et al. (2016) round them."""

_SUMMED = 2
"""C3 adds the excesses of this many days before the day itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Ears:
    """What EARS says of every day; each array has the shape (n_series, n_days).

    Attributes
    ----------
    expected : ndarray of float64
        Mean of the moving baseline; NaN while there is no full one.
    upper : ndarray of float64
        The largest count that raises no alarm; NaN where it is not defined.
    statistic : ndarray of float64
        C1 and C2: standard deviations above the mean. C3: the sum over three days, the day itself included, of what
        exceeds one standard deviation. Infinite or NaN where the baseline did not vary.
    alarm : ndarray of bool
        Whether the count exceeds ``upper``; False where that is not defined.
    """

    expected: FloatArray
    upper: FloatArray
    statistic: FloatArray
    alarm: NDArray[np.bool_]


def ears(
    counts: ArrayLike,
    method: Method = "C1",
    *,
    alpha: float | None = None,
    baseline_days: int = 7,
    min_sigma: float = 0.0,
) -> Ears:
    """Judge every day of every series by the days before it.

    How often it cries wolf: on the 42 weekly scenarios of Noufaily et al. (2013), at alpha 0.01, C1 raises an alarm in
    6.2 % of the weeks in which nothing happened (and finds 65 % of the outbreaks), C2 in 7.6 % (65 %), C3 in 7.5 %
    (52 %). At its stock alphas C1 does so in 3.6 % (53 %), C2 in 4.8 % (57 %), C3 in 8.8 % (57 %). Farrington flexible
    finds 52 % at 1 %. Use it for the first days of a series, for review only.

    Parameters
    ----------
    counts : array_like of int, shape (n_series, n_days)
        Events a day (or a week), oldest first, none left out.
    method : {"C1", "C2", "C3"}
        C1: the baseline ends the day before; first judged is day ``baseline_days``, counted from 0. C2: it ends two
        days earlier, so that the start of an outbreak does not hide the rest. C3: C2's excesses of three days added up.
    alpha : float, optional
        One-sided tail of a normal distribution; 0.001 for C1 and C2, 0.025 for C3 when left out.
    baseline_days : int
        Length of the moving baseline, at least 2.
    min_sigma : float
        Standard deviations below this are raised to it; 0 as in the original, where a single case after a week of
        none is an alarm.

    Returns
    -------
    Ears

    Raises
    ------
    ValueError
        If an argument has another shape, type or range; the message names it.

    Notes
    -----
    With count y_t, mean m_t and standard deviation s_t (divisor n - 1) of the baseline and z = Phi^-1(1 - alpha), C1 and
    C2 alarm above ``m_t + z s_t`` (Hutwagner, Thompson, Seeman and Treadwell 2003, J. Urban Health 80:i89). C3 alarms
    above ``max(0, y_t + s_t (z - sum_{i=t-2}^{t-1} max(0, (y_i - m_i) / s_i - 1)))``, which is what R's
    ``surveillance::earsC`` does (Salmon, Schumacher and Hohle 2016, J. Stat. Softw. 70(10), section 3): as y_t stands
    on both sides, the two days *before* decide, and C3 is a day late. ``statistic`` is the published sum of all three
    days; compare it with z for the rule as first meant. All three equal R as a black box, also where a baseline without
    variation makes C3 undefined.

    Examples
    --------
    >>> found = ears([[1, 0, 2, 1, 0, 1, 2, 9]], "C1")
    >>> bool(found.alarm[0, 7]), round(float(found.upper[0, 7]), 2)
    (True, 3.52)
    """
    if method not in _GUARD:
        raise ValueError(f"method is {method!r}; wanted 'C1', 'C2' or 'C3'")
    tail = checked_share(_STOCK_ALPHA[method] if alpha is None else alpha, name="alpha")
    length = checked_whole(baseline_days, name="baseline_days", least=2)
    if not 0.0 <= min_sigma < np.inf:
        raise ValueError(f"min_sigma is {min_sigma!r}; wanted a finite number from 0")
    seen = checked_counts(counts).astype(np.float64)
    mean, sigma = _moving(seen, length, _GUARD[method])
    sigma = np.maximum(sigma, min_sigma)
    quantile = -float(ndtri(tail))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = (seen - mean) / sigma
        if method == "C3":
            # An undefined excess makes the days that need it undefined: np.maximum lets NaN through.
            excess = np.maximum(score - 1.0, 0.0)
            earlier = sum(_later(excess, days) for days in range(1, _SUMMED + 1))
            statistic = excess + earlier
            # The day's own count, not its mean: R's rule, see the notes of the docstring.
            upper = np.maximum(seen + sigma * (quantile - earlier), 0.0)
        else:
            statistic = score
            upper = mean + quantile * sigma
    return Ears(expected=mean, upper=upper, statistic=statistic, alarm=seen > upper)


def _moving(seen: FloatArray, length: int, guard: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of the ``length`` days that end ``guard`` days before each day."""
    mean, sigma = np.full(seen.shape, np.nan), np.full(seen.shape, np.nan)
    first = length + guard
    if seen.shape[1] > first:
        windows = np.lib.stride_tricks.sliding_window_view(seen, length, axis=1)[:, : seen.shape[1] - first]
        mean[:, first:] = windows.mean(axis=2)
        sigma[:, first:] = windows.std(axis=2, ddof=1)
    return mean, sigma


def _later(values: FloatArray, days: int) -> FloatArray:
    """Return the values of ``days`` days before, NaN where there are none."""
    moved = np.full(values.shape, np.nan)
    moved[:, days:] = values[:, : max(values.shape[1] - days, 0)]
    return moved
