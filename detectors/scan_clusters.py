"""Clusters: the best circle and window of a look, and the next best that are disjoint from it.

``detectors/scan.py`` hands its results out in these classes; only it calls the functions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.scan_arguments import Cells
from detectors.scan_engine import Study, conditional
from detectors.scan_gumbel import Gumbel, rank_p_value
from detectors.scan_statistics import log_likelihood_ratio

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """One circle and window with more events than expected.

    Attributes
    ----------
    areas : ndarray of int32
        Indices of its areas, the centre first, then by distance.
    start_day : int
        Index of its first day in the counts given; it ends on the last one.
    days : int
        Length of the window.
    observed, expected : float
        Events in it, all feeds together.
    by_feed : ndarray of float64, shape (n_feeds, 2)
        Observed and expected of each feed.
    llr : float
        Log-likelihood ratio.
    score : float
        The ratio less the penalty of its scale; the same as ``llr`` unless the scan was ``penalised``.
    p_value : float
        (1 + replicates whose best score is at least this one) / (1 + replicates); NaN without replicates. For secondary
        clusters too it is judged by the best of each replicate, which errs on the safe side.
    p_gumbel : float
        The same from a Gumbel law fitted to the replicates' maxima (Abrams et al. 2010).
    recurrence_days : float
        1 / ``p_gumbel``: with one look a day, the days between two as surprising ones by chance (Kleinman 2004).
    """

    areas: NDArray[np.int32]
    start_day: int
    days: int
    observed: float
    expected: float
    by_feed: FloatArray
    llr: float
    score: float
    p_value: float
    p_gumbel: float
    recurrence_days: float

    @property
    def centre(self) -> int:
        """Index of the area that the circle is drawn around."""
        return int(self.areas[0])


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """What a scan found.

    Attributes
    ----------
    clusters : tuple of Cluster
        Most likely first; the others share no area with a better one. Empty where nothing exceeds its expectation.
    maxima : ndarray of float64, shape (replicates,)
        Best score of each replicate.
    gumbel : Gumbel or None
        Fitted to them.
    n_zones : int
        Circles looked at.
    """

    clusters: tuple[Cluster, ...]
    maxima: FloatArray
    gumbel: Gumbel | None
    n_zones: int

    @property
    def most_likely(self) -> Cluster | None:
        """The most surprising cluster, if there is any."""
        return self.clusters[0] if self.clusters else None


def disjoint(
    study: Study, look: FloatArray, totals: FloatArray, most: int
) -> list[tuple[int, int, int, float]]:
    """Return centre, areas, days and score of the best circle, then of the best that is disjoint from it, and so on."""
    neighbours = study.neighbours
    limits = neighbours.sizes.copy()
    wanted = np.ones(limits.shape, dtype=np.bool_)
    score, where = np.zeros(limits.shape), np.full((limits.size, 2), -1, dtype=np.int32)
    taken = np.zeros(limits.shape, dtype=np.bool_)
    found: list[tuple[int, int, int, float]] = []
    while len(found) < most:
        study.best_of_centres(look, totals, limits, wanted, score, where)
        best = float(score.max())
        if best <= 0:
            break
        tied = np.flatnonzero(score >= best - 1e-9 * (1.0 + best))
        centre = int(tied[np.lexsort((tied, where[tied, 1], where[tied, 0]))[0]])
        rank, window = int(where[centre, 0]), int(where[centre, 1])
        found.append((centre, rank + 1, window + 1, best))
        taken[neighbours.zone(centre, rank + 1)] = True
        reached = taken[neighbours.order]
        first = np.where(reached.any(axis=1), reached.argmax(axis=1), limits)
        limits = np.minimum(limits, first).astype(np.int32)
        wanted = where[:, 0] >= limits
    return found


def cluster_of(  # noqa: PLR0913 (a place and what it is judged by)
    cells: Cells,
    study: Study,
    totals: FloatArray,
    centre: int,
    size: int,
    days: int,
    score: float,
    *,
    together: bool,
    maxima: FloatArray,
    law: Gumbel | None,
) -> Cluster:
    """Return all that is told of one circle and window."""
    areas = study.neighbours.zone(centre, size).copy()
    count = cells.counts[:, -days:, areas].sum(axis=(1, 2))
    mean = (study.mean[:, areas, days - 1].sum(axis=1)) * totals
    second = study.second[:, areas, days - 1].sum(axis=1)
    tested = count.sum(keepdims=True) if together else count
    llr = sum(
        log_likelihood_ratio(study.kind, float(tested[i]), float(mean[i]), float(second[i]), float(totals[i]))
        for i in range(mean.size)
    )
    by_feed = cells.expected[:, -days:, areas].sum(axis=(1, 2))
    if conditional(study.kind):
        whole = cells.expected.sum(axis=(1, 2))
        by_feed = by_feed * np.divide(
            cells.counts.sum(axis=(1, 2)), whole, out=np.zeros_like(whole), where=whole > 0
        )
    chance = law.survival(score) if law else float("nan")
    return Cluster(
        areas=areas,
        start_day=cells.counts.shape[1] - days,
        days=days,
        observed=float(count.sum()),
        expected=float(by_feed.sum()),
        by_feed=np.stack([count, by_feed], axis=1),
        llr=float(llr),
        score=score,
        p_value=rank_p_value(score, maxima) if maxima.size else float("nan"),
        p_gumbel=chance,
        recurrence_days=1.0 / chance if chance > 0 else float("inf") if chance == 0 else float("nan"),
    )
