"""What detection reads: the count cube as known now, and history and delays as known at a past moment.

The recent days come from the incremental cube; a baseline is fitted from the event versions as they stood at a
Monday's first moment, so that a process that was restarted, or a replay years later, fits the very same baseline.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from detectors.completeness import law_from_delays
from detectors.history import CountCube, Series
from schemas.clock import civil_day
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.tables.counts import count_cell
from schemas.tables.events import event_version
from schemas.vocabulary import Delivery, Feed, Stratum
from streams.profile import JurisdictionProfile
from streams.versions import known_at

CELL = count_cell.c
EVENT = event_version.c

HISTORY_DAYS = 5 * 365
"""How far back a baseline looks: older years say little about this one's level."""

_MEMORY_DAYS = 364
"""Delays older than a year are forgotten, so that a feed that became slower is believed."""

ALL_SERIES: tuple[Series, ...] = tuple(
    (feed, substance_class) for feed in Feed for substance_class in SubstanceClass
)


def series_of(feeds: Sequence[Feed]) -> tuple[Series, ...]:
    """Return every series of these feeds, in the order of the vocabularies."""
    return tuple(series for series in ALL_SERIES if series[0] in feeds)


def recent_cube(
    connection: Connection, profile: JurisdictionProfile, series: Sequence[Series], *, today: date, days: int
) -> CountCube:
    """Return the counts of the last ``days`` days up to ``today`` as the cube holds them now."""
    first = today - timedelta(days=days - 1)
    areas = profile.geography.detection_areas()
    counts, columns, rows = _empty(profile, series, areas, days)
    statement = select(CELL.area, CELL.day, CELL.feed, CELL.substance_class, CELL["count"]).where(
        CELL.jurisdiction == profile.jurisdiction,
        CELL.grain == "day",
        CELL.stratum == Stratum.GENERAL.value,
        CELL.day >= first,
        CELL.day <= today,
        CELL.area.in_([*areas, profile.geography.root]),
    )
    for area, day, feed, substance_class, count in connection.execute(statement):
        row = rows.get((feed, substance_class))
        if row is not None:
            counts[row, (day - first).days, columns[area]] = max(count, 0)
    return CountCube(first, areas, tuple(series), counts)


def history_cube(
    connection: Connection,
    profile: JurisdictionProfile,
    series: Sequence[Series],
    *,
    as_of: datetime,
    last_day: date,
) -> CountCube:
    """Return the counts up to ``last_day`` from the event versions that stood at ``as_of``, at most five years back."""
    areas = profile.geography.detection_areas()
    floor = last_day - timedelta(days=HISTORY_DAYS - 1)
    statement = (
        select(EVENT.detection_area, EVENT.day, EVENT.feed, EVENT.classes, func.count())
        .where(
            EVENT.jurisdiction == profile.jurisdiction,
            EVENT.grain == "day",
            EVENT.stratum == Stratum.GENERAL.value,
            EVENT.day >= floor,
            EVENT.day <= last_day,
            known_at(as_of),
        )
        .group_by(EVENT.detection_area, EVENT.day, EVENT.feed, EVENT.classes)
    )
    found = connection.execute(statement).all()
    first = min((row[1] for row in found), default=last_day)
    counts, columns, rows = _empty(profile, series, areas, (last_day - first).days + 1)
    root = columns[profile.geography.root]
    for area, day, feed, classes, count in found:
        for substance_class in (*classes.split(), SubstanceClass.ANY.value):
            row = rows.get((feed, substance_class))
            if row is None:
                continue
            index = (day - first).days
            counts[row, index, root] += count
            if columns[area] != root:
                counts[row, index, columns[area]] += count
    return CountCube(first, areas, tuple(series), counts)


def _empty(
    profile: JurisdictionProfile, series: Sequence[Series], areas: Sequence[AreaCode], days: int
) -> tuple[NDArray[np.int32], dict[str, int], dict[tuple[str, str], int]]:
    columns: dict[str, int] = {area: index for index, area in enumerate(areas)}
    columns[profile.geography.root] = len(areas)
    rows = {
        (feed.value, substance_class.value): index for index, (feed, substance_class) in enumerate(series)
    }
    return np.zeros((len(series), days, len(areas) + 1), dtype=np.int32), columns, rows


def completeness(
    connection: Connection, profile: JurisdictionProfile, *, as_of: datetime
) -> Mapping[Feed, NDArray[np.float64]]:
    """Return, per feed, the share of events known by the end of the civil day 0, 1, 2 ... days after they happened.

    Learnt from the first versions of live events of the last year as known at ``as_of``, and drawn towards the declared
    delays (:func:`detectors.completeness.law_from_delays`).
    """
    today = civil_day(as_of, profile.zone)
    statement = select(EVENT.feed, EVENT.day, EVENT.known_at).where(
        EVENT.jurisdiction == profile.jurisdiction,
        EVENT.version == 1,
        EVENT.grain == "day",
        EVENT.delivery == Delivery.LIVE.value,
        EVENT.known_at <= as_of,
        EVENT.day > today - timedelta(days=_MEMORY_DAYS),
        EVENT.day <= today,
    )
    delays: dict[str, list[int]] = {feed.value: [] for feed in profile.feeds}
    ages: dict[str, list[int]] = {feed.value: [] for feed in profile.feeds}
    for feed, day, known in connection.execute(statement):
        delays[feed].append(max((civil_day(known, profile.zone) - day).days, 0))
        ages[feed].append((today - day).days)
    return {
        feed: law_from_delays(
            np.asarray(delays[feed.value], dtype=np.int64),
            np.asarray(ages[feed.value], dtype=np.int64),
            np.asarray([*settings.completeness, 1.0]),
        )
        for feed, settings in profile.feeds.items()
    }
