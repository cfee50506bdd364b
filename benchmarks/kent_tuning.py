"""Thresholds for the Kent benchmark, all learnt from the same null histories and counted by the same episode rule.

A comparator gets the thresholds, one for each of its feeds and levels, at which all of them together make as many false
page episodes a year as the budget allows: each at the same rate of its own, so that none drowns the others. That is more
than its users do, who have one setting for all. Tocsin's families get the shares that its budget gives them.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.kent_systems import Telling
from detectors.calibration import Steps, rate_curve
from detectors.episodes import Alarm, episode_steps

Floats = NDArray[np.float64]
Thresholds = Mapping[str, float]
"""The lowest score that pages (or asks for a review), by family."""

_DEEPEST_PER_YEAR = 120.0
"""Tellings of a family beyond this many a year cannot page at any budget that is looked at."""
_MOST_GROWTH = 4.0
_BISECTIONS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """What tuning found."""

    thresholds: Thresholds
    per_year: float
    """False episodes a year on the histories it was tuned on."""


def steps_of(tellings: Iterable[Telling], score: Mapping[int, float] | None = None) -> Steps:
    """Return the scores at which the episodes of one history appear and merge.

    Parameters
    ----------
    tellings : iterable of Telling
        Of one history.
    score : mapping of int to float, optional
        Another score for each telling, by its place.
    """
    alarms = [
        Alarm(
            day=one.day,
            window_days=one.window_days,
            score=one.score if score is None else score[number],
            areas=one.areas,
            substance_class=one.substance_class,
            may_page=one.may_page,
        )
        for number, one in enumerate(tellings)
    ]
    return Steps(*episode_steps(alarms))


def passing(tellings: Iterable[Telling], thresholds: Thresholds, *, pages: bool = True) -> list[Telling]:
    """Return the tellings that reach their family's threshold; pages only where they may page."""
    return [
        one
        for one in tellings
        if one.score >= thresholds.get(one.family, np.inf) and (one.may_page or not pages)
    ]


def episodes(tellings: Sequence[Telling]) -> int:
    """Return how many episodes these tellings of one history are."""
    return steps_of(tellings, dict.fromkeys(range(len(tellings)), 1.0)).episodes(1.0)


def per_year(
    histories: Sequence[Sequence[Telling]], thresholds: Thresholds, years: float, *, pages: bool = True
) -> float:
    """Return the false episodes a year at some thresholds."""
    return sum(episodes(passing(one, thresholds, pages=pages)) for one in histories) / years


def stock_per_year(histories: Sequence[Sequence[Telling]], years: float) -> tuple[float, float]:
    """Return the false episodes a year at stock settings, and the days a year with at least one alarm."""
    alarms = [[one for one in history if one.stock] for history in histories]
    days = sum(len({one.day for one in history}) for history in alarms)
    return sum(episodes(one) for one in alarms) / years, days / years


class FamilyRate:
    """How many episodes a year a family gives at or above each score, as counted in null histories."""

    def __init__(self, histories: Sequence[Sequence[Telling]], years: float) -> None:
        steps = [steps_of(one) for one in histories]
        appearing = np.sort(np.concatenate([one.appearing for one in steps])) if steps else np.zeros(0)
        merging = np.sort(np.concatenate([one.merging for one in steps])) if steps else np.zeros(0)
        self.scores: Floats = np.unique(appearing)
        above = appearing.size - np.searchsorted(appearing, self.scores)
        joined = merging.size - np.searchsorted(merging, self.scores)
        # Lower thresholds join episodes as well as adding them; the rate never falls as they are lowered.
        counted = np.maximum.accumulate((above - joined)[::-1])[::-1]
        self.rates: Floats = (counted + 0.5) / years

    def rate(self, score: float) -> float:
        """Return the episodes a year at or above ``score``."""
        if not self.scores.size:
            return 1e-3
        index = bisect_left(self.scores, score)
        if index < self.scores.size:
            return float(self.rates[index])
        # Above everything that was seen: rarer still, so that order is kept.
        return float(self.rates[-1] * np.exp(-min(score - self.scores[-1], 50.0)) / 2)

    def threshold(self, rate: float) -> float:
        """Return the lowest score with at most that many episodes a year."""
        allowed = np.flatnonzero(self.rates <= rate)
        if allowed.size:
            return float(self.scores[allowed[0]])
        return float(self.scores[-1]) + 1e-6 if self.scores.size else 0.0


def tuned_jointly(histories: Sequence[Sequence[Telling]], years: float, wanted: float) -> Tuned:
    """Return thresholds at which all families together give ``wanted`` false page episodes a year.

    Parameters
    ----------
    histories : sequence of sequence of Telling
        What the system told in each null history.
    years : float
        Of all of them.
    wanted : float
        Episodes a year. Scores are discrete, so the nearest rate that can be had is taken.
    """
    families = defaultdict(list)
    for history in histories:
        by_family = defaultdict(list)
        for one in history:
            if one.may_page:
                by_family[one.family].append(one)
        for name, own in by_family.items():
            families[name].append(own)
    cut = {name: _deep_cut(own, years) for name, own in families.items()}
    rates = {
        name: FamilyRate([[one for one in part if one.score >= cut[name]] for part in own], years)
        for name, own in families.items()
    }
    every = []
    for history in histories:
        kept = [one for one in history if one.may_page and one.score >= cut[one.family]]
        every.append(
            steps_of(
                kept, {number: -np.log(rates[one.family].rate(one.score)) for number, one in enumerate(kept)}
            )
        )
    levels = np.unique(np.concatenate([one.appearing for one in every])) if every else np.zeros(0)
    if not levels.size:
        return Tuned(dict.fromkeys(rates, 0.0), 0.0)
    appearing = np.sort(np.concatenate([one.appearing for one in every]))
    merging = np.sort(np.concatenate([one.merging for one in every]))
    counted = (
        (appearing.size - np.searchsorted(appearing, levels))
        - (merging.size - np.searchsorted(merging, levels))
    ) / years
    # From the strictest level downwards, the last before the budget is passed for good, or the next if that is nearer.
    too_many = np.flatnonzero(counted > wanted)
    index = min(int(too_many[-1]) + 1, levels.size - 1) if too_many.size else 0
    if too_many.size and abs(np.log(counted[too_many[-1]] / wanted)) < abs(
        np.log(max(counted[index], 1e-9) / wanted)
    ):
        index = int(too_many[-1])
    rate = float(np.exp(-levels[index])) * (1 + 1e-9)
    return Tuned({name: one.threshold(rate) for name, one in rates.items()}, float(counted[index]))


def tuned_by_shares(
    histories: Sequence[Sequence[Telling]],
    years: float,
    wanted: Mapping[str, float],
    *,
    pages: bool = True,
) -> Tuned:
    """Return thresholds at which each family gives its own share, as ``detectors/calibration.py`` learns them."""
    thresholds = {}
    for name, rate in wanted.items():
        steps = [
            steps_of([one for one in history if one.family == name and (one.may_page or not pages)])
            for history in histories
        ]
        thresholds[name] = rate_curve(steps, years).score_for(rate) if rate > 0 else np.inf
    return Tuned(thresholds, per_year(histories, thresholds, years, pages=pages))


def tuned_to_whole(
    histories: Sequence[Sequence[Telling]],
    years: float,
    shares: Mapping[str, float],
    fixed: Thresholds,
    wanted: float,
) -> Tuned:
    """Return thresholds at which all families' pages, merged as people see them, are ``wanted`` episodes a year.

    Shares that add up are a bound: families that tell of one false cluster make one episode of it, and the budget is not
    spent. Here the scored families' shares grow by one common factor, found by bisection, until it is.

    Parameters
    ----------
    histories, years
        As for :func:`tuned_jointly`.
    shares : mapping of str to float
        Episodes a year of each scored family alone, before they grow.
    fixed : mapping of str to float
        Thresholds that stay as they are.
    wanted : float
    """

    def at(factor: float) -> Tuned:
        grown = {name: rate * factor for name, rate in shares.items()}
        thresholds = {**tuned_by_shares(histories, years, grown).thresholds, **fixed}
        return Tuned(thresholds, per_year(histories, thresholds, years))

    low, high = 1.0, _MOST_GROWTH
    best = at(low)
    for _ in range(_BISECTIONS):
        if best.per_year >= wanted:
            break
        middle = (low * high) ** 0.5
        tried = at(middle)
        if tried.per_year <= wanted:
            low, best = middle, tried
        else:
            high = middle
    return best


def _deep_cut(histories: Sequence[Sequence[Telling]], years: float) -> float:
    """Return the score below which tellings of a family are too many to matter."""
    scores = np.sort(np.array([one.score for history in histories for one in history]))[::-1]
    deepest = int(_DEEPEST_PER_YEAR * years)
    return float(scores[deepest]) if scores.size > deepest else -np.inf
