"""Novelty in drug checking: false reviews a year, and how soon a nitazene in "diazepam" is found.

Null histories of the simulator (Kent and Medway, about 210 samples a year) are played as the service would have lived
them: what is known at each day's end, learnt afresh each Monday. False reviews are episodes, merged as everywhere. The
outbreak is 1 to 5 more samples a month, sold as a benzodiazepine, each holding a nitazene, from a random day on and
anywhere in the county; found is the first day of a review that names nitazenes. The threshold is the one that the null
histories give for a stated number of false reviews a year, so a detection rate is never without it; beside it stands
what the same days give without the outbreak, and the false reviews of a supply more restless than the null histories.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Figure
from detectors.baseline import fit_baseline
from detectors.budget import DAYS_A_YEAR, FamilyThresholds, Thresholds
from detectors.contract import RECENT_DAYS, Look, Past
from detectors.episodes import Alarm, episode_steps
from detectors.history import CountCube
from detectors.novelty import Novelty
from detectors.sightings import CLASS_BIT, COLUMNS, FEEDS, Sightings
from detectors.terrain import Terrain, terrain_of
from schemas.geography import load_kent_and_medway
from schemas.signals import Signal
from schemas.substances import WATCH_LIST, SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier
from streams.simulation.counting import sightings
from streams.simulation.history import draw_history
from streams.simulation.parameters import KENT_AND_MEDWAY
from streams.simulation.places import KENT_HOSPITALS, places_from

_TRAINING_DAYS = 3 * 365
_COUNTED_DAYS = 5 * 365
_WATCHED_DAYS = 182
_MOST_DAYS = 1826
_LEAST_SCORE = 0.0
_REVIEWS = (4.0, 8.0)
_MONTHLY = (1, 2, 3, 5)
_OUTBREAKS = 4
_MONTH = 28
_WAVE_SD, _WAVE_MEMORY = 0.4, 0.7
"""Of the log of each class's share, from month to month: shares that halve and double within a year."""


@dataclass(frozen=True)
class Ground:
    """What stays the same over all histories."""

    terrain: Terrain
    detector: Novelty

    def history(self, seed: Sequence[int], days: int) -> Sightings:
        """Draw a null history."""
        places = places_from(load_kent_and_medway(), "kent-and-medway", KENT_HOSPITALS)
        rng = np.random.default_rng(seed)
        return sightings(draw_history(KENT_AND_MEDWAY, places, date(2016, 1, 1), days, rng), self.terrain)

    def restless(self, history: Sightings, rng: np.random.Generator) -> Sightings:
        """Return the history with other finds: the shares of ordinary classes come and go in waves of months."""
        watched = sum(CLASS_BIT[name] for name in WATCH_LIST)
        samples = history.feed == FEEDS.index(Feed.DRUG_CHECKING)
        ordinary = np.flatnonzero(samples & ((history.classes & watched) == 0))
        kinds, usual = np.unique(history.classes[ordinary], return_counts=True)
        waves = np.zeros((history.n_days // _MONTH + 1, kinds.size))
        for month in range(1, len(waves)):
            news = rng.normal(0.0, _WAVE_SD * np.sqrt(1 - _WAVE_MEMORY**2), kinds.size)
            waves[month] = _WAVE_MEMORY * waves[month - 1] + news
        shares = usual * np.exp(waves)
        cumulative = (shares / shares.sum(axis=1, keepdims=True)).cumsum(axis=1)[
            history.day[ordinary] // _MONTH
        ]
        found = kinds[
            np.minimum((rng.random(ordinary.size)[:, None] > cumulative).sum(axis=1), kinds.size - 1)
        ]
        honest = history.sold_as[ordinary] == history.classes[ordinary]
        columns = {name: getattr(history, name).copy() for name in COLUMNS}
        columns["classes"][ordinary] = found
        columns["sold_as"][ordinary] = np.where(honest, found, history.sold_as[ordinary])
        return Sightings(history.first_day, history.n_days, **columns)

    def play(self, history: Sightings, first: int, last: int) -> list[tuple[int, Signal]]:
        """Return the signals of each day from ``first`` to ``last``, at the lowest threshold."""
        kept = np.isin(history.feed, [FEEDS.index(Feed.DRUG_CHECKING), FEEDS.index(Feed.SUSPECTED_DEATHS)])
        columns = {name: getattr(history, name)[kept] for name in COLUMNS}
        history = Sightings(history.first_day, history.n_days, **columns)
        look = self._empty_look(history)
        signals: list[tuple[int, Signal]] = []
        learnt = None
        for today in range(first, last + 1):
            monday = (history.first_day.toordinal() + today) % 7 == 1
            if monday or learnt is None:
                past = history.as_known(today - 1, _MOST_DAYS)
                learnt = self.detector.learn(Past(self._cube(past), past, look.baseline, {}))
            seen = history.as_known(today, RECENT_DAYS)
            now = replace(look, cube=self._cube(seen), sightings=seen, learnt={self.detector.name: learnt})
            signals += [(today, signal) for signal in self.detector.detect(now)]
        return signals

    def _cube(self, known: Sightings) -> CountCube:
        series = ((Feed.DRUG_CHECKING, SubstanceClass.ANY),)
        shape = (1, known.n_days, len(self.terrain.areas) + 1)
        return CountCube(known.first_day, self.terrain.areas, series, np.zeros(shape, dtype=np.int32))

    def _empty_look(self, history: Sightings) -> Look:
        cube = self._cube(history)
        lax = FamilyThresholds(scores={Tier.RECORD: _LEAST_SCORE})
        return Look(
            jurisdiction=Jurisdiction("kent-and-medway"),
            cube=cube,
            baseline=fit_baseline(cube, completeness={}, populations=np.ones(len(self.terrain.areas))),
            completeness={},
            thresholds=Thresholds(model_version="lax", families={self.detector.family: lax}),
        )


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Play ``runs`` null histories of five counted years (4: 20 years), and 4 outbreaks of each size in each."""
    terrain = terrain_of(load_kent_and_medway())
    ground = Ground(terrain, Novelty(terrain))
    histories = [
        ground.history([seed, number], _TRAINING_DAYS + _COUNTED_DAYS) for number in range(runs or 4)
    ]
    end = _TRAINING_DAYS + _COUNTED_DAYS - 1
    played = [ground.play(history, _TRAINING_DAYS, end) for history in histories]
    years = len(histories) * _COUNTED_DAYS / DAYS_A_YEAR
    null = Rate.of(played, terrain)
    rng = np.random.default_rng([seed, 1000])
    waves = [ground.play(ground.restless(one, rng), _TRAINING_DAYS, end) for one in histories]
    other = Rate.of(waves, terrain)
    thresholds = {reviews: null.score_for(reviews) for reviews in _REVIEWS}
    figures = [
        Figure(
            f"false reviews a year at score {score:.1f}",
            f"{null.at(score):.1f}",
            peer=f"restless supply {other.at(score):.1f}",
        )
        for score in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    ]
    figures += _kinds(played, years)
    for monthly in _MONTHLY:
        tried = [
            _tried(ground, history, signals, monthly, rng)
            for history, signals in zip(histories, played, strict=True)
            for _ in range(_OUTBREAKS)
        ]
        first = median(day for _, _, day in tried)
        for reviews, threshold in thresholds.items():
            days = [_delay(item, threshold) for item, _, _ in tried]
            without = [_delay(item, threshold) for _, item, _ in tried]
            figures.append(
                Figure(
                    f"nitazene in {monthly} more benzodiazepine samples a month, at {reviews:.0f} false reviews a year "
                    f"(score {threshold:.2f})",
                    f"found in 28 days {_share(days, 28)}, in 91 days {_share(days, 91)}, median {median(days):.0f} days",
                    peer=f"the first such sample was known after {first:.0f} days; without it a nitazene review in "
                    f"28 days {_share(without, 28)}, in 91 days {_share(without, 91)}",
                )
            )
    note = f"{years:.0f} counted years in {len(histories)} histories; a miss counts {_WATCHED_DAYS} days."
    return figures, note


@dataclass(frozen=True)
class Rate:
    """Episodes a year at or above each score."""

    appearing: NDArray[np.float64]
    merging: NDArray[np.float64]
    years: float

    @classmethod
    def of(cls, played: Sequence[Sequence[tuple[int, Signal]]], terrain: Terrain) -> "Rate":
        """Count the episodes of several histories."""
        steps = [episode_steps(_alarms(signals, terrain)) for signals in played]
        appearing, merging = (np.concatenate([item[side] for item in steps]) for side in (0, 1))
        return cls(appearing, merging, len(played) * _COUNTED_DAYS / DAYS_A_YEAR)

    def at(self, score: float) -> float:
        """Return the episodes a year at or above a score."""
        return float((self.appearing >= score).sum() - (self.merging >= score).sum()) / self.years

    def score_for(self, wanted: float) -> float:
        """Return the score, sought from above: low scores join episodes as fast as they add them."""
        grid = np.arange(9, _LEAST_SCORE, -0.05)
        return next((float(s) + 0.05 for s in grid if self.at(float(s)) > wanted), _LEAST_SCORE)


def _kinds(played: Sequence[Sequence[tuple[int, Signal]]], years: float) -> list[Figure]:
    kinds: dict[str, set[tuple[int, str]]] = {}
    for number, signals in enumerate(played):
        for _, signal in signals:
            if float(signal.parameters["score"]) >= 1.0:
                kinds.setdefault(str(signal.parameters["kind"]), set()).add((number, signal.key))
    return [
        Figure(f"different keys a year at score 1.0: {kind}", f"{len(keys) / years:.1f}")
        for kind, keys in sorted(kinds.items())
    ]


def _alarms(signals: Sequence[tuple[int, Signal]], terrain: Terrain) -> list[Alarm]:
    every = (1 << len(terrain.areas)) - 1
    bits = {code: 1 << index for index, code in enumerate(terrain.areas)} | {terrain.root: every}
    return [
        Alarm(
            day,
            (signal.window_end - signal.window_start).days + 1,
            float(signal.parameters["score"]),
            bits[signal.areas[0]],
            signal.substance_class,
            may_page=False,
        )
        for day, signal in signals
    ]


def _tried(
    ground: Ground,
    history: Sightings,
    signals: Sequence[tuple[int, Signal]],
    monthly: int,
    rng: np.random.Generator,
) -> tuple[Mapping[int, float], Mapping[int, float], int]:
    """Return the best score of each day of an outbreak, of the same days without, and when a first sample was known."""
    start = int(rng.integers(_TRAINING_DAYS, history.n_days - _WATCHED_DAYS - 1))
    day = np.sort(rng.integers(start, start + _WATCHED_DAYS, rng.poisson(monthly * _WATCHED_DAYS / 30.4)))
    own = np.flatnonzero(history.feed == FEEDS.index(Feed.DRUG_CHECKING))
    like = rng.choice(own, day.size)
    added = {
        "day": day,
        "known_day": day + history.known_day[like] - history.day[like],
        "feed": history.feed[like],
        "classes": np.full(day.size, CLASS_BIT[SubstanceClass.NITAZENE]),
        "sold_as": np.full(day.size, CLASS_BIT[SubstanceClass.BENZODIAZEPINE]),
        "area": history.area[like],
        "fine": history.fine[like],
    }
    joined = {name: np.concatenate([getattr(history, name), added[name]]) for name in COLUMNS}
    with_it = Sightings(history.first_day, history.n_days, **joined)
    with_outbreak = ground.play(with_it, start, start + _WATCHED_DAYS - 1)
    known = int(min(added["known_day"], default=start + _WATCHED_DAYS)) - start
    return _nitazenes(with_outbreak, start), _nitazenes(signals, start), known


def _nitazenes(signals: Sequence[tuple[int, Signal]], start: int) -> Mapping[int, float]:
    """Return the best score of a signal of nitazenes on each of the days watched."""
    best: dict[int, float] = {}
    for today, signal in signals:
        if signal.substance_class is SubstanceClass.NITAZENE and 0 <= today - start < _WATCHED_DAYS:
            score = float(signal.parameters["score"])
            best[today - start] = max(best.get(today - start, score), score)
    return best


def _delay(best: Mapping[int, float], threshold: float) -> int:
    return min((day for day, score in best.items() if score >= threshold), default=_WATCHED_DAYS)


def _share(days: Sequence[int], within: int) -> str:
    return f"{sum(day < within for day in days) / len(days):.0%}"
