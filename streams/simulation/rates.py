"""Null counts for any geography, from rates fitted to its own records: for replay on data that nobody here made.

:func:`simulate_from_rates` draws histories with the habits that ``fitting.py`` learnt, in which nothing happens.
Events only: no messages, no tokens. Never reads a file or a clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from detectors.effects import ALSO_IN
from detectors.sightings import CLASS_BIT, COLUMNS, FEEDS, Sightings, class_bits
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_DRIFT_DAYS = 60.0
_MOST_SHARED = 0.9
"""At most this part of a feed is of people whom an earlier feed shows."""


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
    finely_placed: float = 0.0
    """Share of the placed events whose record says the small area as well."""


@dataclass(frozen=True, eq=False)
class FittedRates:
    """The habits of all feeds, and how unsure their level is."""

    areas: tuple[AreaCode, ...]
    feeds: tuple[FeedRates, ...]
    level_log_sd: float
    """Of the level that all feeds share, drawn once for each history."""
    drift_sd: float = 0.08
    """Of the slow drift that all feeds share (autoregressive over two months)."""
    small_area_of: Indices = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The detection area of each of the terrain's small areas, shape (n_fine,)."""
    small_shapes: Floats = field(default_factory=lambda: np.zeros(0))
    """Gamma shape of what is known about each small area's rate, shape (n_fine,)."""
    also_in: Mapping[tuple[Feed, Feed], float] = field(default_factory=lambda: dict(ALSO_IN))
    """Share of one feed's people who are also in a later one: planning figures, because records of one person are not
    linked here."""


def simulate_from_rates(
    rates: FittedRates, *, first_day: date, n_days: int, rng: np.random.Generator
) -> Sightings:
    """Draw one history with fitted habits in which nothing but chance happens.

    Some people appear in several feeds (``FittedRates.also_in``): their records share day and place. Small areas differ
    from history to history as much as the records leave open: their weights are drawn from a Gamma distribution with
    shape 1 for an average area and 1 more for each event seen there.

    Parameters
    ----------
    rates : FittedRates
    first_day, n_days
        Civil days.
    rng : numpy.random.Generator
        The only source of chance: the same state gives the same history.
    """
    days = [first_day + timedelta(days=number) for number in range(n_days)]
    weekday_of = np.array([one.weekday() for one in days])
    month_of = np.array([one.month - 1 for one in days])
    level = float(np.exp(rng.standard_normal() * rates.level_log_sd - rates.level_log_sd**2 / 2))
    common = level * _drift(n_days, rates.drift_sd, rng)
    shock = rng.standard_normal(n_days)
    weights = rng.gamma(rates.small_shapes)
    drawn: dict[Feed, _Drawn] = {}
    for feed in rates.feeds:
        daily = np.exp(shock * feed.day_shock_sd - feed.day_shock_sd**2 / 2)
        mean = feed.per_day * common * daily * feed.weekday[weekday_of] * feed.month[month_of]
        seen_twice = _seen_twice(feed, drawn, rates, rng)
        shared = sum(one.day.size for one in seen_twice)
        part = max(1.0 - shared / max(float(mean.sum()), 1e-9), 1.0 - _MOST_SHARED)
        own = _draw_places(feed, mean * part, rates, weights, rng)
        drawn[feed.feed] = _Drawn.joined([own, *seen_twice])
    parts = [_as_columns(feed, drawn[feed.feed], rng) for feed in rates.feeds]
    columns = {name: np.concatenate([one[name] for one in parts]) for name in COLUMNS}
    return Sightings(first_day, n_days, **columns)


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Events of one feed: when, where and with which set of classes (an index into the feed's profiles)."""

    day: Indices
    area: Indices
    fine: Indices
    profile: Indices

    @classmethod
    def joined(cls, parts: Sequence["_Drawn"]) -> "_Drawn":
        return cls(
            *(
                np.concatenate([getattr(one, name) for one in parts])
                for name in ("day", "area", "fine", "profile")
            )
        )


def _seen_twice(
    feed: FeedRates, drawn: Mapping[Feed, _Drawn], rates: FittedRates, rng: np.random.Generator
) -> list[_Drawn]:
    """Return this feed's records of people whom an earlier feed shows already."""
    per_day = {one.feed: one.per_day for one in rates.feeds}
    wanted = {other: rates.also_in.get((other, feed.feed), 0.0) for other in drawn}
    total = sum(share * per_day[other] for other, share in wanted.items())
    # A feed with fewer records than its people's share would ask for holds mostly such people.
    scale = min(1.0, _MOST_SHARED * feed.per_day / total) if total > 0 else 0.0
    found = []
    for other, share in wanted.items():
        events = drawn[other]
        again = rng.random(events.day.size) < share * scale
        found.append(
            _Drawn(
                events.day[again],
                events.area[again],
                events.fine[again],
                _profiles(feed, int(again.sum()), rng),
            )
        )
    return found


def _profiles(feed: FeedRates, number: int, rng: np.random.Generator) -> Indices:
    weights = np.array([share for _, share in feed.profiles])
    drawn: Indices = rng.choice(len(weights), number, p=weights / weights.sum())
    return drawn


def _draw_places(
    feed: FeedRates, mean: Floats, rates: FittedRates, weights: Floats, rng: np.random.Generator
) -> _Drawn:
    """Draw a feed's events: clumps that come together in one area on one day and are alike."""
    dispersion = feed.local_dispersion
    clump = (dispersion - 1) / np.log(dispersion) if dispersion > 1 else 1.0
    happenings = rng.poisson(mean / clump)
    day = np.repeat(np.arange(len(mean)), happenings)
    members = (
        rng.logseries(1 - 1 / dispersion, len(day)) if dispersion > 1 else np.ones(len(day), dtype=np.int64)
    )
    area = rng.choice(len(feed.area_shares), len(day), p=feed.area_shares)
    area = np.where(area == len(feed.area_shares) - 1, -1, area)
    profile = _profiles(feed, len(day), rng)
    day, area, profile = (np.repeat(column, members) for column in (day, area, profile))
    return _Drawn(day, area, _small_areas(feed, area, rates, weights, rng), profile)


def _small_areas(
    feed: FeedRates, area: Indices, rates: FittedRates, weights: Floats, rng: np.random.Generator
) -> Indices:
    """Draw the small area of each placed event whose record says it; -1 for the others."""
    fine = np.full(area.size, -1, dtype=np.int64)
    said = rng.random(area.size) < feed.finely_placed
    position = rng.random(area.size)
    for number in range(len(rates.areas)):
        here = np.flatnonzero(said & (area == number))
        inside = np.flatnonzero(rates.small_area_of == number)
        if here.size and inside.size:
            cumulative = np.cumsum(weights[inside])
            fine[here] = inside[np.searchsorted(cumulative / cumulative[-1], position[here], side="right")]
    return fine


def _as_columns(feed: FeedRates, drawn: _Drawn, rng: np.random.Generator) -> dict[str, Indices]:
    number = drawn.day.size
    bits = np.array(
        [class_bits(classes) or CLASS_BIT[SubstanceClass.UNKNOWN] for classes, _ in feed.profiles],
        dtype=np.int64,
    )
    return {
        "day": drawn.day,
        "known_day": drawn.day + rng.choice(len(feed.delays), number, p=feed.delays),
        "feed": np.full(number, FEEDS.index(feed.feed)),
        "classes": bits[drawn.profile],
        "sold_as": np.zeros(number, dtype=np.int64),
        "area": drawn.area,
        "fine": drawn.fine,
    }


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
