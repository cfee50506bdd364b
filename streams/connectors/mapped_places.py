"""From the cells that say where something happened to an area's code, or to one of the words for no area.

For ``mapped_rows.py``. A place that is missing, or a name that is not known, is never a reason to refuse a row: it is
counted at the widest level that is known. A *code* that does not exist is a mistake, or of another year's boundaries, and
is refused. A position is used to find the nearest area and then forgotten.
"""

import csv
import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from schemas.events import NO_FIXED_ABODE, OUTSIDE, UNKNOWN_AREA
from schemas.geography import AreaCode, Geography, GeographyError
from schemas.geography.geography import squared_distance
from streams.connectors.mapping import AreaRule, MappingError, word_of

KM_PER_DEGREE = 111.2
"""Of latitude; the mean over the globe."""

Cell = Callable[[str], str]
"""Gives the stripped cell of the current row in a column."""


class NoSuchCodeError(LookupError):
    """A cell holds a code that is no area of the geography; says in which column."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class Place:
    """One of the three places of an event."""

    def __init__(self, rule: AreaRule, geography: Geography, tables: Sequence[Path]) -> None:
        self._rule = rule
        self._geography = geography
        words = ((UNKNOWN_AREA, rule.unknown), (NO_FIXED_ABODE, rule.no_fixed_abode), (OUTSIDE, rule.outside))
        self._words = {word_of(word): meaning for meaning, listed in words for word in listed}
        for alias, code in _aliases(rule, tables):
            if geography.get(code) is None:
                raise MappingError(
                    f"The alias {alias!r} means {code!r}, which is no area of {geography.name}; correct it."
                )
            self._words[word_of(alias)] = code
        self._known = lru_cache(maxsize=4_096)(self._look_up)
        self._nearest = lru_cache(maxsize=65_536)(self._near)
        if rule.by == "position":
            self._check_positions()

    def of(self, cell: Cell) -> str:
        """Return the code of the area in which the current row is, or ``unknown``, ``outside``, ``no_fixed_abode``.

        Raises
        ------
        NoSuchCodeError
            If areas are given by code and this one does not exist.
        """
        if self._rule.by == "position":
            return self._nearest(cell(self._rule.latitude or ""), cell(self._rule.longitude or ""))
        for column in self._rule.columns:
            if text := cell(column):
                found = self._known(text)
                if found is None:
                    raise NoSuchCodeError(column)
                return found
        return UNKNOWN_AREA

    def _look_up(self, text: str) -> str | None:
        meant = self._words.get(word_of(text))
        if meant is not None:
            return meant
        if self._rule.by == "code":
            return text if self._geography.get(text) is not None else None
        return self._geography.by_name(text) or UNKNOWN_AREA

    def _near(self, latitude: str, longitude: str) -> str:
        try:
            north, east = float(latitude), float(longitude)
            code = self._geography.nearest(north, east, self._rule.level)
        except (ValueError, GeographyError):
            return UNKNOWN_AREA
        return OUTSIDE if self._is_far(north, east, code) else code

    def _is_far(self, north: float, east: float, code: AreaCode) -> bool:
        area = self._geography.get(code)
        if self._rule.within_km is None or area is None or area.latitude is None or area.longitude is None:
            return False
        away = math.sqrt(squared_distance(north, east, area.latitude, area.longitude))
        return away * KM_PER_DEGREE > self._rule.within_km

    def _check_positions(self) -> None:
        try:
            self._geography.nearest(0.0, 0.0, self._rule.level)
        except GeographyError as error:
            raise MappingError(f"The mapping places events by position. {error}") from error


def _aliases(rule: AreaRule, tables: Sequence[Path]) -> list[tuple[str, str]]:
    found = list(rule.aliases.items())
    if rule.aliases_file is None:
        return found
    for folder in tables:
        path = folder / rule.aliases_file
        if path.is_file():
            with path.open(encoding="utf-8-sig", newline="") as lines:
                rows = csv.DictReader(lines)
                if not {"alias", "code"}.issubset(rows.fieldnames or ()):
                    raise MappingError(f"The table {path.name} needs the columns alias and code.")
                return found + [(row["alias"] or "", row["code"] or "") for row in rows]
    raise MappingError(
        f"The table {rule.aliases_file} is neither beside the mapping nor in the folder of tables; put it there."
    )
