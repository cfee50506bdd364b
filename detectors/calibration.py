"""Learn the thresholds that keep the false-alarm budget, from long histories in which nothing happened.

``tocsin calibrate`` and the demo call :func:`calibrate` with simulated null histories; benchmarks and the weekly report
call :func:`realised` with others. Each history is played through the same code at the same cadence as a detection run:
a look at the end of every day at what was known then, baseline and completeness refitted every Monday from what was
known at its beginning. (A look during the day cannot exceed the one at its end, so it adds no episode.)

It needs no simulator: it is handed an iterator, which may be lazy. One history is played by :func:`play`, a function of
its arguments alone, so a caller may spread histories over processes and hand the results to :func:`learn`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import DAYS_BEFORE_PAGING, MODEL_VERSION, Baseline, ModelSettings, fit_baseline
from detectors.budget import (
    AREA_COUNTS,
    DAYS_A_YEAR,
    PAGING_FEEDS,
    Budget,
    FamilyThresholds,
    Learnt,
    RateCurve,
    Thresholds,
)
from detectors.completeness import completeness_as_known
from detectors.episodes import Alarm, alarms_of, episode_steps
from detectors.history import OccurrenceHistory
from detectors.scoring import LOWEST_SCORE, score_day
from detectors.zones import Zones
from schemas.vocabulary import Feed, Tier

FloatArray = NDArray[np.float64]
Progress = Callable[[float], None]
"""Called with the years played so far, about once for every simulated quarter."""

_STEP = 0.05
_FEWEST_EPISODES = 8
"""The curve ends at the highest score that still had this many episodes; beyond it a tail is fitted."""
_TAIL_EPISODES = 60
_BANDWIDTH = 0.4
_REPORT_EVERY_DAYS = 91
_REACHABLE = 0.8
"""Where merging keeps the nominal rate out of reach, the threshold is where the curve reaches this part of its peak:
below it nearly every further alarm joins an episode that is already there, and tells nobody anything new."""
_LEAST_TAIL_RATE, _MOST_TAIL_RATE = 0.5, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """What stays the same over all histories of a jurisdiction: exactly what its detection runs use.

    Attributes
    ----------
    zones : Zones
    populations : ndarray of float64, shape (n_areas,)
    completeness : mapping of Feed to ndarray, shape (n_ages,)
        The prior law of each feed.
    holidays : collection of date
        Over all years of the histories.
    settings : ModelSettings
    completeness_strength : float
        Events that the prior law is worth; infinite keeps the prior as it is.
    training_days : int
        The first days of each history: they teach and are not counted.
    """

    zones: Zones
    populations: FloatArray
    completeness: Mapping[Feed, FloatArray]
    holidays: Collection[date] = ()
    settings: ModelSettings = field(default_factory=ModelSettings)
    completeness_strength: float = 50.0
    training_days: int = 728


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The scores at which episodes appear and at which two of them merge, both descending."""

    appearing: FloatArray
    merging: FloatArray

    def episodes(self, score: float) -> int:
        """How many episodes there are at or above ``score``."""
        return int((self.appearing >= score).sum() - (self.merging >= score).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What one history gave: its years, its episodes over all feeds, and those over the feeds that may page."""

    years: float
    every: Steps
    paging: Steps

    def of(self, tier: Tier) -> Steps:
        """The episodes that a tier is counted in."""
        return self.paging if tier is Tier.PAGE else self.every


def play(history: OccurrenceHistory, setup: Setup, progress: Progress | None = None) -> Played:
    """Play one history as the service would have lived it, and return its episodes.

    Raises
    ------
    ValueError
        If ``history`` is no longer than the training days, or is of other areas than ``setup``.
    """
    if history.n_days <= setup.training_days:
        raise ValueError("history must be longer than training_days")
    growing = history.as_known()
    baseline: Baseline | None = None
    laws = dict(setup.completeness)
    alarms: list[Alarm] = []
    for today in range(setup.training_days, history.n_days):
        monday = (history.first_day + timedelta(days=today)).weekday() == 0
        if baseline is None or monday:
            if np.isfinite(setup.completeness_strength):
                laws = completeness_as_known(
                    history, today - 1, setup.completeness, strength=setup.completeness_strength
                )
            baseline = fit_baseline(
                growing.advance_to(today - 1),
                completeness=laws,
                populations=setup.populations,
                holidays=setup.holidays,
                settings=setup.settings,
            )
        scores = score_day(growing.advance_to(today), baseline, setup.zones, laws)
        # A feed too young to page is not what the thresholds are for.
        scores = scores.take(baseline.history_days[scores.series] >= DAYS_BEFORE_PAGING)
        alarms += alarms_of(scores, setup.zones, history.series, today)
        elapsed = today - setup.training_days + 1
        if progress is not None and (elapsed % _REPORT_EVERY_DAYS == 0 or today == history.n_days - 1):
            progress(elapsed / DAYS_A_YEAR)
    paging = [alarm for alarm in alarms if alarm.feed in PAGING_FEEDS]
    years = (history.n_days - setup.training_days) / DAYS_A_YEAR
    return Played(years, Steps(*episode_steps(alarms)), Steps(*episode_steps(paging)))


def calibrate(
    histories: Iterable[OccurrenceHistory],
    setup: Setup,
    *,
    budget: Budget | None = None,
    seed: int | None = None,
    note: str = "",
    progress: Progress | None = None,
) -> Thresholds:
    """Learn the thresholds of family ``area_counts`` from null histories.

    Parameters
    ----------
    histories : iterable of OccurrenceHistory
        Without any outbreak. At least ten counted years; forty give the page threshold to about a tenth of its rate.
    setup : Setup
    budget : Budget, optional
    seed : int, optional
        Of the simulator, for the record.
    note : str
        How the histories were made, for the record.
    progress : callable, optional
        Called with the years played so far.
    """
    return learn(_played(histories, setup, progress), budget=budget, seed=seed, note=note)


def learn(
    played: Sequence[Played], *, budget: Budget | None = None, seed: int | None = None, note: str = ""
) -> Thresholds:
    """Find the scores at which the false episodes a year equal the family's share of the budget.

    The rate is read off a curve smoothed on its logarithm, so the threshold rests on more episodes than the ones just
    above it. Its standard error follows from that of the rate by the curve's slope (the delta method).

    Raises
    ------
    ValueError
        If ``played`` is empty.
    """
    if not played:
        raise ValueError("played must hold at least one history")
    chosen = budget or Budget()
    years = sum(one.years for one in played)
    curves = {tier: rate_curve([one.of(tier) for one in played], years) for tier in (Tier.PAGE, Tier.REVIEW)}
    scores: dict[Tier, float] = {}
    learnt: dict[Tier, Learnt] = {}
    for tier, curve in curves.items():
        nominal = chosen.episodes_per_year(AREA_COUNTS, tier)
        scores[tier] = round(curve.score_for(min(nominal, _REACHABLE * curve.episodes_per_year[0])), 4)
        learnt[tier] = _realised(played, tier, nominal, scores[tier])
    # A small page budget on quiet feeds could otherwise page what does not even ask for a review.
    scores[Tier.REVIEW] = min(scores[Tier.REVIEW], scores[Tier.PAGE])
    # Records are counted as signals: nothing is opened for them, so nothing merges.
    signals = np.sort(np.concatenate([one.every.appearing for one in played]))[::-1]
    allowed = int(chosen.records_per_day * DAYS_A_YEAR * years)
    lowest = float(signals[allowed]) if allowed < signals.size else LOWEST_SCORE
    scores[Tier.RECORD] = round(min(lowest, scores[Tier.REVIEW]), 4)
    family = FamilyThresholds(
        scores=scores, curve=curves[Tier.REVIEW], page_curve=curves[Tier.PAGE], learnt=learnt
    )
    return Thresholds(
        model_version=MODEL_VERSION,
        families={AREA_COUNTS: family},
        years=round(years, 3),
        seed=seed,
        note=note,
    )


def realised(
    histories: Iterable[OccurrenceHistory],
    setup: Setup,
    thresholds: Thresholds,
    progress: Progress | None = None,
) -> dict[Tier, Learnt]:
    """Return what thresholds give on histories they were not learnt from: nominal and realised side by side.

    Raises
    ------
    ValueError
        If ``thresholds`` holds nothing about ``area_counts``.
    """
    family = thresholds.families.get(AREA_COUNTS)
    if family is None or family.curve is None:
        raise ValueError("thresholds must hold the family area_counts with its curve")
    played = _played(histories, setup, progress)
    return {
        tier: _realised(played, tier, known.nominal_per_year, family.scores[tier])
        for tier, known in family.learnt.items()
    }


def rate_curve(steps: Sequence[Steps], years: float) -> RateCurve:
    """Return the false episodes a year at or above each score, smoothed, never rising with the score.

    Lowering a threshold joins episodes as well as adding them, so at low scores the raw count can fall again; the curve
    then keeps the highest rate met above, and a threshold is the highest score that meets its share.
    """
    appearing = np.sort(np.concatenate([one.appearing for one in steps]))
    merging = np.sort(np.concatenate([one.merging for one in steps]))
    if not appearing.size:
        # Nothing ever happened: say that one episode in all these years would have been possible.
        return RateCurve(scores=(0.0,), episodes_per_year=(1.0 / years,), tail_rate=np.log(10.0))
    grid = np.arange(np.floor(appearing[0] / _STEP), np.ceil(appearing[-1] / _STEP) + 1) * _STEP
    above = appearing.size - np.searchsorted(appearing, grid)
    joined = merging.size - np.searchsorted(merging, grid)
    episodes = (above - joined).astype(np.float64)
    enough = np.flatnonzero(episodes >= _FEWEST_EPISODES)
    last = int(enough[-1]) if enough.size else 0
    tail_start = int(np.flatnonzero(episodes >= min(_TAIL_EPISODES, episodes.max()))[-1])
    grid, episodes = grid[: last + 1], np.maximum(episodes[: last + 1], 0.5)
    rates = np.exp(_smoothed(grid, np.log(episodes), episodes)) / years
    peak = int(rates.argmax())
    grid, rates = grid[peak:], np.maximum.accumulate(rates[peak:][::-1])[::-1]
    last, tail_start = last - peak, max(tail_start - peak, 0)
    if tail_start < last:
        fall = (np.log(rates[tail_start]) - np.log(rates[last])) / (grid[last] - grid[tail_start])
    else:
        fall = np.log(10.0)
    return RateCurve(
        scores=tuple(round(float(score), 4) for score in grid),
        episodes_per_year=tuple(round(float(rate), 9) for rate in rates),
        tail_rate=round(float(np.clip(fall, _LEAST_TAIL_RATE, _MOST_TAIL_RATE)), 6),
    )


def _played(histories: Iterable[OccurrenceHistory], setup: Setup, progress: Progress | None) -> list[Played]:
    played: list[Played] = []

    def report(years: float) -> None:
        if progress is not None:
            progress(years + sum(one.years for one in played))

    for history in histories:
        played.append(play(history, setup, report))  # noqa: PERF401 (report reads it as it grows)
    return played


def _realised(played: Sequence[Played], tier: Tier, nominal: float, score: float) -> Learnt:
    years = sum(one.years for one in played)
    curve = rate_curve([one.of(tier) for one in played], years)
    rates = np.array([one.of(tier).episodes(score) / one.years for one in played])
    shares = np.array([one.years / years for one in played])
    rate = float((shares * rates).sum())
    poisson = max(rate, 1.0 / years) / years
    # Histories differ in level and spread, so their rates may vary more than a Poisson count would.
    between = 0.0
    if len(played) > 1:
        between = float((shares**2 * (rates - rate) ** 2).sum() * len(played) / (len(played) - 1))
    error = max(poisson, between) ** 0.5
    slope = np.log(curve.rate(score - 0.1) / curve.rate(score + 0.1)) / 0.2
    return Learnt(
        nominal_per_year=round(nominal, 4),
        realised_per_year=round(rate, 4),
        standard_error=round(error, 4),
        score_standard_error=round(float(error / max(rate, 1.0 / years) / max(slope, 0.1)), 4),
        limited_by_merging=nominal > _REACHABLE * curve.episodes_per_year[0],
    )


def _smoothed(grid: FloatArray, values: FloatArray, weights: FloatArray) -> FloatArray:
    """Local linear regression with tricube weights (Cleveland 1979, J. Am. Statist. Ass. 74:829) on an even grid."""
    smooth = np.empty_like(values)
    for index, centre in enumerate(grid):
        distance = np.abs(grid - centre) / _BANDWIDTH
        near = distance < 1.0
        weight = (1.0 - distance[near] ** 3) ** 3 * weights[near]
        offset = grid[near] - centre
        total = weight.sum()
        mean_x, mean_y = (weight * offset).sum() / total, (weight * values[near]).sum() / total
        variance = (weight * (offset - mean_x) ** 2).sum()
        slope = (
            (weight * (offset - mean_x) * (values[near] - mean_y)).sum() / variance if variance > 0 else 0.0
        )
        smooth[index] = mean_y - slope * mean_x
    return smooth
