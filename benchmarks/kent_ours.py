"""What Tocsin runs, as systems of the Kent benchmark: counts, fusion and tripwires under one budget.

Each detector is asked through the code that the service runs, below every threshold. Samples alone never page, nor does
a feed that is too young; a family's pages and reviews are counted apart, as its budget is.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import cast

from pydantic import JsonValue

from benchmarks.kent_county import KENT, County
from benchmarks.kent_systems import Day, Rule, System, Telling
from detectors.baseline import DAYS_BEFORE_PAGING
from detectors.budget import AREA_COUNTS, FUSION, PAGING_FEEDS, Thresholds
from detectors.calibration import Calibrated
from detectors.contract import RECENT_DAYS, Look, Past
from detectors.effects import PROFILES
from detectors.episodes import strongest_tellings
from detectors.fusion import Fusion
from detectors.novelty import Novelty
from detectors.scoring import score_day
from detectors.slow_onset import SlowOnset
from detectors.tripwire_thresholds import SINGLE, TripwireThresholds
from detectors.tripwires import evaluate
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.substances import OPIOID_CLASSES, SubstanceClass
from schemas.vocabulary import Feed, Tier

OURS = "Tocsin"

_C = SubstanceClass
EVENT_TYPES: Mapping[SubstanceClass, str] = {
    **dict.fromkeys(OPIOID_CLASSES, "opioid"),
    _C.NOVEL_BENZODIAZEPINE: "benzodiazepine",
    _C.BENZODIAZEPINE: "benzodiazepine",
    _C.SYNTHETIC_CANNABINOID: "cannabinoid",
    _C.STIMULANT: "stimulant",
}
"""What a detector that names a class says of the kind of outbreak."""

_NAMED_KINDS = {one.name: one.name for one in PROFILES if one.named is not None}
"""Generic profiles name no kind."""

_NO_THRESHOLDS = Thresholds(model_version="kent", families={})

TRIPWIRE_SCORES: Mapping[Tier, float] = {Tier.RECORD: 0.0, Tier.REVIEW: 1.0, Tier.PAGE: 2.0}
"""Tripwires come with their tier: it stands for a score."""


class Counts(Rule):
    """``detectors/area_counts.py``, before its thresholds."""

    name = "area counts"

    def __init__(self, county: County) -> None:
        self._county = county

    def look(self, day: Day) -> list[Telling]:
        """Return every alarm that stands above the floor."""
        zones, baseline = self._county.zones, day.week.baseline
        scores = score_day(day.cube, baseline, zones, day.week.completeness)
        scores = scores.take(baseline.history_days[scores.series] >= DAYS_BEFORE_PAGING)
        return [
            Telling(
                day=day.today,
                window_days=int(scores.window_days[index]),
                score=float(scores.score[index]),
                family=AREA_COUNTS,
                areas=zones.masks[scores.zone[index]],
                substance_class=day.cube.series[scores.series[index]][1],
                event_type=_kind(*day.cube.series[scores.series[index]]),
                may_page=day.cube.series[scores.series[index]][0] in PAGING_FEEDS,
            )
            for index in strongest_tellings(scores, zones, day.cube.series)
        ]


class Fused:
    """``detectors/fusion.py``, before its thresholds."""

    name = "fusion"

    def __init__(self, county: County) -> None:
        self._fusion = Fusion(county.terrain)

    def learn(self, past: Past) -> object:
        """Return what fusion keeps for a week."""
        return self._fusion.learn(past)

    def look(self, day: Day) -> list[Telling]:
        """Return every cluster above the floor."""
        return [
            Telling(
                day=day.today,
                window_days=one.window_days,
                score=one.score,
                family=FUSION,
                areas=one.areas,
                substance_class=one.substance_class,
                event_type=_NAMED_KINDS.get(PROFILES[one.profile].name, ""),
                may_page=one.may_page,
                fine=self._fine(one.centre, one.n_fine),
            )
            for one in self._fusion.tellings(_look(day, self.name))
        ]

    def _fine(self, centre: int, count: int) -> tuple[int, ...]:
        if centre < 0:
            return ()
        return tuple(int(place) for place in self._fusion.ground.circles.near[centre, :count])


class Reviewed:
    """A detector that never pages: its reviews are counted in the null histories, and no outbreak is shown to it."""

    def __init__(self, detector: Calibrated) -> None:
        self._detector = detector
        self.name = detector.name

    def learn(self, past: Past) -> object:
        """Return what the detector keeps for a week."""
        return self._detector.learn(past)

    def look(self, day: Day) -> list[Telling]:
        """Return what it would tell at any threshold."""
        return [
            Telling(
                day=day.today,
                window_days=one.window_days,
                score=one.score,
                family=self._detector.family,
                areas=one.areas,
                substance_class=one.substance_class,
                may_page=False,
            )
            for one in self._detector.alarms(_look(day, self.name), day.today)
        ]


class Tripwires(Rule):
    """``detectors/tripwires.py`` with calibrated thresholds."""

    name = "tripwires"

    def __init__(self, county: County, thresholds: TripwireThresholds) -> None:
        self._county = county
        self._thresholds = thresholds

    def look(self, day: Day) -> list[Telling]:
        """Return the tripwires that today's records complete."""
        if not day.new:
            return []
        county = self._county
        last = day.cube.last_day
        signals = evaluate(
            day.new,
            day.context,
            thresholds=self._thresholds,
            adjacency=county.ground.adjacency,
            jurisdiction=KENT,
            now=start_of_day(last + timedelta(days=1)),
        )
        return [
            Telling(
                day=day.today,
                window_days=(last - one.window_start).days + 1,
                score=TRIPWIRE_SCORES[one.tier],
                family=one.family,
                areas=bits(county, one.areas),
                substance_class=one.substance_class,
                event_type=EVENT_TYPES.get(one.substance_class, ""),
            )
            for one in signals
            if one.family != SINGLE
        ]


def bits(county: County, codes: tuple[AreaCode, ...]) -> int:
    """Return detection areas as bits; the root is all of them."""
    if county.root in codes:
        return (1 << len(county.areas)) - 1
    return int(sum(1 << county.areas.index(code) for code in codes))


def ours(county: County, tripwires: TripwireThresholds) -> list[System]:
    """Return everything of ours that may page, and then what may only ask for a review."""
    reviewed = (Reviewed(Novelty(county.terrain)), Reviewed(SlowOnset(county.zones)))
    return [Counts(county), Fused(county), Tripwires(county, tripwires), *reviewed]


def _look(day: Day, name: str) -> Look:
    return Look(
        jurisdiction=KENT,
        cube=day.cube,
        baseline=day.week.baseline,
        completeness=day.week.completeness,
        thresholds=_NO_THRESHOLDS,
        sightings=day.known(RECENT_DAYS),
        learnt={name: cast(JsonValue, day.week.learnt[name])},
    )


def _kind(feed: Feed, substance_class: SubstanceClass) -> str:
    if feed is Feed.AMBULANCE_NALOXONE and substance_class is SubstanceClass.ANY:
        return "opioid"
    return EVENT_TYPES.get(substance_class, "")
