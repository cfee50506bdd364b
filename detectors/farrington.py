"""Farrington flexible (Noufaily et al. 2013): unusual weeks, told from five years of weekly counts.

For anyone with weekly counts: notebooks, ``tocsin backtest``, the benchmarks. *Parity* mode answers exactly as the R
package surveillance (1.20.3) does with Noufaily's settings, oddities included, so that what a health department has
always seen can be seen here; *tocsin* mode is ours. Arithmetic only: no clock, no random number, nothing that was
handed in is changed.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from detectors.compiled import exclusively
from detectors.farrington_baseline import SEASON_SD, SLOPE_SD, terms_of
from detectors.farrington_parity import judge_parallel, judge_serial
from detectors.farrington_reference import YEAR, count_tables, reference_lags, runs_of, seasonal_groups
from detectors.farrington_windows import N_WINDOWS, windows_parallel, windows_serial

FloatArray = NDArray[np.float64]

_GREATEST = 10**6
"""A million cases a week: beyond it exact tails would be sums of too many terms."""


PARITY_YEARS, MOST_YEARS, FEWEST_YEARS = 5, 8, 2
"""Years of history: Noufaily's five in parity mode; in tocsin mode as many as there are, from two to eight."""


@dataclass(frozen=True, slots=True, eq=False)
class Farrington:
    """What :func:`farrington_flexible` found; every array has the shape (n_series, n_evaluated).

    Attributes
    ----------
    expected : ndarray of float64
        The usual count of the week. Parity: NaN where R has none (no fit converged: a reference of zeros only).
    dispersion : ndarray of float64
        Variance over mean, at least 1.
    upper : ndarray of float64
        The greatest count that is no alarm; in tocsin mode given the two weeks before. Parity: NaN where too few cases
        were seen for any alarm, as in R.
    p_value : ndarray of float64
        Tocsin mode: the mid-p of the newest one, two and three weeks together. Parity: P(Y >= y), as R has it.
    p_exact : ndarray of float64
        The exact tail: never below ``p_value``.
    alarm : ndarray of bool
    """

    expected: FloatArray
    dispersion: FloatArray
    upper: FloatArray
    p_value: FloatArray
    p_exact: FloatArray
    alarm: NDArray[np.bool_]


def farrington_flexible(  # noqa: PLR0913 (the settings of the literature, each by its name)
    counts: ArrayLike,
    weeks: ArrayLike,
    *,
    mode: Literal["parity", "tocsin"] = "parity",
    b: int | None = None,
    w: int = 3,
    n_periods: int = 10,
    past_weeks_not_included: int = 26,
    reweight: bool = True,
    weights_threshold: float = 2.58,
    alpha: float = 0.005,
    limit_54: tuple[int, int] = (5, 4),
    parallel: bool = True,
) -> Farrington:
    """Judge weekly counts against the same series' past years.

    Parameters
    ----------
    counts : array of int, shape (n_series, n_weeks)
        Cases by week, oldest first, from 0 to a million.
    weeks : array of int, shape (n_evaluated,)
        Columns of ``counts`` to judge, from 0, in any order. Each needs ``52 * b + w`` weeks before it.
    mode : {"parity", "tocsin"}
        Parity answers as R's farringtonFlexible (surveillance 1.20.3) does. Tocsin fits two harmonics with a prior,
        carries the doubt about the mean and the dispersion into the tail, judges windows of one to three weeks under
        one calibrated p-value, and has no rule for few cases because its p-value needs none.
    b : int, optional
        Years of history; left out, 5 in parity mode and in tocsin mode all there are, up to 8.
    w : int
        Weeks on either side of the same week, 0 to 25.
    n_periods : int
        Seasonal groups (parity only).
    past_weeks_not_included : int
        Weeks just before that are left out of the reference, from 3, so that an outbreak is not its own baseline.
    reweight : bool
        Whether past outbreaks weigh less (parity only; tocsin mode always does it).
    weights_threshold : float
        Anscombe residual above which a week weighs less.
    alpha : float
        One-sided chance of a false alarm. Noufaily's quantile .995 is alpha .005 here and in R.
    limit_54 : (int, int)
        No alarm below so many cases in so many weeks, this one included (parity only).
    parallel : bool
        Whether series are shared among the cores. The answer is the same.

    Returns
    -------
    Farrington

    Raises
    ------
    ValueError
        If an argument cannot be used; the message names it, what it was and what it must be.

    Notes
    -----
    Noufaily et al. 2013, Statistics in Medicine 32:1206; Farrington et al. 1996, J. R. Statist. Soc. A 159:547;
    Salmon et al. 2016, J. Statist. Software 70(10). Where parity mode follows none of them it follows R's answers.

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(6, size=(1, 300))
    >>> counts[0, -1] = 25
    >>> found = farrington_flexible(counts, [298, 299])
    >>> found.alarm.tolist(), found.upper.tolist()
    ([[False, True]], [[12.0, 13.0]])
    """
    lags = _lags(mode, b, w, past_weeks_not_included, weeks)
    if not 0.0 < alpha < 0.5 or not weights_threshold > 0.0:  # noqa: PLR2004 (a test's level)
        raise ValueError(
            f"alpha is {alpha} and weights_threshold {weights_threshold} but must lie between 0 and 0.5, and above 0"
        )
    cases, period = limit_54
    if cases < 0 or period < 1:
        raise ValueError(f"limit_54 is {limit_54} but must be at least 0 cases in at least 1 week")
    series, columns = _checked(counts, weeks, int(lags[0]), period if mode == "parity" else N_WINDOWS)
    several = parallel and series.shape[0] > 1
    if mode == "tocsin":
        settings = np.array([weights_threshold, alpha, SEASON_SD, SLOPE_SD])
        now = terms_of(np.arange(N_WINDOWS))
        if several:
            with exclusively():
                found = windows_parallel(series, columns, lags, terms_of(lags), now, settings)
        else:
            found = windows_serial(series, columns, lags, terms_of(lags), now, settings)
        expected, dispersion, upper, p_value, p_exact, alarm = _parts(found)
        return Farrington(expected, dispersion, upper, p_value, p_exact, alarm > 0)
    groups = seasonal_groups(lags, w, n_periods)
    runs = runs_of(groups, past_weeks_not_included)
    rule = (float(weights_threshold), float(alpha), float(ndtri(1.0 - alpha)), cases, period, bool(reweight))
    if several:
        with exclusively():
            found = judge_parallel(series, columns, runs, count_tables(), *rule)
    else:
        found = judge_serial(series, columns, runs, count_tables(), *rule)
    expected, dispersion, upper, p_exact, alarm = _parts(found)
    return Farrington(expected, dispersion, upper, p_exact, p_exact.copy(), alarm > 0)


def _parts(found: FloatArray) -> list[FloatArray]:
    return [np.ascontiguousarray(found[:, part]) for part in range(found.shape[1])]


def _lags(
    mode: str, b: int | None, w: int, past_weeks_not_included: int, weeks: ArrayLike
) -> NDArray[np.int64]:
    """Return how far back each reference week lies, the oldest first."""
    if mode not in ("parity", "tocsin"):
        raise ValueError(f"mode is {mode!r} but must be 'parity' or 'tocsin'")
    if not 0 <= w < YEAR // 2:
        raise ValueError(f"w is {w} but must lie from 0 to {YEAR // 2 - 1}")
    if b is None:
        columns = np.asarray(weeks)
        there = (int(columns.min()) - w) // YEAR if columns.size else MOST_YEARS
        b = PARITY_YEARS if mode == "parity" else min(max(there, FEWEST_YEARS), MOST_YEARS)
    if b < FEWEST_YEARS:
        raise ValueError(f"b is {b} but must be at least {FEWEST_YEARS} years")
    if not N_WINDOWS <= past_weeks_not_included < YEAR - w:
        raise ValueError(
            f"past_weeks_not_included is {past_weeks_not_included} but must lie from {N_WINDOWS} to {YEAR - w - 1}"
        )
    return reference_lags(b, w, past_weeks_not_included)


def _checked(
    counts: ArrayLike, weeks: ArrayLike, history: int, period: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return counts and weeks as arrays of int64, or say what is wrong with them."""
    series, columns = np.asarray(counts), np.asarray(weeks)
    if series.ndim != 2:  # noqa: PLR2004 (series by weeks)
        raise ValueError(f"counts has the shape {series.shape} but must have (n_series, n_weeks)")
    if not np.issubdtype(series.dtype, np.integer):
        raise ValueError(f"counts holds {series.dtype} but must hold whole numbers")
    if series.size and not 0 <= int(series.min()) <= int(series.max()) <= _GREATEST:
        raise ValueError(
            f"counts lies from {series.min()} to {series.max()} but must lie from 0 to {_GREATEST}"
        )
    if columns.ndim != 1:
        raise ValueError(f"weeks has the shape {columns.shape} but must have (n_evaluated,)")
    if columns.size and not np.issubdtype(columns.dtype, np.integer):
        raise ValueError(f"weeks holds {columns.dtype} but must hold whole numbers")
    first = max(history, period - 1)
    if columns.size and not first <= int(columns.min()) <= int(columns.max()) < series.shape[1]:
        raise ValueError(
            f"weeks lies from {columns.min()} to {columns.max()} but must lie from {first} (the first week with "
            f"the whole history that the settings ask for) to {series.shape[1] - 1} (counts has {series.shape[1]} weeks)"
        )
    return np.ascontiguousarray(series, dtype=np.int64), np.ascontiguousarray(columns, dtype=np.int64)
