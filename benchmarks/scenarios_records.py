"""Records of scripted scenarios, made with the simulator's own delays, naming shares and tokens.

For ``benchmarks/scenarios_script.py``: people who are harmed, samples that are handed in, more of what there is anyway,
and less of it. Nothing that is given is ever changed; every chance comes from the generator that is handed in.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.event_records import (
    EventType,
    Flags,
    appearances,
    casualty_records,
    sample_records,
    sample_waits,
    with_records,
)
from streams.simulation.history import FEEDS, GENERAL, History
from streams.simulation.people import UNKNOWN_HOME, People, draw_homes
from streams.simulation.timing import day_index, draw_minutes

Indices = NDArray[np.int64]

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
    flags = appearances(event_type, len(people.minute), rng) if seen is None else seen
    parts = casualty_records(history, people, event_type, flags, rng)
    return with_records(
        history, [replace(part, stratum=np.full(len(part.feed), stratum, dtype=np.int64)) for part in parts]
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
    known = minute + sample_waits(history, len(minute), rng)
    return with_records(history, [sample_records(minute, known, place, found, sold_as, rng)])


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
    return with_records(history, [extra])


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
