"""One daily series at a time: whether today, or the last days, are more than the series' own past explains.

For series that stand alone, without areas or sister classes: a syndromic feed, a single clinic, a benchmark. The service
itself looks at whole cubes (``detectors/scoring.py``). The baseline is the product's own, fitted every seventh day from
what came before, guard and all. Arithmetic only: no clock, no random number, nothing changed that was handed in.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import Baseline, ModelSettings, fit_baseline
from detectors.history import CountCube
from detectors.scoring import FEWEST, mid_p
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int_]

LONGEST = 14
"""Days: windows run from 1 to 14 days."""

ALPHA = 0.01

_WEEK = 7
_FEEDS = tuple(Feed)
"""Only labels here: a series is fitted as the total of a feed of its own, as many at a time as there are feeds."""
_SEVEN_YEARS = 2557
_MOST_COUNT = 10_000_000
"""A cube holds 32 bits: a fortnight of such days still fits."""
_TESTS = 6.2
"""What fourteen nested windows are worth: of independent Gaussian days, the largest standardised sum of the last 1 to 14
passes the .01 / 6.2 point on one day in a hundred (four million days simulated; 5.8 at .02, 7.3 at .001)."""


@dataclass(frozen=True, slots=True, eq=False)
class Exceedance:
    """What was found; every array has the shape (n_series, n_evaluated).

    Attributes
    ----------
    p_value : ndarray of float64
        Smallest mid-p of the day's windows, made good for their number; 1 where nothing was in excess.
    window_days : ndarray of int
        Length of that window; 0 where nothing was in excess.
    observed : ndarray of int
    expected : ndarray of float64
        Of that window.
    alarm : ndarray of bool
        Days on which something new was above the nominal level.
    """

    p_value: FloatArray
    window_days: IndexArray
    observed: IndexArray
    expected: FloatArray
    alarm: NDArray[np.bool_]


def daily_exceedance(
    counts: NDArray[np.integer],
    first_day: date,
    holidays: Collection[date] = (),
    *,
    alpha: float = ALPHA,
    evaluate: int = 1,
    settings: ModelSettings | None = None,
) -> Exceedance:
    """Compare the last days of each series with its own past.

    Every seventh day the baseline is fitted from the days before; each day asks windows of 1 to 14 days that end with it.
    A window's count is negative binomial with variance ``phi m + m**2 v``, where v is the squared relative error of the
    expected count; its mid-p is multiplied by the number of independent tests that fourteen nested windows are worth. A
    day that has raised an alarm has said what it had to say: later windows begin after it, so that yesterday's outbreak
    is not found again in every window that still holds it.

    Parameters
    ----------
    counts : ndarray of int, shape (n_series, n_days) or (n_days,)
        Events by day; the last day is today.
    first_day : date
        The civil day of the first column.
    holidays : collection of date
        Bank holidays.
    alpha : float
        The nominal level of a day, one for every series.
    evaluate : int
        How many of the last days are looked at.
    settings : ModelSettings, optional
        Left out: guard and season as in the service, and seven years of history.

    Raises
    ------
    ValueError
        If an argument has an impossible value or shape; the message names it.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(5.0, 800)
    >>> counts[-1] = 25
    >>> found = daily_exceedance(counts, date(2022, 1, 3))
    >>> bool(found.alarm[0, -1]), int(found.window_days[0, -1])
    (True, 1)
    """
    (found,) = exceedances(counts, first_day, holidays, (alpha,), evaluate=evaluate, settings=settings)
    return found


def exceedances(
    counts: NDArray[np.integer],
    first_day: date,
    holidays: Collection[date],
    alphas: Sequence[float],
    *,
    evaluate: int,
    settings: ModelSettings | None = None,
) -> tuple[Exceedance, ...]:
    """Return what :func:`daily_exceedance` finds at each of several nominal levels, from the same fits."""
    table = np.atleast_2d(np.asarray(counts))
    if table.ndim != 2 or not np.issubdtype(table.dtype, np.integer):  # noqa: PLR2004 (series and days)
        raise ValueError(
            f"counts must be whole numbers of shape (series, days), not {table.dtype} {table.shape}"
        )
    if not table.shape[0]:
        raise ValueError(f"counts must hold at least one series, not the shape {table.shape}")
    if table.size and (int(table.min()) < 0 or int(table.max()) > _MOST_COUNT):
        raise ValueError(f"counts must lie from 0 to {_MOST_COUNT}, not from {table.min()} to {table.max()}")
    for alpha in alphas:
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
    n_series, n_days = table.shape
    if not 1 <= evaluate < n_days:
        raise ValueError(f"evaluate must lie from 1 to {n_days - 1}, so that a past is left, not {evaluate}")
    chosen = settings or ModelSettings(most_training_days=_SEVEN_YEARS)
    shape = (len(alphas), n_series, evaluate)
    p_value, expected = np.ones(shape), np.zeros(shape)
    window, observed = np.zeros(shape, dtype=np.int_), np.zeros(shape, dtype=np.int_)
    fresh = np.zeros((len(alphas), n_series), dtype=np.int_)
    fits: list[Baseline | None] = [None] * -(-n_series // len(_FEEDS))
    begin = n_days - evaluate
    for week in range(begin, n_days, _WEEK):
        last = min(week + _WEEK, n_days)
        back = max(week - LONGEST + 1, 0)
        usual = _expect(table, first_day, holidays, chosen, week, (back, last), fits)
        for today in range(week, last):
            at = today - begin
            for level, alpha in enumerate(alphas):
                best = _best_window(table[:, back : today + 1], usual, fresh[level] - back)
                p_value[level, :, at], window[level, :, at] = best[:2]
                observed[level, :, at], expected[level, :, at] = best[2:]
                fresh[level, best[0] <= alpha] = today + 1
    return tuple(
        Exceedance(p_value[level], window[level], observed[level], expected[level], p_value[level] <= alpha)
        for level, alpha in enumerate(alphas)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Usual:
    """What a week's baselines expect of each day, how far it may be wrong, and the dispersion."""

    expected: FloatArray
    error: FloatArray
    dispersion: FloatArray


def _expect(
    table: NDArray[np.integer],
    first_day: date,
    holidays: Collection[date],
    settings: ModelSettings,
    known: int,
    days: tuple[int, int],
    fits: list[Baseline | None],
) -> _Usual:
    """Fit every series from the days before ``known`` and return what is usual on ``days``; keep the fits."""
    expected, error, dispersion = [], [], []
    for index in range(len(fits)):
        rows = table[index * len(_FEEDS) : (index + 1) * len(_FEEDS), :known]
        series = tuple((feed, SubstanceClass.ANY) for feed in _FEEDS[: rows.shape[0]])
        cube = CountCube(first_day, (), series, rows[:, :, None].astype(np.int32))
        fitted = fit_baseline(
            cube,
            completeness={},
            populations=np.zeros(0),
            holidays=holidays,
            settings=settings,
            previous=fits[index],
        )
        fits[index] = fitted
        expected.append(fitted.expected_total(first_day + timedelta(days=days[0]), days[1] - days[0]))
        error.append(1.0 / fitted.level_shape)
        dispersion.append(fitted.dispersion_total)
    return _Usual(np.concatenate(expected), np.concatenate(error), np.concatenate(dispersion))


def _best_window(
    seen: NDArray[np.integer], usual: _Usual, fresh: IndexArray
) -> tuple[FloatArray, IndexArray, IndexArray, FloatArray]:
    """Return p-value, length, observed and expected of the most surprising window that ends on the last day seen."""
    n_days = seen.shape[1]
    longest = min(LONGEST, n_days)
    lengths = np.arange(1, longest + 1)
    count = seen[:, ::-1][:, :longest].cumsum(axis=1).astype(np.int_)
    mean = np.maximum(usual.expected[:, :n_days][:, ::-1][:, :longest].cumsum(axis=1), 1e-9)
    inverse = (usual.dispersion - 1.0)[:, None] + mean * usual.error[:, None]
    allowed = lengths <= (n_days - np.maximum(fresh, 0))[:, None]
    worth = allowed & (count >= FEWEST) & (count - mean >= np.sqrt(mean * (1.0 + inverse)))
    single = np.ones(count.shape)
    single[worth] = mid_p(count[worth], mean[worth], mean[worth] / np.maximum(inverse[worth], 1e-12))
    best = single.argmin(axis=1)
    every = np.arange(count.shape[0])
    found = single[every, best] < 1.0
    p_value = np.minimum(single[every, best] * _TESTS, 1.0)
    return p_value, np.where(found, lengths[best], 0), count[every, best] * found, mean[every, best] * found
