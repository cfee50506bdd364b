"""What several observations amount to: how many scenes, of what drug mostly, and how many of a flood are looked at.

For ``detectors/tripwire_rules.py``. Plain Python: no numerics, no clock, no SQL.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

from detectors.observations import Observation, in_order
from schemas.geography import AreaCode
from schemas.substances import OPIOID_CLASSES, SubstanceClass
from schemas.substances import WATCH_LIST as WATCH_CLASSES

T = TypeVar("T")

MOST_COUNTED = 200
"""Members of one window that are looked at. Far above any threshold; a flood of records must not stop intake."""

MOST_STARTS = 40
"""Windows that are tried in one place and day; of more, evenly spread ones. Far above what a county has, too."""

_NAMES_NOTHING = frozenset({SubstanceClass.UNKNOWN, SubstanceClass.UNKNOWN_OPIOID})


def different_scenes(members: Sequence[Observation], one_place: timedelta) -> int:
    """Return how many scenes the records are of: joined by scene, person or batch, else by small area within 6 h."""
    ordered = in_order(members)
    scenes = _Groups(len(ordered))
    told: dict[tuple[str, str], int] = {}
    nearby: dict[AreaCode, list[int]] = defaultdict(list)
    for number, item in enumerate(ordered):
        for name, token in (("scene", item.scene), ("subject", item.subject), ("batch", item.batch)):
            if token is not None:
                scenes.join(told.setdefault((name, token), number), number)
        if item.is_sample or item.fine_area is None:
            continue
        around = nearby[item.fine_area]
        for earlier in around:
            other = ordered[earlier]
            if item.occurred_at - other.occurred_at <= one_place and (
                item.scene is None or other.scene is None
            ):
                scenes.join(earlier, number)
        if item.scene is None:
            # Whatever is near an earlier one is joined to this one already, or too far from the next.
            around.clear()
        around.append(number)
    return len({scenes.leader(number) for number in range(len(ordered))})


class _Groups:
    """Which of some numbered things belong together."""

    def __init__(self, size: int) -> None:
        self._above = list(range(size))

    def leader(self, number: int) -> int:
        while self._above[number] != number:
            self._above[number] = self._above[self._above[number]]
            number = self._above[number]
        return number

    def join(self, one: int, other: int) -> None:
        self._above[self.leader(other)] = self.leader(one)


def thinned(items: Sequence[T]) -> Sequence[T]:
    """Return the items, or evenly spread ones where there are more than are looked at."""
    if len(items) <= MOST_STARTS:
        return items
    return [items[number * len(items) // MOST_STARTS] for number in range(MOST_STARTS)]


def shared_class(members: Iterable[Observation]) -> SubstanceClass:
    """Return what most of the people had, as far as it is said: a found class first, then the class most often named."""
    items = list(members)
    found = Favourite(item.detected & WATCH_CLASSES for item in items)
    if found.most is not None:
        return found.most
    named = Favourite(item.classes - _NAMES_NOTHING - {SubstanceClass.ANY} for item in items)
    opioid = sum(bool(item.classes & OPIOID_CLASSES) for item in items)
    if named.most is not None and (named.times * 2 > len(items) or named.times > opioid):
        return named.most
    return SubstanceClass.UNKNOWN_OPIOID if opioid * 2 > len(items) else SubstanceClass.UNKNOWN


class Favourite:
    """The class that occurs most often in some sets of classes, and how often; ties go to the vocabulary's order."""

    def __init__(self, sets: Iterable[Collection[SubstanceClass]]) -> None:
        times: dict[SubstanceClass, int] = defaultdict(int)
        for item in sets:
            for one in item:
                times[one] += 1
        ranked = sorted(times.items(), key=lambda pair: (-pair[1], list(SubstanceClass).index(pair[0])))
        self.most: SubstanceClass | None = ranked[0][0] if ranked else None
        self.times = ranked[0][1] if ranked else 0
