"""How records come in pairs: the same person again, or in another feed, at the same place within days of each other.

The fusion detector learns it weekly from a jurisdiction's own past, because no record says who somebody is. Pairs of
records at one small area are counted by how many days apart they are, and the pairs that chance alone would give are
taken off (the idea of Ripley's K function in time: Diggle et al. 1995, Stat. Meth. Med. Res. 4:124). What is left,
for each record, is how many further records it makes one expect. A planning figure stands in until pairs are many.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def pairs_by_lag(
    first_place: IntArray,
    first_day: IntArray,
    second_place: IntArray,
    second_day: IntArray,
    n_days: int,
    lags: IntArray,
) -> FloatArray:
    """Return the pairs beyond chance, one record of each kind at the same place, by days from first to second.

    Chance gives ``n_1 n_2 (n_days - |lag|) / n_days**2`` pairs at a place with ``n_1`` and ``n_2`` records. For pairs of
    one kind give the same records twice and lags of 1 or more.

    Parameters
    ----------
    first_place, first_day : ndarray of int64, shape (n_first,)
    second_place, second_day : ndarray of int64, shape (n_second,)
    n_days : int
        Days that the records cover; days run from 0.
    lags : ndarray of int64, shape (n_lags,)
        ``second_day - first_day``; may be negative.

    Examples
    --------
    >>> import numpy as np
    >>> place, day = np.array([0, 0, 1]), np.array([10, 13, 50])
    >>> pairs_by_lag(place, day, place, day, 100, np.array([3])).round(2).tolist()
    [0.95]
    """
    if not first_place.size or not second_place.size:
        return np.zeros(lags.size)
    n_places = int(max(first_place.max(), second_place.max())) + 1
    width = 2 * n_days + 1
    # One number for each (place, day), so that a lag is a shift; days further apart never meet another place.
    first = np.sort(first_place * width + first_day)
    second = np.sort(second_place * width + second_day)
    here = np.bincount(first_place, minlength=n_places).astype(np.float64)
    there = np.bincount(second_place, minlength=n_places)
    chance = float(here @ there) / n_days**2
    found = np.zeros(lags.size)
    for row, lag in enumerate(lags):
        low, high = (np.searchsorted(second, first + lag, side=side) for side in ("left", "right"))
        found[row] = float((high - low).sum()) - chance * (n_days - abs(int(lag)))
    return found


def pairs_same_day(place: IntArray, day: IntArray, n_days: int) -> float:
    """Return the unordered pairs beyond chance of one kind at the same place on the same day."""
    if not place.size:
        return 0.0
    at_place = np.bincount(place).astype(np.float64)
    _, together = np.unique(place * (n_days + 1) + day, return_counts=True)
    pairs = float((together * (together - 1) / 2).sum())
    return pairs - float((at_place * (at_place - 1.0) / 2).sum()) / n_days


def clumping(same_day: float, by_lag: FloatArray, windows: IntArray) -> FloatArray:
    """Return variance over mean, less 1, of counts of windows: ``2 (pairs_0 + sum_l pairs_l (1 - l / w))`` for a record.

    ``same_day`` and ``by_lag`` (lags 1, 2, ...) are pairs for each record. Never below 0, never falling with the window.
    """
    lag = np.arange(1, by_lag.size + 1)
    weight = np.maximum(1.0 - lag / windows[:, None], 0.0)
    found: FloatArray = 2.0 * (same_day + weight @ by_lag)
    return np.maximum.accumulate(np.maximum(found, 0.0))
