"""The nested areas in which events are counted: codes, names, populations, positions, neighbours and boundaries.

Kent and Medway come with the package (`load_kent_and_medway`); any other place is read from a table
(`load_geography`). Imports no numerics, so that light commands stay light.
"""

from schemas.geography.areas import Area, AreaCode, AreaLevel, GeographyError

__all__ = ["Area", "AreaCode", "AreaLevel", "GeographyError"]
