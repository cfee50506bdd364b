"""Records of scripted scenarios, made with the simulator's own delays, naming shares and tokens.

For ``benchmarks/scenarios_script.py``: people who are harmed, samples that are handed in, more of what there is anyway,
and less of it. Nothing that is given is ever changed; every chance comes from the generator that is handed in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

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
    draw_delays,
    feed_records,
)
from streams.simulation.injections import DEAD_AT_ED, EventType
from streams.simulation.people import UNKNOWN_HOME, People, draw_homes
from streams.simulation.timing import day_index, draw_minutes

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]

MINUTES_A_DAY = 1440
BACKFILLED = 900_000
"""Number of the batch by which records of a bulk load are known again: ``scenarios_looks.py`` delivers them so."""


def minutes_on(history: History, days: Sequence[int] | Indices, rng: np.random.Generator) -> Indices:
    """Return a minute of each of some days (index), by the hours of the simulator."""
    return draw_minutes(history.parameters, history.days, np.asarray(days, dtype=np.int64), rng)


def people_at(
    history: History, minute: Indices, place: Indices, rng: np.random.Generator, *, one_scene: bool = False
) -> People:
    """Return people who are harmed then and there; those of one scene live there."""
    count = len(minute)
    none = np.zeros(count, dtype=bool)
    scene = int(history.events.scene.max(initial=0)) + 1 + np.arange(count)
    homes = draw_homes(
        history.parameters, history.places, history.places.population, place, history.levels, rng
    )
    return People(
        minute=minute,
        person=int(history.events.person.max(initial=0)) + 1 + np.arange(count),
        scene=np.full(count, scene[0]) if one_scene else scene,
        place=place,
        home=place.copy() if one_scene else homes,
        profile=np.zeros(count, dtype=np.int64),
        pattern=np.zeros(count, dtype=np.int64),
        prison=none,
        school=none,
    )


def appearances(event_type: EventType, count: int, rng: np.random.Generator) -> Flags:
    """Draw who is seen by (naloxone, A&E, deaths): everybody by at least one."""
    seen = np.zeros((count, 3), dtype=bool)
    missing = np.arange(count)
    while missing.size:
        death = rng.random(missing.size) < event_type.death
        ed = rng.random(missing.size) < event_type.ed * np.where(death, DEAD_AT_ED, 1.0)
        seen[missing] = np.column_stack([rng.random(missing.size) < event_type.naloxone, ed, death])
        missing = missing[~seen[missing].any(axis=1)]
    return seen


def harmed(
    history: History,
    people: People,
    event_type: EventType,
    rng: np.random.Generator,
    *,
    seen: Flags | None = None,
    stratum: int = GENERAL,
) -> History:
    """Return the history with the records that people of an event leave; ``seen`` says in which feeds, if not drawn."""
    parameters = history.parameters
    flags = appearances(event_type, len(people.minute), rng) if seen is None else seen
    rows = [np.flatnonzero(flags[:, column]) for column in range(3)]
    number = len(rows[0])
    silent = rng.random(number) < event_type.no_response
    unknown = ~silent & (rng.random(number) < parameters.response_unknown)
    parts = [
        feed_records(
            parameters.naloxone,
            Feed.AMBULANCE_NALOXONE,
            people,
            rows[0],
            rng,
            doses=np.where(rng.random(number) < event_type.three_doses, 3, rng.integers(1, 3, number)),
            response=np.where(silent, NO_RESPONSE, np.where(unknown, RESPONSE_UNKNOWN, IMPROVED)),
            arrest=rng.random(number) < parameters.cardiac_arrest,
        ),
        feed_records(
            parameters.ed,
            Feed.ED_PRESENTATIONS,
            people,
            rows[1],
            rng,
            later=rng.integers(15, 120, len(rows[1])),
            event_stated=rng.random(len(rows[1])) < parameters.ed_event_area_known,
        ),
        feed_records(
            parameters.deaths,
            Feed.SUSPECTED_DEATHS,
            people,
            rows[2],
            rng,
            later=rng.integers(0, 90, len(rows[2])),
        ),
    ]
    named = [_renamed(part, event_type.named, rng) for part in parts]
    return joined(
        history, [replace(part, stratum=np.full(len(part.feed), stratum, dtype=np.int64)) for part in named]
    )


def handed_in(
    history: History,
    minute: Indices,
    place: Indices,
    found: Sequence[SubstanceClass],
    sold_as: Sequence[SubstanceClass],
    rng: np.random.Generator,
) -> History:
    """Return the history with tested samples, each of a batch of its own."""
    count = len(minute)
    none = np.zeros(count, dtype=np.int64)
    samples = EventColumns(
        feed=np.full(count, FEEDS.index(Feed.DRUG_CHECKING), dtype=np.int64),
        occurred=minute,
        known=minute + draw_delays(history.parameters.samples.delays, count, rng),
        person=none - 1,
        scene=none - 1,
        event_place=place,
        event_stated=np.ones(count, dtype=bool),
        home=np.full(count, UNKNOWN_HOME, dtype=np.int64),
        first_class=np.array([CLASSES.index(one) for one in found], dtype=np.int64),
        second_class=none - 1,
        doses=none,
        response=np.full(count, RESPONSE_UNKNOWN, dtype=np.int64),
        arrest=np.zeros(count, dtype=bool),
        stratum=np.full(count, GENERAL, dtype=np.int64),
        batch=none - 1,
        sold_class=np.array([CLASSES.index(one) for one in sold_as], dtype=np.int64),
        scene_token=np.zeros(count, dtype=bool),
        subject_token=np.zeros(count, dtype=bool),
        variant=rng.integers(0, 1000, count),
    )
    return joined(history, [samples])


def more(
    history: History,
    rows: Indices,
    donors: Indices,
    rng: np.random.Generator,
    *,
    days: Indices | None = None,
    later_days: int = 6,
) -> History:
    """Return the history with other people like those of some records, where the people of other records were.

    Parameters
    ----------
    history : History
    rows : ndarray
        Records to make more of: several of one person become several of one other person.
    donors : ndarray
        Records whose places (and homes) are drawn from.
    rng : numpy.random.Generator
    days : ndarray, optional
        The days (index) among which each person's is drawn; left out, up to ``later_days`` days later.
    later_days : int
    """
    events = history.events.take(rows)
    who, index = np.unique(
        np.where(events.person >= 0, events.person, -1 - np.arange(len(rows))), return_inverse=True
    )
    donor = rng.choice(donors, len(who))[index]
    shift: Indices
    if days is None:
        shift = rng.integers(0, later_days + 1, len(who))[index]
    else:
        first_row = np.unique(index, return_index=True)[1]
        usual = day_index(history.days, events.occurred)[first_row].astype(np.int64)
        shift = (rng.choice(days, len(who)) - usual)[index]
    own = events.person >= 0
    begins, scene = (int(getattr(history.events, name).max(initial=0)) + 1 for name in ("person", "scene"))
    extra = replace(
        events,
        occurred=events.occurred + shift * MINUTES_A_DAY,
        known=events.known + shift * MINUTES_A_DAY,
        person=np.where(own, begins + index, -1),
        scene=np.where(own, scene + index, -1),
        event_place=history.events.event_place[donor],
        home=np.where(own, history.events.home[donor], UNKNOWN_HOME),
        batch=np.full(len(rows), -1, dtype=np.int64),
    )
    return joined(history, [extra])


def without(history: History, rows: Indices) -> History:
    """Return the history without some records."""
    kept = np.ones(len(history.events.feed), dtype=bool)
    kept[rows] = False
    return replace(history, events=history.events.take(kept))


def rows_of(history: History, feeds: Sequence[Feed], first: int, last: int) -> Indices:
    """Return the records of some feeds that happened from day ``first`` to day ``last``, general population."""
    events = history.events
    day = day_index(history.days, events.occurred)
    wanted = np.isin(events.feed, [FEEDS.index(feed) for feed in feeds])
    return np.flatnonzero(wanted & (events.stratum == GENERAL) & (day >= first) & (day <= last))


def joined(history: History, parts: Sequence[EventColumns]) -> History:
    """Return the history with more records, in the order in which they become known."""
    both = [history.events, *parts]
    events = EventColumns(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in both])
            for item in fields(EventColumns)
        }
    )
    order = np.lexsort((events.variant, events.person, events.occurred, events.feed, events.known))
    return replace(history, events=events.take(order))


def _renamed(
    part: EventColumns, named: Mapping[SubstanceClass, float], rng: np.random.Generator
) -> EventColumns:
    """Return records that name what this event's records name, where they name anything."""
    share = np.array(list(named.values()))
    drawn = rng.choice([CLASSES.index(one) for one in named], len(part.feed), p=share / share.sum())
    second = np.where(part.second_class == drawn, -1, part.second_class)
    return replace(part, first_class=np.where(part.first_class >= 0, drawn, -1), second_class=second)
