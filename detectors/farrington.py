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
from detectors.farrington_parity import judge_parallel, judge_serial
from detectors.farrington_reference import count_tables, reference_lags, runs_of, seasonal_groups

FloatArray = NDArray[np.float64]

_GREATEST = 2**40
"""Counts up to a million million: their sums over years stay exact."""


@dataclass(frozen=True, slots=True, eq=False)
class Farrington:
    """What :func:`farrington_flexible` found; every array has the shape (n_series, n_evaluated).

    Attributes
    ----------
    expected : ndarray of float64
        The usual count of the week.
    dispersion : ndarray of float64
        Variance over mean, at least 1.
    upper : ndarray of float64
        The greatest count that is no alarm.
    p_value : ndarray of float64
    p_exact : ndarray of float64
        Parity mode: P(X >= y) under the fitted law, in both.
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
    b: int = 5,
    w: int = 3,
    n_periods: int = 10,
    past_weeks_not_included: int = 26,
    reweight: bool = True,
    weights_threshold: float = 2.58,
    alpha: float = 0.005,
    limit_54: tuple[int, int] = (5, 4),
    parallel: bool = True,
) -> Farrington:
    """Judge weekly counts against the same series' past years."""
    if mode != "parity":
        raise ValueError(f"mode is {mode!r} but must be 'parity'")
    lags = reference_lags(b, w, past_weeks_not_included)
    series, columns = _checked(counts, weeks, int(lags.max()), limit_54[1])
    groups = seasonal_groups(b, w, n_periods, past_weeks_not_included)
    runs = runs_of(groups, past_weeks_not_included)
    settings = (weights_threshold, alpha, float(ndtri(1.0 - alpha)), *limit_54, reweight)
    if parallel and series.shape[0] > 1:
        with exclusively():
            found = judge_parallel(series, columns, runs, count_tables(), *settings)
    else:
        found = judge_serial(series, columns, runs, count_tables(), *settings)
    expected, dispersion, upper, p_exact, alarm = (np.ascontiguousarray(found[:, k]) for k in range(5))
    return Farrington(expected, dispersion, upper, p_exact, p_exact, alarm > 0)


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
