"""One feed's part of a baseline: its calendar, its levels, its dispersion and the shares of its areas.

Only ``detectors/baseline.py`` calls this. The steps of :func:`fit_feed`, in order: which weeks were outbreaks; the
shape of the feed's own total and of each class that can afford one; outbreaks again, now that the season is known; the
level and its memory; how unsteady this time of the year has been; shares and their dispersion.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from detectors.completeness import first_useful_age, share_known
from detectors.declared import Declared
from detectors.forecast_error import unforeseen
from detectors.history import CountCube
from detectors.level import (
    Level,
    dispersion_by_moments,
    level_posterior,
    local_mean,
    outbreak_weights,
    prior_dispersion,
)
from detectors.shape import Shape, fit_shape
from detectors.shares import area_shares
from detectors.terms import GROUPS, N_TERMS, PRIOR_SPREAD, active_terms, calendar_terms
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int_]

LARGEST_LOG, SMALLEST_LOG = 5.0, -12.0
"""A shape stays between these: far above any rise that is usual, and next to nothing on days that are closed."""

_WEEK = 7
_DAYS_FOR_A_TREND = 364
_SHARE_HALF_LIFE_WEEKS = 104.0
_EVENTS_FOR_OWN_SHAPE = 200
"""A class with fewer events keeps its feed's calendar: the penalty would leave little of its own."""
_PRIOR_EVENTS_A_DAY = 1.0 / 7.0
"""Level of a feed of which nothing is known: one event a week in the whole jurisdiction."""
_PRIOR_PLACED_EVENTS = 5.0
_TREND_SPREAD = 0.3
"""A year's drift, on the log scale."""
_CLEAR_TREND = 2.0
"""Standard errors: a slope that is not clearly there is not even tried."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is the same for every feed."""

    people: FloatArray
    holidays: frozenset[date]
    declared: Declared
    year_days: float


@dataclass(frozen=True, slots=True)
class Window:
    """The days that teach a feed: from ``start`` up to, not including, ``end``; its level from ``since`` on."""

    start: int
    end: int
    since: int
    history_days: int
    law: FloatArray
    last: int

    @property
    def n_days(self) -> int:
        """How many days teach."""
        return self.end - self.start

    @property
    def guard_weeks(self) -> float:
        """How long ago the last of them was."""
        return (self.last + 1 - self.end) / _WEEK


def training_window(
    cube: CountCube,
    rows: IndexArray,
    law: FloatArray,
    *,
    guard_days: int,
    most_training_days: int,
    shift: date | None,
) -> Window:
    """Return the window of the feed whose series are ``rows``."""
    seen = np.flatnonzero(cube.counts[rows, :, -1].any(axis=0))
    last = cube.n_days - 1
    if not seen.size:
        return Window(cube.n_days, cube.n_days, cube.n_days, 0, law, last)
    first = int(seen[0])
    history_days = cube.n_days - first
    since = max(first + 1, 0 if shift is None else (shift - cube.first_day).days)
    # A level that has just begun anew, like a feed that has, cannot give up three weeks.
    guard = min(guard_days + first_useful_age(law), history_days // 4, (cube.n_days - since) // 4 + 1)
    end = cube.n_days - guard
    # The day of the first record is there because of that record: counting it would raise a sparse feed's level.
    start = max(min(first + 1, end), end - most_training_days)
    return Window(start, end, min(max(since, start), end), history_days, law, last)


def fit_feed(
    cube: CountCube,
    rows: IndexArray,
    window: Window,
    asked: Asked,
    earlier: FloatArray | None,
) -> dict[str, FloatArray]:
    """Fit every series of one feed: first the feed's own total, then each class leaning on it.

    ``earlier`` are last week's coefficients of these rows, where the iteration may begin.
    """
    feed = cube.series[rows[0]][0]
    names = [cube.series[row][1] for row in rows]
    whole = names.index(SubstanceClass.ANY) if SubstanceClass.ANY in names else None
    days = _days(cube, rows, window, asked, feed)
    total = days.total
    feed_total = total[whole] if whole is not None else total.sum(axis=0)
    weeks = _week_starts(window.n_days)
    per_day = np.repeat(np.arange(weeks.size), np.diff(np.append(weeks, window.n_days)))

    by_week, feed_by_week = _by_week(total, weeks), _by_week(feed_total[None, :], weeks)
    flat = _by_week((days.known * _old_level(feed_total, days.known, window))[None, :], weeks)
    feed_trust = outbreak_weights(feed_by_week, flat)
    spread = _dispersion(
        feed_total[None], np.broadcast_to(days.known, (1, window.n_days)), feed_trust, weeks, None
    )
    guess = None if earlier is None else earlier[whole] if whole is not None else None
    of_feed = _shape(days, feed_total, days.known, feed_trust[0, per_day], spread[0], guess, rounds=0)
    # Now that the season is known, what is an outbreak is judged beside it.
    exposed = days.known * _relative(days.columns, of_feed.terms)
    feed_trust = outbreak_weights(feed_by_week, _by_week(exposed[None], weeks))
    spread = _dispersion(feed_total[None], exposed[None], feed_trust, weeks, None)
    of_feed = _shape(days, feed_total, days.known, feed_trust[0, per_day], spread[0], of_feed.terms)

    usual = days.known * _relative(days.columns, of_feed.terms)
    trust = np.empty(by_week.shape)
    others = [index for index in range(rows.size) if index != whole]
    if others:
        beside = np.broadcast_to(_by_week(usual[None], weeks), by_week.shape)[others]
        trust[others] = outbreak_weights(by_week[others], beside)
    if whole is not None:
        trust[whole] = feed_trust[0]
    coefficients = np.tile(of_feed.terms, (rows.size, 1))
    covariances = [of_feed.covariance] * rows.size
    for index in np.flatnonzero(total.sum(axis=1) >= _EVENTS_FOR_OWN_SHAPE):
        if index != whole:
            guess = None if earlier is None or whole is None else earlier[index] - earlier[whole]
            own = _shape(days, total[index], usual, trust[index, per_day], spread[0], guess)
            coefficients[index] += own.terms
            covariances[index] = of_feed.covariance + own.covariance

    slope = coefficients[:, days.trend].copy()
    slope_error = np.sqrt([found[days.trend, days.trend] for found in covariances])
    coefficients[:, days.trend] = 0.0
    year = _any_year(asked.year_days)
    scale = np.log(
        np.exp(np.clip(coefficients[:, :N_TERMS] @ year.T, SMALLEST_LOG, LARGEST_LOG)).mean(axis=1)
    )
    exposure = _relative(days.columns, coefficients, scale) * days.known
    weekly = _by_week(exposure, weeks)
    mean = local_mean(by_week, weekly, trust)
    dispersion_total = _dispersion(total, exposure, trust, weeks, np.repeat(spread, rows.size))

    level, growth, growth_error = _level(
        total, exposure, trust, weeks, window, dispersion_total, slope, slope_error, days, whole
    )
    unsure = growth_error + unforeseen(
        by_week,
        level.forecast,
        level.variance,
        trust,
        dispersion_total,
        weeks_ahead=window.guard_weeks + 0.5,
        year_days=asked.year_days,
    )
    unsure += _calendar_error(cube, asked, days, exposure, _Fitted(coefficients, covariances))
    shape = 1.0 / (1.0 / level.shape + unsure)
    shared = _areas(
        cube.counts[rows, window.start : window.end, :-1], trust, by_week, mean, weeks, whole, asked.people
    )
    return {
        "level_shape": shape,
        "level_rate": level.rate * shape / level.shape,
        "half_life_weeks": level.half_life,
        "terms": coefficients[:, :N_TERMS],
        "effects": coefficients[:, days.trend + 1 :],
        "trend": growth,
        "scale": scale,
        "dispersion_total": dispersion_total,
        **shared,
    }


@dataclass(frozen=True, slots=True)
class _Days:
    """The training days of one feed, and the columns of its regression: calendar, trend, declared effects."""

    total: FloatArray
    known: FloatArray
    columns: FloatArray
    spread: FloatArray
    groups: IndexArray
    trend: int


@dataclass(frozen=True, slots=True)
class _Fitted:
    """Coefficients and covariance of every series."""

    coefficients: FloatArray
    covariances: list[FloatArray]


def _days(cube: CountCube, rows: IndexArray, window: Window, asked: Asked, feed: Feed) -> _Days:
    first_day = cube.first_day + timedelta(days=window.start)
    ages = cube.n_days - 1 - np.arange(window.start, window.end)
    calendar = calendar_terms(first_day, window.n_days, asked.holidays, asked.year_days)
    declared = asked.declared.columns(first_day, window.n_days, cube.last_day)
    trend = -(ages / asked.year_days)[:, None]
    effects = asked.declared.spreads(feed)
    # What was the same on every day that teaches cannot be told from the level.
    if window.n_days:
        effects = np.where(np.ptp(declared, axis=0) > 0, effects, 0.0)
    long_enough = window.n_days >= _DAYS_FOR_A_TREND
    return _Days(
        total=cube.counts[rows, window.start : window.end, -1].astype(np.float64),
        known=share_known(window.law, ages),
        columns=np.hstack([calendar, trend, declared]),
        spread=np.concatenate(
            [PRIOR_SPREAD * active_terms(window.n_days), [_TREND_SPREAD * long_enough], effects]
        ),
        groups=np.concatenate([GROUPS, np.full(1 + effects.size, -1)]),
        trend=N_TERMS,
    )


def _shape(
    days: _Days,
    counts: FloatArray,
    exposure: FloatArray,
    trust: FloatArray,
    dispersion: float,
    start: FloatArray | None,
    rounds: int = 2,
) -> Shape:
    return fit_shape(
        counts,
        exposure,
        trust,
        days.columns,
        dispersion,
        spread=days.spread,
        groups=days.groups,
        start=start,
        rounds=rounds,
    )


def _relative(columns: FloatArray, coefficients: FloatArray, scale: FloatArray | float = 0.0) -> FloatArray:
    """Return the rate that the columns give, shape (n_days,) or (n_series, n_days)."""
    log = (coefficients @ columns.T) - (scale[:, None] if isinstance(scale, np.ndarray) else scale)
    relative: FloatArray = np.exp(np.clip(log, SMALLEST_LOG, LARGEST_LOG))
    return relative


@cache
def _any_year(year_days: float) -> FloatArray:
    """Return the calendar of a year; any leap year will do, it only fixes what "an average day" means."""
    return calendar_terms(date(2024, 1, 1), 366, frozenset(), year_days)


def _old_level(feed_total: FloatArray, known: FloatArray, window: Window) -> FloatArray:
    """Return how much higher each day stood before the last declared shift, roughly: enough to tell outbreaks by."""
    before = np.arange(window.n_days) < window.since - window.start
    if not before.any() or before.all():
        return np.ones(window.n_days)
    after = ~before
    old = (feed_total[before].sum() + 0.5) / (known[before].sum() + 0.5)
    new = (feed_total[after].sum() + 0.5) / (known[after].sum() + 0.5)
    return np.where(before, old / new, 1.0)


def _dispersion(
    total: FloatArray,
    exposure: FloatArray,
    trust: FloatArray,
    weeks: IndexArray,
    prior: FloatArray | None,
) -> FloatArray:
    """Return variance over mean of each series: of its days or of its weeks, whichever is larger.

    Days are the more numerous, weeks show what lasts for days. Taking the larger of two estimates of one number errs on
    the side of too large, by about as much as not knowing it exactly should widen a predictive.
    """
    start = prior_dispersion(total.shape[0]) if prior is None else prior
    by_week, weekly = _by_week(total, weeks), _by_week(exposure, weeks)
    mean = local_mean(by_week, weekly, trust)
    of_weeks = dispersion_by_moments(by_week, mean, trust, start)
    per_day = np.repeat(np.arange(weeks.size), np.diff(np.append(weeks, total.shape[1])))
    daily = exposure * (mean / np.maximum(weekly, 1e-300))[:, per_day]
    of_days = dispersion_by_moments(total, daily, trust[:, per_day], start, own_share=0.0)
    larger: FloatArray = np.maximum(of_weeks, of_days)
    return larger


def _level(  # noqa: PLR0913, PLR0917 (one step of fit_feed, which holds all of these)
    total: FloatArray,
    exposure: FloatArray,
    trust: FloatArray,
    weeks: IndexArray,
    window: Window,
    dispersion: FloatArray,
    slope: FloatArray,
    slope_error: FloatArray,
    days: _Days,
    whole: int | None,
) -> tuple[Level, FloatArray, FloatArray]:
    """Return the levels, the growth a year that they are carried on by, and what its error adds."""
    # What came before a declared shift says nothing about the level, only where to begin.
    counted = np.arange(window.n_days) >= window.since - window.start
    old = ~counted if (~counted).any() else counted
    feed_total = total[whole] if whole is not None else total.sum(axis=0)
    feed_rate = (feed_total[old].sum() + 0.5) / (days.known[old].sum() + 0.5 / _PRIOR_EVENTS_A_DAY)
    prior_rate = np.full(total.shape[0], feed_rate / total.shape[0])
    if whole is not None:
        prior_rate[whole] = _PRIOR_EVENTS_A_DAY if counted.all() else feed_rate
    seen, basis = _by_week(total * counted, weeks), _by_week(exposure * counted, weeks)
    clear = np.abs(slope) > _CLEAR_TREND * np.maximum(slope_error, 1e-12)
    growing = None
    if clear.any():
        carried = np.exp(
            np.clip((slope * clear)[:, None] * days.columns[:, days.trend], -LARGEST_LOG, LARGEST_LOG)
        )
        growing = _by_week(exposure * counted * carried, weeks)
    level = level_posterior(
        seen, basis, trust, dispersion, prior_rate, guard_weeks=window.guard_weeks, trended=growing
    )
    used = level.trended & clear
    # The slope's error acts over the mean age of what the level remembers.
    memory = np.minimum(level.half_life / np.log(2.0), window.n_days / (2 * _WEEK)) + window.guard_weeks
    error = np.where(used, (slope_error * memory * _WEEK / 365.25) ** 2, 0.0)
    return level, np.where(used, slope, 0.0), error


def _calendar_error(
    cube: CountCube, asked: Asked, days: _Days, exposure: FloatArray, fitted: _Fitted
) -> FloatArray:
    """Return the squared relative error of the shape over the coming week, beside the level's own.

    What all days of the training share belongs to the level, so the coming week is taken as its distance from them, each
    day by the events it brings (the delta method): a closed day, of which only a bound is known, counts for nothing, and
    the weekdays of an ordinary week cancel.
    """
    if not exposure.shape[1]:
        return np.zeros(exposure.shape[0])
    coming = calendar_terms(cube.last_day + timedelta(days=1), _WEEK, asked.holidays, asked.year_days)
    rate = _relative(coming, fitted.coefficients[:, :N_TERMS])
    distance = _weighted(coming, rate) - _weighted(days.columns[:, :N_TERMS], exposure)
    return np.array(
        [
            row @ found[:N_TERMS, :N_TERMS] @ row
            for row, found in zip(distance, fitted.covariances, strict=True)
        ]
    )


def _weighted(columns: FloatArray, rate: FloatArray) -> FloatArray:
    """Return the mean of the columns over the days, weighted by each series' rate, shape (n_series, n_columns)."""
    mean: FloatArray = (rate @ columns) / np.maximum(rate.sum(axis=1, keepdims=True), 1e-300)
    return mean


def _areas(
    placed_counts: NDArray[np.int32],
    trust: FloatArray,
    by_week: FloatArray,
    mean: FloatArray,
    weeks: IndexArray,
    whole: int | None,
    people: FloatArray,
) -> dict[str, FloatArray]:
    """Return each area's share, the Gamma shape of what is known about it, and the dispersion of area counts."""
    by_area: FloatArray = (
        np.add.reduceat(placed_counts, weeks, axis=1) if weeks.size else placed_counts[:, :0]
    ).astype(np.float64)
    memory = 0.5 ** (np.arange(weeks.size)[::-1] / _SHARE_HALF_LIFE_WEEKS)
    placed = np.einsum("kw,kwa->ka", trust * memory, by_area)
    counted = (trust * memory * by_week).sum(axis=1)
    shares, share_shapes = _shares(placed, counted, whole, people)
    area_mean = mean[:, :, None] * shares[:, None, :]
    weight = np.broadcast_to(trust[:, :, None], area_mean.shape)
    prior = prior_dispersion(1)
    if whole is not None:
        prior = dispersion_by_moments(by_area[[whole]], area_mean[[whole]], weight[[whole]], prior)
    dispersion = dispersion_by_moments(by_area, area_mean, weight, np.repeat(prior, trust.shape[0]))
    return {"shares": shares, "share_shapes": share_shapes, "dispersion": dispersion}


def _shares(
    placed: FloatArray, counted: FloatArray, whole: int | None, people: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each area's share of all events of a series, placed or not, and the Gamma shape of what is known."""
    feed_placed, feed_counted = (
        (placed[whole], counted[whole]) if whole is not None else (placed.sum(axis=0), counted.sum())
    )
    feed_part = (feed_placed.sum() + 1.0) / (feed_counted + 1.0)
    feed_shares, feed_shapes = area_shares(feed_placed[None, :], people)
    shares, shapes = area_shares(placed, feed_shares[0])
    part = (placed.sum(axis=1) + _PRIOR_PLACED_EVENTS * feed_part) / (counted + _PRIOR_PLACED_EVENTS)
    if whole is not None:
        shares[whole], shapes[whole] = feed_shares[0], feed_shapes[0]
    return shares * part[:, None], shapes


def _week_starts(n_days: int) -> IndexArray:
    """Index of the first day of each block of seven days, counted back from the end (the oldest may be shorter)."""
    if not n_days:
        return np.zeros(0, dtype=np.int_)
    rest = n_days % _WEEK
    return np.concatenate([[0], np.arange(rest, n_days, _WEEK)]) if rest else np.arange(0, n_days, _WEEK)


def _by_week(values: FloatArray, weeks: IndexArray) -> FloatArray:
    if not weeks.size:
        return np.zeros((values.shape[0], 0))
    summed: FloatArray = np.add.reduceat(values, weeks, axis=1)
    return summed
