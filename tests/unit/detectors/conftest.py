"""A small made-up county for the detectors: five areas in a row, four feeds, negative-binomial counts of known mean.

Counts alone: :meth:`County.cube` and :meth:`County.look`. Single events with the counts that follow from them:
:meth:`County.events` and :meth:`County.looked_at`, which teaches a detector as a weekly fit does.
"""

from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.area_counts import AreaCounts
from detectors.baseline import MODEL_VERSION, Baseline, fit_baseline
from detectors.budget import AREA_COUNTS, FamilyThresholds, Thresholds
from detectors.contract import RECENT_DAYS, Detector, Look, Past
from detectors.history import CountCube, OccurrenceHistory, Series
from detectors.sightings import CLASS_BIT, COLUMNS, FEEDS, Sightings
from detectors.sightings import CLASSES as EVERY_CLASS
from detectors.terrain import Terrain
from detectors.zones import Zones, zones_of
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

ROOT = AreaCode("X")
FIRST_DAY = date(2022, 1, 3)
PER_DAY = {
    Feed.SUSPECTED_DEATHS: 0.15,
    Feed.AMBULANCE_NALOXONE: 1.5,
    Feed.ED_PRESENTATIONS: 3.0,
    Feed.DRUG_CHECKING: 0.6,
}
CLASSES = (SubstanceClass.NITAZENE, SubstanceClass.OPIATE, SubstanceClass.UNKNOWN, SubstanceClass.ANY)
CLASS_SHARES = (0.02, 0.48, 0.5)
FINE_PER_AREA = 4
"""Small areas in each area, on a line from west to east, a kilometre apart."""


@dataclass(frozen=True)
class County:
    """The made-up county and what tests do with it."""

    areas: tuple[AreaCode, ...]
    series: tuple[Series, ...]
    populations: NDArray[np.float64]
    zones: Zones
    completeness: dict[Feed, NDArray[np.float64]]
    thresholds: Thresholds

    def history(
        self, days: int, seed: int = 0, *, dispersion: float = 1.3, delayed: bool = True
    ) -> OccurrenceHistory:
        """Draw a null history: weekday and summer effect, areas by population, records up to two days late."""
        rng = np.random.default_rng(seed)
        when = np.arange(days)
        usual = np.where(when % 7 >= 5, 1.2, 0.92) * np.exp(0.15 * np.cos(2 * np.pi * (when - 200) / 365.25))
        columns: list[list[NDArray[np.int_]]] = [[], [], [], []]
        for feed, rate in PER_DAY.items():
            if (feed, SubstanceClass.ANY) not in self.series:
                continue
            mean = rate * usual[:, None] * self.populations / self.populations.sum()
            counts = rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion)
            day, area = (np.repeat(index, counts[np.nonzero(counts)]) for index in np.nonzero(counts))
            known = day + (rng.choice(3, p=(0.7, 0.2, 0.1), size=day.size) if delayed else 0)
            named = rng.choice(3, p=CLASS_SHARES, size=day.size)
            for name in (named, np.full(day.size, 3)):
                row = np.array([self.series.index((feed, CLASSES[index])) for index in name], dtype=np.int_)
                for column, values in zip(columns, (day, known, area, row), strict=True):
                    column.append(values)
        joined = [np.concatenate(column).astype(np.int32) for column in columns]
        return OccurrenceHistory(FIRST_DAY, days, self.areas, self.series, *joined)

    def only(self, feed: Feed) -> "County":
        """Return the county with one feed, for tests that play years."""
        return replace(self, series=tuple(series for series in self.series if series[0] is feed))

    def cube(self, days: int, seed: int = 0, *, dispersion: float = 1.3) -> CountCube:
        """Return the counts of a null history as known at its end."""
        return self.history(days, seed, dispersion=dispersion, delayed=False).as_known().advance_to(days - 1)

    def empty_cube(self, days: int) -> CountCube:
        """Return a cube of nothing."""
        shape = (len(self.series), days, len(self.areas) + 1)
        return CountCube(FIRST_DAY, self.areas, self.series, np.zeros(shape, dtype=np.int32))

    def fit(self, cube: CountCube) -> Baseline:
        """Fit the baseline a week before the cube's end, as on a Monday."""
        return fit_baseline(self.until(cube, 7), completeness=self.completeness, populations=self.populations)

    def until(self, cube: CountCube, days_ago: int) -> CountCube:
        """Return the cube without its last days."""
        return replace(cube, counts=cube.counts[:, : cube.n_days - days_ago])

    def with_cases(
        self, cube: CountCube, feed: Feed, name: SubstanceClass, area: int, cases: list[int]
    ) -> CountCube:
        """Return the cube with cases of a class added on its last days in one area."""
        counts = cube.counts.copy()
        for series in {(feed, name), (feed, SubstanceClass.ANY)}:
            row = self.series.index(series)
            for column in (area, -1):
                counts[row, -len(cases) :, column] += np.array(cases, dtype=np.int32)
        return replace(cube, counts=counts)

    def look(self, cube: CountCube, baseline: Baseline | None = None) -> Look:
        """Return a look at the cube's last day."""
        return Look(
            jurisdiction=Jurisdiction("made-up"),
            cube=cube,
            baseline=baseline or self.fit(cube),
            completeness=self.completeness,
            thresholds=self.thresholds,
            names={AreaCode(code): f"Town {code}" for code in (*self.areas, ROOT)},
        )

    def detector(self) -> AreaCounts:
        """Return the detector of area counts."""
        return AreaCounts(self.zones)

    def terrain(self, *, fine: bool = True) -> Terrain:
        """Return the ground: four small areas a kilometre apart in each area, or none whose position is known."""
        number = len(self.areas)
        per_area = FINE_PER_AREA if fine else 0
        adjacent = np.abs(np.subtract.outer(np.arange(number), np.arange(number))) == 1
        east = np.arange(number * per_area, dtype=np.float64)
        return Terrain(
            root=ROOT,
            areas=self.areas,
            fine=tuple(AreaCode(f"{code}-{part}") for code in self.areas for part in range(per_area)),
            area_of=np.repeat(np.arange(number), per_area).astype(np.int32),
            position_km=np.column_stack([east, np.zeros_like(east)]),
            population=np.repeat(self.populations / max(per_area, 1), per_area),
            adjacent=adjacent,
        )

    def events(self, days: int, seed: int = 0) -> Sightings:
        """Return a null history as single events: those of :meth:`history`, with small areas and sold-as."""
        rows = self.history(days, seed)
        names = np.array([EVERY_CLASS.index(name) if name in EVERY_CLASS else -1 for _, name in rows.series])
        feeds = np.array([FEEDS.index(feed) for feed, _ in rows.series])
        single = names[rows.series_index] >= 0
        feed, its_class = feeds[rows.series_index[single]], names[rows.series_index[single]]
        rng = np.random.default_rng([seed, 1])
        area = rows.area[single].astype(np.int64)
        part = rng.integers(0, FINE_PER_AREA, area.size)
        opiate, benzodiazepine = CLASS_BIT[SubstanceClass.OPIATE], CLASS_BIT[SubstanceClass.BENZODIAZEPINE]
        # Everything is sold as an opiate but most of what turns out to be unknown.
        sold = np.where(EVERY_CLASS.index(SubstanceClass.UNKNOWN) == its_class, benzodiazepine, opiate)
        return Sightings(
            first_day=rows.first_day,
            n_days=rows.n_days,
            day=rows.day[single].astype(np.int64),
            known_day=rows.known_day[single].astype(np.int64),
            feed=feed,
            classes=1 << its_class,
            sold_as=np.where(feed == FEEDS.index(Feed.DRUG_CHECKING), sold, 0),
            area=area,
            fine=area * FINE_PER_AREA + part,
        )

    def with_events(
        self,
        events: Sightings,
        feed: Feed,
        name: SubstanceClass,
        days: list[int],
        *,
        area: int = 2,
        late: int = 0,
        sold: SubstanceClass | None = None,
    ) -> Sightings:
        """Return events with one more on each of ``days`` (counted from the end: -1 is the last), in one area."""
        day = np.array([events.n_days + item for item in days], dtype=np.int64)
        part = np.arange(day.size) % FINE_PER_AREA
        more = {
            "day": day,
            "known_day": day + late,
            "feed": np.full(day.size, FEEDS.index(feed)),
            "classes": np.full(day.size, CLASS_BIT[name]),
            "sold_as": np.full(day.size, CLASS_BIT[sold] if sold is not None else 0),
            "area": np.full(day.size, area),
            "fine": area * FINE_PER_AREA + part if area >= 0 else np.full(day.size, -1),
        }
        columns = {item: np.concatenate([getattr(events, item), more[item]]) for item in COLUMNS}
        return Sightings(events.first_day, events.n_days, **columns)

    def counted(self, events: Sightings) -> CountCube:
        """Return the counts of events as known at the end of their last day."""
        cube = self.empty_cube(events.n_days).counts.copy()
        kept = events.known_day < events.n_days
        day, feed, area, classes = (
            getattr(events, item)[kept] for item in ("day", "feed", "area", "classes")
        )
        for row, (its_feed, name) in enumerate(self.series):
            own = feed == FEEDS.index(its_feed)
            if name is not SubstanceClass.ANY:
                own &= (classes & CLASS_BIT[name]) != 0
            np.add.at(cube[row], (day[own], np.full(int(own.sum()), -1)), 1)
            placed = own & (area >= 0)
            np.add.at(cube[row], (day[placed], area[placed]), 1)
        return CountCube(events.first_day, self.areas, self.series, cube)

    def past(self, events: Sightings, days_ago: int = 7) -> Past:
        """Return what was known so many days before the events' last day."""
        known = events.as_known(events.n_days - 1 - days_ago)
        cube = self.counted(known)
        baseline = fit_baseline(cube, completeness=self.completeness, populations=self.populations)
        return Past(cube, known, baseline, self.completeness)

    def looked_at(
        self, events: Sightings, detector: Detector, scores: dict[Tier, float] | None = None
    ) -> Look:
        """Return a look at the events' last day, with what the detector learnt a week before.

        Without stated scores the thresholds of every tier are lax, so that whatever a detector may say, it says.
        """
        past = self.past(events)
        lax = {Tier.RECORD: 0.0, Tier.REVIEW: 1.0, Tier.PAGE: 2.0}
        family = FamilyThresholds(scores=lax if scores is None else scores)
        return replace(
            self.look(self.counted(events), past.baseline),
            thresholds=Thresholds(model_version=MODEL_VERSION, families={detector.family: family}),
            sightings=events.as_known(events.n_days - 1, RECENT_DAYS),
            learnt={detector.name: detector.learn(past)},
        )


@cache
def made_up() -> County:
    """Return five areas in a row, each touching the next."""
    areas = tuple(AreaCode(f"A{index}") for index in range(5))
    adjacent = {
        code: [near for near in (f"A{index - 1}", f"A{index + 1}") if near in areas]
        for index, code in enumerate(areas)
    }
    law = np.array([0.7, 0.9, 1.0])
    scores = {Tier.RECORD: 2.5, Tier.REVIEW: 3.5, Tier.PAGE: 4.5}
    return County(
        areas=areas,
        series=tuple((feed, name) for feed in Feed for name in CLASSES),
        populations=np.array([120_000.0, 150_000.0, 90_000.0, 280_000.0, 140_000.0]),
        zones=zones_of(
            areas, {code: [AreaCode(near) for near in found] for code, found in adjacent.items()}, ROOT
        ),
        completeness=dict.fromkeys(Feed, law),
        thresholds=Thresholds(
            model_version=MODEL_VERSION, families={AREA_COUNTS: FamilyThresholds(scores=scores)}
        ),
    )


@pytest.fixture
def county() -> County:
    """The one made-up county: nothing changes it."""
    return made_up()
