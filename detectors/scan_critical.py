"""Critical counts: how many events a circle and window needs before it is worth a logarithm.

Only ``detectors/scan_engine.py`` calls this, once for hundreds of looks at the same expected counts.
"""

from math import log, sqrt

import numpy as np
from numba import prange
from numpy.typing import NDArray

from detectors.compiled import parallel, serial
from detectors.scan_statistics import (
    BINOMIAL,
    CONDITIONAL,
    NEGATIVE_BINOMIAL,
    bound_factor,
    log_likelihood_ratio,
)

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]


@parallel
def critical_counts(  # noqa: PLR0913, PLR0917 (a kernel takes arrays, not objects)
    order: IndexArray,
    sizes: IndexArray,
    offsets: NDArray[np.int64],
    mean: FloatArray,
    second: FloatArray,
    total: float,
    kind: int,
    zone_penalty: FloatArray,
    window_penalty: FloatArray,
    level: float,
    critical: NDArray[np.float32],
) -> None:
    """Fill in, for each zone and window, a count below which the penalised ratio cannot exceed ``level``.

    The ratio is convex in the count, so Newton's steps come down to the root from above; what is kept lies a little
    below it, on the safe side. One feed; ``mean`` and ``second`` have the shape (n_areas, n_windows).
    """
    n_areas, n_windows = mean.shape
    for centre in prange(n_areas):
        expected = np.zeros(n_windows)
        other = np.zeros(n_windows)
        for rank in range(sizes[centre]):
            area = order[centre, rank]
            zone = offsets[centre] + rank
            for window in range(n_windows):
                expected[window] += mean[area, window] * total
                other[window] += second[area, window]
                target = level + zone_penalty[zone] + window_penalty[window]
                critical[zone, window] = _critical_count(kind, expected[window], other[window], total, target)


@serial
def _critical_count(kind: int, mean: float, second: float, total: float, target: float) -> float:
    count = mean + sqrt(max(target, 0.0) / bound_factor(kind, mean, second, total))
    if target <= 0.0 or kind == BINOMIAL:
        return count * 0.999
    if kind == CONDITIONAL and log_likelihood_ratio(kind, total, mean, second, total) <= target:
        return np.inf
    for _ in range(20):
        over = log_likelihood_ratio(kind, count, mean, second, total) - target
        slope = log(count / max(mean, 1e-300))
        if kind == NEGATIVE_BINOMIAL and second > 1e-9 * mean:
            size = mean * mean / second
            slope -= log((count + size) / (mean + size))
        elif kind == CONDITIONAL:
            slope -= log(max(total - count, 1e-300) / (total - mean))
        step = over / max(slope, 1e-12)
        if kind == CONDITIONAL and count - step >= total:
            step = (count - total) / 2
        count -= step
        if abs(step) < 1e-3 * count:
            break
    return max(count * 0.997, mean)
