"""What every scenario is made of: where, when, and clusters of people. For the two scripts of scenarios.

Nothing here knows a detector; every chance comes from the generator that is handed in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from benchmarks.kent_county import FIRST_DAY, TRAINING_DAYS, County
from benchmarks.scenarios_records import Indices, harmed, minutes_on, people_at
from streams.simulation.event_records import EventType
from streams.simulation.history import History
from streams.simulation.parameters import KENT_AND_MEDWAY

EARLIEST, LATEST = TRAINING_DAYS + 60, TRAINING_DAYS + 480
"""A scenario begins between these days: none meets the silences of the second year's end."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A history with a scenario in it."""

    history: History
    first_day: int
    last_day: int
    """Days (index) of the scenario itself."""
    areas: frozenset[int]
    before: History | None = None
    """What it is compared with; the seed's own history if nothing else is."""


Stage = Callable[[County, History, np.random.Generator], Staged]


def some_day(rng: np.random.Generator) -> int:
    """Draw the day (index) on which a scenario begins."""
    return int(rng.integers(EARLIEST, LATEST))


def day_of(day: date) -> int:
    """Return the index of a date."""
    return (day - FIRST_DAY).days


def district(history: History, rng: np.random.Generator) -> int:
    """Draw a detection area by how many people are harmed there."""
    places = history.places
    weight = np.bincount(places.area_of, weights=places.population)
    weight = weight * np.array([KENT_AND_MEDWAY.area_rates.get(code, 1.0) for code in places.areas])
    return int(rng.choice(len(weight), p=weight / weight.sum()))


def within(history: History, areas: Sequence[int], count: int, rng: np.random.Generator) -> Indices:
    """Draw small areas of some detection areas by population."""
    places = history.places
    held = np.flatnonzero(np.isin(places.area_of, areas))
    share = places.population[held] / places.population[held].sum()
    drawn: Indices = rng.choice(held, count, p=share).astype(np.int64)
    return drawn


def area_at(history: History, position: tuple[float, float]) -> tuple[int, int]:
    """Return the small area and the detection area at a position."""
    here = history.places.nearest_fine(*position)
    return here, int(history.places.area_of[here])


def spread(count: int, days: int, first: int, rng: np.random.Generator) -> Indices:
    """Draw days of so many people over so many days; the first is on the first day."""
    drawn = np.sort(first + rng.integers(0, days, count))
    drawn[0] = first
    return drawn


def cluster(
    history: History,
    event_type: EventType,
    area: int,
    first: int,
    count: int,
    days: int,
    rng: np.random.Generator,
) -> History:
    """Return the history with so many people harmed in one detection area over so many days."""
    minute = minutes_on(history, spread(count, days, first, rng), rng)
    return harmed(
        history, people_at(history, minute, within(history, [area], count, rng), rng), event_type, rng
    )
