"""The loops of a scan: every circle and window of many looks at once.

Only ``detectors/scan_engine.py`` calls this. A *look* is what was counted up to one day: a replicate of a Monte Carlo
test, a day of a null history, or today. Sixteen looks lie side by side, so that one running sum over the nearest areas
serves them all and the processor adds sixteen at a stroke. A logarithm is taken only where a zone could beat what its
look has seen so far: a count is first held against a *critical count*, or its squared excess against an upper bound.
Neither changes a result, only how soon it is there.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from detectors.compiled import parallel, serial
from detectors.scan_statistics import CONDITIONAL, bound_factor, log_likelihood_ratio

FloatArray = NDArray[np.float64]
Counts = NDArray[np.floating]
IndexArray = NDArray[np.int32]

LANES = 16
"""Looks side by side: one register of single-precision numbers on the widest processors."""

# A bound in single precision may fall short of the true one by less than this.
_SLACK = 2e-3


@parallel
def best_of_looks(  # noqa: PLR0913, PLR0917 (a kernel takes arrays, not objects)
    looks: Counts,
    order: IndexArray,
    sizes: IndexArray,
    offsets: NDArray[np.int64],
    mean: FloatArray,
    second: FloatArray,
    totals: FloatArray,
    kind: int,
    zone_penalty: FloatArray,
    window_penalty: FloatArray,
    critical: NDArray[np.float32],
    score: FloatArray,
    where: IndexArray,
) -> None:
    """Find each look's best circle and window.

    Parameters
    ----------
    looks : ndarray of float32 or float64, shape (n_looks, n_feeds, n_areas, n_windows)
        Counts of the last 1, 2, ... days.
    order, sizes, offsets : ndarray
        The circles: see ``scan_zones.Neighbours``; zone (c, k) has the number ``offsets[c] + k``.
    mean, second : ndarray of float64, shape (n_feeds, n_areas, n_windows)
        Expected count of each window, for a total of 1; and the statistic's second quantity.
    totals : ndarray of float64, shape (n_looks, n_feeds)
        What the expected counts are multiplied by (and C, for conditional statistics).
    zone_penalty, window_penalty : ndarray of float64, shape (n_zones,), (n_windows,)
        Subtracted from the ratio.
    critical : ndarray of float32, shape (n_zones, n_windows) or (0, 0)
        From :func:`critical_counts`, for one feed; below them nothing is looked at. Empty: the upper bound is used.
    score : ndarray of float64, shape (n_looks,)
        In: what must be beaten. Out: the best penalised ratio, or the same.
    where : ndarray of int32, shape (n_looks, 3)
        Out: centre, areas less one, days less one; untouched where nothing was better.
    """
    n_looks, n_feeds, n_areas, n_windows = looks.shape
    n_blocks = (n_looks + LANES - 1) // LANES
    for block in prange(n_blocks):
        first = block * LANES
        here = min(LANES, n_looks - first)
        counts = np.zeros((n_feeds, n_areas, n_windows, LANES), dtype=looks.dtype)
        scale = np.ones((n_feeds, LANES))
        best = np.zeros(LANES)
        place = np.zeros((LANES, 3), dtype=np.int32)
        for lane in range(here):
            best[lane] = score[first + lane]
            place[lane] = where[first + lane]
            for feed in range(n_feeds):
                scale[feed, lane] = totals[first + lane, feed]
                for area in range(n_areas):
                    for window in range(n_windows):
                        counts[feed, area, window, lane] = looks[first + lane, feed, area, window]
        if critical.size > 0:
            _by_critical(
                counts[0], order, sizes, offsets, mean[0], second[0], scale[0], kind,
                zone_penalty, window_penalty, critical, best, place,
            )  # fmt: skip
        else:
            _by_bound(
                counts, order, sizes, offsets, mean, second, scale, kind,
                zone_penalty, window_penalty, best, place,
            )  # fmt: skip
        for lane in range(here):
            score[first + lane] = best[lane]
            where[first + lane] = place[lane]


@serial
def _by_critical(  # noqa: PLR0913, PLR0917 (a kernel takes arrays, not objects)
    counts: Counts,
    order: IndexArray,
    sizes: IndexArray,
    offsets: NDArray[np.int64],
    mean: FloatArray,
    second: FloatArray,
    scale: FloatArray,
    kind: int,
    zone_penalty: FloatArray,
    window_penalty: FloatArray,
    critical: NDArray[np.float32],
    best: FloatArray,
    place: IndexArray,
) -> None:
    n_areas, n_windows, _ = counts.shape
    running = np.zeros((n_windows, LANES), dtype=counts.dtype)
    for centre in range(n_areas):
        running[:] = 0
        for rank in range(sizes[centre]):
            area = order[centre, rank]
            zone = offsets[centre] + rank
            for window in range(n_windows):
                least = critical[zone, window]
                hits = 0
                for lane in range(LANES):
                    total = running[window, lane] + counts[area, window, lane]
                    running[window, lane] = total
                    hits += total >= least
                if hits == 0:
                    continue
                expected, other = 0.0, 0.0
                for inner in range(rank + 1):
                    expected += mean[order[centre, inner], window]
                    other += second[order[centre, inner], window]
                penalty = zone_penalty[zone] + window_penalty[window]
                for lane in range(LANES):
                    if running[window, lane] >= least:
                        count = float(running[window, lane])
                        ratio = log_likelihood_ratio(kind, count, expected * scale[lane], other, scale[lane])
                        if ratio - penalty > best[lane]:
                            best[lane] = ratio - penalty
                            place[lane, 0], place[lane, 1], place[lane, 2] = centre, rank, window


@serial
def _by_bound(  # noqa: C901, PLR0913, PLR0917 (a kernel takes arrays, and loops within loops)
    counts: Counts,
    order: IndexArray,
    sizes: IndexArray,
    offsets: NDArray[np.int64],
    mean: FloatArray,
    second: FloatArray,
    scale: FloatArray,
    kind: int,
    zone_penalty: FloatArray,
    window_penalty: FloatArray,
    best: FloatArray,
    place: IndexArray,
) -> None:
    n_feeds, n_areas, n_windows, _ = counts.shape
    running = np.zeros((n_feeds, n_windows, LANES), dtype=counts.dtype)
    expected = np.zeros((n_feeds, n_windows))
    other = np.zeros((n_feeds, n_windows))
    bound = np.zeros(LANES, dtype=counts.dtype)
    scales = scale.astype(counts.dtype)
    inverse = (1.0 / scale).astype(counts.dtype)
    needed = best.astype(counts.dtype)
    most = np.zeros(n_feeds)
    for feed in range(n_feeds):
        most[feed] = max(scale[feed].max(), 1.0)
    for centre in range(n_areas):
        running[:] = 0
        expected[:] = 0
        other[:] = 0
        for rank in range(sizes[centre]):
            area = order[centre, rank]
            zone = offsets[centre] + rank
            for window in range(n_windows):
                bound[:] = 0
                for feed in range(n_feeds):
                    expected[feed, window] += mean[feed, area, window]
                    other[feed, window] += second[feed, area, window]
                    usual = counts.dtype.type(expected[feed, window])
                    factor = counts.dtype.type(
                        most[feed]
                        * bound_factor(
                            kind, expected[feed, window] * most[feed], other[feed, window], most[feed]
                        )
                        if kind >= CONDITIONAL
                        else bound_factor(kind, expected[feed, window], other[feed, window], 1.0)
                    )
                    for lane in range(LANES):
                        total = running[feed, window, lane] + counts[feed, area, window, lane]
                        running[feed, window, lane] = total
                        excess = max(total - usual * scales[feed, lane], counts.dtype.type(0))
                        bound[lane] += excess * excess * factor * inverse[feed, lane]
                penalty = zone_penalty[zone] + window_penalty[window]
                slack = counts.dtype.type(penalty - _SLACK)
                hits = 0
                for lane in range(LANES):
                    hits += bound[lane] > needed[lane] + slack
                if hits == 0:
                    continue
                for lane in range(LANES):
                    if bound[lane] > needed[lane] + slack:
                        ratio = 0.0
                        for feed in range(n_feeds):
                            ratio += log_likelihood_ratio(
                                kind,
                                float(running[feed, window, lane]),
                                expected[feed, window] * scale[feed, lane],
                                other[feed, window],
                                scale[feed, lane],
                            )
                        if ratio - penalty > best[lane]:
                            best[lane] = ratio - penalty
                            needed[lane] = counts.dtype.type(best[lane])
                            place[lane, 0], place[lane, 1], place[lane, 2] = centre, rank, window
