"""Circles of areas: who lies nearest to whom, and how far each circle may grow.

``detectors/scan.py`` and fusion call this once for a geography. A *zone* is a centre with its nearest areas; the zones
of one centre are nested, so a scan adds one area after another to a running sum and has looked at every circle.
Arithmetic only: it never sees a count.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import KDTree

FloatArray = NDArray[np.float64]
Metric = Literal["planar", "haversine"]

EARTH_RADIUS_KM = 6371.0

_MOST_PAIRS = 150_000_000
"""Neighbours that are kept at once (600 MB): more than that is a mistake, or needs ``max_neighbours``."""

_FEW = 3000
"""Up to this many areas every pair is compared; beyond, a tree finds the nearest."""

_SPARE = 16
"""How many more than asked for the tree is asked for, so that areas equally far away are put in order first."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Each area's nearest areas, itself first.

    Attributes
    ----------
    order : ndarray of int32, shape (n_areas, n_nearest)
        Row c: the areas by growing distance from area c, which stands first. Areas equally far away stand in the order
        of their coordinates, then of their index.
    sizes : ndarray of int32, shape (n_areas,)
        How many of them may be joined: zone (c, k) is the first k + 1 areas of row c, for every k below ``sizes[c]``.
    """

    order: NDArray[np.int32]
    sizes: NDArray[np.int32]

    @property
    def n_areas(self) -> int:
        """How many areas (and centres) there are."""
        return int(self.order.shape[0])

    @property
    def n_zones(self) -> int:
        """How many circles there are, the same areas reached from two centres counted twice."""
        return int(self.sizes.sum())

    def zone(self, centre: int, size: int) -> NDArray[np.int32]:
        """Return the areas of the circle of ``size`` areas around a centre, nearest first."""
        return self.order[centre, :size]


def neighbour_order(
    coordinates: ArrayLike,
    *,
    metric: Metric = "planar",
    max_neighbours: int | None = None,
    max_radius: float | None = None,
    population: ArrayLike | None = None,
    max_population_fraction: float = 1.0,
) -> Neighbours:
    """Put each area's neighbours in order of distance and say how many may be joined to it.

    An area alone is always a zone, however many of the people live in it: no place is ever out of sight.

    Parameters
    ----------
    coordinates : array_like, shape (n_areas, 2)
        Planar: x and y in any one unit. Haversine: longitude and latitude in degrees.
    metric : {"planar", "haversine"}
        Straight lines, or great circles on a sphere of radius 6371 km.
    max_neighbours : int, optional
        At most so many areas besides the centre; more than there are is no limit.
    max_radius : float, optional
        No area further from the centre than this (the coordinates' unit; kilometres for haversine).
    population : array_like, shape (n_areas,), optional
        People, or whatever a zone's share is measured by; needed when the fraction is below 1.
    max_population_fraction : float
        A zone of two areas or more holds at most this share of the population.

    Returns
    -------
    Neighbours

    Raises
    ------
    ValueError
        Naming the argument, what was given and what is wanted.

    Examples
    --------
    >>> found = neighbour_order([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]], max_neighbours=1)
    >>> found.order.tolist()
    [[0, 1], [1, 0], [2, 1]]
    >>> found.zone(2, 2).tolist()
    [2, 1]
    """
    points = _points(coordinates, metric)
    n_areas = points.shape[0]
    if max_neighbours is not None and max_neighbours < 0:
        raise ValueError(f"max_neighbours must be 0 or more, not {max_neighbours}")
    if max_radius is not None and not max_radius >= 0:
        raise ValueError(f"max_radius must be 0 or more, not {max_radius}")
    if not 0 < max_population_fraction <= 1:
        raise ValueError(
            f"max_population_fraction must be above 0 and at most 1, not {max_population_fraction}"
        )
    nearest = n_areas if max_neighbours is None else min(max_neighbours + 1, n_areas)
    if n_areas * nearest > _MOST_PAIRS:
        raise ValueError(
            f"max_neighbours must be given for {n_areas} areas: at most {_MOST_PAIRS // n_areas - 1} fit in memory"
        )
    order, distance = _all_pairs(points, metric) if n_areas <= _FEW else _from_tree(points, nearest, metric)
    order, distance = order[:, :nearest], distance[:, :nearest]
    allowed = np.ones(order.shape, dtype=np.bool_)
    if max_radius is not None:
        allowed &= distance <= max_radius
    if max_population_fraction < 1:
        people = _people(population, n_areas)
        # Sums in another order differ in their last digits: exactly half is half.
        most = max_population_fraction * people.sum() * (1 + 1e-12)
        allowed &= np.cumsum(people[order], axis=1) <= most
    allowed[:, 0] = True
    sizes = np.where(allowed.all(axis=1), nearest, allowed.argmin(axis=1)).astype(np.int32)
    return Neighbours(np.ascontiguousarray(order), sizes)


def distances(origin: FloatArray, points: FloatArray, metric: Metric) -> FloatArray:
    """Return distances between coordinates that broadcast against each other, shape (..., 2) to (...)."""
    if metric == "planar":
        flat: FloatArray = np.hypot(points[..., 0] - origin[..., 0], points[..., 1] - origin[..., 1])
        return flat
    here, there = np.radians(origin), np.radians(points)
    north = np.sin((there[..., 1] - here[..., 1]) / 2) ** 2
    east = np.sin((there[..., 0] - here[..., 0]) / 2) ** 2
    chord = north + np.cos(here[..., 1]) * np.cos(there[..., 1]) * east
    arc: FloatArray = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return arc


def _points(coordinates: ArrayLike, metric: Metric) -> FloatArray:
    points = np.asarray(coordinates, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or points.shape[0] < 1:  # noqa: PLR2004 (a plane has two axes)
        raise ValueError(f"coordinates must have the shape (n_areas, 2), not {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError("coordinates must be finite numbers in every row; some are NaN or infinite")
    if metric not in {"planar", "haversine"}:
        raise ValueError(f"metric must be 'planar' or 'haversine', not {metric!r}")
    if metric == "haversine" and (np.abs(points) > (360.0, 90.0)).any():
        raise ValueError("coordinates must be longitude (-360 to 360) and latitude (-90 to 90) in degrees")
    return points


def _people(population: ArrayLike | None, n_areas: int) -> FloatArray:
    if population is None:
        raise ValueError("population must be given when max_population_fraction is below 1")
    people = np.asarray(population, dtype=np.float64)
    if people.shape != (n_areas,):
        raise ValueError(f"population must have the shape ({n_areas},), not {people.shape}")
    if not np.isfinite(people).all() or (people < 0).any():
        raise ValueError("population must be finite and not negative in every area")
    return people


def _all_pairs(points: FloatArray, metric: Metric) -> tuple[NDArray[np.int32], FloatArray]:
    return _in_order(
        points, np.broadcast_to(np.arange(points.shape[0], dtype=np.int32), (points.shape[0],) * 2), metric
    )


def _from_tree(points: FloatArray, nearest: int, metric: Metric) -> tuple[NDArray[np.int32], FloatArray]:
    places = points
    if metric == "haversine":
        # A chord grows with its arc, so the nearest in space are the nearest on the sphere.
        east, north = np.radians(points).T
        places = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)
    found = KDTree(places).query(places, k=min(nearest + _SPARE, points.shape[0]))[1]
    candidates = np.asarray(found, dtype=np.int32).reshape(points.shape[0], -1)
    # Of many areas at the same place the tree may leave the centre itself out.
    own = np.arange(points.shape[0], dtype=np.int32)
    lost = (candidates != own[:, None]).all(axis=1)
    candidates[lost, -1] = own[lost]
    return _in_order(points, candidates, metric)


def _in_order(
    points: FloatArray, candidates: NDArray[np.int32], metric: Metric
) -> tuple[NDArray[np.int32], FloatArray]:
    """Sort each row of candidates by distance, then coordinates, then index; the centre itself first."""
    order = np.empty(candidates.shape, dtype=np.int32)
    sorted_distance = np.empty(candidates.shape)
    reach = float(np.ptp(points, axis=0).max()) if metric == "planar" else EARTH_RADIUS_KM
    step = max(1, 4_000_000 // candidates.shape[1])
    for start in range(0, points.shape[0], step):
        rows = np.arange(start, min(start + step, points.shape[0]))
        there = candidates[rows]
        away = distances(points[rows][:, None, :], points[there], metric)
        # Equal distances on a grid differ in their last digits only: those are rounded off before sorting.
        key = np.round(away / reach, 12) if reach > 0 else np.zeros(away.shape)
        key[there == rows[:, None]] = -1.0
        places = np.lexsort((there, points[there, 1], points[there, 0], key))
        order[rows] = np.take_along_axis(there, places, axis=1)
        sorted_distance[rows] = np.take_along_axis(away, places, axis=1)
    return order, sorted_distance
