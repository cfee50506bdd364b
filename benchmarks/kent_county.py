"""The county of the Kent benchmark: its ground, its null histories and the outbreaks that are put into them.

Parameters are drawn for each history from the ranges of ``streams/simulation/ranges.py``; every history has a feed whose
definition drifts and a feed that dies for some days. The first days of a history teach, the others are looked at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from detectors.completeness import LONGEST_WINDOW
from detectors.history import Series
from detectors.terrain import Terrain, terrain_of
from detectors.tripwire_calibration import Ground
from detectors.zones import Zones, zones_of
from schemas.geography import AreaCode, load_kent_and_medway
from schemas.vocabulary import Feed, Jurisdiction
from streams.detection import populations
from streams.history import series_of
from streams.holidays import bank_holidays
from streams.profile import JurisdictionProfile
from streams.simulation.event_records import (
    BENZODIAZEPINE,
    CANNABINOID,
    DEPRESSANT,
    OPIOID,
    STIMULANT_DEATHS,
    EventType,
    varied,
)
from streams.simulation.history import History, draw_history
from streams.simulation.injections import Injected, Injection, Injector, Shape
from streams.simulation.places import KENT_HOSPITALS, Places, places_from
from streams.simulation.ranges import Troubles, after_outage, draw_parameters, draw_troubles, troubled

KENT = Jurisdiction("kent-and-medway")
FIRST_DAY = date(2014, 1, 6)
"""A Monday."""
TRAINING_DAYS = 112 * 7
"""Two years, and the weeks that Farrington's window of three needs around the same week two years ago."""
COUNTED_DAYS = 104 * 7
MISS_DAYS = 28
"""An outbreak that is not found by then is missed, and counts as this many days."""
SIZES = (3, 5, 8, 12, 20)
DURATIONS = (3, 14, 60)
GROUPS = 3
"""The replicates are split into so many groups, each with seeds of its own: the spread that is reported."""
LAB_SAMPLES = 2

SCENARIOS: Mapping[str, tuple[EventType, Shape, int]] = {
    "district, opioid": (OPIOID, Shape.DISTRICT, 0),
    "town across a border, opioid": (OPIOID, Shape.BORDER_TOWN, 0),
    "county-wide, opioid": (OPIOID, Shape.COUNTY, 0),
    "household, cannabinoid": (CANNABINOID, Shape.HOUSEHOLD, 0),
    "district, benzodiazepine": (BENZODIAZEPINE, Shape.DISTRICT, 0),
    "district, cannabinoid": (CANNABINOID, Shape.DISTRICT, 0),
    "lab first, opioid": (OPIOID, Shape.DISTRICT, LAB_SAMPLES),
    "district, depressant (no profile)": (DEPRESSANT, Shape.DISTRICT, 0),
    "district, deaths by stimulant (no profile)": (STIMULANT_DEATHS, Shape.DISTRICT, 0),
}


class County:
    """Everything about Kent and Medway that does not change; made once in each process."""

    def __init__(self) -> None:
        profile = JurisdictionProfile(KENT, "Kent and Medway", load_kent_and_medway())
        geography = profile.geography
        self.root: AreaCode = geography.root
        self.areas: tuple[AreaCode, ...] = geography.detection_areas()
        self.series: tuple[Series, ...] = series_of(list(Feed))
        self.zones: Zones = zones_of(self.areas, geography.adjacent, geography.root)
        self.terrain: Terrain = terrain_of(geography)
        self.places: Places = places_from(geography, KENT, KENT_HOSPITALS)
        self.populations = populations(profile)
        self.holidays = bank_holidays(profile)
        self.completeness: Mapping[Feed, NDArray[np.float64]] = {
            feed: np.asarray([*one.completeness, 1.0]) for feed, one in profile.feeds.items()
        }
        adjacency = {code: frozenset(geography.adjacent(code)) for code in self.areas}
        small = np.bincount(self.places.area_of, minlength=len(self.areas))
        self.ground = Ground(
            root=geography.root,
            adjacency=adjacency,
            small_areas={code: int(number) for code, number in zip(self.areas, small, strict=True)},
        )
        self.injector = Injector(self.places)


@dataclass(frozen=True, eq=False)
class Null:
    """One history without an outbreak, and what befell its feeds."""

    history: History
    troubles: Troubles


@dataclass(frozen=True, slots=True)
class Planned:
    """One outbreak to come."""

    scenario: str
    injection: Injection
    group: int
    replicate: int


def draw_null(county: County, seed: Sequence[int], counted_days: int = COUNTED_DAYS) -> Null:
    """Draw one null history; equal seeds, equal bytes."""
    rng = np.random.default_rng([*seed])
    n_days = TRAINING_DAYS + counted_days
    label = "kent-" + "-".join(str(part) for part in seed)
    drawn = draw_history(draw_parameters(rng), county.places, FIRST_DAY, n_days, rng, label=label)
    troubles = draw_troubles(n_days, rng, after=TRAINING_DAYS)
    return Null(troubled(drawn, troubles, rng), troubles)


def planned(replicates: int) -> list[Planned]:
    """Return every outbreak of the benchmark, ``replicates`` of each scenario, size and duration."""
    return [
        Planned(name, Injection(event_type, shape, size, days, samples), number % GROUPS, number)
        for number in range(replicates)
        for name, (event_type, shape, samples) in SCENARIOS.items()
        for size in SIZES
        for days in DURATIONS
    ]


def put_in(county: County, null: Null, plan: Planned, seed: Sequence[int]) -> tuple[History, Injected]:
    """Return a null history with one outbreak in it, at a random time of its counted days."""
    rng = np.random.default_rng([*seed])
    injection = replace(plan.injection, event_type=varied(plan.injection.event_type, rng))
    last = null.history.n_days - plan.injection.days - MISS_DAYS
    start = int(rng.integers(TRAINING_DAYS + LONGEST_WINDOW, last))
    return county.injector.inject(
        null.history,
        injection,
        start,
        rng,
        trouble=lambda events: after_outage(events, null.history.days, null.troubles),
    )
