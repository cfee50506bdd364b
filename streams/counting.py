"""The count cube: how events become counts, kept incrementally and checked against the events themselves.

An event counts once in each class it names and once in class ``any``, at its finest known area and at every area above
it, on its civil day. Intake adds the differences that a version makes; :func:`compare` rebuilds the cube from the
current versions and says where the two differ (they never should).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from schemas.events import Status
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.tables.counts import count_cell
from schemas.tables.events import event_version
from schemas.vocabulary import Jurisdiction
from streams.profile import JurisdictionProfile
from streams.upsert import upsert

CellKey = tuple[str, str, str, date, str, str, str]
"""(jurisdiction, area, grain, day, feed, substance class, stratum)"""

_COLUMNS = ("jurisdiction", "area", "grain", "day", "feed", "substance_class", "stratum")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one event version adds to the cube."""

    jurisdiction: str
    feed: str
    area: str
    grain: str
    day: date
    stratum: str
    classes: tuple[str, ...]


class CountDeltas:
    """Differences to the cube that one transaction makes, summed before they are written."""

    def __init__(self, profiles: Mapping[Jurisdiction, JurisdictionProfile]) -> None:
        self._profiles = profiles
        self._cells: Counter[CellKey] = Counter()

    def add(self, item: Contribution, sign: int = 1) -> None:
        """Count ``item`` once more (``sign`` 1) or once less (-1)."""
        geography = self._profiles[Jurisdiction(item.jurisdiction)].geography
        for area in geography.ancestors(AreaCode(item.area)):
            for substance_class in (*item.classes, SubstanceClass.ANY.value):
                key = (
                    item.jurisdiction,
                    area,
                    item.grain,
                    item.day,
                    item.feed,
                    substance_class,
                    item.stratum,
                )
                self._cells[key] += sign

    def cells(self) -> dict[CellKey, int]:
        """Return the differences that are not zero."""
        return {key: count for key, count in self._cells.items() if count}

    def write(self, connection: Connection) -> None:
        """Add the differences to the stored cube, in sorted key order so that concurrent writers cannot deadlock."""
        rows = [
            dict(zip(_COLUMNS, key, strict=True)) | {"count": count}
            for key, count in sorted(self.cells().items())
        ]
        upsert(connection, count_cell, rows, add=("count",))


def contribution_of(row: Row[*tuple[Any, ...]]) -> Contribution:
    """Return what a stored event version (a row of ``event_version``) contributes."""
    return Contribution(
        jurisdiction=row.jurisdiction,
        feed=row.feed,
        area=row.area,
        grain=row.grain,
        day=row.day,
        stratum=row.stratum,
        classes=tuple(row.classes.split()),
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell in which the stored cube and the events disagree."""

    key: CellKey
    stored: int
    from_events: int


def compare(connection: Connection, profiles: Mapping[Jurisdiction, JurisdictionProfile]) -> list[Difference]:
    """Rebuild the cube from the current event versions and return every cell that is stored differently."""
    true = _from_events(connection, profiles)
    stored = {
        tuple(row[:-1]): row[-1]
        for row in connection.execute(select(*(count_cell.c[name] for name in _COLUMNS), count_cell.c.count))
        if row[-1] and row[0] in profiles
    }
    return [
        Difference(key, stored.get(key, 0), true.get(key, 0))
        for key in sorted(stored.keys() | true.keys())
        if stored.get(key, 0) != true.get(key, 0)
    ]


def rebuild(connection: Connection, profiles: Mapping[Jurisdiction, JurisdictionProfile]) -> int:
    """Replace the stored cube by one made from the current event versions; return how many cells it has."""
    true = _from_events(connection, profiles)
    connection.execute(delete(count_cell).where(count_cell.c.jurisdiction.in_(sorted(profiles))))
    rows = [dict(zip(_COLUMNS, key, strict=True)) | {"count": count} for key, count in sorted(true.items())]
    for start in range(0, len(rows), 5000):
        connection.execute(insert(count_cell), rows[start : start + 5000])
    return len(rows)


def _from_events(
    connection: Connection, profiles: Mapping[Jurisdiction, JurisdictionProfile]
) -> dict[CellKey, int]:
    deltas = CountDeltas(profiles)
    current = select(event_version).where(
        event_version.c.superseded_at.is_(None),
        event_version.c.status != Status.RETRACTED.value,
        event_version.c.jurisdiction.in_(sorted(profiles)),
    )
    for row in connection.execution_options(yield_per=2000).execute(current):
        deltas.add(contribution_of(row))
    return deltas.cells()
