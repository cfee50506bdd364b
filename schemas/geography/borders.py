"""Which areas lie side by side: by the border lines of their boundaries, or failing those by nearest points.

For loading a table; Kent and Medway's neighbours were worked out once, from fuller boundaries, by its build
script.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from schemas.geography.areas import Area, AreaCode, AreaLevel, GeographyError
from schemas.geography.geography import squared_distance

_NEAREST: Final = 4
_PLACES: Final = 6
"""Decimal places of a degree (0.1 m) within which two corners are one."""

Edge = frozenset[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Boundaries:
    """The boundaries of one level: a GeoJSON FeatureCollection and the edges of each area."""

    collection: dict[str, Any]
    edges: Mapping[AreaCode, frozenset[Edge]]


def read_boundaries(path: Path, areas: Mapping[AreaCode, Area]) -> dict[AreaLevel, Boundaries]:
    """Read a GeoJSON file, by level; raise `GeographyError` for one that does not fit the areas."""
    try:
        features = json.loads(path.read_text(encoding="utf-8"))["features"]
    except OSError as error:
        raise GeographyError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise GeographyError(f"{path.name} is not a GeoJSON FeatureCollection.") from error
    drawn: dict[AreaLevel, dict[AreaCode, dict[str, Any]]] = {}
    edges: dict[AreaCode, frozenset[Edge]] = {}
    for number, feature in enumerate(features, start=1):
        code, geometry = _read_feature(path, number, feature)
        area = areas.get(code)
        if area is None:
            raise GeographyError(
                f"{path.name}, feature {number}: 'code' is {code!r}, which is not in the table."
            )
        try:
            edges[code] = frozenset(_edges(geometry))
        except (KeyError, TypeError, ValueError) as error:
            raise GeographyError(
                f"{path.name}, feature {number}: 'geometry' is not a polygon or several."
            ) from error
        drawn.setdefault(area.level, {})[code] = {
            "type": "Feature",
            "id": code,
            "properties": {"code": code, "name": area.name},
            "geometry": geometry,
        }
    return {
        level: Boundaries(
            {"type": "FeatureCollection", "features": [found[code] for code in sorted(found)]},
            {code: edges[code] for code in found},
        )
        for level, found in drawn.items()
    }


def by_shared_border(boundaries: Boundaries) -> dict[AreaCode, set[AreaCode]]:
    """Return for each area those that share an edge with it, corner for corner; a point is not enough."""
    owners: dict[Edge, list[AreaCode]] = {}
    for code in sorted(boundaries.edges):
        for edge in boundaries.edges[code]:
            owners.setdefault(edge, []).append(code)
    beside: dict[AreaCode, set[AreaCode]] = {code: set() for code in boundaries.edges}
    for sharing in owners.values():
        for code in sharing:
            beside[code].update(other for other in sharing if other != code)
    return beside


def nearest_neighbours(areas: Iterable[Area], count: int = _NEAREST) -> dict[AreaCode, set[AreaCode]]:
    """Return for each area its `count` nearest by position and every area that has it among its own.

    An area without a position has no neighbours.
    """
    placed = [
        (area.code, area.latitude, area.longitude)
        for area in areas
        if area.latitude is not None and area.longitude is not None
    ]
    beside: dict[AreaCode, set[AreaCode]] = {code: set() for code, _, _ in placed}
    for code, latitude, longitude in placed:
        ranked = sorted(
            (squared_distance(latitude, longitude, other_latitude, other_longitude), other)
            for other, other_latitude, other_longitude in placed
            if other != code
        )
        for _, other in ranked[:count]:
            beside[code].add(other)
            beside[other].add(code)
    return beside


def _read_feature(path: Path, number: int, feature: Any) -> tuple[AreaCode, dict[str, Any]]:  # noqa: ANN401 (read from JSON)
    try:
        properties = feature.get("properties") or {}
        code = properties.get("code", feature.get("id"))
        geometry = feature["geometry"]
    except (AttributeError, KeyError) as error:
        raise GeographyError(f"{path.name}, feature {number}: it has no 'geometry'.") from error
    if code is None:
        raise GeographyError(f"{path.name}, feature {number}: it has no property 'code'.")
    return AreaCode(str(code)), geometry


def _edges(geometry: dict[str, Any]) -> Iterator[Edge]:
    polygons = {"Polygon": lambda rings: [rings], "MultiPolygon": list}[geometry["type"]](
        geometry["coordinates"]
    )
    for polygon in polygons:
        for ring in polygon:
            corners = [(round(float(at[0]), _PLACES), round(float(at[1]), _PLACES)) for at in ring]
            for start, end in pairwise(corners):
                yield frozenset((start, end))
