"""A set of nested areas that answers where a place is, what holds it and what lies beside it.

Intake asks it for ancestors, detection for the areas to test and their neighbours, the console for
boundaries. It is read once and never changed, and it never guesses a place: what it does not know is None.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from schemas.geography.areas import Area, AreaCode, AreaLevel, GeographyError

_ORDER: Final = {level: place for place, level in enumerate(AreaLevel)}


def name_key(name: str) -> str:
    """Return `name` in the one form in which place names are compared: letters and digits, without case."""
    plain = unicodedata.normalize("NFKD", name.replace("&", " and ")).casefold()
    return re.sub(r"[\W_]+", "", "".join(mark for mark in plain if not unicodedata.combining(mark)))


class Geography:
    """Nested areas under one root.

    Parameters
    ----------
    name
        What people call the whole.
    areas
        Every area once; exactly one has no parent.
    detection_level
        The level at which areas are tested for excesses.
    neighbours
        The areas beside each area. Taken both ways: naming a pair once is enough.
    aliases
        Other names of areas.
    boundaries
        The text of a GeoJSON FeatureCollection for each level that has one.

    Raises
    ------
    GeographyError
        If the areas are not one tree, or a neighbour or an alias is not one of them.
    """

    def __init__(
        self,
        name: str,
        areas: Iterable[Area],
        *,
        detection_level: AreaLevel,
        neighbours: Mapping[AreaCode, Iterable[AreaCode]] | None = None,
        aliases: Mapping[str, AreaCode] | None = None,
        boundaries: Mapping[AreaLevel, str] | None = None,
    ) -> None:
        self.name = name
        self.detection_level = detection_level
        found: dict[AreaCode, Area] = {}
        for area in areas:
            if area.code in found:
                raise GeographyError(f"The geography {name!r} has the area {area.code!r} twice.")
            found[area.code] = area
        self._areas = MappingProxyType(found)
        self._root = _only_root(name, found.values())
        self._ancestors = {code: self._path(code) for code in found}
        self._children: dict[AreaCode, list[AreaCode]] = {}
        self._levels: dict[AreaLevel, list[AreaCode]] = {}
        for code in sorted(found):
            area = found[code]
            self._levels.setdefault(area.level, []).append(code)
            if area.parent is not None:
                self._children.setdefault(area.parent, []).append(code)
        self._adjacent = self._both_ways(neighbours or {})
        self._names = self._named(aliases or {})
        self._boundaries = dict(boundaries or {})

    @property
    def areas(self) -> Mapping[AreaCode, Area]:
        """Every area by its code."""
        return self._areas

    @property
    def root(self) -> AreaCode:
        """The code of the area that holds all others."""
        return self._root

    def get(self, code: str) -> Area | None:
        """Return the area with this code, or None."""
        return self._areas.get(AreaCode(code))

    def ancestors(self, code: AreaCode) -> tuple[AreaCode, ...]:
        """Return the code itself, its parent, and so on to the root; raise `KeyError` for an unknown code."""
        return self._ancestors[code]

    def children(self, code: AreaCode) -> tuple[AreaCode, ...]:
        """Return the areas directly inside this one, by code."""
        return tuple(self._children.get(code, ()))

    def at_level(self, level: AreaLevel) -> tuple[AreaCode, ...]:
        """Return the areas of one level, by code."""
        return tuple(self._levels.get(level, ()))

    def detection_areas(self) -> tuple[AreaCode, ...]:
        """Return the areas that are tested, by code."""
        return self.at_level(self.detection_level)

    def detection_area_of(self, code: AreaCode) -> AreaCode | None:
        """Return the tested area that is or holds this one, or None when it is wider or not known."""
        for ancestor in self._ancestors.get(code, ()):
            if self._areas[ancestor].level is self.detection_level:
                return ancestor
        return None

    def adjacent(self, code: AreaCode) -> tuple[AreaCode, ...]:
        """Return the areas of the same level beside this one, by code; empty where that is not known."""
        return self._adjacent.get(code, ())

    def nearest(self, latitude: float, longitude: float, level: AreaLevel | None = None) -> AreaCode:
        """Return the area of `level` (the tested one unless given) whose point is nearest to a position.

        Raises
        ------
        GeographyError
            If the position is not on the globe, or no area of the level has a position.
        """
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):  # noqa: PLR2004 (degrees)
            raise GeographyError(
                "A position must have a latitude of -90 to 90 and a longitude of -180 to 180 degrees."
            )
        wanted = level or self.detection_level
        best = min(
            (
                (squared_distance(latitude, longitude, area.latitude, area.longitude), code)
                for code in self._levels.get(wanted, ())
                if (area := self._areas[code]).latitude is not None and area.longitude is not None
            ),
            default=None,
        )
        if best is None:
            raise GeographyError(
                f"No area of level {wanted.value!r} in {self.name!r} has a position to be near to."
            )
        return best[1]

    def by_name(self, name: str) -> AreaCode | None:
        """Return the area of this name or alias, whatever its case and punctuation, or None.

        Of areas that share a name the tested one is meant, then a wider, then a finer one; two of a level
        mean none.
        """
        return self._names.get(name_key(name))

    def boundaries(self, level: AreaLevel) -> dict[str, Any] | None:
        """Return a fresh GeoJSON FeatureCollection of a level, or None; features have `code` and `name`."""
        text = self._boundaries.get(level)
        return None if text is None else json.loads(text)

    def _path(self, code: AreaCode) -> tuple[AreaCode, ...]:
        path = [code]
        while (parent := self._areas[path[-1]].parent) is not None:
            if parent not in self._areas:
                raise GeographyError(
                    f"The area {path[-1]!r} lies in {parent!r}, which is not in {self.name!r}."
                )
            if parent in path:
                raise GeographyError(
                    f"The area {code!r} of {self.name!r} lies inside itself by way of {parent!r}."
                )
            path.append(parent)
        return tuple(path)

    def _both_ways(
        self, neighbours: Mapping[AreaCode, Iterable[AreaCode]]
    ) -> dict[AreaCode, tuple[AreaCode, ...]]:
        pairs: dict[AreaCode, set[AreaCode]] = {}
        for code, others in neighbours.items():
            for other in others:
                for one in (code, other):
                    if one not in self._areas:
                        raise GeographyError(f"The neighbour {one!r} is not an area of {self.name!r}.")
                if code != other:
                    pairs.setdefault(code, set()).add(other)
                    pairs.setdefault(other, set()).add(code)
        return {code: tuple(sorted(others)) for code, others in pairs.items()}

    def _named(self, aliases: Mapping[str, AreaCode]) -> dict[str, AreaCode]:
        ranked: dict[str, list[tuple[int, AreaCode]]] = {}
        tested = _ORDER[self.detection_level]
        for code, area in self._areas.items():
            order = _ORDER[area.level]
            rank = tested - order if order <= tested else order
            ranked.setdefault(name_key(area.name), []).append((rank, code))
        names: dict[str, AreaCode] = {}
        for key, found in ranked.items():
            first, *others = sorted(found)
            if not others or others[0][0] != first[0]:
                names[key] = first[1]
        for alias, code in aliases.items():
            if code not in self._areas:
                raise GeographyError(
                    f"The alias {alias!r} means {code!r}, which is not an area of {self.name!r}."
                )
            key = name_key(alias)
            if names.setdefault(key, code) != code:
                raise GeographyError(f"The alias {alias!r} of {code!r} is already a name of {names[key]!r}.")
        return names


def squared_distance(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """Return the squared distance of two positions, in squared degrees of latitude, on a plane between them.

    Exact enough to rank what is near, which is all that it is for.
    """
    east = (other_longitude - longitude + 180.0) % 360.0 - 180.0
    east *= math.cos(math.radians((latitude + other_latitude) / 2))
    return east**2 + (other_latitude - latitude) ** 2


def _only_root(name: str, areas: Iterable[Area]) -> AreaCode:
    tops = sorted(area.code for area in areas if area.parent is None)
    if len(tops) != 1:
        raise GeographyError(
            f"The geography {name!r} needs exactly one area without a parent and has {len(tops)}."
        )
    return tops[0]
