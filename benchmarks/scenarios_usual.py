"""Scenarios that must not page, or have a route of their own: drift, artefacts, other populations, bulk loads.

Sizes are stated here before anything was run; none is chosen by what the detectors make of it. For
``benchmarks/scenarios_table.py``.
"""

from datetime import date, timedelta

import numpy as np

from benchmarks.kent_county import FIRST_DAY, TRAINING_DAYS, County
from benchmarks.scenarios_records import (
    BACKFILLED,
    handed_in,
    harmed,
    minutes_on,
    more,
    people_at,
    rows_of,
    without,
)
from benchmarks.scenarios_staging import Staged, area_at, day_of, district, some_day, spread, within
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.event_records import CANNABINOID, EventType
from streams.simulation.history import CLASSES, FEEDS, PRISON, SCHOOL, SELF_HARM, History
from streams.simulation.timing import day_index

_C = SubstanceClass
CASUALTIES = (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS, Feed.SUSPECTED_DEATHS)
SHEPPEY, MARGATE, MAIDSTONE = (51.393, 0.858), (51.388, 1.381), (51.270, 0.520)
QEQM = 0
"""The hospital's place in ``KENT_HOSPITALS``."""


def slow_burn(county: County, history: History, rng: np.random.Generator) -> Staged:
    """Naloxone grows by 5 % a month for a year, everywhere."""
    first, days = TRAINING_DAYS + 28, 365
    rows = rows_of(history, [Feed.AMBULANCE_NALOXONE], first, first + days - 1)
    day = day_index(history.days, history.events.occurred[rows])
    grown = 1.05 ** ((day - first) / 30.4) - 1
    chosen = rows[rng.random(len(rows)) < grown]
    return Staged(
        more(history, chosen, rows, rng), first, first + days - 1, frozenset(range(len(county.areas)))
    )


def prison(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Twelve men in one prison on Sheppey in three days, most of them taken to A&E."""
    first = some_day(rng)
    here, swale = area_at(history, SHEPPEY)
    minute = minutes_on(history, spread(12, 3, first, rng), rng)
    seen = np.column_stack([np.arange(12) < 4, np.arange(12) >= 2, np.zeros(12, bool)])
    people = people_at(history, minute, np.full(12, here), rng, one_scene=True)
    return Staged(
        harmed(history, people, CANNABINOID, rng, seen=seen, stratum=PRISON),
        first,
        first + 2,
        frozenset({swale}),
    )


def school(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Six pupils after one vape, in one school, on one weekday."""
    first = some_day(rng)
    first += (7 - (FIRST_DAY + timedelta(days=first)).weekday()) % 7
    here, area = area_at(history, MAIDSTONE)
    minute = history.days.start[first] + 12 * 60 + rng.integers(0, 150, 6)
    people = people_at(history, minute, np.full(6, here), rng)
    seen = np.tile([False, True, False], (6, 1))
    return Staged(
        harmed(history, people, CANNABINOID, rng, seen=seen, stratum=SCHOOL), first, first, frozenset({area})
    )


def weekend(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Friday to Sunday in Margate: ten times the county's samples, and nine more of every casualty of the town."""
    first = day_of(date(2016, 8, 12))
    places = history.places
    margate, thanet = area_at(history, MARGATE)
    far = (places.latitude - places.latitude[margate]) ** 2 + (
        (places.longitude - places.longitude[margate]) * 0.62
    ) ** 2
    town = np.argsort(far)[:20]
    events = history.events
    around = rows_of(history, CASUALTIES, 0, first + 200)
    around = around[np.isin(events.event_place[around], town)]
    days = first + np.arange(3)
    year = 365.25
    usual = len(around) / (first + 201) * 3
    chosen = rng.choice(around, min(int(rng.poisson(9 * usual)), len(around)), replace=False)
    told = more(history, chosen, around, rng, days=days)
    samples = rows_of(history, [Feed.DRUG_CHECKING], 0, first)
    wanted = int(rng.poisson(9 * history.levels.samples / year * 3))
    tested = rng.choice(samples, wanted, replace=False)
    minute = minutes_on(told, np.sort(first + rng.integers(0, 3, wanted)), rng)
    found = [CLASSES[int(one)] for one in events.first_class[tested]]
    sold = [CLASSES[int(one)] for one in events.sold_class[tested]]
    return Staged(
        handed_in(told, minute, rng.choice(town, wanted).astype(np.int64), found, sold, rng),
        first,
        first + 2,
        frozenset({thanet}),
    )


def site_artefact(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """One A&E codes better: half as many records again from where its patients live, for good."""
    first = some_day(rng)
    rows = rows_of(history, [Feed.ED_PRESENTATIONS], first, history.n_days - 1)
    site = history.places.hospital_of()
    near = rows[site[history.events.event_place[rows]] == QEQM]
    chosen = near[rng.random(len(near)) < 0.5]
    areas = frozenset(int(one) for one in history.places.area_of[site == QEQM])
    return Staged(more(history, chosen, near, rng), first, first + 45, areas)


def take_home(county: County, history: History, rng: np.random.Generator) -> Staged:
    """People carry naloxone: three in ten ambulance administrations fall away, and nobody is harmed less."""
    first = some_day(rng)
    rows = rows_of(history, [Feed.AMBULANCE_NALOXONE], first, history.n_days - 1)
    gone = rows[rng.random(len(rows)) < 0.3]
    return Staged(without(history, gone), first, first + 45, frozenset(range(len(county.areas))))


def self_harm(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Eight teenagers in one district in two days, in A&E, recorded as self-harm."""
    first, area = some_day(rng), district(history, rng)
    minute = minutes_on(history, spread(8, 2, first, rng), rng)
    people = people_at(history, minute, within(history, [area], 8, rng), rng)
    paracetamol = EventType("paracetamol", naloxone=0.0, ed=1.0, death=0.0, named={_C.UNKNOWN: 1.0})
    return Staged(
        harmed(history, people, paracetamol, rng, stratum=SELF_HARM), first, first + 1, frozenset({area})
    )


def early_release(county: County, history: History, rng: np.random.Generator) -> Staged:
    """A fifth more of everything for the week after prisons release people early."""
    first = some_day(rng)
    days = first + np.arange(7)
    rows = rows_of(history, CASUALTIES, first, first + 6)
    people = np.unique(history.events.person[rows])
    chosen = rng.choice(people, round(len(people) / 5), replace=False)
    again = rows[np.isin(history.events.person[rows], chosen)]
    told = more(history, again, rows_of(history, CASUALTIES, 0, first), rng, days=days)
    return Staged(told, first, first + 6, frozenset(range(len(county.areas))))


def backfill(county: County, history: History, rng: np.random.Generator) -> Staged:
    """18 months of toxicology in one file: as many deaths as those months had, new to us, known within one hour."""
    first = some_day(rng)
    deaths = rows_of(history, [Feed.SUSPECTED_DEATHS], first - 548, first - 1)
    told = more(history, deaths, deaths, rng, days=np.arange(first - 548, first))
    events = told.events
    fresh = np.flatnonzero(events.person > int(history.events.person.max()))
    found = rng.choice(
        [CLASSES.index(one) for one in (_C.OPIATE, _C.NOVEL_BENZODIAZEPINE, _C.STIMULANT, _C.NITAZENE)],
        len(fresh),
        p=[0.5, 0.2, 0.2, 0.1],
    )
    events.known[fresh] = history.days.start[first] + 10 * 60
    events.batch[fresh] = BACKFILLED
    events.first_class[fresh] = found
    events.second_class[fresh] = -1
    order = np.argsort(events.known, kind="stable")
    ordered = History(told.parameters, told.places, told.days, told.levels, events.take(order), told.label)
    return Staged(ordered, first, first, frozenset(range(len(county.areas))))


def quiet(history: History) -> History:
    """Return the history with its silences: one A&E for ten days, and the deaths for ten days, with and without word."""
    events, days = history.events, history.days
    known = day_index(days, events.known)
    site = history.places.hospital_of()[np.maximum(events.event_place, 0)]
    a_and_e = (events.feed == FEEDS.index(Feed.ED_PRESENTATIONS)) & (site == QEQM)
    silent = a_and_e & (known >= TRAINING_DAYS + 600) & (known < TRAINING_DAYS + 610)
    deaths = events.feed == FEEDS.index(Feed.SUSPECTED_DEATHS)
    silent |= deaths & (known >= TRAINING_DAYS + 680) & (known < TRAINING_DAYS + 690)
    return without(history, np.flatnonzero(silent))
