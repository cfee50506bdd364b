"""Where a cluster most probably lies: the circle that agrees best with all that could explain a look.

For whoever names places to people, after a scan has found something. The circle with the highest score tells *that*
something happened; when few events are in, its neighbours explain the look nearly as well, and which of them scores
highest is chance. Arithmetic only; it never decides whether there is an alarm.
"""

from math import exp, log

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import serial
from detectors.scan_engine import Study
from detectors.scan_statistics import log_likelihood_ratio

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]

CANDIDATES = 400
"""Circles compared with each other, the weightiest first: the rest together have next to no weight."""


def central_circle(study: Study, look: FloatArray, totals: FloatArray | None = None) -> IndexArray:
    """Return the areas of the circle with the greatest expected overlap with the truth.

    Each circle has the weight ``sum over windows of exp(ratio - penalty)``: a posterior, where the penalty is the
    logarithm of a prior (:func:`detectors.scan_engine.scale_penalty`; Neill and Cooper 2010 sum likelihoods in the same
    way). Overlap is Jaccard's: areas in both over areas in either. The expected overlap is its weighted mean.

    Parameters
    ----------
    study : Study
    look : ndarray of float64, shape (n_feeds, n_areas, n_windows)
        Counts of the last 1, 2, ... days.
    totals : ndarray of float64, shape (n_feeds,), optional
        For conditional statistics.

    Returns
    -------
    ndarray of int32, shape (n_areas_of_the_circle,)
        The centre first, then by distance.

    Examples
    --------
    >>> from detectors.scan_engine import study_of
    >>> from detectors.scan_statistics import POISSON
    >>> from detectors.scan_zones import neighbour_order
    >>> circles = neighbour_order([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
    >>> study = study_of(circles, POISSON, np.full((1, 1, 3), 2.0), penalised=True)
    >>> central_circle(study, np.array([[[9.0], [8.0], [2.0]]])).tolist()
    [0, 1]
    """
    neighbours = study.neighbours
    scale = np.ones(study.mean.shape[0]) if totals is None else np.maximum(totals, 1e-9)
    weights = np.empty(neighbours.n_zones)
    _log_weights(
        np.ascontiguousarray(look, dtype=np.float64),
        neighbours.order, neighbours.sizes, study.mean, study.second, scale, study.kind,
        study.zone_penalty, study.window_penalty, weights,
    )  # fmt: skip
    top = np.argsort(-weights, kind="stable")[:CANDIDATES]
    share = np.exp(weights[top] - weights[top[0]])
    centre = np.searchsorted(study.offsets, top, side="right") - 1
    size = top - study.offsets[centre] + 1
    members = np.zeros((top.size, neighbours.n_areas), dtype=np.float32)
    for row, (middle, areas) in enumerate(zip(centre, size, strict=True)):
        members[row, neighbours.zone(int(middle), int(areas))] = 1.0
    common = members @ members.T
    overlap = common / (size[:, None] + size[None, :] - common)
    best = int((overlap @ share).argmax())
    return neighbours.zone(int(centre[best]), int(size[best])).copy()


@serial
def _log_weights(  # noqa: PLR0913, PLR0917 (a kernel takes arrays, not objects)
    look: FloatArray,
    order: IndexArray,
    sizes: IndexArray,
    mean: FloatArray,
    second: FloatArray,
    totals: FloatArray,
    kind: int,
    zone_penalty: FloatArray,
    window_penalty: FloatArray,
    out: FloatArray,
) -> None:
    n_feeds, n_areas, n_windows = look.shape
    zone = 0
    for centre in range(n_areas):
        count = np.zeros((n_feeds, n_windows))
        expected = np.zeros((n_feeds, n_windows))
        other = np.zeros((n_feeds, n_windows))
        for rank in range(sizes[centre]):
            area = order[centre, rank]
            highest, total = -np.inf, 0.0
            for window in range(n_windows):
                score = -window_penalty[window]
                for feed in range(n_feeds):
                    count[feed, window] += look[feed, area, window]
                    expected[feed, window] += mean[feed, area, window] * totals[feed]
                    other[feed, window] += second[feed, area, window]
                    score += log_likelihood_ratio(
                        kind, count[feed, window], expected[feed, window], other[feed, window], totals[feed]
                    )
                if score > highest:
                    total = total * exp(highest - score) + 1.0
                    highest = score
                else:
                    total += exp(score - highest)
            out[zone] = highest + log(total) - zone_penalty[zone]
            zone += 1
