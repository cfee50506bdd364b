"""What is compared in the space-time benchmark, its thresholds on quiet histories, and what it makes of outbreaks.

Only ``benchmarks/space_time.py`` uses it. Every method has the same circles (at most 30 areas and half of the people),
the same windows (1 to 14 days) and the same rule for its threshold; only the statistic differs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.space_time_world import A_DAY, OUTBREAK_DAYS, STUDY_DAYS, WINDOWS, Looks, Trials, World
from detectors.scan_engine import Study, conditional, study_of
from detectors.scan_location import central_circle
from detectors.scan_statistics import CONDITIONAL, NEGATIVE_BINOMIAL, POISSON
from detectors.scan_zones import neighbour_order

FloatArray = NDArray[np.float64]

QUANTILE = 1.0 - 1.0 / 365.0
_FLOOR = 3.0
"""Daily maxima below this are not told apart: thresholds lie far above."""
_MERGE_DAYS = 14


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One statistic over one set of circles; streams are added up first unless ``separate``."""

    name: str
    study: Study
    separate: bool = False

    def best(
        self, looks: Looks, totals: FloatArray, floor: float
    ) -> tuple[FloatArray, NDArray[np.int32], NDArray[np.int32]]:
        """Return score, centre and size of each look's best circle above the floor."""
        if not self.separate:
            looks, totals = looks.sum(axis=1, keepdims=True), totals.sum(axis=1, keepdims=True)
        found = self.study.best_of(looks, totals if conditional(self.study.kind) else None, floor=floor)
        return found.score, found.centre, found.size


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold and what it gives on quiet histories it was not learnt on."""

    value: float
    alarm_days: float
    """A year."""
    episodes: float
    """A year, alarms at most 14 days apart being one."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a method made of each trial; every array has the shape (n_trials,)."""

    days: FloatArray
    """Days until found, the first day of the outbreak being 1; 14 if it is not found."""
    missed: NDArray[np.bool_]
    overlap: FloatArray
    """Jaccard's, of the central circle on the day it was found; NaN where it was not."""
    overlap_best: FloatArray
    """The same of the circle with the highest score."""

    @property
    def days_from_zero(self) -> FloatArray:
        """The same days with the first day of the outbreak counted as 0; a miss is still 14."""
        counted: FloatArray = np.where(self.missed, self.days, self.days - 1)
        return counted


def methods(world: World, streams: int) -> list[Method]:
    """Return the family of this package first, then what it is compared with."""
    circles = neighbour_order(
        world.coordinates, max_neighbours=29, population=world.population, max_population_fraction=0.5
    )
    alone = neighbour_order(world.coordinates, max_neighbours=0)
    kind = NEGATIVE_BINOMIAL if world.dispersion > 1 else POISSON
    daily = np.broadcast_to(world.mean, (1, WINDOWS, world.mean.size))
    more = (world.dispersion - 1.0) * daily
    share = daily / (A_DAY * STUDY_DAYS)
    each = np.repeat(daily, streams, axis=0)
    family = Method("family", study_of(circles, kind, streams * daily, streams * more, penalised=True))
    plain = Method("circles, no prior", study_of(circles, kind, streams * daily, streams * more))
    if streams > 1:
        apart = study_of(circles, kind, each, (world.dispersion - 1.0) * each, penalised=True)
        return [family, plain, Method("streams apart", apart, separate=True)]
    return [
        family,
        plain,
        Method("single areas", study_of(alone, kind, daily, more)),
        Method("Kulldorff", study_of(circles, CONDITIONAL, share)),
    ]


def learn(method: Method, world: World, rng: np.random.Generator, histories: int, streams: int) -> Threshold:
    """Take the quantile of daily maxima over quiet histories, and half as many fresh ones to see what it gives."""
    maxima = _maxima(method, world, rng, histories, streams)
    value = float(np.quantile(maxima, QUANTILE))
    fresh = _maxima(method, world, rng, histories // 2, streams) > value
    years = fresh.size / 365.0
    return Threshold(value, float(fresh.sum()) / years, _episodes(fresh) / years)


def judge(method: Method, threshold: Threshold, given: Trials) -> Outcome:
    """Let a method look at every day of every trial."""
    count = len(given.zones)
    days, missed = np.full(count, float(OUTBREAK_DAYS)), np.ones(count, dtype=np.bool_)
    overlap, overlap_best = np.full(count, np.nan), np.full(count, np.nan)
    _, centre, size = method.best(given.looks, given.totals, threshold.value)
    for trial, zone in enumerate(given.zones):
        for day in range(OUTBREAK_DAYS):
            look = trial * OUTBREAK_DAYS + day
            if centre[look] < 0:
                continue
            told = method.study.neighbours.zone(int(centre[look]), int(size[look]))
            if not np.isin(told, zone).any():
                continue
            days[trial], missed[trial] = day + 1, False
            overlap_best[trial] = _jaccard(told, zone)
            counts, totals = given.looks[look], given.totals[look]
            if not method.separate:
                counts, totals = counts.sum(axis=0, keepdims=True), totals.sum(keepdims=True)
            overlap[trial] = _jaccard(
                central_circle(
                    method.study,
                    counts.astype(np.float64),
                    totals if conditional(method.study.kind) else None,
                ),
                zone,
            )
            break
    return Outcome(days, missed, overlap, overlap_best)


def _maxima(
    method: Method, world: World, rng: np.random.Generator, histories: int, streams: int
) -> FloatArray:
    return np.stack(
        [
            method.best(looks, totals, _FLOOR)[0]
            for looks, totals in world.quiet_histories(rng, histories, streams)
        ]
    )


def _episodes(alarms: NDArray[np.bool_]) -> int:
    episodes = 0
    for history in alarms:
        gaps = np.diff(np.flatnonzero(history), prepend=-_MERGE_DAYS - 1)
        episodes += int((gaps > _MERGE_DAYS).sum())
    return episodes


def _jaccard(told: NDArray[np.int32], zone: NDArray[np.int32]) -> float:
    both = np.intersect1d(told, zone).size
    return both / (told.size + zone.size - both)
