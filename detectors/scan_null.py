"""The Monte Carlo test of a scan: replicates drawn under the statistic's null law, and the best score of each.

Only ``detectors/scan.py`` calls this.
"""

import numpy as np
from numpy.typing import NDArray

from detectors.scan_arguments import Cells
from detectors.scan_engine import EXACT_IN_SINGLE, Study, conditional
from detectors.scan_replicates import (
    Counts,
    hypergeometric_looks,
    multinomial_looks,
    negative_binomial_looks,
    permuted_looks,
    poisson_looks,
    seeds_of,
)

FloatArray = NDArray[np.float64]

_CHUNK_BYTES = 2**28
"""Replicates are drawn and looked at in portions of this size, so that a nation's scan fits in memory too."""


def replicate_maxima(
    cells: Cells,
    statistic: str,
    study: Study,
    totals: FloatArray,
    replicates: int,
    rng: np.random.Generator,
    *,
    together: bool,
) -> FloatArray:
    """Return the best score of each replicate, shape (replicates,)."""
    n_feeds, n_areas, n_windows = study.mean.shape
    most = float(max(cells.counts.sum(), cells.expected.sum()))
    dtype = np.float32 if most <= EXACT_IN_SINGLE / 4 else np.float64
    portion = max(1, _CHUNK_BYTES // (n_feeds * n_areas * n_windows * np.dtype(dtype).itemsize))
    maxima = np.zeros(replicates)
    for start in range(0, replicates, portion):
        here = slice(start, min(start + portion, replicates))
        size = here.stop - start
        drawn = [
            _draw(cells, feed, statistic, n_windows, rng, size, dtype)
            for feed in range(cells.counts.shape[0])
        ]
        looks: Counts = np.stack(drawn, axis=1)
        if together:
            looks = looks.sum(axis=1, keepdims=True, dtype=dtype)
        scale = np.tile(totals, (size, 1)) if conditional(study.kind) else None
        maxima[here] = study.best_of(looks, scale).score
    return maxima


def _draw(
    cells: Cells,
    feed: int,
    statistic: str,
    n_windows: int,
    rng: np.random.Generator,
    replicates: int,
    dtype: type[np.floating],
) -> Counts:
    """Return null looks of one feed, shape (replicates, n_areas, n_windows)."""
    counts, mean, second = cells.counts[feed], cells.expected[feed], cells.second[feed]
    recent = slice(None, -n_windows - 1, -1)
    total, whole = round(float(counts.sum())), float(mean.sum())
    if statistic == "binomial":
        people = np.rint(second).astype(np.int64)
        older = int(people[:-n_windows].sum())
        return hypergeometric_looks(rng, replicates, total, people[recent], older).astype(dtype)
    seeds = seeds_of(rng, replicates)
    if statistic == "poisson":
        return poisson_looks(seeds, mean[recent], dtype)
    if statistic == "negative_binomial":
        return negative_binomial_looks(seeds, mean[recent], second[recent], dtype)
    if statistic == "permutation":
        by_day, by_area = counts.sum(axis=1).astype(np.int64), counts.sum(axis=0).astype(np.int64)
        return permuted_looks(seeds, by_day[recent], by_area, dtype)
    return multinomial_looks(seeds, total, mean[recent] / max(whole, 1e-300), dtype)
