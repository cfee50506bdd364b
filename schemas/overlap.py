"""When two findings are about the same thing: the one rule by which alarms become one episode or one incident.

Calibration merges alarms with it to count false episodes, and attach-or-open joins signals to incidents with it, so
that the budget is spent in the same coin in which it was learnt. It must never depend on who asks or in which order:
every function here is symmetric.
"""

from collections.abc import Collection
from datetime import date

from schemas.geography import AreaCode
from schemas.substances import OPIOID_CLASSES, SubstanceClass

GAP_DAYS = 14
"""Alarms at most this many days apart are one: the longest window that a detector looks at."""

_OPEN_CLASSES = frozenset({SubstanceClass.ANY, SubstanceClass.UNKNOWN})


def classes_overlap(a: SubstanceClass, b: SubstanceClass) -> bool:
    """Whether two substance classes may be the same drug.

    Equal classes do; ``any`` and ``unknown`` may be anything; ``unknown_opioid`` may be any opioid.
    """
    if a is b or a in _OPEN_CLASSES or b in _OPEN_CLASSES:
        return True
    return SubstanceClass.UNKNOWN_OPIOID in (a, b) and a in OPIOID_CLASSES and b in OPIOID_CLASSES


def areas_overlap(a: Collection[AreaCode], b: Collection[AreaCode], root: AreaCode) -> bool:
    """Whether two sets of areas share a place; the root, which holds them all, shares one with every set."""
    if not a or not b:
        return False
    return root in a or root in b or not set(a).isdisjoint(b)


def days_overlap(a: tuple[date, date], b: tuple[date, date], gap: int = GAP_DAYS) -> bool:
    """Whether two windows of civil days, ends included, meet or lie at most ``gap`` days apart."""
    return (b[0] - a[1]).days <= gap and (a[0] - b[1]).days <= gap
