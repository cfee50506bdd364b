"""Null looks: what would have been counted in each area and recent window if nothing had happened.

``detectors/scan.py`` draws them for its Monte Carlo test. Each replicate has a seed of its own, taken from the caller's
generator, so the draws are the same however many threads make them. One feed at a time; windows end on the last day.
"""

import numpy as np
from numba import prange
from numpy.typing import NDArray

from detectors.compiled import exclusively, parallel, serial

FloatArray = NDArray[np.float64]
Counts = NDArray[np.floating]
Seeds = NDArray[np.uint32]

_PER_CELL = 8.0
"""With more events than this for each area and day, cells are drawn one by one rather than events."""

_MOST_HYPERGEOMETRIC = 900_000_000
"""NumPy's sampler without replacement takes up to a thousand million people; above that, replacement is no matter."""


def seeds_of(rng: np.random.Generator, replicates: int) -> Seeds:
    """Return a seed for each replicate."""
    return rng.integers(0, 2**32, size=replicates, dtype=np.uint32)


def poisson_looks(seeds: Seeds, mean: FloatArray, dtype: type[np.floating]) -> Counts:
    """Draw Poisson counts of the given means.

    Parameters
    ----------
    seeds : ndarray of uint32, shape (n_replicates,)
    mean : ndarray of float64, shape (n_recent_days, n_areas)
        The last day first.
    dtype : type
        Single or double precision.

    Returns
    -------
    ndarray, shape (n_replicates, n_areas, n_recent_days)
        Counts of the last day, of the last two, and so on.
    """
    out = _empty(seeds, mean, dtype)
    with exclusively():
        _poisson(seeds, np.ascontiguousarray(mean), out)
    return out


def negative_binomial_looks(
    seeds: Seeds, mean: FloatArray, excess: FloatArray, dtype: type[np.floating]
) -> Counts:
    """Draw negative binomial counts of variance ``mean + excess``; shapes as for :func:`poisson_looks`."""
    out = _empty(seeds, mean, dtype)
    with exclusively():
        _negative_binomial(seeds, np.ascontiguousarray(mean), np.ascontiguousarray(excess), out)
    return out


def multinomial_looks(seeds: Seeds, total: int, share: FloatArray, dtype: type[np.floating]) -> Counts:
    """Spread ``total`` events over days and areas by ``share``; what is left of 1 falls on older days."""
    out = _empty(seeds, share, dtype)
    with exclusively():
        _multinomial(seeds, total, np.ascontiguousarray(share), out)
    return out


def permuted_looks(
    seeds: Seeds, by_day: NDArray[np.int64], by_area: NDArray[np.int64], dtype: type[np.floating]
) -> Counts:
    """Shuffle the days among the events, ``by_day`` of which (last day first) fall on each recent day."""
    out = np.zeros((seeds.size, by_area.size, by_day.size), dtype=dtype)
    with exclusively():
        _permuted(seeds, np.ascontiguousarray(by_day), np.repeat(np.arange(by_area.size), by_area), out)
    return out


def hypergeometric_looks(
    rng: np.random.Generator, replicates: int, total: int, people: NDArray[np.int64], older: int
) -> Counts:
    """Choose ``total`` cases among the people of recent days and areas, and of older days, without replacement."""
    cells = np.append(people.ravel(), older)
    if cells.sum() < _MOST_HYPERGEOMETRIC:
        drawn = rng.multivariate_hypergeometric(cells, total, size=replicates, method="marginals")
    else:
        drawn = rng.multinomial(total, cells / cells.sum(), size=replicates)
    by_day = drawn[:, :-1].reshape(replicates, *people.shape).cumsum(axis=1)
    return by_day.transpose(0, 2, 1).astype(np.float64)


def _empty(seeds: Seeds, cells: FloatArray, dtype: type[np.floating]) -> Counts:
    out: Counts = np.zeros((seeds.size, cells.shape[1], cells.shape[0]), dtype=dtype)
    return out


@parallel
def _poisson(seeds: Seeds, mean: FloatArray, out: Counts) -> None:
    n_days, n_areas = mean.shape
    edges = np.cumsum(mean.ravel())
    whole = edges[-1]
    for replicate in prange(seeds.size):
        np.random.seed(seeds[replicate])  # noqa: NPY002 (the compiled generator of this thread, reseeded each time)
        if whole < _PER_CELL * edges.size:
            _spread(np.random.poisson(whole), edges, n_areas, out[replicate])  # noqa: NPY002 (as above)
        else:
            for area in range(n_areas):
                running = 0
                for day in range(n_days):
                    if mean[day, area] > 0:
                        running += np.random.poisson(mean[day, area])  # noqa: NPY002 (as above)
                    out[replicate, area, day] += running


@parallel
def _negative_binomial(seeds: Seeds, mean: FloatArray, excess: FloatArray, out: Counts) -> None:
    n_days, n_areas = mean.shape
    for replicate in prange(seeds.size):
        np.random.seed(seeds[replicate])  # noqa: NPY002 (the compiled generator of this thread, reseeded each time)
        for area in range(n_areas):
            running = 0
            for day in range(n_days):
                usual = mean[day, area]
                if usual > 0:
                    more = excess[day, area]
                    rate = usual
                    if more > 1e-9 * usual:
                        # Gamma of mean `usual` and variance `more`.
                        rate = np.random.gamma(usual * usual / more, more / usual)  # noqa: NPY002 (as above)
                    if rate > 0:
                        running += np.random.poisson(rate)  # noqa: NPY002 (as above)
                out[replicate, area, day] += running


@parallel
def _multinomial(seeds: Seeds, total: int, share: FloatArray, out: Counts) -> None:
    n_days, n_areas = share.shape
    edges = np.cumsum(share.ravel())
    recent = min(edges[-1], 1.0)
    for replicate in prange(seeds.size):
        np.random.seed(seeds[replicate])  # noqa: NPY002 (the compiled generator of this thread, reseeded each time)
        drawn = total if recent > 1 - 1e-12 else np.random.binomial(total, recent)  # noqa: NPY002 (as above)
        if drawn < _PER_CELL * edges.size:
            _spread(drawn, edges, n_areas, out[replicate])
        else:
            left, chance = drawn, edges[-1]
            for day in range(n_days):
                for area in range(n_areas):
                    part = min(share[day, area] / chance, 1.0) if chance > 0 else 1.0
                    here = left if part >= 1.0 else np.random.binomial(left, part)  # noqa: NPY002 (as above)
                    left -= here
                    chance -= share[day, area]
                    for later in range(day, n_days):
                        out[replicate, area, later] += here


@parallel
def _permuted(seeds: Seeds, by_day: NDArray[np.int64], areas: NDArray[np.int64], out: Counts) -> None:
    n_areas, n_days = out.shape[1], out.shape[2]
    for replicate in prange(seeds.size):
        np.random.seed(seeds[replicate])  # noqa: NPY002 (the compiled generator of this thread, reseeded each time)
        deck = areas.copy()
        taken = 0
        for day in range(n_days):
            for _ in range(by_day[day]):
                other = np.random.randint(taken, deck.size)  # noqa: NPY002 (as above)
                deck[taken], deck[other] = deck[other], deck[taken]
                out[replicate, deck[taken], day] += 1
                taken += 1
        _sum_up(out[replicate], n_areas, n_days)


@serial
def _spread(events: int, edges: FloatArray, n_areas: int, out: Counts) -> None:
    """Put each event on a day and area by its share of the running total, then sum the days up."""
    n_days = edges.size // n_areas
    for _ in range(events):
        cell = np.searchsorted(edges, np.random.random() * edges[-1], side="right")  # noqa: NPY002 (as above)
        cell = min(cell, edges.size - 1)
        out[cell % n_areas, cell // n_areas] += 1
    _sum_up(out, n_areas, n_days)


@serial
def _sum_up(counts: Counts, n_areas: int, n_days: int) -> None:
    for area in range(n_areas):
        for day in range(1, n_days):
            counts[area, day] += counts[area, day - 1]
