"""Kent and Medway, as it ships: 13 authorities, their MSOAs and their 1,065 LSOAs of 2011.

Reads only the committed files beside it, which `build_kent_and_medway.py` wrote. What they hold and what
they lack is said in `data/README.md`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from schemas.geography.areas import AreaCode, AreaLevel
from schemas.geography.geography import Geography
from schemas.geography.table import read_areas, read_cells

_ALIASES: Final = {
    "Shepway": AreaCode("E07000112"),
    "Folkestone": AreaCode("E07000112"),
    "Medway Towns": AreaCode("E06000035"),
}


@cache
def load_kent_and_medway() -> Geography:
    """Return the geography of Kent and Medway; its root is the area `KM`."""
    with resources.as_file(resources.files("schemas.geography") / "data") as folder:
        neighbours = {
            AreaCode(cells.needed("code")): [AreaCode(code) for code in cells.needed("neighbours").split(";")]
            for cells in read_cells(folder / "kent_and_medway_adjacency.csv", "code", "neighbours")
        }
        return Geography(
            "Kent and Medway",
            read_areas(folder / "kent_and_medway_areas.csv"),
            detection_level=AreaLevel.LAD,
            neighbours=neighbours,
            aliases=_ALIASES,
            boundaries={
                AreaLevel.LAD: (folder / "kent_and_medway_districts.geojson").read_text(encoding="utf-8"),
                AreaLevel.MSOA: (folder / "kent_and_medway_msoas.geojson").read_text(encoding="utf-8"),
            },
        )
