"""Which alarms are one: dropping the weaker tellings of one cluster, and counting false episodes.

A detection run drops with :func:`strongest_tellings`; calibration does the same and then counts with
:func:`episode_steps`. Both follow ``schemas/overlap.py``, the rule by which signals join incidents.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from detectors.budget import PAGING_FEEDS
from detectors.history import Series
from detectors.scoring import Scores
from detectors.zones import ZoneKind, Zones
from schemas.overlap import GAP_DAYS, classes_overlap
from schemas.substances import SubstanceClass

FloatArray = NDArray[np.float64]

_CONVINCING = 6.0
"""A score that chance gives a jurisdiction less than about once in a year or two, wherever thresholds are."""

_NEARLY_ALL = 0.8


@dataclass(frozen=True, slots=True)
class Alarm:
    """One telling of one cluster on one day, as far as counting episodes needs it."""

    day: int
    """Index of the day of the look: the window's last day."""
    window_days: int
    score: float
    areas: int
    """The zone's areas as bits (``Zones.masks``)."""
    substance_class: SubstanceClass
    may_page: bool
    """Whether it rests on a feed in which people were harmed: samples alone never page."""


def strongest_tellings(scores: Scores, zones: Zones, series: tuple[Series, ...]) -> list[int]:
    """Return which candidates of one look stand: those that no stronger one of the same feed already tells.

    A candidate is dropped if a stronger one that stands shares a place and a class with it. The whole jurisdiction is
    also dropped where a few places, each convincing alone, hold nearly all of its excess: "here and there" says more
    than "everywhere". Neither rule knows a threshold, so what stands above one does not depend on it.
    """
    standing: list[int] = []
    for index in range(len(scores)):
        if _is_told_by_its_parts(scores, zones, index):
            continue
        feed, name = series[scores.series[index]]
        mask = zones.masks[scores.zone[index]]
        for other in standing:
            other_feed, other_name = series[scores.series[other]]
            if (
                other_feed is feed
                and zones.masks[scores.zone[other]] & mask
                and overlap_of_classes(name, other_name)
            ):
                break
        else:
            standing.append(index)
    return standing


def _is_told_by_its_parts(scores: Scores, zones: Zones, index: int) -> bool:
    if zones.zones[scores.zone[index]].kind is not ZoneKind.ALL or scores.score[index] < _CONVINCING:
        return False
    excess = scores.observed - scores.expected
    covered, told = 0, 0.0
    for part in np.flatnonzero((scores.series == scores.series[index]) & (scores.score >= _CONVINCING)):
        mask = zones.masks[scores.zone[part]]
        if zones.zones[scores.zone[part]].kind is not ZoneKind.ALL and not mask & covered:
            covered |= mask
            told += float(excess[part])
    return told >= _NEARLY_ALL * float(excess[index])


def alarms_of(scores: Scores, zones: Zones, series: tuple[Series, ...], day: int) -> list[Alarm]:
    """Return the alarms of one look, strongest first."""
    return [
        Alarm(
            day,
            int(scores.window_days[index]),
            float(scores.score[index]),
            zones.masks[scores.zone[index]],
            series[scores.series[index]][1],
            series[scores.series[index]][0] in PAGING_FEEDS,
        )
        for index in strongest_tellings(scores, zones, series)
    ]


def episode_steps(alarms: list[Alarm]) -> tuple[FloatArray, FloatArray]:
    """Return the scores at which episodes appear and those at which two of them merge, both descending.

    Lower the threshold from above: every alarm that it passes is a new episode, and every link between two episodes,
    once both its ends are passed, makes them one. So the episodes at or above a threshold u are
    ``(appearing >= u) - (merging >= u)``, exactly and for every u at once; the links that merge are those of a
    spanning forest in which each link is as strong as its weaker end (Kruskal 1956, Proc. Am. Math. Soc. 7:48).

    Two alarms are linked if they share a place and a class and their windows lie at most 14 days apart.
    """
    ordered = sorted(alarms, key=lambda alarm: (alarm.day, -alarm.score))
    scores = np.array([alarm.score for alarm in ordered])
    if len(ordered) < 2:  # noqa: PLR2004 (a link has two ends)
        return scores, np.zeros(0)
    day = np.array([alarm.day for alarm in ordered])
    start = day - np.array([alarm.window_days for alarm in ordered]) + 1
    classes = np.array([_CLASSES.index(alarm.substance_class) for alarm in ordered])
    # Masks of more than 63 areas do not fit an integer of NumPy: rows of bits instead.
    width = max(alarm.areas.bit_length() for alarm in ordered) // 8 + 1
    raw = b"".join(alarm.areas.to_bytes(width, "little") for alarm in ordered)
    bits = np.frombuffer(raw, dtype=np.uint8).reshape(len(ordered), -1)
    left: list[NDArray[np.int_]] = []
    right: list[NDArray[np.int_]] = []
    table = _overlap_table()
    for step in range(1, len(ordered)):
        earlier = np.arange(len(ordered) - step)
        # Later alarms only lie further off: stop when no window reaches back far enough.
        near = start[step:] - day[:-step] <= GAP_DAYS
        if not near.any() and (day[step:] - day[:-step]).min() > GAP_DAYS + int((day - start).max()):
            break
        earlier = earlier[near]
        later = earlier + step
        same = table[classes[earlier], classes[later]] & (bits[earlier] & bits[later]).any(axis=1)
        left.append(earlier[same])
        right.append(later[same])
    if not left:
        return np.sort(scores)[::-1], np.zeros(0)
    a, b = np.concatenate(left), np.concatenate(right)
    weaker = np.minimum(scores[a], scores[b])
    # The tree minimises and treats 0 as no link: strong links become small positive lengths.
    top = float(scores.max()) + 1.0
    forest = minimum_spanning_tree(coo_array((top - weaker, (a, b)), shape=(len(ordered),) * 2).tocsr())
    return np.sort(scores)[::-1], np.sort(top - forest.data)[::-1]


_CLASSES = tuple(SubstanceClass)


@cache
def overlap_of_classes(a: SubstanceClass, b: SubstanceClass) -> bool:
    """``schemas.overlap.classes_overlap``, remembered: it is asked for every pair of alarms."""
    return classes_overlap(a, b)


@cache
def _overlap_table() -> NDArray[np.bool_]:
    return np.array([[overlap_of_classes(a, b) for b in _CLASSES] for a in _CLASSES])
