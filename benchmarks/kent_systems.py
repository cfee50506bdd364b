"""What a system is to the Kent benchmark, and how each history is played to all of them at once.

A system is looked at once a day, at its end, with the records known by then. It answers with *tellings*: everything above
its own low floor, scored, so that one run of the histories serves every threshold. What is above a threshold is decided
later (``kent_tuning.py``). A system that learns does so on Mondays, from what was known as the week began.

An injected run looks with the baselines of the same history without the outbreak: it saves a fit for each run, and errs
by at most the three weeks of the outbreak that a later Monday's fit would have known of.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.kent_county import County
from detectors.baseline import Baseline, fit_baseline
from detectors.completeness import completeness_as_known
from detectors.contract import RECENT_DAYS, Past
from detectors.history import CountCube
from detectors.observations import Observation
from detectors.sightings import Sightings
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.counting import occurrences, sightings
from streams.simulation.history import History
from streams.simulation.observing import observations
from streams.simulation.timing import Days, day_index, minutes_since_epoch

CONTEXT_DAYS = 8
CASUALTY_FEEDS = (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS, Feed.SUSPECTED_DEATHS)
"""Feeds that may page, for every system: samples alone never do, since nobody was harmed."""


class Telling(NamedTuple):
    """One cluster that one system tells of on one day."""

    day: int
    """Of the look: an index into the history's days."""
    window_days: int
    score: float
    family: str
    areas: int
    """Detection areas as bits."""
    substance_class: SubstanceClass = SubstanceClass.ANY
    event_type: str = ""
    """What kind of outbreak the system says it is, if it says so."""
    may_page: bool = True
    stock: bool = False
    """Whether the system's stock setting alarms."""
    fine: tuple[int, ...] = ()
    """Small areas, where the system names any."""


@dataclass(frozen=True, slots=True, eq=False)
class Week:
    """What was learnt as a week began."""

    baseline: Baseline
    completeness: Mapping[Feed, NDArray[np.float64]]
    learnt: Mapping[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """One look."""

    today: int
    cube: CountCube
    """Counts since the history began, as known at the end of today."""
    known: Callable[[int], Sightings]
    """Gives the events of the last so many days as known now."""
    new: Sequence[Observation]
    """What became known today."""
    context: Sequence[Observation]
    """What was known before, of the last days."""
    week: Week


class System(Protocol):
    """Anything that can be compared."""

    @property
    def name(self) -> str:
        """What the tables call it."""
        ...

    def learn(self, past: Past) -> object:
        """Return what it keeps for a week."""
        ...

    def look(self, day: Day) -> list[Telling]:
        """Return what it tells today."""
        ...


class Rule:
    """A system that learns nothing beforehand."""

    def learn(self, past: Past) -> None:
        """Keep nothing."""


@dataclass(eq=False)
class Weeks:
    """What was learnt on each Monday of one history without an outbreak."""

    by_day: dict[int, Week] = field(default_factory=dict)


def play(
    county: County,
    history: History,
    systems: Sequence[System],
    weeks: Weeks,
    *,
    first: int,
    last: int,
    fit: bool,
) -> dict[str, list[Telling]]:
    """Look at every day from ``first`` to ``last`` and return what each system told.

    Parameters
    ----------
    county : County
    history : History
    systems : sequence of System
    weeks : Weeks
        Filled when ``fit``; otherwise looked up.
    first, last : int
        Days (index), both included.
    fit : bool
        Whether to learn on Mondays; an injected run does not.
    """
    counted = occurrences(history, county.areas, county.series)
    growing = counted.as_known()
    events = sightings(history, county.terrain)
    by_day = _by_known_day(county, history, first - CONTEXT_DAYS, last)
    told: dict[str, list[Telling]] = {one.name: [] for one in systems}
    monday = first - (history.first_day + timedelta(days=first)).weekday()
    for today in range(first, last + 1):
        if (history.first_day + timedelta(days=today)).weekday() == 0:
            monday = today
        if fit and monday not in weeks.by_day:
            known = growing.advance_to(monday - 1)
            laws = completeness_as_known(counted, monday - 1, county.completeness)
            baseline = fit_baseline(
                known, completeness=laws, populations=county.populations, holidays=county.holidays
            )
            past = Past(known, events.as_known(monday - 1), baseline, laws)
            weeks.by_day[monday] = Week(baseline, laws, {one.name: one.learn(past) for one in systems})
        day = Day(
            today=today,
            cube=growing.advance_to(today),
            known=lambda days, today=today: events.as_known(today, days),  # type: ignore[misc]
            new=by_day.get(today, ()),
            context=[item for back in range(1, CONTEXT_DAYS + 1) for item in by_day.get(today - back, ())],
            week=weeks.by_day[monday],
        )
        for one in systems:
            told[one.name] += one.look(day)
    return told


def _by_known_day(county: County, history: History, first: int, last: int) -> dict[int, list[Observation]]:
    """Return the observations that became known on each day."""
    known = day_index(history.days, history.events.known)
    rows = np.flatnonzero((known >= first) & (known <= last))
    part = History(
        history.parameters,
        history.places,
        history.days,
        history.levels,
        history.events.take(rows),
        history.label,
    )
    found: dict[int, list[Observation]] = {}
    for row, item in zip(known[rows].tolist(), observations(part, county.root), strict=True):
        found.setdefault(row, []).append(item)
    return found


def today_of(days: Days, item: Observation) -> int:
    """Return the day (index) on which an observation became known."""
    return int(day_index(days, np.array([minutes_since_epoch(item.known_at)]))[0])


__all__ = ["CASUALTY_FEEDS", "RECENT_DAYS", "Day", "Rule", "System", "Telling", "Week", "Weeks", "play"]
