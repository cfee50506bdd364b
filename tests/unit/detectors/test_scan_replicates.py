"""Null looks: the means, variances and totals of the law each statistic is tested under, few events or many."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.scan_replicates import (
    hypergeometric_looks,
    multinomial_looks,
    negative_binomial_looks,
    permuted_looks,
    poisson_looks,
    seeds_of,
)

FloatArray = NDArray[np.float64]
MANY = 20_000
MEAN = np.array([[0.3, 2.0, 0.0], [1.0, 0.5, 0.2]])
"""Two recent days, the last one first, and three areas."""


def _daily(looks: NDArray[np.floating]) -> FloatArray:
    """Counts of single days again, shape (replicates, areas, days)."""
    return np.diff(looks.astype(np.float64), axis=2, prepend=0)


def _near(values: FloatArray, mean: FloatArray, variance: FloatArray) -> None:
    """Hold the mean and variance of many draws against the law's, five standard errors wide."""
    error = np.sqrt(np.maximum(variance, 1e-12) / MANY)
    assert (np.abs(values.mean(axis=0) - mean) <= 5 * error).all()
    assert values.var(axis=0) == pytest.approx(variance, rel=0.1, abs=1e-9)


def _seeds() -> NDArray[np.uint32]:
    return seeds_of(np.random.default_rng(2), MANY)


# With few events they are drawn one by one, with many cell by cell: both must follow the law.
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_poisson_looks_are_poisson(scale: float) -> None:
    mean = MEAN * scale
    _near(_daily(poisson_looks(_seeds(), mean, np.float32)), mean.T, mean.T)


@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_negative_binomial_looks_have_the_variance_asked_for(scale: float) -> None:
    mean = MEAN * scale
    _near(_daily(negative_binomial_looks(_seeds(), mean, 0.8 * mean, np.float64)), mean.T, 1.8 * mean.T)


@pytest.mark.parametrize("total", [20, 2000])
def test_multinomial_looks_spread_all_cases_over_days_and_areas(total: int) -> None:
    share = MEAN / MEAN.sum() * 0.6
    _near(
        _daily(multinomial_looks(_seeds(), total, share, np.float32)),
        total * share.T,
        total * (share * (1 - share)).T,
    )
    whole = multinomial_looks(_seeds(), total, share / 0.6, np.float32)
    assert (whole[:, :, -1].sum(axis=1) == total).all()


def test_permuted_looks_keep_both_margins() -> None:
    by_day, by_area = np.array([3, 4, 5]), np.array([6, 1, 5])
    looks = permuted_looks(_seeds(), by_day, by_area, np.float32)
    assert (looks[:, :, -1] == by_area).all()
    assert (_daily(looks).sum(axis=1) == by_day).all()
    mean = by_area[:, None] * by_day[None, :] / 12
    # Hypergeometric.
    variance = mean * (1 - by_area[:, None] / 12) * (12 - by_day[None, :]) / 11
    _near(_daily(looks), mean, variance)


def test_hypergeometric_looks_never_take_a_person_twice() -> None:
    people = np.array([[5, 10, 2], [7, 1, 5]])
    looks = hypergeometric_looks(np.random.default_rng(1), MANY, 30, people, 10)
    daily = _daily(looks)
    assert (daily <= people.T).all()
    share = people.T / 40
    _near(daily, 30 * share, 30 * share * (1 - share) * 10 / 39)


def test_more_people_than_the_exact_sampler_takes_are_drawn_nearly_the_same() -> None:
    people = np.full((1, 3), 400_000_000)
    daily = _daily(hypergeometric_looks(np.random.default_rng(1), MANY, 30, people, 0))
    _near(daily, np.full((3, 1), 10.0), np.full((3, 1), 30 * 2 / 9))
