"""Single events for the detectors that put feeds together: the recent ones as known now, and the past as it was known.

A detection run reads the last weeks at every look, and once a week everything that may teach. Only the general stratum,
only events whose day is known.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, and_, select

from detectors.sightings import FEEDS, Sightings, class_bits
from detectors.terrain import Terrain
from schemas.clock import civil_day
from schemas.events import Status
from schemas.substances import SubstanceClass, Taxonomy
from schemas.tables.events import event_version
from schemas.vocabulary import Feed, Stratum
from streams.profile import JurisdictionProfile
from streams.versions import known_at

EVENT = event_version.c

_CLASS_NAMES = frozenset(item.value for item in SubstanceClass)


class SightingReader:
    """Reads a jurisdiction's events as :class:`Sightings`.

    Parameters
    ----------
    profile : JurisdictionProfile
    terrain : Terrain
        Of the profile's geography.
    taxonomy : Taxonomy
        Says which class a sample was sold as.
    """

    def __init__(self, profile: JurisdictionProfile, terrain: Terrain, taxonomy: Taxonomy) -> None:
        self._profile = profile
        self._taxonomy = taxonomy
        self._areas = {code: index for index, code in enumerate(terrain.areas)}
        self._fine = {code: index for index, code in enumerate(terrain.fine)}

    def recent(self, connection: Connection, *, today: date, days: int) -> Sightings:
        """Return what is known now of the last ``days`` days up to ``today``."""
        stands = and_(EVENT.superseded_at.is_(None), EVENT.status != Status.RETRACTED.value)
        return self._read(connection, stands, today - timedelta(days=days - 1), today)

    def past(self, connection: Connection, *, first_day: date, last_day: date, as_of: datetime) -> Sightings:
        """Return the events from ``first_day`` to ``last_day`` as they were known at ``as_of``."""
        return self._read(connection, known_at(as_of), first_day, last_day)

    def _read(
        self, connection: Connection, stands: ColumnElement[bool], first_day: date, last_day: date
    ) -> Sightings:
        wanted = and_(
            EVENT.jurisdiction == self._profile.jurisdiction,
            EVENT.grain == "day",
            EVENT.stratum == Stratum.GENERAL.value,
            EVENT.day >= first_day,
            EVENT.day <= last_day,
            stands,
        )
        columns = (EVENT.feed, EVENT.day, EVENT.known_at, EVENT.detection_area, EVENT.area, EVENT.classes)
        is_sample = EVENT.feed == Feed.DRUG_CHECKING.value
        # The body, which is large, is read for samples only.
        rows: list[tuple[Any, int]] = [
            (row, 0) for row in connection.execute(select(*columns).where(wanted, ~is_sample))
        ]
        rows += [
            (row, self._sold_as(row.body.get("sold_as", ())))
            for row in connection.execute(select(*columns, EVENT.body).where(wanted, is_sample))
        ]
        return self._sightings(rows, first_day, last_day)

    def _sightings(
        self,
        rows: list[tuple[Any, int]],
        first_day: date,
        last_day: date,
    ) -> Sightings:
        feeds = {feed.value: index for index, feed in enumerate(FEEDS)}
        zone = self._profile.zone
        # Records come in batches, and a look is made after each: the same moments and names again and again.
        known_on = cache(lambda moment: civil_day(moment, zone))
        table = np.array(
            [
                (
                    (row.day - first_day).days,
                    max((known_on(row.known_at) - first_day).days, (row.day - first_day).days),
                    feeds[row.feed],
                    _bits_of(row.classes),
                    sold_as,
                    self._areas.get(row.detection_area, -1),
                    self._fine.get(row.area, -1),
                )
                for row, sold_as in rows
            ],
            dtype=np.int64,
        ).reshape(-1, 7)
        return Sightings(first_day, (last_day - first_day).days + 1, *table.T)

    def _sold_as(self, names: Iterable[str]) -> int:
        """Return the classes behind canonical names and class names (``streams.decoding`` wrote them)."""
        found = []
        for name in names:
            known = self._taxonomy.classify(name)
            if known is not None:
                found.append(known.substance_class)
            elif name in _CLASS_NAMES:
                found.append(SubstanceClass(name))
        return class_bits(found)


@cache
def _bits_of(classes: str) -> int:
    """Return the classes of a stored row, which are names separated by spaces, as bits."""
    return class_bits(SubstanceClass(name) for name in classes.split())
