"""What an area is: its code, its level in the nesting, and the facts known about it.

Every package that names a place uses these types. Nothing here knows a particular place.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

AreaCode = NewType("AreaCode", str)
"""The code of an area of the loaded geography; a string from elsewhere is checked against it first."""


class GeographyError(ValueError):
    """A table of areas that cannot be used: one sentence that names the file, the row and the column."""


class AreaLevel(StrEnum):
    """How wide an area is, from the widest."""

    JURISDICTION = "jurisdiction"
    REGION = "region"
    """A parent named by a table, between its areas and the whole: a county, a health authority."""
    LAD = "lad"
    """A local authority district or unitary authority."""
    AREA = "area"
    """An area of a loaded table that says nothing about its level."""
    MSOA = "msoa"
    LSOA = "lsoa"


@dataclass(frozen=True, slots=True)
class Area:
    """One area.

    `population` counts residents and is `nan` when nobody has said; `latitude` and `longitude` are degrees
    (WGS 84) of a point that stands for the area, or None. `population_is_estimate` marks a figure that was
    shared out or summed from such figures, and not counted.
    """

    code: AreaCode
    name: str
    level: AreaLevel
    parent: AreaCode | None
    population: float
    latitude: float | None
    longitude: float | None
    population_is_estimate: bool
