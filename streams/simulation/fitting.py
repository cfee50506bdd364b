"""What the records of a jurisdiction say of its feeds' habits: how many, where, when, what and how late.

For replay: :func:`fit_rates` learns from counted events outside the periods in which something real is known to have
happened; ``rates.py`` draws null histories with the same habits. Never reads a file or a clock.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from detectors.terrain import Terrain
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.rates import FeedRates, FittedRates, Floats, Indices

_WEEK, _YEAR_MONTHS = 7, 12
_MOST_DELAY_DAYS = 120
_PRIOR_EVENTS = 50.0
"""Events that the spread of the population over the areas is worth against the spread of the events."""
_LEAST_LEVEL_SD, _MOST_LEVEL_SD = 0.05, 0.5
_MOST_DISPERSION = 5.0
_BLOCK_DAYS = 91
_SMOOTHING = 30.0
"""Events that "every weekday (or month) is alike" is worth."""


@dataclass(frozen=True, slots=True)
class CountedEvent:
    """One event as it was counted."""

    day: date
    known_day: date
    area: AreaCode | None
    """Its detection area; None where it could not be placed."""
    feed: Feed
    classes: frozenset[SubstanceClass]
    """The classes it counts in, without ``any``."""
    fine: AreaCode | None = None
    """The finest area in which it is known to have happened; it may be the detection area itself, or a wider one."""


def fit_rates(
    events: Iterable[CountedEvent],
    terrain: Terrain,
    *,
    first_day: date,
    last_day: date,
    masks: Collection[tuple[date, date]] = (),
    populations: Mapping[AreaCode, float] | None = None,
) -> FittedRates:
    """Learn the habits of a jurisdiction's feeds from its own events.

    Parameters
    ----------
    events : iterable of CountedEvent
        In any order; those outside the days or within a mask are left out.
    terrain : Terrain
        Its detection areas, and the small ones in them.
    first_day, last_day : date
        Both included.
    masks : collection of (date, date)
        Periods, ends included, in which something real is known to have happened.
    populations : mapping, optional
        Residents of each area: areas with few events lean on them. Equal where not given.

    Raises
    ------
    ValueError
        If no day is left, or no event.
    """
    areas = terrain.areas
    n_days = (last_day - first_day).days + 1
    open_days = np.ones(max(n_days, 0), dtype=bool)
    for start, end in masks:
        open_days[max((start - first_day).days, 0) : max((end - first_day).days + 1, 0)] = False
    if not open_days.any():
        raise ValueError("the masks leave no day to learn from")
    by_feed: dict[Feed, list[CountedEvent]] = defaultdict(list)
    for event in events:
        index = (event.day - first_day).days
        if 0 <= index < n_days and open_days[index]:
            by_feed[event.feed].append(event)
    if not by_feed:
        raise ValueError("there is no event to learn from outside the masks")
    days = [first_day + timedelta(days=number) for number in range(n_days)]
    people = np.array([max((populations or {}).get(area, 1.0), 0.0) for area in areas])
    people = np.where(np.isfinite(people), people, 0.0)
    spread = people / people.sum() if people.sum() > 0 else np.full(len(areas), 1 / len(areas))
    fitted = [
        _fit_feed(feed, by_feed[feed], terrain, days, open_days, spread) for feed in Feed if feed in by_feed
    ]
    totals = np.zeros(n_days)
    for found in by_feed.values():
        np.add.at(totals, [(event.day - first_day).days for event in found], 1)
    return FittedRates(
        areas,
        tuple(fitted),
        _level_sd(totals, open_days),
        small_area_of=terrain.area_of.astype(np.int64),
        small_shapes=_small_shapes([event for found in by_feed.values() for event in found], terrain),
    )


def _small_shapes(events: Iterable[CountedEvent], terrain: Terrain) -> Floats:
    """Return the Gamma shape of what is known about each small area: 1 for an average population, 1 for each event."""
    position = {code: number for number, code in enumerate(terrain.fine)}
    shapes: Floats = (
        terrain.population / max(float(terrain.population.mean()), 1e-9) if terrain.fine else np.zeros(0)
    )
    found = Counter(position[event.fine] for event in events if event.fine in position)
    for number, times in found.items():
        shapes[number] += times
    return shapes


def _fit_feed(
    feed: Feed,
    events: Sequence[CountedEvent],
    terrain: Terrain,
    days: Sequence[date],
    open_days: npt.NDArray[np.bool_],
    spread: Floats,
) -> FeedRates:
    areas = terrain.areas
    position = {area: number for number, area in enumerate(areas)}
    small = frozenset(terrain.fine)
    day = np.array([(event.day - days[0]).days for event in events])
    area = np.array([position.get(event.area, -1) if event.area is not None else -1 for event in events])
    by_day = np.bincount(day, minlength=len(days)).astype(np.float64)
    weekday_of = np.array([one.weekday() for one in days])
    month_of = np.array([one.month - 1 for one in days])
    weekday = _factors(by_day, weekday_of, open_days, _WEEK)
    month = _factors(by_day / weekday[weekday_of], month_of, open_days, _YEAR_MONTHS)
    placed = np.bincount(area[area >= 0], minlength=len(areas)).astype(np.float64)
    unplaced = float((area < 0).sum())
    within = (placed + _PRIOR_EVENTS * spread) / (placed.sum() + _PRIOR_EVENTS)
    shares = np.append(within * (1 - unplaced / len(events)), unplaced / len(events))
    per_day = len(events) / float(open_days.sum())

    # Levels move over the years; what is left around each quarter's own level is dispersion.
    expected = _local_level(by_day, open_days) * weekday[weekday_of] * month[month_of]
    cells = np.zeros((len(days), len(areas)))
    np.add.at(cells, (day[area >= 0], area[area >= 0]), 1)
    usual = expected[:, None] * shares[None, :-1]
    used = open_days & (expected > 0)
    local = _dispersion(cells[used], usual[used])
    whole = _dispersion(by_day[used], expected[used])
    shock_variance = max(0.0, (whole - local) / max(float(expected[used].mean()), 1e-9))
    profiles = Counter(event.classes for event in events)
    waits = np.array([min(max((event.known_day - event.day).days, 0), _MOST_DELAY_DAYS) for event in events])
    return FeedRates(
        feed=feed,
        per_day=per_day,
        area_shares=shares,
        weekday=weekday,
        month=month,
        local_dispersion=local,
        day_shock_sd=float(np.sqrt(np.log1p(min(shock_variance, 1.0)))),
        profiles=tuple(
            (classes, times / len(events))
            for classes, times in sorted(profiles.items(), key=lambda pair: (-pair[1], sorted(pair[0])))
        ),
        delays=np.bincount(waits).astype(np.float64) / len(events),
        finely_placed=sum(event.fine in small for event in events) / max(float(placed.sum()), 1.0),
    )


def _factors(by_day: Floats, group: Indices, open_days: npt.NDArray[np.bool_], size: int) -> Floats:
    """Return how each weekday or month compares with the mean, drawn towards 1 where there are few events."""
    events = np.bincount(group[open_days], weights=by_day[open_days], minlength=size)
    number = np.bincount(group[open_days], minlength=size)
    mean = by_day[open_days].mean()
    factor = (events + _SMOOTHING) / (number * mean + _SMOOTHING)
    result: Floats = factor / factor.mean()
    return result


def _local_level(by_day: Floats, open_days: npt.NDArray[np.bool_]) -> Floats:
    """Return the mean of the unmasked days in each quarter, day by day."""
    block = np.arange(len(by_day)) // _BLOCK_DAYS
    events = np.bincount(block, weights=by_day * open_days)
    number = np.bincount(block, weights=open_days.astype(np.float64))
    level: Floats = (events / np.maximum(number, 1))[block]
    return level


def _dispersion(counts: Floats, expected: Floats) -> float:
    """Return the variance over the mean, by moments pooled over all cells (so that sparse cells do not rule it)."""
    total = float(expected.sum())
    if total <= 0:
        return 1.0
    return float(np.clip(((counts - expected) ** 2).sum() / total, 1.0, _MOST_DISPERSION))


def _level_sd(by_day: Floats, open_days: npt.NDArray[np.bool_]) -> float:
    """Return how far whole years lie from their mean, beyond chance, as a standard deviation of the logarithm."""
    year = np.arange(len(by_day)) // 365
    number = np.bincount(year, weights=open_days.astype(np.float64))
    events = np.bincount(year, weights=by_day * open_days)
    full = number > 180  # noqa: PLR2004 (half a year says something)
    if full.sum() < 2:  # noqa: PLR2004 (a spread needs two)
        return 0.15
    rate = events[full] / number[full]
    relative = rate.var(ddof=1) / rate.mean() ** 2 - 1 / events[full].mean()
    return float(np.clip(np.sqrt(max(relative, 0.0)), _LEAST_LEVEL_SD, _MOST_LEVEL_SD))
