"""The best circle and window of each centre in one look: what clusters are chosen from.

Only ``detectors/scan_engine.py`` calls this. It works in double precision throughout, so fractions of events are exact.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from detectors.compiled import parallel
from detectors.scan_statistics import bound_factor, log_likelihood_ratio

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@parallel
def best_of_centres(  # noqa: PLR0913, PLR0917 (a kernel takes arrays, not objects)
    look: FloatArray,
    order: IndexArray,
    limits: IndexArray,
    offsets: NDArray[np.int64],
    mean: FloatArray,
    second: FloatArray,
    totals: FloatArray,
    kind: int,
    zone_penalty: FloatArray,
    window_penalty: FloatArray,
    wanted: NDArray[np.bool_],
    score: FloatArray,
    where: IndexArray,
) -> None:
    """Find, in one look, the best circle and window of each wanted centre among its first ``limits[centre]`` circles.

    Ties go to the smaller circle, then to the shorter window; sums made in another order differ in their last digits,
    so what is better by less than one part in 10^9 is a tie. Arrays as in :func:`best_of_looks`, without looks.
    """
    n_feeds, n_areas, n_windows = look.shape
    for centre in prange(n_areas):
        if not wanted[centre]:
            continue
        score[centre] = 0.0
        where[centre] = -1
        count = np.zeros((n_feeds, n_windows))
        expected = np.zeros((n_feeds, n_windows))
        other = np.zeros((n_feeds, n_windows))
        for rank in range(limits[centre]):
            area = order[centre, rank]
            zone = offsets[centre] + rank
            for window in range(n_windows):
                bound = 0.0
                for feed in range(n_feeds):
                    count[feed, window] += look[feed, area, window]
                    expected[feed, window] += mean[feed, area, window] * totals[feed]
                    other[feed, window] += second[feed, area, window]
                    excess = max(count[feed, window] - expected[feed, window], 0.0)
                    if excess > 0:
                        bound += (
                            excess
                            * excess
                            * bound_factor(kind, expected[feed, window], other[feed, window], totals[feed])
                        )
                penalty = zone_penalty[zone] + window_penalty[window]
                if bound * (1 + 1e-9) - penalty <= score[centre]:
                    continue
                ratio = -penalty
                for feed in range(n_feeds):
                    ratio += log_likelihood_ratio(
                        kind, count[feed, window], expected[feed, window], other[feed, window], totals[feed]
                    )
                if ratio > score[centre] + 1e-9 * (1.0 + abs(score[centre])):
                    score[centre] = ratio
                    where[centre, 0], where[centre, 1] = rank, window
