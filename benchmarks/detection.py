"""One detection run: what a look costs, and the weekly fit of the baseline, at 13 areas and at 169.

The very job of the service, driven by a virtual clock in this process: claim, counts as known now, detectors, signals
written. *Kent*: 13 areas, four feeds, two years of simulated history. *Connecticut*: 169 towns, one feed of real deaths,
from the project's shared data if it is beside the checkout.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.material import simulated, teach
from benchmarks.replay import DATA, request
from benchmarks.results import Figure, spread
from benchmarks.service import KENT, Service
from schemas.substances import default_taxonomy
from schemas.vocabulary import Jurisdiction
from streams import jurisdictions
from streams.connectors.mapping import load_mapping
from streams.simulation.records import SimulatedRecord
from tocsin.clocks import VirtualClock
from tocsin.learnt import uncalibrated
from tocsin.replay import profile_for, read_all, replay_settings
from tocsin.wiring import House, build

_HISTORY_DAYS = 728
_AFTER_RECORD_MS = 20.0
_NIGHTLY_SECONDS = 2.0


@dataclass(frozen=True)
class Played:
    """A house with its history in it, and the records that come after."""

    house: House
    clock: VirtualClock
    name: Jurisdiction
    records: Sequence[SimulatedRecord]


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each kind of look."""

    with_fit: Sequence[float]
    """The first of a week: reads history and fits."""
    usual: Sequence[float]


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Look twice on each of ten Mondays in a row: before and after the last record of the week."""
    weeks = runs or 10
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder:
        with kent_place(Path(folder), seed, weeks) as place:
            figures += _figures("Kent and Medway, 13 areas, 4 feeds", look_each_week(place, weeks))
        note = "Two years of simulated history for Kent."
        if not DATA.is_dir():
            return figures, note + " Connecticut was left out: the shared data is not beside the checkout."
        with _connecticut(Path(folder)) as place:
            figures += _figures("Connecticut, 169 towns, 1 feed", look_each_week(place, weeks))
    return figures, note + " Five years of real deaths for Connecticut."


def _figures(what: str, times: Times) -> list[Figure]:
    kent = what.startswith("Kent")
    longest = max(times.with_fit) / 1000
    return [
        Figure(
            f"{what}: a look, ms",
            spread(times.usual, ".1f"),
            f"{_AFTER_RECORD_MS:.0f} (of a later release)" if kent else "",
        ),
        Figure(
            f"{what}: the week's first look, which fits the baseline, ms",
            spread(times.with_fit, ".0f"),
            f"{_NIGHTLY_SECONDS * 1000:.0f}" if kent else "",
            longest <= _NIGHTLY_SECONDS if kent else None,
        ),
    ]


def look_each_week(place: Played, weeks: int) -> Times:
    """Go from Monday to Monday; each time take in the week's records but one, look, take in the last, look again."""
    house, clock, name = place.house, place.clock, place.name
    house.detection.look_at(name)  # loads what a process loads once
    fits: list[float] = []
    usual: list[float] = []
    taught = clock.now()
    for _ in range(weeks):
        clock.move_to(clock.now() + timedelta(days=7))
        week = [one for one in place.records if taught <= one.known_at < clock.now()]
        taught = clock.now()
        for fresh, times in ((week[:-1], fits), (week[-1:], usual)):
            teach(house, fresh, name, clock.now())
            times.append(_timed(house, name))
    return Times(fits, usual)


def _timed(house: House, place: Jurisdiction) -> float:
    began = time.perf_counter()
    house.detection.look_at(place)
    seconds = time.perf_counter() - began
    with house.database.read() as connection:
        (state,) = jurisdictions.states(connection)
    if state.last_run_at != house.clock.now() or state.is_dirty:
        raise RuntimeError("The look did not happen: nothing was measured.")
    return seconds * 1000


@contextmanager
def kent_place(folder: Path, seed: int, weeks: int) -> Iterator[Played]:
    """Give a house in which two years of Kent's simulated records are, and the records of the weeks to come."""
    begin = datetime(2018, 1, 22, 12, tzinfo=UTC)
    until = begin + timedelta(days=7 * weeks)
    found = simulated(KENT, until, _HISTORY_DAYS + 7 * weeks, seed, label="detection")
    clock = VirtualClock(begin)
    with Service(folder).house(clock) as house:
        teach(house, [one for one in found if one.known_at < begin], KENT, begin)
        yield Played(house, clock, KENT, found)


@contextmanager
def _connecticut(folder: Path) -> Iterator[Played]:
    wanted = request()
    mapping = load_mapping(wanted.mapping)
    profile = profile_for(wanted, mapping)
    place = profile.jurisdiction
    read = read_all(wanted, mapping, profile.geography, default_taxonomy())
    found = [SimulatedRecord(one.event, one.known_at) for one in read.arrivals]
    begin = datetime(2017, 1, 2, 12, tzinfo=UTC)
    clock = VirtualClock(begin)
    house = build(
        replay_settings(profile, wanted, folder / "connecticut.sqlite"),
        clock,
        owner="benchmark",
        profiles={place: profile},
        learnt={place: uncalibrated(place)},
        people=lambda *_: (),
    )
    teach(house, [one for one in found if one.known_at < begin], place, begin)
    try:
        yield Played(house, clock, place, found)
    finally:
        house.close()
