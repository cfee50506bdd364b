"""The ground that clusters lie on: the smallest areas with a known position, inside the detection areas.

Detectors that look for places finer than a detection area, or across the border of two, are given a :class:`Terrain`;
:func:`terrain_of` makes one of a loaded geography. Arrays only; nothing here reads a file or changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.geography import AreaCode, Geography

_EARTH_KM = 6371.0088


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """Small areas, where they lie, and the detection areas that hold them.

    Attributes
    ----------
    root : AreaCode
        The whole jurisdiction.
    areas : tuple of AreaCode
        The detection areas, sorted: the columns of a count cube but its last.
    fine : tuple of AreaCode
        The smallest areas that have a position, sorted; the detection areas themselves where nothing smaller has one.
    area_of : ndarray of int32, shape (n_fine,)
        Index into ``areas``.
    position_km : ndarray of float64, shape (n_fine, 2)
        Kilometres east and north of the middle of the jurisdiction.
    population : ndarray of float64, shape (n_fine,)
        Residents; equal where nobody has said.
    adjacent : ndarray of bool, shape (n_areas, n_areas)
        Which detection areas touch.
    """

    root: AreaCode
    areas: tuple[AreaCode, ...]
    fine: tuple[AreaCode, ...]
    area_of: NDArray[np.int32]
    position_km: NDArray[np.float64]
    population: NDArray[np.float64]
    adjacent: NDArray[np.bool_]


def terrain_of(geography: Geography) -> Terrain:
    """Return the terrain of a geography.

    Positions are projected on the plane that touches the sphere at the jurisdiction's middle latitude (equirectangular);
    over a county the error is far below the size of a small area. An area of whose parts none has a position stands for
    them.
    """
    areas = geography.detection_areas()
    index = {code: number for number, code in enumerate(areas)}
    positioned = [
        code
        for code, facts in sorted(geography.areas.items())
        if facts.latitude is not None and facts.longitude is not None
    ]
    has_finer = {wider for code in positioned for wider in geography.ancestors(code)[1:]}
    fine: list[AreaCode] = []
    held_by: list[int] = []
    for code in positioned:
        above = geography.detection_area_of(code)
        if above is None or code in has_finer:
            continue
        fine.append(code)
        held_by.append(index[above])
    adjacent = np.zeros((len(areas), len(areas)), dtype=bool)
    for code in areas:
        for near in geography.adjacent(code):
            if near in index:
                adjacent[index[code], index[near]] = True
    degrees = np.array(
        [[geography.areas[code].latitude, geography.areas[code].longitude] for code in fine], dtype=np.float64
    ).reshape(-1, 2)
    people = np.array([geography.areas[code].population for code in fine], dtype=np.float64)
    known = np.isfinite(people) & (people > 0)
    return Terrain(
        root=geography.root,
        areas=areas,
        fine=tuple(fine),
        area_of=np.array(held_by, dtype=np.int32),
        position_km=_projected(degrees),
        population=np.where(known, people, people[known].mean() if known.any() else 1.0),
        adjacent=adjacent,
    )


def _projected(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    if not degrees.size:
        return degrees
    middle = (degrees.min(axis=0) + degrees.max(axis=0)) / 2
    north, east = np.radians(degrees - middle).T * _EARTH_KM
    plane: NDArray[np.float64] = np.column_stack([east * np.cos(np.radians(middle[0])), north])
    return plane
