"""Space-time scan statistics: where there are more events than usual, and since when.

For detection runs, fusion, comparators and benchmarks. :func:`space_time_scan` looks at every circle of neighbouring
areas and every recent window at once and tells the most surprising ones, with how often chance would give as much.
Windows end on the last day given; a single day is the purely spatial scan. Its p-values are those of one look: for
display. What may page is decided by thresholds learnt on null histories.

The path of a call: ``scan_arguments`` (what may be given), ``scan_zones`` (circles), ``scan_engine`` with
``scan_kernels`` and ``scan_statistics`` (best circle and window), ``scan_null``, ``scan_replicates`` and ``scan_gumbel``
(by chance), ``scan_clusters`` (what is told).
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from detectors.scan_arguments import Cells, checked_cells, checked_whole
from detectors.scan_clusters import Cluster, Scan, cluster_of, disjoint
from detectors.scan_engine import Study, conditional, looks_of, study_of
from detectors.scan_gumbel import Gumbel
from detectors.scan_null import replicate_maxima
from detectors.scan_statistics import BINOMIAL, CONDITIONAL, NEGATIVE_BINOMIAL, POISSON
from detectors.scan_zones import Metric, Neighbours, neighbour_order

__all__ = ["Cluster", "Scan", "space_time_scan"]

FloatArray = NDArray[np.float64]
Statistic = Literal["poisson", "negative_binomial", "kulldorff", "permutation", "binomial"]
Fusion = Literal["common", "separate"]

_KIND = {
    "poisson": POISSON,
    "negative_binomial": NEGATIVE_BINOMIAL,
    "kulldorff": CONDITIONAL,
    "permutation": CONDITIONAL,
    "binomial": BINOMIAL,
}


def space_time_scan(  # noqa: PLR0913 (named as in the literature; all but three are by keyword)
    counts: ArrayLike,
    expected: ArrayLike | None,
    coordinates: ArrayLike,
    *,
    max_window: int,
    rng: np.random.Generator,
    replicates: int = 999,
    statistic: Statistic = "poisson",
    max_neighbours: int | None = None,
    max_population_fraction: float = 0.5,
    population: ArrayLike | None = None,
    dispersion: ArrayLike | None = None,
    max_radius: float | None = None,
    metric: Metric = "planar",
    fusion: Fusion = "separate",
    penalised: bool = False,
    max_clusters: int = 10,
) -> Scan:
    """Scan every circle of areas and every window that ends on the last day for an excess of events.

    Parameters
    ----------
    counts : array_like, shape (n_days, n_areas) or (n_feeds, n_days, n_areas)
        Events by day, oldest first. Fractions (cases shared out among areas) are allowed for ``poisson``,
        ``kulldorff`` and ``binomial``: their replicates then hold the nearest whole number of cases.
    expected : array_like of the same shape, or None
        What is usual, in events; for ``kulldorff`` only its proportions matter, and None with a population means that
        all people and days are alike. None for ``permutation`` and ``binomial``.
    coordinates : array_like, shape (n_areas, 2)
        x and y, or longitude and latitude in degrees: see :func:`detectors.scan_zones.neighbour_order`.
    max_window : int
        Longest window in days; more than there are days is all of them.
    rng : numpy.random.Generator
        Of the replicates. The result depends on its state alone, not on the number of threads.
    replicates : int
        0 for no p-values, else at least 2. Null laws: independent Poisson or negative binomial counts; the same number
        of cases spread by the expected counts (``kulldorff``) or among the people (``binomial``); days shuffled among
        cases (``permutation``).
    statistic : {"poisson", "negative_binomial", "kulldorff", "permutation", "binomial"}
        See :mod:`detectors.scan_statistics` for formulas and sources. The first two compare with an absolute
        expectation, and so see a rise of everything at once; the others compare places and days with each other.
    max_neighbours : int, optional
        At most so many areas besides the centre.
    max_population_fraction : float
        Circles of two areas or more hold at most this share of the population; above 0, at most 1.
    population : array_like, shape (n_areas,), optional
        People, for that share; the expected counts when left out. For ``binomial`` it is needed, may also have the
        shape (n_days, n_areas) or that of ``counts``, and holds the people among whom the cases are counted.
    dispersion : array_like, optional
        Variance / mean of a count, 1 or more, for ``negative_binomial``: one number, one for each feed, or any shape
        that broadcasts to that of ``counts``.
    max_radius : float, optional
        In the unit of the coordinates; kilometres for ``haversine``.
    metric : {"planar", "haversine"}
    fusion : {"separate", "common"}
        How several feeds speak together. ``separate``: the sum of each feed's own ratio, each counting upwards only
        (Neill and Cooper 2010), for excesses that may be quite different. ``common``: one relative excess in all
        feeds, that is the ratio of their summed counts; with one thing to estimate instead of many it is the stronger
        one where feeds rise alike. Not for ``binomial``.
    penalised : bool
        Subtract ``log(areas of the circle)`` from each ratio, so that single areas and circles of every width can be one
        family under one threshold: :func:`detectors.scan_engine.scale_penalty`.
    max_clusters : int
        At most so many clusters are told.

    Returns
    -------
    Scan

    Raises
    ------
    ValueError
        Naming the argument, what was given and what is wanted.

    Notes
    -----
    Ties go to the circle with the fewest areas, then the shortest window, then the lowest centre. After the best cluster,
    the best circle that shares no area with those already told is next, and so on.

    Examples
    --------
    Nine cases in two neighbouring villages where three were expected:

    >>> counts = [[1, 0, 1, 2], [5, 4, 1, 1]]
    >>> usual = [[1.5, 1.5, 1.0, 1.0]] * 2
    >>> places = [[0, 0], [1, 0], [9, 0], [9, 1]]
    >>> scan = space_time_scan(
    ...     counts,
    ...     usual,
    ...     places,
    ...     max_window=2,
    ...     max_population_fraction=0.8,
    ...     replicates=99,
    ...     rng=np.random.default_rng(1),
    ... )
    >>> best = scan.most_likely
    >>> best.areas.tolist(), best.start_day, best.observed, best.expected, round(best.llr, 4)
    ([0, 1], 1, 9.0, 3.0, 3.8875)
    """
    days = checked_whole("max_window", max_window, 1)
    wanted = checked_whole("replicates", replicates, 0)
    most = checked_whole("max_clusters", max_clusters, 1)
    if wanted == 1:
        raise ValueError("replicates is 1; wanted 0 (no p-values) or at least 2")
    if fusion not in {"separate", "common"}:
        raise ValueError(f"fusion is {fusion!r}; wanted 'separate' or 'common'")
    places = np.asarray(coordinates, dtype=np.float64)
    cells = checked_cells(
        statistic,
        counts,
        expected,
        places.shape[0] if places.ndim else 0,
        population=population,
        dispersion=dispersion,
    )
    neighbours = neighbour_order(
        places,
        metric=metric,
        max_neighbours=max_neighbours,
        max_radius=max_radius,
        population=cells.people,
        max_population_fraction=max_population_fraction,
    )
    n_windows = min(days, cells.counts.shape[1])
    together = fusion == "common" and cells.counts.shape[0] > 1
    if together and statistic == "binomial":
        raise ValueError("fusion is 'common'; the binomial scan wanted 'separate'")
    study, totals = _study(cells, statistic, neighbours, n_windows, together=together, penalised=penalised)
    observed = cells.counts.sum(axis=0, keepdims=True) if together else cells.counts
    look = looks_of(observed[:, -n_windows:], n_windows)[0]
    maxima = replicate_maxima(cells, statistic, study, totals, wanted, rng, together=together)
    law = Gumbel.fitted(maxima) if wanted else None
    found = disjoint(study, np.asarray(look, dtype=np.float64), totals, most)
    clusters = tuple(
        cluster_of(cells, study, totals, *place, together=together, maxima=maxima, law=law) for place in found
    )
    return Scan(clusters, maxima, law, neighbours.n_zones)


def _study(
    cells: Cells, statistic: str, neighbours: Neighbours, n_windows: int, *, together: bool, penalised: bool
) -> tuple[Study, FloatArray]:
    """Return the study and each feed's total: the cases C of conditional statistics, 1 for the others."""
    kind = _KIND[statistic]
    mean, second = cells.expected, cells.second
    totals = np.ones(mean.shape[0])
    if conditional(kind):
        totals = cells.counts.sum(axis=(1, 2))
        whole = mean.sum(axis=(1, 2), keepdims=True)
        mean = np.divide(mean, whole, out=np.zeros_like(mean), where=whole > 0)
    if together:
        joint = (mean * totals[:, None, None]).sum(axis=0, keepdims=True)
        totals = totals.sum(keepdims=True) if conditional(kind) else totals[:1]
        mean = joint / max(float(totals[0]), 1e-9)
        second = second.sum(axis=0, keepdims=True)
    recent = slice(None, -n_windows - 1, -1)
    study = study_of(neighbours, kind, mean[:, recent], second[:, recent], penalised=penalised)
    return study, np.maximum(totals, 1e-9)
