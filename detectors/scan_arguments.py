"""What a scan may be given: each argument checked once, and told in plain words when it will not do.

Only ``detectors/scan.py`` calls this. It changes nothing that is handed in.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

LARGEST = 2.0**53
"""Whole numbers above this are no longer exact in double precision."""

WHOLE_ONLY = frozenset({"permutation", "negative_binomial"})
"""Statistics whose null law is of whole events only."""

STATISTICS = ("poisson", "negative_binomial", "kulldorff", "permutation", "binomial")


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Counts and what belongs to them, by feed, day (oldest first) and area: shape (n_feeds, n_days, n_areas).

    Attributes
    ----------
    counts, expected : ndarray of float64
        Expected counts of the permutation and binomial scans follow from the counts and the people.
    second : ndarray of float64
        Variance less mean (negative binomial) or people (binomial); zero otherwise.
    people : ndarray of float64, shape (n_areas,)
        What a zone's share is measured by.
    """

    counts: FloatArray
    expected: FloatArray
    second: FloatArray
    people: FloatArray


def checked_cells(  # noqa: C901, PLR0912 (one refusal after another, in the order of the arguments)
    statistic: str,
    counts: ArrayLike,
    expected: ArrayLike | None,
    n_areas: int,
    *,
    population: ArrayLike | None,
    dispersion: ArrayLike | None,
) -> Cells:
    """Check the arrays of a scan and bring them into one shape.

    Raises
    ------
    ValueError
        Naming the argument, what was given and what is wanted.
    """
    if statistic not in STATISTICS:
        raise ValueError(f"statistic is {statistic!r}; wanted one of {', '.join(STATISTICS)}")
    seen = _numbers("counts", counts)
    if seen.ndim not in {2, 3} or seen.shape[-1] != n_areas or 0 in seen.shape:
        raise ValueError(
            f"counts has the shape {seen.shape}; wanted (n_days, {n_areas}) or (n_feeds, n_days, {n_areas}), "
            "with at least one feed and one day"
        )
    if float(seen.max()) > LARGEST:
        raise ValueError(
            f"counts reaches {seen.max():.4g}; wanted at most 2**53, above which sums are not exact"
        )
    if statistic in WHOLE_ONLY and (seen != np.floor(seen)).any():
        raise ValueError(f"counts holds fractions; the {statistic} scan wanted whole numbers")
    if dispersion is not None and statistic != "negative_binomial":
        raise ValueError(
            f"dispersion is given; the {statistic} scan has none (wanted statistic='negative_binomial')"
        )
    people = None if statistic == "binomial" else _people(population, n_areas)
    second = np.zeros_like(seen)
    if statistic == "binomial":
        if expected is not None:
            raise ValueError(
                "expected is given; the binomial scan wanted population instead (and expected=None)"
            )
        second, usual = _from_trials(seen, population)
    elif statistic == "permutation":
        if expected is not None:
            raise ValueError("expected is given; the permutation scan takes it from the counts (wanted None)")
        usual = _from_margins(seen)
    elif expected is None:
        if statistic != "kulldorff" or people is None or not people.any():
            raise ValueError(
                f"expected is None; wanted the shape {seen.shape} (or, for kulldorff, a population)"
            )
        usual = np.broadcast_to(people, seen.shape).copy()
    else:
        usual = _numbers("expected", expected)
        if usual.shape != seen.shape:
            raise ValueError(f"expected has the shape {usual.shape}; wanted that of counts, {seen.shape}")
    if ((usual == 0) & (seen > 0)).any():
        raise ValueError("expected is 0 in a cell that counts something; wanted a number above 0 there")
    if statistic == "negative_binomial":
        second = (_dispersion(dispersion, usual.shape) - 1.0) * usual
    cube = (1, *seen.shape) if seen.ndim == 2 else seen.shape  # noqa: PLR2004 (days and areas)
    by_area = usual.reshape(cube).sum(axis=(0, 1))
    if statistic == "binomial":
        people = second.reshape(cube).sum(axis=(0, 1))
    return Cells(
        counts=seen.reshape(cube),
        expected=usual.reshape(cube),
        second=second.reshape(cube),
        people=by_area if people is None else people,
    )


def checked_whole(name: str, value: object, least: int) -> int:
    """Return a whole number that is at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} is {value!r}; wanted a whole number from {least}")
    return int(value)


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    given = np.asarray(values)
    if given.dtype.kind not in "iufb":
        raise ValueError(f"{name} holds {given.dtype}; wanted numbers")
    numbers: FloatArray = given.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(
            f"{name} holds NaN or infinity; wanted finite numbers (leave unknown days out, or count 0)"
        )
    if numbers.size and float(numbers.min()) < 0:
        raise ValueError(f"{name} holds {numbers.min():.4g}; wanted 0 or more")
    return numbers


def _people(population: ArrayLike | None, n_areas: int) -> FloatArray | None:
    if population is None:
        return None
    people = _numbers("population", population)
    if people.shape != (n_areas,):
        raise ValueError(f"population has the shape {people.shape}; wanted ({n_areas},)")
    return people


def _from_trials(seen: FloatArray, population: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    """Return the people of every cell, and the cases expected of them if all had the same rate."""
    if population is None:
        raise ValueError(f"population is None; the binomial scan wanted people, shape ({seen.shape[-1]},)")
    people = _numbers("population", population)
    if people.shape not in {seen.shape[-1:], seen.shape[-2:], seen.shape}:
        raise ValueError(
            f"population has the shape {people.shape}; wanted {seen.shape[-1:]}, {seen.shape[-2:]} or {seen.shape}"
        )
    trials = np.broadcast_to(people, seen.shape).copy()
    if (seen > trials).any():
        raise ValueError("population is below counts in some cell; wanted at least one person for each case")
    total = trials.sum(axis=(-2, -1), keepdims=True)
    rate = np.divide(seen.sum(axis=(-2, -1), keepdims=True), total, out=np.zeros_like(total), where=total > 0)
    return trials, trials * rate


def _from_margins(seen: FloatArray) -> FloatArray:
    total = seen.sum(axis=(-2, -1), keepdims=True)
    product = seen.sum(axis=-1, keepdims=True) * seen.sum(axis=-2, keepdims=True)
    usual: FloatArray = np.divide(product, total, out=np.zeros_like(product), where=total > 0)
    return usual


def _dispersion(dispersion: ArrayLike | None, shape: tuple[int, ...]) -> FloatArray:
    if dispersion is None:
        raise ValueError(
            "dispersion is None; the negative_binomial scan wanted variance / mean, a number from 1"
        )
    phi = _numbers("dispersion", dispersion)
    if len(shape) == 3 and phi.shape == shape[:1]:  # noqa: PLR2004 (feeds, days and areas)
        phi = phi[:, None, None]
    try:
        full = np.broadcast_to(phi, shape)
    except ValueError:
        raise ValueError(
            f"dispersion has the shape {phi.shape}; wanted one that broadcasts to {shape}"
        ) from None
    if (full < 1).any():
        raise ValueError(f"dispersion holds {full.min():.4g}; wanted variance / mean of 1 or more")
    return full
