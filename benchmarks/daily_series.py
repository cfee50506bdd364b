"""Daily series of our own for ``benchmarks/daily.py`` and the tests: drawn from written ranges, nothing fitted to data.

Each series has a mean that is log-linear in weekday, season, trend and bank holiday, and negative-binomial counts. Half
of them are five-day services: closed at weekends and on bank holidays, busier on the next working day; the others are
busier on a bank holiday. An outbreak is ``size`` standard deviations of the first day for every day that it is meant
to last, spread over log-normal times.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from detectors.terms import calendar_terms

FloatArray = NDArray[np.float64]

FIRST_DAY = date(2015, 1, 5)
"""A Monday."""
_YEAR = 365.25
_WAVES = 4
_OUTBREAK_DAYS = 12
_HOLIDAY, _AFTER = 7, 8


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Series and the truth behind them; arrays have the shape (n_series, n_days), parameters (n_series,)."""

    counts: NDArray[np.int_]
    outbreak: NDArray[np.int_]
    mean: FloatArray
    dispersion: FloatArray
    five_day: NDArray[np.bool_]


def draw(rng: np.random.Generator, n_series: int, n_days: int, holidays: Collection[date]) -> Drawn:
    """Draw null series: log mean a day -0.5 to 6, dispersion 1 to 4, up to four waves, growth -10 to +15 % a year."""
    calendar = calendar_terms(FIRST_DAY, n_days, holidays)
    day = np.arange(n_days)
    five_day = np.arange(n_series) % 2 == 0
    level = rng.uniform(-0.5, 6.0, n_series)
    weekday = rng.normal(0, rng.uniform(0.05, 0.6, (n_series, 1)), (n_series, 7))
    height = rng.uniform(0.05, 1.0, (n_series, 1)) / np.arange(1, _WAVES + 1) ** 1.5
    many = np.arange(_WAVES) < rng.integers(0, _WAVES + 1, (n_series, 1))
    turn = 2 * np.pi * np.arange(1, _WAVES + 1)[:, None] * day / _YEAR
    phase = rng.uniform(0, 2 * np.pi, (n_series, _WAVES))
    season = (height * many)[:, :, None] * np.cos(turn[None] - phase[:, :, None])
    growth = rng.uniform(-0.10, 0.15, (n_series, 1)) * rng.integers(0, 2, (n_series, 1))
    log = level[:, None] + weekday @ calendar[:, :7].T + season.sum(axis=1) + growth * day / _YEAR
    closed = calendar[:, 5:7].any(axis=1) | calendar[:, _HOLIDAY].astype(bool)
    mean = np.exp(log)
    mean[five_day] *= np.where(closed, 0.0, np.where(calendar[:, _AFTER] > 0, 1.5, 1.0))
    mean[~five_day] *= np.where(calendar[:, _HOLIDAY] > 0, 2.0, 1.0)
    dispersion = rng.uniform(1.0, 4.0, n_series) * rng.integers(0, 2, n_series)
    dispersion = np.maximum(dispersion, 1.0)
    counts = draw_counts(rng, mean, dispersion[:, None])
    return Drawn(counts, np.zeros_like(counts), mean, dispersion, five_day)


def draw_counts(rng: np.random.Generator, mean: FloatArray, dispersion: FloatArray) -> NDArray[np.int_]:
    """Draw negative-binomial counts of variance ``dispersion * mean``; Poisson where the dispersion is 1."""
    excess = np.broadcast_to(dispersion - 1.0, mean.shape)
    spread = np.where(excess > 0, mean / np.maximum(excess, 1e-12), 1.0)
    rate = np.where(excess > 0, rng.gamma(np.maximum(spread, 1e-12)) * excess, mean)
    return rng.poisson(rate)


def with_outbreaks(rng: np.random.Generator, drawn: Drawn, size: float, begin: int) -> Drawn:
    """Add one outbreak to each series, on a random open day from day ``begin`` on."""
    n_series, n_days = drawn.counts.shape
    outbreak = np.zeros_like(drawn.counts)
    for row in range(n_series):
        open_days = begin + np.flatnonzero(drawn.mean[row, begin : n_days - 2 * _OUTBREAK_DAYS] > 0)
        start = int(rng.choice(open_days))
        deviation = np.sqrt(drawn.dispersion[row] * drawn.mean[row, start])
        cases = max(int(rng.poisson(size * _OUTBREAK_DAYS * deviation)), 2)
        when = start + np.floor(rng.lognormal(0, 0.5, cases) * _OUTBREAK_DAYS / 4).astype(np.int_)
        when = when[when < n_days]
        # What would fall on a closed day comes on the next open one.
        shut = drawn.mean[row] <= 0
        moved = np.array([_next_open(day, shut) for day in when], dtype=np.int_)
        np.add.at(outbreak[row], moved[moved < n_days], 1)
    return Drawn(drawn.counts + outbreak, outbreak, drawn.mean, drawn.dispersion, drawn.five_day)


def _next_open(day: int, shut: NDArray[np.bool_]) -> int:
    while day < shut.size and shut[day]:
        day += 1
    return int(day)
