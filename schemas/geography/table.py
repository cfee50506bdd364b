"""Reads a geography from a table of areas: any place, from files that its people have.

For the settings of a jurisdiction and for replay. It reads the files it is given and nothing else, and
refuses a file that contradicts itself in one sentence that names the file, the row and the column.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NoReturn

from schemas.geography.areas import Area, AreaCode, AreaLevel, GeographyError
from schemas.geography.borders import Boundaries, by_shared_border, nearest_neighbours, read_boundaries
from schemas.geography.geography import Geography, name_key

_TRUE: Final = frozenset({"1", "true", "yes", "y"})
_FALSE: Final = frozenset({"", "0", "false", "no", "n"})


def load_geography(
    table: Path,
    *,
    name: str,
    jurisdiction_code: str | None = None,
    aliases: Path | None = None,
    geojson: Path | None = None,
    detection_level: AreaLevel = AreaLevel.AREA,
) -> Geography:
    """Read a geography from a CSV of areas.

    Parameters
    ----------
    table
        CSV with `code` and `name`, and if known `parent` (a code or a name), `parent_name`, `population`,
        `latitude` and `longitude` in degrees, `level` (of `AreaLevel`) and `population_is_estimate`. Other
        columns are ignored. A parent that is not in the table becomes a region. Without `level`, an area
        that holds others is a region.
    name
        What people call the whole; the root area bears it.
    jurisdiction_code
        The code of the root area; made from `name` unless given. When a row or a parent bears it, that is
        the root.
    aliases
        CSV with `alias` and `code`: other names of areas.
    geojson
        FeatureCollection whose features bear a `code` of the table. Areas that share a border line are
        neighbours. Areas of a level without boundaries are neighbours of the four nearest, both ways.
    detection_level
        The level at which areas are tested.

    Raises
    ------
    GeographyError
        If a file cannot be used.
    """
    rows = list(_rows(table))
    root = AreaCode(jurisdiction_code or name_key(name).upper())
    areas = _with_sums(_tree(table, rows, root, name))
    if not any(area.level is detection_level for area in areas.values()):
        raise GeographyError(
            f"{table.name} has no area of level {detection_level.value!r}, at which areas are tested."
        )
    outlines = {} if geojson is None else read_boundaries(geojson, areas)
    try:
        return Geography(
            name,
            areas.values(),
            detection_level=detection_level,
            neighbours=_neighbours(areas, outlines, root),
            aliases={} if aliases is None else _aliases(aliases, areas),
            boundaries={level: json.dumps(outline.collection) for level, outline in outlines.items()},
        )
    except GeographyError as error:
        raise GeographyError(f"{table.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a table: an area, and what else the row says of its parent."""

    line: int
    area: Area
    parent_name: str
    has_level: bool


class _Cells:
    """The cells of one row, each error naming its file, row and column."""

    def __init__(self, path: Path, line: int, cells: Mapping[str, str | None]) -> None:
        self.path = path
        self.line = line
        self._cells = cells

    def text(self, column: str) -> str:
        return (self._cells.get(column) or "").strip()

    def needed(self, column: str) -> str:
        return self.text(column) or self.fail(column, "is empty")

    def number(self, column: str, low: float, high: float) -> float | None:
        text = self.text(column)
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        return (
            number
            if low <= number <= high
            else self.fail(column, f"is {text!r} and not a number {_span(low, high)}")
        )

    def flag(self, column: str) -> bool:
        text = self.text(column).casefold()
        return text in _TRUE or (
            text not in _FALSE and self.fail(column, f"is {text!r} and neither yes nor no")
        )

    def level(self) -> AreaLevel | None:
        text = self.text("level").casefold()
        if text and text not in set(AreaLevel):
            self.fail("level", f"is {text!r} and not one of {', '.join(AreaLevel)}")
        return AreaLevel(text) if text else None

    def fail(self, column: str, what: str) -> NoReturn:
        raise GeographyError(f"{self.path.name}, row {self.line}: the column {column!r} {what}.")


def _span(low: float, high: float) -> str:
    return f"of {low:g} or more" if high == math.inf else f"from {low:g} to {high:g}"


def read_cells(path: Path, *needed: str) -> Iterator[_Cells]:
    """Yield the rows of a CSV with a header, checking that it has the `needed` columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in needed if column not in (reader.fieldnames or ())]
            if missing:
                raise GeographyError(f"{path.name} has no column {missing[0]!r} in its first row.")
            for cells in reader:
                yield _Cells(path, reader.line_num, cells)
    except OSError as error:
        raise GeographyError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise GeographyError(f"{path.name} is not a CSV file in UTF-8.") from error


def _rows(path: Path) -> Iterator[_Row]:
    for cells in read_cells(path, "code", "name"):
        latitude = cells.number("latitude", -90, 90)
        longitude = cells.number("longitude", -180, 180)
        if (latitude is None) != (longitude is None):
            cells.fail(
                "latitude" if latitude is None else "longitude", "is empty although its partner is not"
            )
        population = cells.number("population", 0, math.inf)
        level = cells.level()
        area = Area(
            code=AreaCode(cells.needed("code")),
            name=cells.needed("name"),
            level=level or AreaLevel.AREA,
            parent=AreaCode(cells.text("parent")) or None,
            population=math.nan if population is None else population,
            latitude=latitude,
            longitude=longitude,
            population_is_estimate=cells.flag("population_is_estimate"),
        )
        yield _Row(cells.line, area, cells.text("parent_name"), has_level=level is not None)


def read_areas(path: Path) -> Iterator[Area]:
    """Yield the areas of a table that has every parent as a row, a `level` for each, and one root."""
    return (row.area for row in _rows(path))


def _tree(path: Path, rows: list[_Row], root: AreaCode, name: str) -> dict[AreaCode, Area]:
    """Return the areas of the rows, the parents that no row describes, and the root, every parent a code."""
    areas: dict[AreaCode, Area] = {}
    for row in rows:
        if row.area.code in areas:
            raise GeographyError(f"{path.name}, row {row.line}: the column 'code' repeats {row.area.code!r}.")
        areas[row.area.code] = row.area
    codes_by_name: dict[str, list[AreaCode]] = {}
    for area in areas.values():
        codes_by_name.setdefault(name_key(area.name), []).append(area.code)
    for row in rows:
        parent = row.area.parent
        if parent is not None and parent not in areas:
            same_name = codes_by_name.get(name_key(parent), [])
            if len(same_name) == 1:
                parent = same_name[0]
            else:
                areas[parent] = _unmeasured(parent, row.parent_name or parent, AreaLevel.REGION)
        if parent == row.area.code:
            raise GeographyError(f"{path.name}, row {row.line}: the column 'parent' names the area itself.")
        areas[row.area.code] = replace(row.area, parent=parent)
    areas.setdefault(root, _unmeasured(root, name, AreaLevel.JURISDICTION))
    holders = {area.parent for area in areas.values()}
    levelled = {row.area.code for row in rows if row.has_level}
    for code, area in list(areas.items()):
        if code == root:
            areas[code] = replace(area, level=AreaLevel.JURISDICTION, parent=None)
            continue
        level = AreaLevel.REGION if code in holders and code not in levelled else area.level
        areas[code] = replace(area, level=level, parent=area.parent or root)
    _refuse_loops(path, rows, areas)
    return areas


def _refuse_loops(path: Path, rows: list[_Row], areas: Mapping[AreaCode, Area]) -> None:
    for row in rows:
        passed = {row.area.code}
        above = areas[row.area.code].parent
        while above is not None:
            if above in passed:
                raise GeographyError(
                    f"{path.name}, row {row.line}: the column 'parent' leads round to {above!r}."
                )
            passed.add(above)
            above = areas[above].parent


def _unmeasured(code: AreaCode, name: str, level: AreaLevel) -> Area:
    return Area(code, name, level, None, math.nan, None, None, population_is_estimate=False)


def _with_sums(areas: dict[AreaCode, Area]) -> dict[AreaCode, Area]:
    """Fill the population and position of areas that hold others from what they hold."""
    held: dict[AreaCode, list[AreaCode]] = {}
    for area in areas.values():
        if area.parent is not None:
            held.setdefault(area.parent, []).append(area.code)
    done: dict[AreaCode, Area] = {}

    def settle(code: AreaCode) -> Area:
        if code not in done:
            done[code] = _summed(areas[code], [settle(child) for child in held.get(code, ())])
        return done[code]

    return {code: settle(code) for code in areas}


def _summed(area: Area, inside: list[Area]) -> Area:
    if inside and math.isnan(area.population):
        estimated = any(one.population_is_estimate for one in inside)
        total = math.fsum(one.population for one in inside)
        area = replace(area, population=total, population_is_estimate=estimated)
    placed = [
        (one, one.latitude, one.longitude)
        for one in inside
        if one.latitude is not None and one.longitude is not None
    ]
    if placed and area.latitude is None:
        weights = [one.population for one, _, _ in placed]
        if not math.fsum(weights) > 0:
            weights = [1.0] * len(placed)
        total = math.fsum(weights)
        latitude = math.fsum(w * at for w, (_, at, _) in zip(weights, placed, strict=True)) / total
        longitude = math.fsum(w * at for w, (_, _, at) in zip(weights, placed, strict=True)) / total
        area = replace(area, latitude=latitude, longitude=longitude)
    return area


def _neighbours(
    areas: Mapping[AreaCode, Area],
    outlines: Mapping[AreaLevel, Boundaries],
    root: AreaCode,
) -> dict[AreaCode, set[AreaCode]]:
    neighbours: dict[AreaCode, set[AreaCode]] = {}
    for level in sorted({area.level for code, area in areas.items() if code != root} - {AreaLevel.REGION}):
        at_level = [area for area in areas.values() if area.level is level]
        known = outlines.get(level)
        neighbours |= nearest_neighbours(at_level) if known is None else by_shared_border(known)
    return neighbours


def _aliases(path: Path, areas: Mapping[AreaCode, Area]) -> dict[str, AreaCode]:
    aliases: dict[str, AreaCode] = {}
    for cells in read_cells(path, "alias", "code"):
        alias, code = cells.needed("alias"), AreaCode(cells.needed("code"))
        if code not in areas:
            cells.fail("code", f"is {code!r}, which is not an area of the table")
        if aliases.setdefault(alias, code) != code:
            cells.fail("alias", f"gives {alias!r} a second meaning")
    return aliases
