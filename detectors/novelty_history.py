"""What drug checking and deaths have shown so far: learnt once a week, kept as JSON, read by ``detectors/novelty.py``.

The past is what happened before the window that is looked at. A share learnt long ago counts less: every past sample
is discounted by its age, with the half-life (of those of ``detectors/level.py``) under which each four weeks would have
been predicted best by those before (power discounting: Smith 1979, J. R. Statist. Soc. B 41:375). How much more the
four weeks varied than so predicted is the *spread*; how far areas, or goods sold as different things, differ from each
other is the weight of what they have in common, by greatest marginal likelihood (Good 1965, *The Estimation of
Probabilities*). Never holds an identifier, a place below a detection area, or a time of day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy.signal import lfilter

from detectors.level import HALF_LIVES, OUTBREAK_RESIDUAL
from detectors.novelty_chances import log_beta_binomial
from detectors.sightings import CLASS_BIT, CLASSES, FEEDS, Sightings
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

NAMED: tuple[SubstanceClass, ...] = tuple(
    item for item in CLASSES if item not in {SubstanceClass.UNKNOWN, SubstanceClass.UNKNOWN_OPIOID}
)
"""Classes that can be news: to name nothing is not to name something new."""

PRIOR = 1.0 / len(NAMED)
"""Every class is given an equal part of one sample (Perks 1947, J. Inst. Actuaries 73:285)."""

WINDOW_DAYS = 28
"""What is looked at: four weeks, in which drug checking of 15-20 samples a month has something to say."""

NOVELTY_FEEDS = (Feed.DRUG_CHECKING, Feed.SUSPECTED_DEATHS)

_BITS = np.array([CLASS_BIT[name] for name in NAMED], dtype=np.int64)
_WEIGHTS = 2.0 ** np.arange(1, 10, 2)
_FAVOURED_HALF_LIFE = 52.0
_SPREAD_EVENTS = 50.0
"""How many finds the belief is worth that months differ by chance alone (as for the dispersion of counts)."""
_DECIMALS = 6


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tally(_Kept):
    """Samples tested in one place, or sold as one thing, and how many held each class.

    ``tested`` and ``found`` are discounted by age; ``tested_ever`` and ``found_ever`` count all that the history holds.
    Classes never found are left out.
    """

    tested: float = 0.0
    tested_ever: int = 0
    found: Mapping[SubstanceClass, float] = {}
    found_ever: Mapping[SubstanceClass, int] = {}

    def plus(self, other: "Tally") -> "Tally":
        """Return both together."""
        if not other.tested_ever:
            return self
        # What is added up from two that were checked needs no check.
        return Tally.model_construct(
            tested=self.tested + other.tested,
            tested_ever=self.tested_ever + other.tested_ever,
            found={name: self.found.get(name, 0.0) + other.found.get(name, 0.0) for name in NAMED},
            found_ever={name: self.found_ever.get(name, 0) + other.found_ever.get(name, 0) for name in NAMED},
        )


class LastFind(_Kept):
    """The last find of a class, and the class's rate as it stood on that day."""

    day: date
    found: float
    tested: float
    """Both discounted by their age on that day."""
    found_ever: int
    tested_ever: int
    since: int
    """Samples tested after it."""


class FeedPast(_Kept):
    """One feed's past."""

    first_day: date
    """Of its first record."""
    half_life_weeks: float
    spread: float
    area_weight: float
    sold_weight: float
    """How many samples the common share is worth beside an area's own, and beside those of one thing it is sold as."""
    whole: Tally
    areas: Mapping[AreaCode, Tally]
    sold: Mapping[SubstanceClass, Tally]
    """By what samples were sold as: only classes that they were not sold as count as found."""
    last: Mapping[SubstanceClass, LastFind]


class NoveltyPast(_Kept):
    """All that the detector keeps for a week."""

    version: Literal[1] = 1
    until: date
    """The first day that it does not hold."""
    feeds: Mapping[Feed, FeedPast]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The records of one feed that can be news, each once.

    Samples alike in day, place, what they held and what they were sold as are *one* observation: they may be one
    seizure, and events do not say. Two samples of two people that are alike in all this are then one too few; a seizure
    of different goods is several. Deaths are never joined; those that name no substance are left out.

    Attributes
    ----------
    day, area : ndarray of int64, shape (n,)
        As in ``Sightings``.
    holds, sold : ndarray of bool, shape (n, len(NAMED))
        Which classes it held, and which it was sold as.
    copies : ndarray of int64, shape (n,)
        How many records it stands for.
    """

    day: IntArray
    area: IntArray
    holds: BoolArray
    sold: BoolArray
    copies: IntArray

    def __len__(self) -> int:
        return int(self.day.size)

    def where(self, kept: BoolArray) -> "Observed":
        """Return those for which ``kept`` is true."""
        return Observed(self.day[kept], self.area[kept], self.holds[kept], self.sold[kept], self.copies[kept])


def observed_in(sightings: Sightings, feed: Feed) -> Observed:
    """Return what is known of one feed at the end of the sightings' last day."""
    kept = (sightings.feed == FEEDS.index(feed)) & (sightings.known_day < sightings.n_days)
    if feed is not Feed.DRUG_CHECKING:
        kept &= (sightings.classes[:, None] & _BITS).any(axis=1)
    rows = np.column_stack(
        [sightings.day, sightings.area, sightings.fine, sightings.classes, sightings.sold_as]
    )[kept]
    copies = np.ones(rows.shape[0], dtype=np.int64)
    if feed is Feed.DRUG_CHECKING and rows.size:
        rows, copies = np.unique(rows, axis=0, return_counts=True)
    return Observed(
        day=rows[:, 0],
        area=rows[:, 1],
        holds=(rows[:, 3, None] & _BITS) != 0,
        sold=(rows[:, 4, None] & _BITS) != 0,
        copies=copies,
    )


def tally(holds: BoolArray, weights: FloatArray | None = None) -> Tally:
    """Return the tally of some observations, shape (n, len(NAMED)), each with its weight (1 when None)."""
    trust = np.ones(holds.shape[0]) if weights is None else weights
    found, ever = trust @ holds, holds.sum(axis=0)
    return Tally.model_construct(
        tested=round(float(trust.sum()), _DECIMALS),
        tested_ever=int(holds.shape[0]),
        found={name: round(float(x), _DECIMALS) for name, x, n in zip(NAMED, found, ever, strict=True) if n},
        found_ever={name: int(n) for name, n in zip(NAMED, ever, strict=True) if n},
    )


def by_sold(observed: Observed, weights: FloatArray | None = None) -> dict[SubstanceClass, Tally]:
    """Return the tallies by what samples were sold as, of classes that they were not sold as."""
    trust = np.ones(len(observed)) if weights is None else weights
    other = observed.holds & ~observed.sold
    return {
        name: tally(other[rows], trust[rows])
        for name, rows in zip(NAMED, observed.sold.T, strict=True)
        if rows.any()
    }


def by_area(
    observed: Observed, areas: Sequence[AreaCode], weights: FloatArray | None = None
) -> dict[AreaCode, Tally]:
    """Return the tallies by detection area; records that could not be placed are in none."""
    trust = np.ones(len(observed)) if weights is None else weights
    return {
        code: tally(observed.holds[rows], trust[rows])
        for code, rows in ((code, observed.area == index) for index, code in enumerate(areas))
        if rows.any()
    }


def learn_past(sightings: Sightings, areas: Sequence[AreaCode]) -> NoveltyPast:
    """Learn from what happened up to four weeks before the last day of ``sightings``.

    So the coming week's looks, which hold 35 days, have a window of four weeks and no day between it and this.
    """
    end = max(sightings.n_days - WINDOW_DAYS, 0)
    feeds = {}
    for feed in NOVELTY_FEEDS:
        observed = observed_in(sightings, feed)
        observed = observed.where(observed.day < end)
        if len(observed):
            feeds[feed] = _learn_feed(observed, sightings.first_day, end, areas)
    return NoveltyPast(until=sightings.first_day + timedelta(days=end), feeds=feeds)


def _learn_feed(observed: Observed, first_day: date, end: int, areas: Sequence[AreaCode]) -> FeedPast:
    half_life, spread = _half_life_and_spread(observed, end)
    weights = 0.5 ** ((end - 1 - observed.day) / (7.0 * half_life))
    whole, sold = tally(observed.holds, weights), by_sold(observed, weights)
    placed = by_area(observed, areas, weights)
    return FeedPast(
        first_day=first_day + timedelta(days=int(observed.day.min())),
        half_life_weeks=half_life,
        spread=spread,
        area_weight=_weight(list(placed.values()), common_share(whole), None),
        sold_weight=_weight(list(sold.values()), missold_share(sold), list(sold)),
        whole=whole,
        areas=placed,
        sold=sold,
        last=_last_finds(observed, first_day, half_life),
    )


def common_share(whole: Tally) -> dict[SubstanceClass, float]:
    """Return each class's share of all samples, with the prior of one sample."""
    return {name: (whole.found.get(name, 0.0) + PRIOR) / (whole.tested + 1.0) for name in NAMED}


def missold_share(sold: Mapping[SubstanceClass, Tally]) -> dict[SubstanceClass, float]:
    """Return the share of samples that held each class, of those sold as something else."""
    return {
        name: (sum(item.found.get(name, 0.0) for item in sold.values()) + PRIOR)
        / (sum(item.tested for claim, item in sold.items() if claim is not name) + 1.0)
        for name in NAMED
    }


def _last_finds(observed: Observed, first_day: date, half_life: float) -> dict[SubstanceClass, LastFind]:
    found: dict[SubstanceClass, LastFind] = {}
    for column, name in enumerate(NAMED):
        holds = observed.holds[:, column]
        if not holds.any():
            continue
        day = int(observed.day[holds].max())
        until = observed.day <= day
        weights = 0.5 ** ((day - observed.day[until]) / (7.0 * half_life))
        found[name] = LastFind(
            day=first_day + timedelta(days=day),
            found=round(float(weights @ holds[until]), _DECIMALS),
            tested=round(float(weights.sum()), _DECIMALS),
            found_ever=int(holds.sum()),
            tested_ever=int(until.sum()),
            since=int((~until).sum()),
        )
    return found


def _half_life_and_spread(observed: Observed, end: int) -> tuple[float, float]:
    """Return the half-life in weeks that predicts best, and how much more four weeks vary than it predicts."""
    block = (end - 1 - observed.day) // WINDOW_DAYS
    n_blocks = int(block.max()) + 1
    found, tested = np.zeros((n_blocks, len(NAMED))), np.zeros((n_blocks, 1))
    np.add.at(found, n_blocks - 1 - block, observed.holds.astype(np.float64))
    np.add.at(tested, n_blocks - 1 - block, 1.0)
    best, spread, most = _FAVOURED_HALF_LIFE, 1.0, -np.inf
    for half_life in HALF_LIVES:
        keep = 0.5 ** (WINDOW_DAYS / 7.0 / half_life)
        x, m = found[1:], tested[1:]
        before = [lfilter([1.0], [1.0, -keep], item, axis=0)[:-1] for item in (found, tested)]
        alpha, beta = PRIOR + before[0], 1.0 - PRIOR + before[1] - before[0]
        gain = float(log_beta_binomial(x, m, alpha, beta).sum()) - abs(
            np.log2(half_life / _FAVOURED_HALF_LIFE)
        )
        if gain <= most:
            continue
        total = alpha + beta
        mean = m * alpha / total
        variance = mean * beta / total * (total + m) / (total + 1.0)
        # An outbreak must not make the months look restless.
        square = np.minimum((x - mean) ** 2, OUTBREAK_RESIDUAL**2 * np.maximum(variance, 1e-12))
        restless = (square.sum() + _SPREAD_EVENTS) / (variance.sum() + _SPREAD_EVENTS)
        best, spread, most = float(half_life), float(max(restless, 1.0)), gain
    return best, round(spread, _DECIMALS)


def _weight(
    groups: Sequence[Tally],
    share: Mapping[SubstanceClass, float],
    own: Sequence[SubstanceClass] | None,
) -> float:
    """Return how many samples the common share is worth: the weight under which the groups' finds are likeliest."""
    found = np.array([[item.found.get(name, 0.0) for name in NAMED] for item in groups]).reshape(
        -1, len(NAMED)
    )
    tested = np.array([item.tested for item in groups]).reshape(-1, 1)
    mean = np.array([share[name] for name in NAMED])
    counts = np.ones(found.shape, dtype=bool)
    for row, name in enumerate(own or ()):
        counts[row, NAMED.index(name)] = False
    likelihood = [
        np.where(counts, log_beta_binomial(found, tested, weight * mean, weight * (1.0 - mean)), 0.0).sum()
        for weight in _WEIGHTS
    ]
    # Of equals the greatest: with nothing to tell them apart, groups are alike.
    return float(_WEIGHTS[len(_WEIGHTS) - 1 - int(np.argmax(likelihood[::-1]))])
