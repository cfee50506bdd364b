"""How unsteady this time of the year has been: what repeats is believed, what chance does is not."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detectors.forecast_error import unforeseen

FloatArray = NDArray[np.float64]
YEARS, YEAR = 6, 52
WEEKS = YEARS * YEAR
RISE = slice(0, 4)
"""Weeks of a year, counted from the last week of the history on: the coming ones."""


def _ask(
    counts: FloatArray, mean: float, weights: FloatArray | None = None, ahead: float = 1.0
) -> FloatArray:
    forecast = np.full(counts.shape, mean)
    trust = np.ones(counts.shape) if weights is None else weights
    return unforeseen(
        counts, forecast, forecast, trust, np.ones(counts.shape[0]), weeks_ahead=ahead, year_days=364.0
    )


def _series(seed: int, mean: float, n_series: int = 40) -> FloatArray:
    return np.random.default_rng(seed).poisson(mean, (n_series, WEEKS)).astype(np.float64)


@pytest.mark.parametrize("mean", [0.5, 5.0, 50.0, 5000.0])
def test_chance_alone_makes_no_series_unsure(mean: float) -> None:
    # Less than a fifth of what the counts of a fortnight vary by anyway.
    assert _ask(_series(1, mean), mean).mean() < 0.2 / (2 * mean)


def test_a_rise_that_came_in_two_years_of_six_widens_this_time_of_the_year_and_not_another() -> None:
    counts = _series(2, 100.0)
    for year in (1, 4):
        counts[:, year * YEAR : year * YEAR + 4] *= 3
    weights = np.where(counts > 200, 0.0, 1.0)
    assert _ask(counts, 100.0, weights).min() > 0.1
    assert _ask(counts, 100.0, weights, ahead=1.0 + YEAR / 2).max() < 0.01


def test_an_outbreak_in_one_year_leaves_the_next_as_watchful_as_before() -> None:
    counts = _series(3, 100.0)
    counts[:, 4 * YEAR : 4 * YEAR + 4] *= 3
    weights = np.where(counts > 200, 0.0, 1.0)
    assert _ask(counts, 100.0, weights).max() < 0.01


def test_without_forecasts_nothing_is_added() -> None:
    counts = _series(4, 10.0)
    nothing = np.full(counts.shape, np.nan)
    trust, one = np.ones(counts.shape), np.ones(counts.shape[0])
    for weeks in (0, 5, WEEKS):
        found = unforeseen(
            counts[:, :weeks],
            nothing[:, :weeks],
            nothing[:, :weeks],
            trust[:, :weeks],
            one,
            weeks_ahead=1,
            year_days=364.0,
        )
        assert np.array_equal(found, np.zeros(counts.shape[0]))
