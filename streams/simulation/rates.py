"""Null counts for any geography, from rates fitted to its own records: for replay on data that nobody here made.

:func:`simulate_from_rates` draws histories with the habits that ``fitting.py`` learnt, in which nothing happens.
Counts only: no people, no messages, no tokens. Never reads a file or a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from detectors.history import OccurrenceHistory, Series
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_DRIFT_DAYS = 60.0


@dataclass(frozen=True, eq=False)
class FeedRates:
    """The habits of one feed.

    Attributes
    ----------
    feed : Feed
    per_day : float
        Events a day.
    area_shares : ndarray, shape (n_areas + 1,)
        Share of the events in each area; the last is what cannot be placed. Adds up to 1.
    weekday, month : ndarray, shapes (7,) and (12,)
        Factors with a mean of 1.
    local_dispersion : float
        Variance over mean of one area's day: events of one area and day that come together and are alike.
    day_shock_sd : float
        Of a log-normal shock that all areas share on one day.
    profiles : tuple of (frozenset of SubstanceClass, float)
        The sets of classes that events named, each with its share.
    delays : ndarray, shape (n_days,)
        Share of the events that become known so many civil days later. Adds up to 1.
    """

    feed: Feed
    per_day: float
    area_shares: Floats
    weekday: Floats
    month: Floats
    local_dispersion: float
    day_shock_sd: float
    profiles: tuple[tuple[frozenset[SubstanceClass], float], ...]
    delays: Floats


@dataclass(frozen=True, eq=False)
class FittedRates:
    """The habits of all feeds, and how unsure their level is."""

    areas: tuple[AreaCode, ...]
    feeds: tuple[FeedRates, ...]
    level_log_sd: float
    """Of the level that all feeds share, drawn once for each history."""
    drift_sd: float = 0.08
    """Of the slow drift that all feeds share (autoregressive over two months)."""


def simulate_from_rates(
    rates: FittedRates,
    *,
    first_day: date,
    n_days: int,
    series: Sequence[Series],
    rng: np.random.Generator,
) -> OccurrenceHistory:
    """Draw one history with fitted habits in which nothing but chance happens.

    Parameters
    ----------
    rates : FittedRates
    first_day, n_days
        Civil days.
    series : sequence of (Feed, SubstanceClass)
        What to count; ``any`` counts every event of its feed once.
    rng : numpy.random.Generator
        The only source of chance: the same state gives the same history.
    """
    days = [first_day + timedelta(days=number) for number in range(n_days)]
    weekday_of = np.array([one.weekday() for one in days])
    month_of = np.array([one.month - 1 for one in days])
    level = float(np.exp(rng.standard_normal() * rates.level_log_sd - rates.level_log_sd**2 / 2))
    common = level * _drift(n_days, rates.drift_sd, rng)
    shock = rng.standard_normal(n_days)
    parts = []
    for feed in rates.feeds:
        daily = np.exp(shock * feed.day_shock_sd - feed.day_shock_sd**2 / 2)
        mean = feed.per_day * common * daily * feed.weekday[weekday_of] * feed.month[month_of]
        parts.append(_draw_feed(feed, mean, series, rng))
    day, known, area, index = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((index, area, known, day))
    return OccurrenceHistory(
        first_day=first_day,
        n_days=n_days,
        areas=rates.areas,
        series=tuple(series),
        day=day[order].astype(np.int32),
        known_day=known[order].astype(np.int32),
        area=area[order].astype(np.int32),
        series_index=index[order].astype(np.int32),
    )


def _draw_feed(
    feed: FeedRates, mean: Floats, series: Sequence[Series], rng: np.random.Generator
) -> tuple[Indices, Indices, Indices, Indices]:
    """Draw one feed: the day, the day it is known, the area and the series of each counted row."""
    dispersion = feed.local_dispersion
    clump = (dispersion - 1) / np.log(dispersion) if dispersion > 1 else 1.0
    happenings = rng.poisson(mean / clump)
    day = np.repeat(np.arange(len(mean)), happenings)
    members = (
        rng.logseries(1 - 1 / dispersion, len(day)) if dispersion > 1 else np.ones(len(day), dtype=np.int64)
    )
    area = rng.choice(len(feed.area_shares), len(day), p=feed.area_shares)
    area = np.where(area == len(feed.area_shares) - 1, -1, area)
    weights = np.array([share for _, share in feed.profiles])
    profile = rng.choice(len(weights), len(day), p=weights / weights.sum())
    day, area, profile = (np.repeat(column, members) for column in (day, area, profile))
    known = day + rng.choice(len(feed.delays), len(day), p=feed.delays)
    number = {item: index for index, item in enumerate(series)}
    rows: list[tuple[Indices, Indices]] = []
    for which, (classes, _) in enumerate(feed.profiles):
        chosen = np.flatnonzero(profile == which)
        for its_class in (*sorted(classes - {SubstanceClass.ANY}), SubstanceClass.ANY):
            index = number.get((feed.feed, its_class))
            if index is not None:
                rows.append((chosen, np.full(len(chosen), index)))
    if not rows:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    event = np.concatenate([chosen for chosen, _ in rows])
    return day[event], known[event], area[event], np.concatenate([index for _, index in rows])


def _drift(n_days: int, sd: float, rng: np.random.Generator) -> Floats:
    """Draw a slow log-normal drift with a mean of 1, stationary from the first day."""
    keep = float(np.exp(-1 / _DRIFT_DAYS))
    steps = rng.standard_normal(n_days)
    path = np.empty(n_days)
    here = 0.0
    for number in range(n_days):
        here = (
            float(steps[0])
            if number == 0
            else keep * here + float(np.sqrt(1 - keep**2)) * float(steps[number])
        )
        path[number] = here
    drift: Floats = np.exp(path * sd - sd**2 / 2)
    return drift
