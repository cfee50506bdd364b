"""The smallest cluster that would be found: what each place, series and window would need to reach a threshold today.

``tocsin calibrate`` prints it, so that "nothing was found" says how much could have happened unseen; ``tocsin explain``
uses :func:`expectations` to show every window beside the one that won. Arithmetic only.

What a window expects is not computed here a second time: :func:`expectations` asks ``detectors.scoring.score_day``
itself, so that whatever the scoring does, this says the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import Baseline
from detectors.completeness import LONGEST_WINDOW, checked, first_useful_age, lookback_days
from detectors.history import CountCube
from detectors.scoring import FEWEST, HIGHEST_SCORE, LOWEST_SCORE, mid_p, score_day
from detectors.zones import Zones
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int_]

NO_COUNT = -1
"""Where no count at all would reach the threshold."""

# So many events that no window is less surprising than the strongest score there is, whatever its mean and spread; the
# zones' sums of it stay far inside 64 bits.
_FLOOD = 50_000_000
_MOST_DOUBLINGS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Expectations:
    """What chance gives in every window of one day, as the scoring sees it.

    Attributes
    ----------
    expected, size : ndarray of float64, shape (n_series, 14, n_zones)
        Mean and size of the negative binomial under no outbreak.
    handicap : ndarray of float64, shape (n_series, n_zones)
        What is taken off the score of wide zones and of class ``any``.
    window_days : ndarray of int, shape (n_series, 14)
        Civil days, today included, of the windows of nominal length 1 to 14: a feed that is late reaches back further.
    """

    expected: FloatArray
    size: FloatArray
    handicap: FloatArray
    window_days: IndexArray


def expectations(
    baseline: Baseline, zones: Zones, completeness: Mapping[Feed, FloatArray], today: date
) -> Expectations:
    """Return what every window that ends today expects, in every series and zone.

    Parameters
    ----------
    baseline : Baseline
        The one in force today.
    zones : Zones
    completeness : mapping of Feed to ndarray, shape (n_ages,)
    today : date

    Raises
    ------
    ValueError
        If the arguments do not belong together; the message names the argument.
    """
    laws = checked(completeness, tuple(dict.fromkeys(feed for feed, _ in baseline.series)))
    useful = np.array([first_useful_age(laws[feed]) for feed, _ in baseline.series], dtype=np.int_)
    n_series, n_zones = len(baseline.series), len(zones.zones)
    window_days = useful[:, None] + np.arange(1, LONGEST_WINDOW + 1)
    found = np.full((2, n_series, LONGEST_WINDOW, n_zones), np.nan)
    handicap = np.zeros((n_series, n_zones))
    days = lookback_days(laws) if laws else LONGEST_WINDOW
    rows = np.arange(n_series)
    for window in range(LONGEST_WINDOW):
        # A flood on a window's oldest day is in that window and the longer ones; the shortest of equals is told.
        counts = np.zeros((n_series, days, len(baseline.areas) + 1), dtype=np.int32)
        counts[rows, days - window_days[:, window]] = _FLOOD
        cube = CountCube(today - timedelta(days=days - 1), baseline.areas, baseline.series, counts)
        scores = score_day(cube, baseline, zones, laws, floor=-np.inf)
        if len(scores) != n_series * n_zones or np.any(
            scores.window_days != window_days[scores.series, window]
        ):
            raise ValueError("baseline must expect finite counts in every window")
        found[:, scores.series, window, scores.zone] = scores.expected, scores.size
        handicap[scores.series, scores.zone] = HIGHEST_SCORE - scores.score
    return Expectations(found[0], found[1], handicap, window_days)


def scores_of(
    observed: IndexArray, expected: FloatArray, size: FloatArray, handicap: FloatArray
) -> FloatArray:
    """Return the score of each count: ``-log10`` of its mid-p, less the handicap. All of one (broadcast) shape."""
    p_value = mid_p(observed, expected, size)
    plain = np.minimum(-np.log10(np.maximum(p_value, 10.0**-HIGHEST_SCORE)), HIGHEST_SCORE)
    value: FloatArray = plain - handicap
    return value


def smallest_count(
    expected: FloatArray, size: FloatArray, score: float | FloatArray, handicap: float | FloatArray = 0.0
) -> IndexArray:
    """Return the fewest events whose score reaches ``score``: the exact inversion of the scoring, by bisection.

    The score rises with the count, so the counts that reach it are all those from one count on.

    Parameters
    ----------
    expected, size : ndarray of float64
        Mean and size of the negative binomial under no outbreak, above 0.
    score : float or ndarray
        The threshold; below ``LOWEST_SCORE`` that one holds, as in a detection run. Infinite for "never".
    handicap : float or ndarray

    Returns
    -------
    ndarray of int, of the arguments' common shape
        At least ``FEWEST``; ``NO_COUNT`` where no count would do.

    Raises
    ------
    ValueError
        If a mean or size is not above 0, or a score is not a number.

    Examples
    --------
    >>> smallest_count(np.array([0.1, 1.0, 5.0]), np.array([50.0, 50.0, 50.0]), 4.0).tolist()
    [3, 7, 17]
    """
    mean, wide, wanted, less = np.broadcast_arrays(expected, size, np.maximum(score, LOWEST_SCORE), handicap)
    for name, value in (("expected", mean), ("size", wide)):
        if not np.all(value > 0):
            raise ValueError(f"{name} must be above 0 everywhere")
    if np.any(np.isnan(wanted + less)):
        raise ValueError("score must be a number everywhere")

    def reached(count: IndexArray) -> NDArray[np.bool_]:
        result: NDArray[np.bool_] = scores_of(count, mean, wide, less) >= wanted
        return result

    reachable = wanted + less <= HIGHEST_SCORE
    low = np.full(mean.shape, FEWEST - 1, dtype=np.int_)
    high = np.maximum(np.ceil(mean).astype(np.int_), FEWEST)
    for _ in range(_MOST_DOUBLINGS):
        short = reachable & ~reached(high)
        if not short.any():
            break
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    else:
        reachable = reachable & reached(high)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = reached(middle)
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reachable, high, NO_COUNT)
