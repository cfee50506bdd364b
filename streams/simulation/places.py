"""Where simulated people are: small areas with weights, the detection areas above them, and the hospitals.

Made from a loaded geography by :func:`places_from`, or by hand in a test. Holds arrays, reads nothing, draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schemas.geography import AreaCode, Geography


@dataclass(frozen=True)
class Hospital:
    """An emergency department: who reports, and where it stands (degrees)."""

    organisation: str
    site: str
    latitude: float
    longitude: float


KENT_HOSPITALS: tuple[Hospital, ...] = (
    Hospital("east-kent-hospitals", "qeqm", 51.378, 1.390),
    Hospital("east-kent-hospitals", "william-harvey", 51.141, 0.916),
    Hospital("maidstone-and-tunbridge-wells", "maidstone", 51.274, 0.484),
    Hospital("maidstone-and-tunbridge-wells", "pembury", 51.149, 0.307),
    Hospital("dartford-and-gravesham", "darent-valley", 51.435, 0.259),
    Hospital("medway", "medway-maritime", 51.380, 0.543),
)
"""The six sites of Kent and Medway; positions to about a kilometre."""


def places_from(geography: Geography, jurisdiction: str, hospitals: tuple[Hospital, ...] = ()) -> Places:
    """Return the ground that a loaded geography gives: its smallest areas, each within a detection area.

    Populations that nobody has stated are taken to be equal.
    """
    areas = geography.detection_areas()
    index = {code: number for number, code in enumerate(areas)}
    fine = [code for code in sorted(geography.areas) if not geography.children(code)]
    held = [(code, above) for code in fine if (above := geography.detection_area_of(code)) is not None]
    facts = [geography.areas[code] for code, _ in held]
    stated = np.array([item.population for item in facts], dtype=np.float64)
    usual = float(np.nanmean(stated)) if np.isfinite(stated).any() else 1.0
    return Places(
        jurisdiction=jurisdiction,
        areas=areas,
        fine=tuple(code for code, _ in held),
        area_of=np.array([index[above] for _, above in held], dtype=np.int32),
        population=np.where(np.isfinite(stated), stated, usual),
        latitude=np.array([item.latitude if item.latitude is not None else np.nan for item in facts]),
        longitude=np.array([item.longitude if item.longitude is not None else np.nan for item in facts]),
        adjacency={code: frozenset(geography.adjacent(code)) for code in areas},
        hospitals=hospitals,
        names={code: geography.areas[code].name for code in areas},
    )


@dataclass(frozen=True, eq=False)
class Places:
    """The ground on which a history is drawn. ``areas`` is sorted by code; ``fine`` holds the smallest areas."""

    jurisdiction: str
    areas: tuple[AreaCode, ...]
    fine: tuple[AreaCode, ...]
    area_of: npt.NDArray[np.int32]
    """For each fine area the index of its detection area."""
    population: npt.NDArray[np.float64]
    """People in each fine area."""
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    """Of each fine area's centre, in degrees; ``nan`` where it has no position."""
    adjacency: Mapping[AreaCode, frozenset[AreaCode]]
    hospitals: tuple[Hospital, ...] = ()
    names: Mapping[AreaCode, str] = field(default_factory=dict)

    def nearest_fine(self, latitude: float, longitude: float) -> int:
        """Return the index of the fine area whose centre is nearest to a position."""
        return int(np.nanargmin(_squared_km(self.latitude, self.longitude, latitude, longitude)))

    def hospital_of(self) -> npt.NDArray[np.int32]:
        """Return for each fine area the index of its nearest hospital (0 where nothing has a position)."""
        if not self.hospitals or np.isnan(self.latitude).all():
            return np.zeros(len(self.fine), dtype=np.int32)
        distance = np.stack(
            [
                _squared_km(self.latitude, self.longitude, item.latitude, item.longitude)
                for item in self.hospitals
            ]
        )
        nearest: npt.NDArray[np.int32] = np.argmin(np.nan_to_num(distance, nan=np.inf), axis=0).astype(
            np.int32
        )
        return nearest

    def neighbours(self) -> list[npt.NDArray[np.int32]]:
        """Return for each detection area the indices of the areas that touch it; all others where none does."""
        index = {code: number for number, code in enumerate(self.areas)}
        everything = range(len(self.areas))
        result = []
        for number, code in enumerate(self.areas):
            near = sorted(index[other] for other in self.adjacency.get(code, frozenset()) if other in index)
            result.append(
                np.array(near or [other for other in everything if other != number], dtype=np.int32)
            )
        return result


def _squared_km(
    latitude: npt.NDArray[np.float64],
    longitude: npt.NDArray[np.float64],
    to_latitude: float,
    to_longitude: float,
) -> npt.NDArray[np.float64]:
    """Squared distance on a plane: good to a per cent within a county."""
    north = (latitude - to_latitude) * 111.2
    east = (longitude - to_longitude) * 111.2 * np.cos(np.radians(to_latitude))
    squared: npt.NDArray[np.float64] = north**2 + east**2
    return squared
