"""The zones that counts are pooled over: every area alone, every area with its neighbours, and the whole jurisdiction.

A detection run and calibration build them once from the geography. Zones that hold the same areas are kept once,
under their smallest kind, so that no cluster is tested (or told) twice.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from schemas.geography import AreaCode


class ZoneKind(StrEnum):
    """How a zone is made; the order is from the smallest."""

    AREA = "area"
    AROUND = "around"
    """An area with the areas that touch it."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone.

    ``centre`` is the area it is named after (the root for the whole jurisdiction). ``codes`` are what a signal names:
    the areas it holds, sorted, or the root alone for the whole jurisdiction.
    """

    kind: ZoneKind
    centre: AreaCode
    codes: tuple[AreaCode, ...]

    @property
    def key(self) -> str:
        """A name that stays the same from day to day."""
        return f"{self.kind}:{self.centre}"


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """All zones of a jurisdiction.

    Attributes
    ----------
    areas : tuple of AreaCode
        The detection areas, sorted: the columns of a count cube but its last.
    root : AreaCode
        The whole jurisdiction: the cube's last column.
    zones : tuple of Zone
    members : ndarray of float64, shape (n_areas + 1, n_zones)
        1 where a column of the cube is summed into a zone. The whole jurisdiction is the last column alone.
    masks : tuple of int
        The areas of each zone as bits, for overlap; the whole jurisdiction has every bit.
    """

    areas: tuple[AreaCode, ...]
    root: AreaCode
    zones: tuple[Zone, ...]
    members: NDArray[np.float64]
    masks: tuple[int, ...]


def zones_of(
    areas: Sequence[AreaCode],
    adjacent: Mapping[AreaCode, Collection[AreaCode]] | Callable[[AreaCode], Collection[AreaCode]],
    root: AreaCode,
) -> Zones:
    """Return the zones of a jurisdiction.

    Parameters
    ----------
    areas : sequence of AreaCode
        The detection areas, sorted and different from each other.
    adjacent : mapping or callable
        The areas that touch an area; codes that are not in ``areas`` are left out.
    root : AreaCode
        The code of the whole jurisdiction.

    Raises
    ------
    ValueError
        If ``areas`` is not sorted or repeats a code.
    """
    if list(areas) != sorted(set(areas)):
        raise ValueError("areas must be sorted and different from each other")
    neighbours = adjacent.get if isinstance(adjacent, Mapping) else adjacent
    position = {code: index for index, code in enumerate(areas)}
    sets: dict[frozenset[AreaCode], Zone] = {}
    for code in areas:
        sets[frozenset([code])] = Zone(ZoneKind.AREA, code, (code,))
    for code in areas:
        codes = tuple(sorted({code} | {near for near in neighbours(code) or () if near in position}))
        if len(codes) < len(areas):
            sets.setdefault(frozenset(codes), Zone(ZoneKind.AROUND, code, codes))
    zones = [*sets.values(), Zone(ZoneKind.ALL, root, (root,))]
    members = np.zeros((len(areas) + 1, len(zones)))
    masks: list[int] = []
    for index, zone in enumerate(zones):
        if zone.kind is ZoneKind.ALL:
            members[-1, index] = 1.0
            masks.append((1 << max(len(areas), 1)) - 1)
            continue
        columns = [position[code] for code in zone.codes]
        members[columns, index] = 1.0
        masks.append(sum(1 << column for column in columns))
    return Zones(tuple(areas), root, tuple(zones), members, tuple(masks))
