"""Scenarios in which there is something to tell: who is harmed or what is handed in, when and where.

Sizes and days are those of the public accounts where there are any, and otherwise stated here before anything was run;
none is chosen by what the detectors make of it. For ``benchmarks/scenarios_table.py``.
"""

from datetime import date

import numpy as np

from benchmarks.kent_county import County
from benchmarks.scenarios_records import handed_in, harmed, minutes_on, people_at, without
from benchmarks.scenarios_staging import Staged, area_at, cluster, day_of, district, some_day, spread, within
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from streams.simulation.event_records import CANNABINOID, OPIOID
from streams.simulation.history import History

_C = SubstanceClass
WESTGATE, CANTERBURY = (51.381, 1.337), (51.278, 1.080)


def household(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Nine people at one address within four hours, two in Canterbury six days later, one of whom dies."""
    first = day_of(date(2017, 1, 22))
    westgate, thanet = area_at(history, WESTGATE)
    canterbury, other = area_at(history, CANTERBURY)
    sitting = history.days.start[first] + 17 * 60 + 35 + np.sort(rng.integers(0, 220, 9))
    together = people_at(history, sitting, np.full(9, westgate), rng, one_scene=True)
    seen = np.tile([False, True, False], (9, 1))
    told = harmed(history, together, CANNABINOID, rng, seen=seen)
    later = minutes_on(history, [first + 6] * 2, rng)
    two = people_at(told, later, np.full(2, canterbury), rng)
    both = harmed(told, two, CANNABINOID, rng, seen=np.array([[False, True, False], [False, True, True]]))
    return Staged(both, first, first + 6, frozenset({thanet, other}))


def nitazenes(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """18 deaths and 25 others of 2.9 million people, at Kent's 1.86: 12 and 16 over 10 weeks, around one district."""
    first, centre = some_day(rng), district(history, rng)
    near = [int(one) for one in history.places.neighbours()[centre]]
    dead, alive = 12, 16
    count = dead + alive
    inside = rng.random(count) < 0.6
    place = np.where(inside, within(history, [centre], count, rng), within(history, near, count, rng))
    minute = minutes_on(history, rng.permutation(spread(count, 70, first, rng)), rng)
    died = np.arange(count) < dead
    naloxone = rng.random(count) < np.where(died, history.parameters.deaths_with_naloxone, OPIOID.naloxone)
    ed = ~died & ((rng.random(count) < OPIOID.ed) | ~naloxone)
    seen = np.column_stack([naloxone, ed, died])
    told = harmed(history, people_at(history, minute, place, rng), OPIOID, rng, seen=seen)
    hit = frozenset(int(one) for one in history.places.area_of[place])
    return Staged(told, first, first + 69, hit)


def sold_as_diazepam(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Four samples sold as diazepam in eight weeks hold a nitazene; people would be harmed only after that."""
    first = some_day(rng)
    days = first + np.array([0, 19, 37, 55])
    place = within(history, list(range(len(history.places.areas))), 4, rng)
    told = handed_in(
        history, minutes_on(history, days, rng), place, [_C.NITAZENE] * 4, [_C.BENZODIAZEPINE] * 4, rng
    )
    areas = frozenset(int(one) for one in history.places.area_of[place])
    return Staged(told, first, first + 55, areas)


def mis_sold(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Eight samples of one district in two weeks: "Valium" that is bromazolam, and MDMA that is something else."""
    first, area = some_day(rng), district(history, rng)
    minute = minutes_on(history, spread(8, 14, first, rng), rng)
    found = [*[_C.NOVEL_BENZODIAZEPINE] * 6, *[_C.DISSOCIATIVE] * 2]
    sold = [*[_C.BENZODIAZEPINE] * 6, *[_C.STIMULANT] * 2]
    order = rng.permutation(8)
    told = handed_in(
        history,
        minute,
        within(history, [area], 8, rng),
        [found[i] for i in order],
        [sold[i] for i in order],
        rng,
    )
    return Staged(told, first, first + 13, frozenset({area}))


def cross_border(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Twelve people around Dartford in a week, half of them across the border and in nobody's records here."""
    first = some_day(rng)
    dartford = history.places.areas.index(AreaCode("E07000107"))
    return Staged(
        cluster(history, OPIOID, dartford, first, 6, 7, rng), first, first + 6, frozenset({dartford})
    )


def one_person(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """One person, five naloxone calls in four days at home, twice to A&E."""
    first, area = some_day(rng), district(history, rng)
    here = within(history, [area], 1, rng)
    minute = minutes_on(history, first + np.array([0, 1, 1, 2, 3]), rng)
    five = people_at(history, np.sort(minute), np.repeat(here, 5), rng, one_scene=True)
    five.person[:] = five.person[0]
    seen = np.column_stack([np.ones(5, bool), np.arange(5) % 3 == 0, np.zeros(5, bool)])
    return Staged(harmed(history, five, OPIOID, rng, seen=seen), first, first + 3, frozenset({area}))


def eight_people(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Eight people in a district in four days, before anything is withdrawn."""
    first, area = some_day(rng), district(history, rng)
    return Staged(cluster(history, OPIOID, area, first, 8, 4, rng), first, first + 3, frozenset({area}))


def reclassified(county: County, history: History, rng: np.random.Generator) -> Staged:
    """The same eight (the same chance); six of them turn out to be something else, and what stays is looked at."""
    eight = eight_people(county, history, rng)
    told = eight.history
    people = np.unique(told.events.person[told.events.person > int(history.events.person.max())])
    gone = rng.choice(people, 6, replace=False)
    left = without(told, np.flatnonzero(np.isin(told.events.person, gone)))
    return Staged(left, eight.first_day, eight.last_day, eight.areas)


def second_wave(_county: County, history: History, rng: np.random.Generator) -> Staged:
    """Ten people in a district in four days, and ten more there sixteen days after the first."""
    first, area = some_day(rng), district(history, rng)
    wave = cluster(history, OPIOID, area, first, 10, 4, rng)
    again = cluster(wave, OPIOID, area, first + 16, 10, 4, rng)
    return Staged(again, first + 16, first + 19, frozenset({area}), before=wave)
