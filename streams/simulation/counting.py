"""Simulated histories as the counts that intake would make of them, without the detour through messages.

For calibration: :func:`occurrences` for the detectors of counts, :func:`sightings` for those of single events. Only the
general population is counted; an event gives a row for each class it names and one for ``any``. How a feed's area and its
unnamed class are chosen follows the default feed profiles.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detectors.history import OccurrenceHistory, Series
from detectors.sightings import CLASS_BIT, Sightings
from detectors.terrain import Terrain
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.history import CLASSES, FEEDS, GENERAL, EventColumns, History
from streams.simulation.places import Places
from streams.simulation.timing import day_index

Indices = npt.NDArray[np.int64]


def counted_place(events: EventColumns) -> Indices:
    """Return the fine area in which each record counts; -1 where none is known.

    A&E by residence, else by where it happened; the others by where it happened, else by residence.
    """
    stated = np.where(events.event_stated, events.event_place, -1)
    home = np.where(events.home >= 0, events.home, -1)
    by_home = events.feed == FEEDS.index(Feed.ED_PRESENTATIONS)
    first, second = np.where(by_home, home, stated), np.where(by_home, stated, home)
    return np.where(first >= 0, first, second)


def counted_classes(events: EventColumns) -> tuple[Indices, Indices]:
    """Return the two columns of classes that each record counts in (index into CLASSES; -1 for no second).

    Naloxone that names nothing counts as an unknown opioid, any other record as unknown.
    """
    is_naloxone = events.feed == FEEDS.index(Feed.AMBULANCE_NALOXONE)
    unnamed = np.where(
        is_naloxone, CLASSES.index(SubstanceClass.UNKNOWN_OPIOID), CLASSES.index(SubstanceClass.UNKNOWN)
    )
    first = np.where(events.first_class >= 0, events.first_class, unnamed)
    second = np.where(events.second_class == first, -1, events.second_class)
    return first, second


def area_index(places: Places, areas: Sequence[AreaCode], fine: Indices) -> Indices:
    """Return the index, in ``areas``, of the detection area of each fine area; -1 where there is none."""
    position = {code: number for number, code in enumerate(areas)}
    table = np.array([position.get(code, -1) for code in places.areas], dtype=np.int64)
    return np.where(fine >= 0, table[places.area_of[np.maximum(fine, 0)]], -1)


def occurrences(history: History, areas: Sequence[AreaCode], series: Sequence[Series]) -> OccurrenceHistory:
    """Return a history as calibration wants it: when each counted event happened and when it became known.

    Parameters
    ----------
    history : History
        From :func:`streams.simulation.history.draw_history`.
    areas : sequence of AreaCode
        Detection areas, sorted; an event elsewhere counts as not placed.
    series : sequence of (Feed, SubstanceClass)
        What to count; rows of other series are left out.
    """
    events, day, known = _counted(history)
    area = area_index(history.places, areas, counted_place(events))
    first, second = counted_classes(events)

    number = {item: index for index, item in enumerate(series)}
    anything = len(CLASSES)
    table = np.full((len(FEEDS), anything + 1), -1, dtype=np.int64)
    for row, feed in enumerate(FEEDS):
        for column, its_class in enumerate((*CLASSES, SubstanceClass.ANY)):
            table[row, column] = number.get((feed, its_class), -1)
    rows = np.arange(len(events.feed))
    parts = [(rows, np.full(len(rows), anything)), (rows, first), (rows[second >= 0], second[second >= 0])]
    event = np.concatenate([part for part, _ in parts])
    index = table[events.feed[event], np.concatenate([part for _, part in parts])]
    event, index = event[index >= 0], index[index >= 0]
    order = np.lexsort((index, event))
    event, index = event[order], index[order]
    return OccurrenceHistory(
        first_day=history.first_day,
        n_days=history.n_days,
        areas=tuple(areas),
        series=tuple(series),
        day=day[event].astype(np.int32),
        known_day=known[event].astype(np.int32),
        area=area[event].astype(np.int32),
        series_index=index.astype(np.int32),
    )


def sightings(history: History, terrain: Terrain) -> Sightings:
    """Return a history as detectors of single events see it; ``known_day`` may lie past its end.

    Parameters
    ----------
    history : History
        From :func:`streams.simulation.history.draw_history`.
    terrain : Terrain
        Of the geography that the history's places were made from.
    """
    events, day, known = _counted(history)
    fine = counted_place(events)
    position = {code: number for number, code in enumerate(terrain.fine)}
    table = np.array([position.get(AreaCode(code), -1) for code in history.places.fine], dtype=np.int64)
    first, second = counted_classes(events)
    bits = np.array([CLASS_BIT[name] for name in CLASSES], dtype=np.int64)
    return Sightings(
        first_day=history.first_day,
        n_days=history.n_days,
        day=day,
        known_day=known,
        feed=events.feed.astype(np.int64),
        classes=bits[first] | np.where(second >= 0, bits[second], 0),
        sold_as=np.where(events.sold_class >= 0, bits[events.sold_class], 0),
        area=area_index(history.places, terrain.areas, fine),
        fine=np.where(fine >= 0, table[np.maximum(fine, 0)], -1),
    )


def _counted(history: History) -> tuple[EventColumns, npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Return the records of the general population within the history, the day of each and the day it is known."""
    day = day_index(history.days, history.events.occurred)
    kept = (history.events.stratum == GENERAL) & (day >= 0) & (day < history.n_days)
    events = history.events.take(kept)
    known = np.maximum(day_index(history.days, events.known), day[kept])
    return events, day[kept], known
