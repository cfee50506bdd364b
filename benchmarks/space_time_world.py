"""The world of the space-time benchmark: 245 counties, 20 cases a day, quiet histories and outbreaks put into them.

Only ``benchmarks/space_time.py`` uses it. Streams are independent and have an equal excess; an outbreak starts on day 77
of 90 at a random county with its nearest ones, and its cases fall on them as the people do.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import known_data
from detectors.scan_engine import looks_of
from detectors.scan_zones import neighbour_order

FloatArray = NDArray[np.float64]
Looks = NDArray[np.floating]

A_DAY, STUDY_DAYS, HISTORY_DAYS = 20.0, 90, 180
OUTBREAK_DAYS, WINDOWS = 14, 14
_LEAD = WINDOWS - 1
_OLDER = STUDY_DAYS - WINDOWS
"""Days of a study before its longest window: only their total matters, to the conditional scan."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Counties and the law of their counts."""

    coordinates: FloatArray
    population: FloatArray
    dispersion: float

    @classmethod
    def of(cls, dispersion: float) -> "World":
        """Return the counties with Poisson counts (1) or negative binomial ones of variance / mean above 1."""
        east = known_data.north_east()
        return cls(east.coordinates, east.population, dispersion)

    @property
    def mean(self) -> FloatArray:
        """Expected cases a day of each county."""
        share: FloatArray = A_DAY * self.population / self.population.sum()
        return share

    def quiet(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Return counts without an outbreak, shape (*shape, n_areas)."""
        rate = np.broadcast_to(self.mean, (*shape, self.mean.size))
        if self.dispersion > 1:
            rate = rng.gamma(rate / (self.dispersion - 1), self.dispersion - 1)
        return rng.poisson(rate).astype(np.int64)

    def quiet_histories(
        self, rng: np.random.Generator, count: int, streams: int
    ) -> Iterator[tuple[Looks, FloatArray]]:
        """Yield, history by history, the looks at each day of it with a full study behind it, and their totals.

        Looks have the shape (n_looks, n_streams, n_areas, n_windows), totals (n_looks, n_streams).
        """
        for _ in range(count):
            daily = self.quiet(rng, (streams, HISTORY_DAYS))
            sums = np.cumsum(np.pad(daily.sum(axis=2), ((0, 0), (1, 0))), axis=1)
            totals = (sums[:, STUDY_DAYS:] - sums[:, :-STUDY_DAYS]).T
            looks = looks_of(daily[:, STUDY_DAYS - WINDOWS :], WINDOWS, dtype=np.float32)
            yield looks, totals.astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Outbreaks, all of one size in areas and cases.

    Attributes
    ----------
    looks : ndarray of float32, shape (n_trials * OUTBREAK_DAYS, n_streams, n_areas, n_windows)
        Day by day from the first day of each outbreak.
    totals : ndarray of float64, shape (n_trials * OUTBREAK_DAYS, n_streams)
        Cases of the 90 days up to each look.
    zones : list of ndarray of int32
        The areas of each outbreak.
    """

    looks: Looks
    totals: FloatArray
    zones: list[NDArray[np.int32]]


def trials(
    world: World, rng: np.random.Generator, count: int, *, areas: int, strength: float, streams: int
) -> Trials:
    """Return outbreaks in ``areas`` counties with Poisson(max(.7, strength sqrt(expected))) cases a day and stream."""
    near = neighbour_order(world.coordinates)
    zones = [near.zone(int(centre), areas) for centre in rng.integers(0, world.mean.size, count)]
    looks, totals = [], []
    for zone in zones:
        daily = world.quiet(rng, (streams, _LEAD + OUTBREAK_DAYS))
        expected = float(world.mean[zone].sum())
        extra = rng.poisson(max(0.7, strength * expected**0.5), size=(streams, OUTBREAK_DAYS))
        daily[:, _LEAD:, zone] += rng.multinomial(extra, world.mean[zone] / expected)
        older = world.quiet(rng, (streams, _OLDER)).sum(axis=2)
        by_day = np.concatenate([older, daily.sum(axis=2)], axis=1)
        sums = np.cumsum(np.pad(by_day, ((0, 0), (1, 0))), axis=1)
        looks.append(looks_of(daily, WINDOWS, dtype=np.float32))
        totals.append((sums[:, STUDY_DAYS:] - sums[:, :-STUDY_DAYS]).T)
    return Trials(np.concatenate(looks), np.concatenate(totals).astype(np.float64), zones)
