"""Outbreaks of a stated size put into a simulated history: so many excess people, of a kind, somewhere, over some days.

For benchmarks and for ``tocsin calibrate``'s smallest cluster: :class:`Injector`. Injected people get records as
everybody else in the simulator does, with the history's own delays, naming shares and tokens, so that a detector cannot
tell them apart. Everything here is stated, nothing is fitted. Never reads a clock, never changes what it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from schemas.substances import SubstanceClass
from streams.simulation.event_records import (
    EventType,
    Flags,
    appearances,
    casualty_records,
    joined,
    sample_records,
    sample_waits,
    with_records,
)
from streams.simulation.history import EventColumns, History, Indices
from streams.simulation.people import People, draw_homes
from streams.simulation.places import Places
from streams.simulation.timing import Minutes, day_index, draw_minutes

TOWN_SMALL_AREAS = 20
"""Small areas (of about 1,700 residents) that make a town."""
TOWN_LEAST_SHARE = 0.25
"""At least this share of a border town's small areas lies on either side."""
SITTING_PEOPLE = 4
SITTING_MINUTES = 180
"""In one household people are harmed together: up to four of them within three hours."""
LEAD_DAYS = 7
"""Samples handed in before the casualties come at most this long before them."""
_MINUTES_A_DAY = 1440


class Shape(StrEnum):
    """Where the people of an outbreak are."""

    DISTRICT = "district"
    BORDER_TOWN = "border_town"
    COUNTY = "county"
    HOUSEHOLD = "household"


@dataclass(frozen=True)
class Injection:
    """What is put in."""

    event_type: EventType
    shape: Shape
    people: int
    days: int
    samples_before: int = 0
    """Samples of a nitazene sold as heroin, handed in within the week before the first casualty."""

    def __post_init__(self) -> None:
        for name, least in (("people", 1), ("days", 1), ("samples_before", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}; wanted {least} or more")


@dataclass(frozen=True, eq=False)
class Injected:
    """What a detector should have found."""

    injection: Injection
    first_day: int
    last_day: int
    """Days (index) of the first and last casualty."""
    first_sample_day: int
    """Of the first injected sample; the first casualty's where there is none."""
    areas: frozenset[int]
    """Detection areas (index) in which somebody was harmed."""
    fine: frozenset[int]
    """Small areas (index) in which somebody was harmed."""


class Injector:
    """Puts outbreaks into histories that were drawn on one ground.

    Parameters
    ----------
    places : Places
        Whose histories are given; border towns are looked for once.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._towns = _border_towns(places)

    def inject(
        self,
        history: History,
        injection: Injection,
        start_day: int,
        rng: np.random.Generator,
        *,
        trouble: Callable[[EventColumns], EventColumns] = lambda events: events,
    ) -> tuple[History, Injected]:
        """Return the history with the outbreak in it, and what there was to find.

        Parameters
        ----------
        history : History
            Not changed.
        injection : Injection
        start_day : int
            First day (index) on which somebody may be harmed; the first casualty may come later.
        rng : numpy.random.Generator
        trouble : callable
            What befalls the injected records too, such as an outage of their feed.

        Raises
        ------
        ValueError
            If the outbreak would not lie within the history.
        """
        if not LEAD_DAYS <= start_day <= history.n_days - injection.days:
            raise ValueError(
                f"start_day is {start_day}; wanted {LEAD_DAYS} to {history.n_days - injection.days} "
                f"for {injection.days} days in a history of {history.n_days}"
            )
        minute = _minutes(history, injection, start_day, rng)
        place = self._place(injection, rng)
        seen = appearances(injection.event_type, injection.people, rng)
        parts = _casualties(history, injection, minute, place, seen, rng)
        first = int(minute.min())
        samples = _samples(history, injection, first, place, rng)
        if samples is not None:
            parts.append(samples)
        drawn = trouble(joined(parts))
        day = day_index(history.days, minute)
        sampled = day.min() if samples is None else day_index(history.days, samples.occurred).min()
        truth = Injected(
            injection=injection,
            first_day=int(day.min()),
            last_day=int(day.max()),
            first_sample_day=int(min(sampled, day.min())),
            areas=frozenset(int(item) for item in self._places.area_of[place]),
            fine=frozenset(int(item) for item in place),
        )
        return with_records(history, [drawn]), truth

    def _place(self, injection: Injection, rng: np.random.Generator) -> Indices:
        """Draw the small area in which each person is harmed: by population within the outbreak's area."""
        population = self._places.population
        if injection.shape is Shape.HOUSEHOLD:
            return np.full(injection.people, rng.choice(len(population), p=population / population.sum()))
        if injection.shape is Shape.BORDER_TOWN and self._towns:
            within = self._towns[int(rng.integers(len(self._towns)))]
        elif injection.shape is Shape.COUNTY:
            within = np.arange(len(population))
        else:
            weight = np.bincount(self._places.area_of, weights=population)
            within = np.flatnonzero(self._places.area_of == rng.choice(len(weight), p=weight / weight.sum()))
        share = population[within] / population[within].sum()
        drawn: Indices = rng.choice(within, injection.people, p=share)
        if injection.shape is Shape.BORDER_TOWN and injection.people > 1:
            # It is across the border only if somebody is harmed on either side.
            side = self._places.area_of[drawn]
            other = within[self._places.area_of[within] != side[0]]
            if (side == side[0]).all() and other.size:
                drawn[-1] = rng.choice(other)
        return drawn


def _minutes(history: History, injection: Injection, start_day: int, rng: np.random.Generator) -> Minutes:
    """Draw when each person is harmed: uniform over the days, by the hours of the day; households in sittings."""
    count = injection.people
    together = injection.shape is Shape.HOUSEHOLD
    happenings = -(-count // SITTING_PEOPLE) if together else count
    day = start_day + rng.integers(0, injection.days, happenings)
    minute = draw_minutes(history.parameters, history.days, day, rng)
    if together:
        minute = np.repeat(minute, SITTING_PEOPLE)[:count] + rng.integers(0, SITTING_MINUTES, count)
    within: Minutes = np.minimum(minute, history.days.start[-1] - 1)
    return within


def _casualties(
    history: History,
    injection: Injection,
    minute: Minutes,
    place: Indices,
    seen: Flags,
    rng: np.random.Generator,
) -> list[EventColumns]:
    parameters, places, event_type = history.parameters, history.places, injection.event_type
    count = injection.people
    begins = int(history.events.person.max(initial=0)) + 1
    scene = int(history.events.scene.max(initial=0)) + 1 + np.arange(count)
    none = np.zeros(count, dtype=bool)
    home = draw_homes(parameters, places, places.population, place, history.levels, rng)
    if injection.shape is Shape.HOUSEHOLD:
        # They live together, but for those whose home is elsewhere or unknown.
        near = (home >= 0) & (places.area_of[np.maximum(home, 0)] == places.area_of[place])
        home = np.where(near, place, home)
    people = People(
        minute=minute,
        person=begins + np.arange(count),
        scene=np.full(count, scene[0]) if injection.shape is Shape.HOUSEHOLD else scene,
        place=place,
        home=home,
        profile=np.zeros(count, dtype=np.int64),
        pattern=np.zeros(count, dtype=np.int64),
        prison=none,
        school=none,
    )
    return casualty_records(history, people, event_type, seen, rng)


def _samples(
    history: History, injection: Injection, first: int, place: Indices, rng: np.random.Generator
) -> EventColumns | None:
    count = injection.samples_before
    if not count:
        return None
    occurred = first - rng.integers(_MINUTES_A_DAY // 4, LEAD_DAYS * _MINUTES_A_DAY, count)
    known = occurred + sample_waits(history, count, rng)
    where = rng.choice(place, count)
    return sample_records(
        occurred, known, where, [SubstanceClass.NITAZENE] * count, [SubstanceClass.OPIATE] * count, rng
    )


def _border_towns(places: Places) -> list[Indices]:
    """Return the towns that lie across the border of two detection areas: a small area and those nearest to it."""
    north = places.latitude * 111.2
    east = places.longitude * 111.2 * np.cos(np.radians(np.nanmean(places.latitude)))
    known = np.flatnonzero(np.isfinite(north) & np.isfinite(east))
    size = min(TOWN_SMALL_AREAS, known.size)
    towns: list[Indices] = []
    for here in known:
        distance = (north[known] - north[here]) ** 2 + (east[known] - east[here]) ** 2
        town = known[np.argsort(distance, kind="stable")[:size]]
        share = np.sort(np.bincount(places.area_of[town]))[::-1] / size
        if len(share) > 1 and share[1] >= TOWN_LEAST_SHARE:
            towns.append(town)
    return towns
