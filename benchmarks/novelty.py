"""Novelty in drug checking: false reviews a year, and how soon a nitazene in "diazepam" is found.

Null histories of the simulator (Kent and Medway, about 210 samples a year) are played as the service would have lived
them: what is known at each day's end, learnt afresh each Monday. False reviews are episodes, merged as everywhere. The
outbreak is 1 to 5 more samples a month, sold as a benzodiazepine, each holding a nitazene, from a random day on and
anywhere in the county; found is the first day of a review that names nitazenes. The threshold is the one that the null
histories give for a stated number of false reviews a year, so a detection rate is never without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median

import numpy as np

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
from schemas.substances import SubstanceClass
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
_REVIEWS = (4.0, 10.0)
_MONTHLY = (1, 2, 3, 5)
_OUTBREAKS = 6


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
    """Play ``runs`` null histories of five counted years (4: 20 years), and 6 outbreaks of each size in each."""
    terrain = terrain_of(load_kent_and_medway())
    ground = Ground(terrain, Novelty(terrain))
    histories = [
        ground.history([seed, number], _TRAINING_DAYS + _COUNTED_DAYS) for number in range(runs or 4)
    ]
    end = _TRAINING_DAYS + _COUNTED_DAYS - 1
    played = [ground.play(history, _TRAINING_DAYS, end) for history in histories]
    years = len(histories) * _COUNTED_DAYS / DAYS_A_YEAR
    steps = [episode_steps(_alarms(signals, terrain)) for signals in played]
    appearing, merging = (np.concatenate([item[side] for item in steps]) for side in (0, 1))

    def rate(score: float) -> float:
        return float((appearing >= score).sum() - (merging >= score).sum()) / years

    figures = [
        Figure(f"false reviews a year at score {score:.1f}", f"{rate(score):.1f}")
        for score in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
    ]
    figures += _kinds(played, years)
    rng = np.random.default_rng([seed, 1000])
    for monthly in _MONTHLY:
        tried = [
            _first_found(ground, history, monthly, rng) for history in histories for _ in range(_OUTBREAKS)
        ]
        delays = [best for best, _ in tried]
        first = median(day for _, day in tried)
        for reviews in _REVIEWS:
            # From above: low scores join episodes as fast as they add them.
            grid = np.arange(9, _LEAST_SCORE, -0.05)
            threshold = next((s + 0.05 for s in grid if rate(float(s)) > reviews), _LEAST_SCORE)
            days = [_delay(item, float(threshold)) for item in delays]
            figures.append(
                Figure(
                    f"nitazene in {monthly} more benzodiazepine samples a month, at {reviews:.0f} false reviews a year "
                    f"(score {threshold:.2f})",
                    f"found in 28 days {_share(days, 28)}, in 91 days {_share(days, 91)}, median {median(days):.0f} days",
                    peer=f"the first such sample was known after {first:.0f} days",
                )
            )
    note = f"{years:.0f} counted years in {len(histories)} histories; a miss counts {_WATCHED_DAYS} days."
    return figures, note


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


def _first_found(
    ground: Ground, history: Sightings, monthly: int, rng: np.random.Generator
) -> tuple[Mapping[int, float], int]:
    """Return the best score of each day of the outbreak, and the day on which its first sample was known."""
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
    best: dict[int, float] = {}
    for today, signal in ground.play(with_it, start, start + _WATCHED_DAYS - 1):
        if signal.substance_class is SubstanceClass.NITAZENE:
            score = float(signal.parameters["score"])
            best[today - start] = max(best.get(today - start, score), score)
    return best, int(min(added["known_day"], default=start + _WATCHED_DAYS)) - start


def _delay(best: Mapping[int, float], threshold: float) -> int:
    return min((day for day, score in best.items() if score >= threshold), default=_WATCHED_DAYS)


def _share(days: Sequence[int], within: int) -> str:
    return f"{sum(day < within for day in days) / len(days):.0%}"
