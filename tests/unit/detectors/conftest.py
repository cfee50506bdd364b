"""A small made-up county for the detectors: five areas in a row, four feeds, negative-binomial counts of known mean."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.area_counts import AreaCounts
from detectors.baseline import MODEL_VERSION, Baseline, fit_baseline
from detectors.budget import AREA_COUNTS, FamilyThresholds, Thresholds
from detectors.contract import Look
from detectors.history import CountCube, OccurrenceHistory, Series
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


@pytest.fixture
def county() -> County:
    """Five areas in a row, each touching the next."""
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
