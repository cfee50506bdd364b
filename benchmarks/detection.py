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
from streams.connectors.mapping import load_mapping
from streams.simulation.records import SimulatedRecord
from tocsin.clocks import VirtualClock
from tocsin.learnt import uncalibrated
from tocsin.replay import profile_for, read_all, replay_settings
from tocsin.wiring import House, build

_MONDAY = datetime(2018, 1, 22, 12, tzinfo=UTC)
_DAYS = 728
_AFTER_RECORD_MS = 20.0
_NIGHTLY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each kind of look."""

    with_fit: Sequence[float]
    """The first of a week: reads history and fits."""
    usual: Sequence[float]


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Look on ten Mondays in a row, and ten times in between."""
    weeks = runs or 10
    figures: list[Figure] = []
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder,
        _kent(Path(folder), seed) as parts,
    ):
        figures += _figures("Kent and Medway, 13 areas, 4 feeds", _look(*parts, KENT, weeks))
    note = "Simulated history of two years for Kent."
    if DATA.is_dir():
        with (
            tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder,
            _connecticut(Path(folder)) as parts,
        ):
            figures += _figures(
                "Connecticut, 169 towns, 1 feed", _look(*parts, Jurisdiction("connecticut"), weeks)
            )
        note += " Real deaths of five years for Connecticut."
    else:
        note += " Connecticut was left out: the shared data is not beside the checkout."
    return figures, note


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


def _look(house: House, clock: VirtualClock, place: Jurisdiction, weeks: int) -> Times:
    fits: list[float] = []
    usual: list[float] = []
    house.detection.look_at(place)  # loads and compiles what a process does once
    for _ in range(weeks):
        clock.move_to(clock.now() + timedelta(days=7))
        fits.append(_timed(house, place))
        usual.append(_timed(house, place))
    return Times(fits, usual)


def _timed(house: House, place: Jurisdiction) -> float:
    began = time.perf_counter()
    house.detection.look_at(place)
    return (time.perf_counter() - began) * 1000


@contextmanager
def _kent(folder: Path, seed: int) -> Iterator[tuple[House, VirtualClock]]:
    service = Service(folder)
    clock = VirtualClock(_MONDAY)
    found: list[SimulatedRecord] = simulated(KENT, _MONDAY, _DAYS, seed, label="detection")
    with service.house(clock) as house:
        teach(house, found, KENT, _MONDAY)
        yield house, clock


@contextmanager
def _connecticut(folder: Path) -> Iterator[tuple[House, VirtualClock]]:

    wanted = request()
    mapping = load_mapping(wanted.mapping)
    profile = profile_for(wanted, mapping)
    place = profile.jurisdiction
    read = read_all(wanted, mapping, profile.geography, default_taxonomy())
    clock = VirtualClock(datetime(2017, 1, 2, 12, tzinfo=UTC))
    house = build(
        replay_settings(profile, wanted, folder / "connecticut.sqlite"),
        clock,
        owner="benchmark",
        profiles={place: profile},
        learnt={place: uncalibrated(place)},
        people=lambda *_: (),
    )
    known = [SimulatedRecord(one.event, one.known_at) for one in read.arrivals if one.known_at < clock.now()]
    teach(house, known, place, clock.now())
    try:
        yield house, clock
    finally:
        house.close()
