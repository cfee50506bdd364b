"""Circles of neighbouring small areas: which lie nearest to each, out to a stated part of the population.

The fusion detector builds them once from a terrain. A circle is a centre and how many of its nearest areas it holds
(Kulldorff 1997, Commun. Statist. Theory Meth. 26:1481); events decide which circles are worth a look.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.terrain import Terrain

FloatArray = NDArray[np.float64]

MOST_OF_AN_AREA = 0.75
"""Circles are for places smaller than a detection area: at most this part of an average one's people. Above it the areas
themselves and their neighbours take over, thirteen of them in place of hundreds of circles that overlap."""

LARGEST_SHARE = 0.12
"""Nor do circles hold more than this part of the jurisdiction, where detection areas are few."""

_MOST_NEAR = 400
_AT_A_TIME = 256


@dataclass(frozen=True, slots=True, eq=False)
class Circles:
    """The nearest small areas of each, itself first.

    Attributes
    ----------
    near : ndarray of int32, shape (n_fine, n_near)
        Index of the k-th nearest small area; equally far ones in the order of their index.
    size : ndarray of int32, shape (n_fine,)
        How many of them the largest circle holds.
    distance_km : ndarray of float32, shape (n_fine, n_near)
    population : ndarray of float64, shape (n_fine,)
        Part of the jurisdiction's people who live there; adds up to 1.
    """

    near: NDArray[np.int32]
    size: NDArray[np.int32]
    distance_km: NDArray[np.float32]
    population: FloatArray


def circles_of(terrain: Terrain, largest_share: float | None = None) -> Circles:
    """Return the circles of a terrain; none where no small area has a position.

    Parameters
    ----------
    terrain : Terrain
    largest_share : float, optional
        The part of the population that a circle holds at most; by default three quarters of an average detection area.

    Examples
    --------
    >>> import numpy as np
    >>> from schemas.geography import AreaCode
    >>> codes = tuple(AreaCode(name) for name in ("a", "b", "c"))
    >>> line = Terrain(AreaCode("x"), codes, codes, np.arange(3, dtype=np.int32),
    ...     np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]]), np.ones(3), np.zeros((3, 3), dtype=bool))
    >>> circles_of(line, largest_share=0.7).near[:, :2].tolist()
    [[0, 1], [1, 0], [2, 1]]

    Raises
    ------
    ValueError
        If ``largest_share`` is not above 0 and at most 1.
    """
    if largest_share is None:
        largest_share = min(LARGEST_SHARE, MOST_OF_AN_AREA / max(len(terrain.areas), 1))
    if not 0 < largest_share <= 1:
        raise ValueError(f"largest_share must be above 0 and at most 1, not {largest_share}")
    n_fine = len(terrain.fine)
    total = float(terrain.population.sum())
    people = terrain.population / total if total > 0 else np.full(n_fine, 1.0 / max(n_fine, 1))
    n_near = min(n_fine, _MOST_NEAR)
    near = np.zeros((n_fine, n_near), dtype=np.int32)
    distance = np.zeros((n_fine, n_near), dtype=np.float32)
    for start in range(0, n_fine, _AT_A_TIME):
        rows = slice(start, min(start + _AT_A_TIME, n_fine))
        apart = np.hypot(
            *(terrain.position_km[rows, None, :] - terrain.position_km[None, :, :]).transpose(2, 0, 1)
        )
        # A small area is first in its own circle, whatever shares its position.
        apart[np.arange(apart.shape[0]), np.arange(rows.start, rows.stop)] = -1.0
        order = np.argsort(apart, axis=1, kind="stable")[:, :n_near]
        near[rows] = order
        distance[rows] = np.maximum(np.take_along_axis(apart, order, axis=1), 0.0)
    held = people[near].cumsum(axis=1) if n_fine else np.zeros((0, 0))
    size = np.maximum((held <= largest_share + 1e-12).sum(axis=1), min(1, n_near)).astype(np.int32)
    widest = int(size.max()) if n_fine else 0
    return Circles(near[:, :widest].copy(), size, distance[:, :widest].copy(), people)
