"""S4: what Kent's detection costs, with every detector that the service asks and the thresholds that it holds.

*Nightly*: on a Monday, learning the week (completeness, baseline, each detector) and one look. *A day*: one look with
what was learnt and stored thresholds, which is what a simulated year costs 365 times. *After one record*: the service's
own look, with database and signals, once a record has come in. Compiled code is warmed before anything is timed.
"""

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.detection import kent_place, look_each_week
from benchmarks.kent_county import KENT, TRAINING_DAYS, County, draw_null
from benchmarks.results import Figure, spread
from detectors.baseline import Baseline, fit_baseline
from detectors.budget import FamilyThresholds, Thresholds
from detectors.completeness import completeness_as_known
from detectors.contract import RECENT_DAYS, Detector, Look, Past
from detectors.history import OccurrenceHistory
from detectors.sightings import Sightings
from schemas.vocabulary import Feed, Tier
from streams.detectors import detectors_of
from streams.simulation.counting import occurrences, sightings
from tocsin.calibration import kent_profile
from tocsin.learnt import learnt_for

NIGHTLY_SECONDS = 2.0
DAY_MS = 60.0
AFTER_RECORD_MS = 20.0
_STATED_SCORE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What a week has learnt."""

    baseline: Baseline
    laws: Mapping[Feed, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]
    by_detector: Mapping[str, object]


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Time ten Mondays, the days of ten weeks, and ten looks of the service after one record."""
    weeks = runs or 10
    county = County()
    detectors = detectors_of(kent_profile())
    thresholds, unlearnt = _thresholds(detectors)
    history = draw_null(county, (seed, 0), 7 * (weeks + 2)).history
    counted = occurrences(history, county.areas, county.series)
    events = sightings(history, county.terrain)
    nightly, daily = [], []
    by_name: dict[str, list[float]] = {one.name: [] for one in detectors}
    for week in range(weeks + 1):
        monday = TRAINING_DAYS + 7 * week
        began = time.perf_counter()
        learnt = _learn(county, counted, events, monday, detectors)
        _look(counted, events, monday, learnt, detectors, thresholds)
        if week:
            nightly.append(time.perf_counter() - began)
        for day in range(monday, monday + 7):
            took = _look(counted, events, day, learnt, detectors, thresholds)
            if week:
                daily.append(sum(took.values()))
                for name, milliseconds in took.items():
                    by_name[name].append(milliseconds)
    with (
        tempfile.TemporaryDirectory(prefix="tocsin-benchmark-") as folder,
        kent_place(Path(folder), seed, weeks) as place,
    ):
        service = look_each_week(place, weeks)
    stated = f" Not calibrated yet, with a stated threshold: {', '.join(unlearnt)}." if unlearnt else ""
    names = ", ".join(f"{name} {np.median(times):.1f}" for name, times in by_name.items())
    return (
        [
            Figure(
                f"Nightly: learn a week and look, {len(detectors)} detectors, s",
                spread(nightly, ".2f"),
                f"{NIGHTLY_SECONDS:.0f}",
                max(nightly) <= NIGHTLY_SECONDS,
            ),
            Figure(
                "One day with stored thresholds, ms",
                spread(daily, ".1f"),
                f"{DAY_MS:.0f}",
                float(np.median(daily)) <= DAY_MS,
                f"by detector: {names}",
            ),
            Figure(
                "The service's look after one new record, ms",
                spread(service.usual, ".1f"),
                f"{AFTER_RECORD_MS:.0f}",
                float(np.median(service.usual)) <= AFTER_RECORD_MS,
            ),
            Figure(
                "The service's first look of a week, ms",
                spread(service.with_fit, ".0f"),
                f"{NIGHTLY_SECONDS * 1000:.0f}",
                max(service.with_fit) <= NIGHTLY_SECONDS * 1000,
            ),
        ],
        f"{len(county.areas)} detection areas, {len(county.terrain.fine):,} small areas, four feeds, two years before."
        + stated,
    )


def _thresholds(detectors: Sequence[Detector]) -> tuple[Thresholds, list[str]]:
    """Return the shipped thresholds; a family that they do not know yet gets a low one, so that it works as hard."""
    shipped = learnt_for(KENT, None).counts
    unlearnt = [one.family for one in detectors if one.family not in shipped.families]
    for family in unlearnt:
        shipped = shipped.with_family(family, FamilyThresholds(scores={Tier.REVIEW: _STATED_SCORE}))
    return shipped, unlearnt


def _learn(
    county: County,
    counted: OccurrenceHistory,
    events: Sightings,
    monday: int,
    detectors: Sequence[Detector],
) -> Learnt:
    cube = counted.as_known().advance_to(monday - 1)
    laws = completeness_as_known(counted, monday - 1, county.completeness)
    baseline = fit_baseline(cube, completeness=laws, populations=county.populations, holidays=county.holidays)
    past = Past(cube, events.as_known(monday - 1), baseline, laws)
    return Learnt(baseline, laws, {one.name: one.learn(past) for one in detectors})


def _look(
    counted: OccurrenceHistory,
    events: Sightings,
    day: int,
    learnt: Learnt,
    detectors: Sequence[Detector],
    thresholds: Thresholds,
) -> dict[str, float]:
    """Look at one day; return the milliseconds of each detector."""
    cube = counted.as_known().advance_to(day)
    look = Look(
        jurisdiction=KENT,
        cube=cube,
        baseline=learnt.baseline,
        completeness=learnt.laws,
        thresholds=thresholds,
        sightings=events.as_known(day, RECENT_DAYS),
        learnt=learnt.by_detector,  # type: ignore[arg-type]
    )
    took = {}
    for one in detectors:
        began = time.perf_counter()
        one.detect(look)
        took[one.name] = (time.perf_counter() - began) * 1000
    return took
