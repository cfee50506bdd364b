"""S3: how long a scan with its Monte Carlo test takes, and, report only, what England and Wales would need.

The whole call is timed, from the arrays to the clusters: circles, replicates, p-values. Kernels are compiled before. R's
``scanstatistics`` 1.1.2 is quoted from one run of 99 replicates on such a machine, scaled to 999: it is not rerun.
"""

import resource
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks import known_data
from benchmarks.results import Figure, spread
from detectors.scan import Statistic, space_time_scan

FloatArray = NDArray[np.float64]

RUNS = 7
A_DAY = 20.0
"""Cases a day, shared out by population, as in the benchmark of space and time."""


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Time the two sizes of the target for each statistic, then a nation once; ``runs`` is how often each is timed."""
    rng = np.random.default_rng(seed)
    times = runs or RUNS
    # Smaller ones first, so that nothing compiles while the clock runs.
    counties, people, source = _counties(rng)
    figures = []
    for statistic in ("poisson", "negative_binomial", "kulldorff", "permutation"):
        call = _scan(counties, people, statistic, rng)
        call(99)
        seconds = [_timed(call, 999) for _ in range(times)]
        first = statistic == "poisson"
        figures.append(
            Figure(
                f"245 areas, 90 days, 14 windows, circles to 50 %, 999 replicates, {statistic}",
                f"{spread(seconds, '.3f')} s",
                "0.5 s" if first else "",
                median(seconds) <= 0.5 if first else None,
                "R scanstatistics 110 s (quoted)" if first else "",
            )
        )
    call = _scan(rng.normal(size=(500, 2)), rng.gamma(2.0, size=500), "poisson", rng, neighbours=49)
    call(99)
    seconds = [_timed(call, 999) for _ in range(times)]
    figures.append(
        Figure(
            "500 areas, 90 days, 14 windows, circles of up to 50 areas, 999 replicates, poisson",
            f"{spread(seconds, '.3f')} s",
            "0.6 s",
            median(seconds) <= 0.6,
            "R scanstatistics 48 s (quoted)",
        )
    )
    # The size of England and Wales by lower-layer area, towns and countryside made up.
    towns = rng.normal(size=(1_100, 2)) * 150.0
    places = towns[rng.integers(0, 1_100, 34_753)] + rng.normal(size=(34_753, 2)) * 4.0
    nation = _scan(places, rng.gamma(20.0, size=34_753), "poisson", rng, neighbours=99, a_day=3000.0)
    seconds = [_timed(nation, 99) for _ in range(min(times, 3))]
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures.append(
        Figure(
            "34,753 areas, 14 windows, circles of up to 100 areas, 99 replicates, poisson (report only)",
            f"{spread(seconds, '.1f')} s, {gigabytes:.1f} GiB at most",
            "below 4 GB",
            gigabytes < 4e9 / 2**30,
        )
    )
    return (
        figures,
        f"Whole calls. Areas: {source}; the others made up.",
    )


def _counties(rng: np.random.Generator) -> tuple[FloatArray, FloatArray, str]:
    if known_data.present():
        east = known_data.north_east()
        return east.coordinates, east.population, "245 north-east counties"
    return rng.normal(size=(245, 2)), rng.lognormal(11, 1.2, size=245), "245 made-up counties"


def _scan(
    places: FloatArray,
    people: FloatArray,
    statistic: Statistic,
    rng: np.random.Generator,
    *,
    neighbours: int | None = None,
    a_day: float = A_DAY,
) -> Callable[[int], object]:
    usual = np.tile(a_day * people / people.sum(), (90, 1))
    counts = rng.poisson(usual)

    def call(replicates: int) -> object:
        return space_time_scan(
            counts,
            None if statistic == "permutation" else usual,
            places,
            statistic=statistic,
            dispersion=1.5 if statistic == "negative_binomial" else None,
            population=people,
            max_neighbours=neighbours,
            max_window=14,
            replicates=replicates,
            rng=rng,
        )

    return call


def _timed(call: Callable[[int], object], replicates: int) -> float:
    began = perf_counter()
    call(replicates)
    return perf_counter() - began
