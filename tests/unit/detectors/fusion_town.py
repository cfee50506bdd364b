"""A made-up county for fusion: four detection areas of 25 small areas each, on a square of 20 km."""

from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from detectors.baseline import MODEL_VERSION, Baseline, fit_baseline
from detectors.budget import FUSION, FamilyThresholds, Thresholds
from detectors.contract import RECENT_DAYS, Look, Past
from detectors.fusion import Fusion
from detectors.history import CountCube, OccurrenceHistory, Series
from detectors.sightings import CLASS_BIT, COLUMNS, FEEDS, Sightings
from detectors.terrain import Terrain
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

FIRST_DAY = date(2022, 1, 3)
PER_DAY = {
    Feed.SUSPECTED_DEATHS: 0.1,
    Feed.AMBULANCE_NALOXONE: 0.8,
    Feed.ED_PRESENTATIONS: 2.0,
    Feed.DRUG_CHECKING: 0.3,
}
AREAS = tuple(AreaCode(f"A{index}") for index in range(4))
LAX = Thresholds(
    model_version=MODEL_VERSION,
    families={FUSION: FamilyThresholds(scores={Tier.RECORD: 0.0, Tier.REVIEW: 1.0, Tier.PAGE: 2.5})},
)
NAMES = {code: f"Town {code}" for code in (*AREAS, AreaCode("X"))}


def square() -> Terrain:
    """Ten by ten small areas, 2 km apart; each quarter of the square is a detection area."""
    x, y = (index.ravel() for index in np.meshgrid(np.arange(10), np.arange(10), indexing="ij"))
    adjacent = np.ones((4, 4), dtype=bool) & ~np.eye(4, dtype=bool)
    adjacent[0, 3] = adjacent[3, 0] = adjacent[1, 2] = adjacent[2, 1] = False
    return Terrain(
        root=AreaCode("X"),
        areas=AREAS,
        fine=tuple(AreaCode(f"F{index:02}") for index in range(100)),
        area_of=(2 * (x // 5) + y // 5).astype(np.int32),
        position_km=2.0 * np.column_stack([x, y]).astype(np.float64),
        population=np.full(100, 1500.0),
        adjacent=adjacent,
    )


@dataclass(frozen=True)
class Case:
    """Some records to add: ``age`` days before today, in small area ``fine`` (-1 for only the detection area)."""

    feed: Feed
    fine: int
    age: int = 0
    name: SubstanceClass = SubstanceClass.UNKNOWN
    number: int = 1
    area: int | None = None
    known_after: int = 0


@dataclass(frozen=True)
class Town:
    """The county and its events over some days; the last day is today."""

    terrain: Terrain = field(default_factory=square)
    days: int = 420

    def sightings(self, cases: tuple[Case, ...] = (), *, seed: int | None = 0) -> Sightings:
        """Draw a quiet past (none with ``seed=None``) and add cases."""
        columns: dict[str, list[int]] = {name: [] for name in COLUMNS}

        def add(feed: Feed, day: int, area: int, fine: int, name: SubstanceClass, known: int) -> None:
            values = (day, known, FEEDS.index(feed), CLASS_BIT[name], 0, area, fine)
            for column, value in zip(COLUMNS, values, strict=True):
                columns[column].append(value)

        if seed is not None:
            rng = np.random.default_rng(seed)
            for feed, rate in PER_DAY.items():
                for day in np.repeat(np.arange(self.days), rng.poisson(rate, self.days)).tolist():
                    fine = int(rng.integers(len(self.terrain.fine)))
                    usual = SubstanceClass.UNKNOWN if feed is Feed.ED_PRESENTATIONS else SubstanceClass.OPIATE
                    add(feed, day, int(self.terrain.area_of[fine]), fine, usual, day)
        for case in cases:
            area = int(self.terrain.area_of[case.fine]) if case.area is None else case.area
            then = self.days - 1 - case.age
            for _ in range(case.number):
                add(case.feed, then, area, case.fine, case.name, then + case.known_after)
        arrays = {name: np.array(values, dtype=np.int64) for name, values in columns.items()}
        return Sightings(FIRST_DAY, self.days, **arrays)

    def history(self, sightings: Sightings) -> OccurrenceHistory:
        """Return the same events as rows of one series for each feed."""
        series: tuple[Series, ...] = tuple((feed, SubstanceClass.ANY) for feed in FEEDS)
        return OccurrenceHistory(
            FIRST_DAY,
            self.days,
            self.terrain.areas,
            series,
            *(getattr(sightings, name).astype(np.int32) for name in ("day", "known_day", "area", "feed")),
        )

    def look(
        self,
        cases: tuple[Case, ...] = (),
        *,
        seed: int | None = 0,
        thresholds: Thresholds = LAX,
        learnt: bool = True,
        baseline: Baseline | None = None,
    ) -> Look:
        """Return a look on the last day, with a baseline fitted a week before from what was known then."""
        sightings = self.sightings(cases, seed=seed)
        growing = self.history(sightings).as_known()
        past = growing.advance_to(self.days - 8)
        held = Sightings(
            FIRST_DAY, self.days, **{name: getattr(sightings, name) for name in COLUMNS}
        ).as_known(self.days - 8)
        completeness = dict.fromkeys(FEEDS, np.array([0.7, 0.9, 1.0]))
        fitted = baseline or fit_baseline(
            CountCube(past.first_day, past.areas, past.series, past.counts.copy()),
            completeness=completeness,
            populations=np.bincount(
                self.terrain.area_of, weights=self.terrain.population, minlength=len(self.terrain.areas)
            ).astype(np.float64),
        )
        known = Fusion(self.terrain).learn(Past(past, held, fitted, completeness)) if learnt else None
        return Look(
            jurisdiction=Jurisdiction("made-up"),
            cube=growing.advance_to(self.days - 1),
            baseline=fitted,
            completeness=completeness,
            thresholds=thresholds,
            names=NAMES,
            sightings=sightings.as_known(self.days - 1, RECENT_DAYS),
            learnt={"fusion": known} if learnt else {},
        )

    def without_small_areas(self) -> "Town":
        """Return the county with detection areas only, whose positions nobody knows."""
        none = np.zeros(0)
        bare = replace(
            self.terrain,
            fine=(),
            area_of=none.astype(np.int32),
            position_km=none.reshape(0, 2),
            population=none,
        )
        return replace(self, terrain=bare)
