"""The nested areas in which events are counted: codes, names, populations, positions, neighbours, boundaries.

Kent and Medway come with the package (`load_kent_and_medway`); any other place is read from a table
(`load_geography`). Imports no numerics, so that light commands stay light.
"""

from schemas.geography.areas import Area, AreaCode, AreaLevel, GeographyError
from schemas.geography.geography import Geography
from schemas.geography.kent_and_medway import load_kent_and_medway
from schemas.geography.table import load_geography

__all__ = [
    "Area",
    "AreaCode",
    "AreaLevel",
    "Geography",
    "GeographyError",
    "load_geography",
    "load_kent_and_medway",
]
