"""Outbreaks of a stated size put into a simulated history: so many excess people, of a kind, somewhere, over some days.

For benchmarks and for ``tocsin calibrate``'s smallest cluster: :class:`Injector`. Injected people get records as
everybody else in the simulator does, with the history's own delays, naming shares and tokens, so that a detector cannot
tell them apart. Everything here is stated, nothing is fitted. Never reads a clock, never changes what it is given.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.history import (
    CLASSES,
    FEEDS,
    GENERAL,
    IMPROVED,
    NO_RESPONSE,
    RESPONSE_UNKNOWN,
    EventColumns,
    History,
    Indices,
    draw_delays,
    feed_records,
)
from streams.simulation.people import UNKNOWN_HOME, People, draw_homes
from streams.simulation.places import Places
from streams.simulation.timing import Minutes, day_index, draw_minutes

_C = SubstanceClass
Flags = npt.NDArray[np.bool_]

TOWN_SMALL_AREAS = 20
"""Small areas (of about 1,700 residents) that make a town."""
TOWN_LEAST_SHARE = 0.25
"""At least this share of a border town's small areas lies on either side."""
SITTING_PEOPLE = 4
SITTING_MINUTES = 180
"""In one household people are harmed together: up to four of them within three hours."""
DEAD_AT_ED = 0.3
"""Factor on the chance that somebody who dies is also seen in A&E."""
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
class EventType:
    """In which feeds each person of an outbreak appears, and what the records say. All of it is our assumption.

    The three chances are independent, but somebody who died is seldom in A&E; a person whom no feed would see is drawn
    again, so that a size is a number of people whom somebody saw.
    """

    name: str
    naloxone: float
    ed: float
    death: float
    named: Mapping[SubstanceClass, float]
    """What a record that names a substance names; the share that names one is the feed's own."""
    no_response: float = 0.06
    three_doses: float = 0.055

    def __post_init__(self) -> None:
        if max(self.naloxone, self.ed, self.death) <= 0:
            raise ValueError(
                f"naloxone, ed or death of {self.name} must be above 0: no feed would see anybody"
            )


OPIOID = EventType(
    "opioid",
    naloxone=0.7,
    ed=0.5,
    death=0.15,
    named={_C.OPIATE: 0.6, _C.UNKNOWN_OPIOID: 0.25, _C.NITAZENE: 0.15},
    no_response=0.2,
    three_doses=0.35,
)
BENZODIAZEPINE = EventType(
    "benzodiazepine",
    naloxone=0.0,
    ed=0.9,
    death=0.06,
    named={_C.NOVEL_BENZODIAZEPINE: 0.45, _C.BENZODIAZEPINE: 0.45, _C.OPIATE: 0.1},
)
CANNABINOID = EventType(
    "cannabinoid", naloxone=0.0, ed=0.95, death=0.02, named={_C.SYNTHETIC_CANNABINOID: 0.9, _C.UNKNOWN: 0.1}
)
DEPRESSANT = EventType(
    "depressant",
    naloxone=0.25,
    ed=0.8,
    death=0.1,
    named={_C.OTHER_DEPRESSANT: 0.6, _C.DISSOCIATIVE: 0.25, _C.ALPHA2_SEDATIVE: 0.15},
    no_response=0.8,
    three_doses=0.3,
)
"""GHB and the like, given naloxone on suspicion and in vain: no detector has a profile of it."""
STIMULANT_DEATHS = EventType("stimulant_deaths", naloxone=0.02, ed=0.2, death=0.8, named={_C.STIMULANT: 1.0})
"""People found dead after a stimulant, with hardly anybody in A&E: no detector has a profile of it either."""


VARIED_LOG_ODDS_SD = 0.5
"""How far the chances of one outbreak lie from its type's, as a standard deviation of their log odds. Ours."""
VARIED_NAMES = 10.0
"""Records that the stated naming is worth when one outbreak's own is drawn (Dirichlet). Ours."""


def varied(event_type: EventType, rng: np.random.Generator) -> EventType:
    """Return one outbreak's own chances and names, drawn around its type's; what cannot happen still cannot."""

    def moved(chance: float) -> float:
        shift = float(rng.standard_normal()) * VARIED_LOG_ODDS_SD
        return 0.0 if chance <= 0 else 1 / (1 + (1 / chance - 1) * float(np.exp(-shift)))

    chances = {
        name: moved(getattr(event_type, name))
        for name in ("naloxone", "ed", "death", "no_response", "three_doses")
    }
    share = np.array(list(event_type.named.values()))
    drawn = rng.dirichlet(VARIED_NAMES * share / share.sum())
    named = dict(zip(event_type.named, drawn.tolist(), strict=True))
    return replace(event_type, named=named, **chances)  # type: ignore[arg-type]


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
        seen = _appearances(injection.event_type, injection.people, rng)
        parts = _casualties(history, injection, minute, place, seen, rng)
        first = int(minute.min())
        samples = _samples(history, injection, first, place, rng)
        if samples is not None:
            parts.append(samples)
        drawn = trouble(_joined(parts))
        events = _joined([history.events, drawn])
        order = np.lexsort((events.variant, events.person, events.occurred, events.feed, events.known))
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
        return replace(history, events=events.take(order)), truth

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


def _appearances(event_type: EventType, count: int, rng: np.random.Generator) -> Flags:
    """Draw who is seen by (naloxone, A&E, deaths); everybody by at least one."""
    seen = np.zeros((count, 3), dtype=bool)
    missing = np.arange(count)
    while missing.size:
        death = rng.random(missing.size) < event_type.death
        ed = rng.random(missing.size) < event_type.ed * np.where(death, DEAD_AT_ED, 1.0)
        naloxone = rng.random(missing.size) < event_type.naloxone
        seen[missing] = np.column_stack([naloxone, ed, death])
        missing = missing[~seen[missing].any(axis=1)]
    return seen


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
    rows = [np.flatnonzero(seen[:, feed]) for feed in range(3)]
    number = len(rows[0])
    none_responds = rng.random(number) < event_type.no_response
    unknown = ~none_responds & (rng.random(number) < parameters.response_unknown)
    naloxone = feed_records(
        parameters.naloxone,
        Feed.AMBULANCE_NALOXONE,
        people,
        rows[0],
        rng,
        doses=np.where(rng.random(number) < event_type.three_doses, 3, rng.integers(1, 3, number)),
        response=np.where(none_responds, NO_RESPONSE, np.where(unknown, RESPONSE_UNKNOWN, IMPROVED)),
        arrest=rng.random(number) < parameters.cardiac_arrest,
    )
    ed = feed_records(
        parameters.ed,
        Feed.ED_PRESENTATIONS,
        people,
        rows[1],
        rng,
        later=rng.integers(15, 120, len(rows[1])),
        event_stated=rng.random(len(rows[1])) < parameters.ed_event_area_known,
    )
    deaths = feed_records(
        parameters.deaths,
        Feed.SUSPECTED_DEATHS,
        people,
        rows[2],
        rng,
        later=rng.integers(0, 90, len(rows[2])),
    )
    return [_renamed(part, event_type, rng) for part in (naloxone, ed, deaths)]


def _renamed(part: EventColumns, event_type: EventType, rng: np.random.Generator) -> EventColumns:
    """Return records that name what this outbreak's records name, where they name anything."""
    classes = [CLASSES.index(item) for item in event_type.named]
    share = np.array(list(event_type.named.values()))
    drawn = rng.choice(classes, len(part.feed), p=share / share.sum())
    second = np.where(part.second_class == drawn, -1, part.second_class)
    return replace(part, first_class=np.where(part.first_class >= 0, drawn, -1), second_class=second)


def _samples(
    history: History, injection: Injection, first: int, place: Indices, rng: np.random.Generator
) -> EventColumns | None:
    count = injection.samples_before
    if not count:
        return None
    none = np.zeros(count, dtype=np.int64)
    occurred = first - rng.integers(_MINUTES_A_DAY // 4, LEAD_DAYS * _MINUTES_A_DAY, count)
    return EventColumns(
        feed=np.full(count, FEEDS.index(Feed.DRUG_CHECKING), dtype=np.int64),
        occurred=occurred,
        known=occurred + draw_delays(history.parameters.samples.delays, count, rng),
        person=none - 1,
        scene=none - 1,
        event_place=rng.choice(place, count),
        event_stated=np.ones(count, dtype=bool),
        home=np.full(count, UNKNOWN_HOME, dtype=np.int64),
        first_class=np.full(count, CLASSES.index(_C.NITAZENE), dtype=np.int64),
        second_class=none - 1,
        doses=none,
        response=np.full(count, RESPONSE_UNKNOWN, dtype=np.int64),
        arrest=np.zeros(count, dtype=bool),
        stratum=np.full(count, GENERAL, dtype=np.int64),
        batch=none - 1,
        sold_class=np.full(count, CLASSES.index(_C.OPIATE), dtype=np.int64),
        scene_token=np.zeros(count, dtype=bool),
        subject_token=np.zeros(count, dtype=bool),
        variant=rng.integers(0, 1000, count),
    )


def _joined(parts: list[EventColumns]) -> EventColumns:
    return EventColumns(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in parts])
            for item in fields(EventColumns)
        }
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
