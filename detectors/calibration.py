"""Learn the thresholds that keep the false-alarm budget, from long histories in which nothing happened.

``tocsin calibrate`` and the demo call :func:`calibrate` with simulated null histories; benchmarks and the weekly report
call :func:`realised` with others. Each history is played through the same code at the same cadence as a detection run:
a look at the end of every day at what was known then, baseline and completeness refitted and every detector taught
every Monday from what was known at its beginning. (A look during the day cannot exceed the one at its end, so it adds
no episode.) Several families are played over one history together: the counts of areas always, and whatever detectors
the setup names. Each has its own curve and its own share of the budget; shares add, so nothing more is needed.

It needs no simulator: it is handed an iterator, which may be lazy. One history is played by :func:`play`, a function of
its arguments alone, so a caller may spread histories over processes and hand the results to :func:`learn`.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from detectors.baseline import DAYS_BEFORE_PAGING, MODEL_VERSION, Baseline, ModelSettings, fit_baseline
from detectors.budget import (
    AREA_COUNTS,
    DAYS_A_YEAR,
    Budget,
    FamilyThresholds,
    Learnt,
    RateCurve,
    Thresholds,
)
from detectors.completeness import completeness_as_known
from detectors.contract import Detector, Look, Past, look_days
from detectors.episodes import Alarm, alarms_of, episode_steps
from detectors.history import CountCube, OccurrenceHistory
from detectors.scoring import LOWEST_SCORE, score_day
from detectors.sightings import Sightings
from detectors.spending import growth, loudest, merged_pages
from detectors.zones import Zones
from schemas.vocabulary import Feed, Jurisdiction, Tier

FloatArray = NDArray[np.float64]
Progress = Callable[[float], None]
"""Called with the years played so far, about once for every simulated quarter."""

_STEP = 0.05
_FEWEST_EPISODES = 8
"""The curve ends at the highest score that still had this many episodes; beyond it a tail is fitted."""
_TAIL_EPISODES = 60
_BANDWIDTH = 0.4
_REPORT_EVERY_DAYS = 91
_LEAST_TAIL_RATE, _MOST_TAIL_RATE = 0.5, 10.0
_NOBODY = Thresholds(model_version=MODEL_VERSION, families={})
_ANYWHERE = Jurisdiction("calibration")


class Calibrated(Detector, Protocol):
    """A detector that calibration can play: :class:`detectors.fusion.Fusion` is one."""

    def alarms(self, look: Look, day: int) -> list[Alarm]:
        """Return what it would tell at any threshold, strongest first; the look's thresholds are to be ignored."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class NullHistory:
    """One history as counts and as single events: two views of the same events.

    Raises
    ------
    ValueError
        If the two do not cover the same days.
    """

    counts: OccurrenceHistory
    sightings: Sightings

    def __post_init__(self) -> None:
        ours = (self.counts.first_day, self.counts.n_days)
        if (self.sightings.first_day, self.sightings.n_days) != ours:
            raise ValueError("sightings must cover the same days as counts")


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
    detectors : tuple of Calibrated
        Those played beside the counts of areas, each a family of its own. They are given single events, so histories
        must be :class:`NullHistory`.
    """

    zones: Zones
    populations: FloatArray
    completeness: Mapping[Feed, FloatArray]
    holidays: Collection[date] = ()
    settings: ModelSettings = field(default_factory=ModelSettings)
    completeness_strength: float = 50.0
    training_days: int = 728
    detectors: tuple[Calibrated, ...] = ()

    def __post_init__(self) -> None:
        families = [AREA_COUNTS, *(one.family for one in self.detectors)]
        if len(set(families)) < len(families):
            raise ValueError("detectors must each have a family of its own")


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The scores at which episodes appear and at which two of them merge, both descending."""

    appearing: FloatArray
    merging: FloatArray

    def episodes(self, score: float) -> int:
        """How many episodes there are at or above ``score``."""
        return int((self.appearing >= score).sum() - (self.merging >= score).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What one history gave in one family: all its episodes, and those that rest on feeds that may page."""

    every: Steps
    paging: Steps

    def of(self, tier: Tier) -> Steps:
        """The episodes that a tier is counted in."""
        return self.paging if tier is Tier.PAGE else self.every

    @classmethod
    def from_alarms(cls, alarms: list[Alarm]) -> "Tally":
        """Count the episodes of a history's alarms."""
        return cls(
            Steps(*episode_steps(alarms)),
            Steps(*episode_steps([alarm for alarm in alarms if alarm.may_page])),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What one history gave: its years, and its episodes by family."""

    years: float
    families: Mapping[str, Tally]
    pages: Mapping[str, tuple[Alarm, ...]] = field(default_factory=dict)
    """The strongest alarms of each family that may page: what two families tell of one cluster is one page."""

    @property
    def every(self) -> Steps:
        """All episodes of the counts of areas."""
        return self.families[AREA_COUNTS].every

    @property
    def paging(self) -> Steps:
        """Those over the feeds that may page."""
        return self.families[AREA_COUNTS].paging


def play(history: OccurrenceHistory | NullHistory, setup: Setup, progress: Progress | None = None) -> Played:
    """Play one history as the service would have lived it, and return its episodes.

    Raises
    ------
    ValueError
        If ``history`` is no longer than the training days, is of other areas than ``setup``, or has no sightings where
        ``setup`` names detectors that need them.
    """
    counts = history.counts if isinstance(history, NullHistory) else history
    sightings = history.sightings if isinstance(history, NullHistory) else None
    if counts.n_days <= setup.training_days:
        raise ValueError("history must be longer than training_days")
    if sightings is None and setup.detectors:
        raise ValueError(
            "history must be a NullHistory where setup names detectors: they are given single events"
        )
    growing = counts.as_known()
    week: _Week | None = None
    alarms: dict[str, list[Alarm]] = {AREA_COUNTS: [], **{one.family: [] for one in setup.detectors}}
    for today in range(setup.training_days, counts.n_days):
        monday = (counts.first_day + timedelta(days=today)).weekday() == 0
        if week is None or monday:
            week = _week(counts, sightings, growing.advance_to(today - 1), setup)
        cube = growing.advance_to(today)
        scores = score_day(cube, week.baseline, setup.zones, week.completeness)
        # A feed too young to page is not what the thresholds are for.
        scores = scores.take(week.baseline.history_days[scores.series] >= DAYS_BEFORE_PAGING)
        alarms[AREA_COUNTS] += alarms_of(scores, setup.zones, counts.series, today)
        if sightings is not None and setup.detectors:
            look = Look(
                _ANYWHERE,
                cube,
                week.baseline,
                week.completeness,
                _NOBODY,
                sightings=sightings.as_known(today, look_days(week.completeness)),
                learnt=week.learnt,
            )
            for one in setup.detectors:
                alarms[one.family] += one.alarms(look, today)
        elapsed = today - setup.training_days + 1
        if progress is not None and (elapsed % _REPORT_EVERY_DAYS == 0 or today == counts.n_days - 1):
            progress(elapsed / DAYS_A_YEAR)
    years = (counts.n_days - setup.training_days) / DAYS_A_YEAR
    return Played(
        years,
        {family: Tally.from_alarms(found) for family, found in alarms.items()},
        {family: loudest(found, years) for family, found in alarms.items()},
    )


@dataclass(frozen=True, slots=True)
class _Week:
    """What a week's looks have in common."""

    baseline: Baseline
    completeness: Mapping[Feed, FloatArray]
    learnt: Mapping[str, JsonValue]


def _week(counts: OccurrenceHistory, sightings: Sightings | None, cube: CountCube, setup: Setup) -> _Week:
    """Learn on a Monday from what was known at its beginning: ``cube`` ends on the Sunday before."""
    sunday = cube.n_days - 1
    laws: Mapping[Feed, FloatArray] = setup.completeness
    if np.isfinite(setup.completeness_strength):
        laws = completeness_as_known(counts, sunday, setup.completeness, strength=setup.completeness_strength)
    baseline = fit_baseline(
        cube,
        completeness=laws,
        populations=setup.populations,
        holidays=setup.holidays,
        settings=setup.settings,
    )
    if sightings is None or not setup.detectors:
        return _Week(baseline, laws, {})
    past = Past(cube, sightings.as_known(sunday), baseline, laws)
    return _Week(baseline, laws, {one.name: one.learn(past) for one in setup.detectors})


def calibrate(
    histories: Iterable[OccurrenceHistory | NullHistory],
    setup: Setup,
    *,
    budget: Budget | None = None,
    seed: int | None = None,
    note: str = "",
    progress: Progress | None = None,
) -> Thresholds:
    """Learn the thresholds of every family that ``setup`` plays from null histories.

    Parameters
    ----------
    histories : iterable of OccurrenceHistory or NullHistory
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
    """Find the scores at which the false episodes a year of each family equal its share of the budget.

    Shares of pages grow by one common factor until the pages of all families, merged as incidents are, come to what the
    shares say together (``detectors/spending.py``).
    The rate is read off a curve smoothed on its logarithm, so the threshold rests on more episodes than the ones just
    above it. Its standard error follows from that of the rate by the curve's slope (the delta method). A family without
    a share of the pages never pages.

    Raises
    ------
    ValueError
        If ``played`` is empty, or its histories were not played with the same families.
    """
    if not played:
        raise ValueError("played must hold at least one history")
    names = list(played[0].families)
    if any(list(one.families) != names for one in played):
        raise ValueError("played must hold histories of the same families")
    chosen = budget or Budget()
    years = sum(one.years for one in played)
    asks = {name: chosen.episodes_per_year(name, Tier.REVIEW) for name in names}
    total = sum(asks.values())
    tallies = {name: [one.families[name] for one in played] for name in names}
    each = [one.years for one in played]
    factor, together = _pages_together(played, chosen, tallies)
    families = {
        name: _learn_family(
            name,
            tallies[name],
            each,
            chosen,
            factor,
            # Records ask nothing of anybody: families share them as they share the reviews.
            chosen.records_per_day * (asks[name] / total if total > 0 else 1.0 / len(names)),
        )
        for name in names
    }
    return Thresholds(
        model_version=MODEL_VERSION,
        families=families,
        years=round(years, 3),
        seed=seed,
        note=note,
        page_growth=round(factor, 6),
        pages_together=together,
    )


def _pages_together(
    played: Sequence[Played], budget: Budget, tallies: Mapping[str, Sequence[Tally]]
) -> tuple[float, Learnt]:
    """Return how far the shares of pages grow, and what the families' merged pages then are."""
    years = sum(one.years for one in played)
    shares = {name: budget.episodes_per_year(name, Tier.PAGE) for name in tallies}
    curves = {
        name: rate_curve([one.of(Tier.PAGE) for one in tallies[name]], years)
        for name, share in shares.items()
        if share > 0
    }

    def scores_at(factor: float) -> dict[str, float]:
        return {name: curve.threshold_for(shares[name] * factor) for name, curve in curves.items()}

    pages = [one.pages for one in played]
    wanted = sum(shares.values())
    factor = growth(pages, years, wanted, scores_at)
    rates = np.array(merged_pages(pages, scores_at(factor))) / np.array([one.years for one in played])
    weights = np.array([one.years for one in played]) / years
    rate = float((weights * rates).sum())
    error = float(np.sqrt((weights**2 * (rates - rate) ** 2).sum() * len(played) / max(len(played) - 1, 1)))
    return factor, Learnt(
        nominal_per_year=round(wanted, 4),
        realised_per_year=round(rate, 4),
        standard_error=round(max(error, (max(rate, 1 / years) / years) ** 0.5), 4),
        score_standard_error=0.0,
    )


def _learn_family(
    name: str,
    tallies: Sequence[Tally],
    years: Sequence[float],
    budget: Budget,
    growth_of_pages: float,
    records_per_day: float,
) -> FamilyThresholds:
    total = sum(years)
    tiers = (Tier.PAGE, Tier.REVIEW)
    curves = {tier: rate_curve([one.of(tier) for one in tallies], total) for tier in tiers}
    scores: dict[Tier, float] = {}
    learnt: dict[Tier, Learnt] = {}
    for tier, curve in curves.items():
        nominal = budget.episodes_per_year(name, tier) * (growth_of_pages if tier is Tier.PAGE else 1.0)
        if nominal <= 0:
            continue
        scores[tier] = curve.threshold_for(nominal)
        learnt[tier] = _realised(tallies, years, tier, nominal, scores[tier])
    # A small page budget on quiet feeds could otherwise page what does not even ask for a review.
    if Tier.PAGE in scores:
        scores[Tier.REVIEW] = min(scores.get(Tier.REVIEW, np.inf), scores[Tier.PAGE])
    # Records are counted as signals: nothing is opened for them, so nothing merges.
    signals = np.sort(np.concatenate([one.every.appearing for one in tallies]))[::-1]
    allowed = int(records_per_day * DAYS_A_YEAR * total)
    all_of_them = LOWEST_SCORE if name == AREA_COUNTS or not signals.size else float(signals[-1])
    lowest = float(signals[allowed]) if allowed < signals.size else all_of_them
    scores[Tier.RECORD] = round(min(lowest, scores.get(Tier.REVIEW, lowest)), 4)
    return FamilyThresholds(
        scores=scores, curve=curves[Tier.REVIEW], page_curve=curves[Tier.PAGE], learnt=learnt
    )


def realised(
    histories: Iterable[OccurrenceHistory | NullHistory],
    setup: Setup,
    thresholds: Thresholds,
    progress: Progress | None = None,
) -> dict[str, dict[Tier, Learnt]]:
    """Return what thresholds give on histories they were not learnt from: nominal and realised side by side, by family.

    Raises
    ------
    ValueError
        If ``thresholds`` holds nothing learnt about a family that ``setup`` plays.
    """
    return realised_of(_played(histories, setup, progress), thresholds)


def realised_of(played: Sequence[Played], thresholds: Thresholds) -> dict[str, dict[Tier, Learnt]]:
    """Return the same for histories that were played already.

    Raises
    ------
    ValueError
        If ``played`` is empty, or ``thresholds`` holds nothing learnt about one of its families.
    """
    if not played:
        raise ValueError("played must hold at least one history")
    found: dict[str, dict[Tier, Learnt]] = {}
    years = [one.years for one in played]
    for name in played[0].families:
        family = thresholds.families.get(name)
        if family is None or family.curve is None:
            raise ValueError(f"thresholds must hold the family {name} with its curve")
        tallies = [one.families[name] for one in played]
        found[name] = {
            tier: _realised(tallies, years, tier, known.nominal_per_year, family.scores[tier])
            for tier, known in family.learnt.items()
        }
    return found


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


def _played(
    histories: Iterable[OccurrenceHistory | NullHistory], setup: Setup, progress: Progress | None
) -> list[Played]:
    played: list[Played] = []

    def report(years: float) -> None:
        if progress is not None:
            progress(years + sum(one.years for one in played))

    for history in histories:
        played.append(play(history, setup, report))  # noqa: PERF401 (report reads it as it grows)
    return played


def _realised(
    tallies: Sequence[Tally], years: Sequence[float], tier: Tier, nominal: float, score: float
) -> Learnt:
    total = sum(years)
    curve = rate_curve([one.of(tier) for one in tallies], total)
    rates = np.array([one.of(tier).episodes(score) / each for one, each in zip(tallies, years, strict=True)])
    shares = np.array(years) / total
    rate = float((shares * rates).sum())
    poisson = max(rate, 1.0 / total) / total
    # Histories differ in level and spread, so their rates may vary more than a Poisson count would.
    between = 0.0
    if len(tallies) > 1:
        between = float((shares**2 * (rates - rate) ** 2).sum() * len(tallies) / (len(tallies) - 1))
    error = max(poisson, between) ** 0.5
    slope = np.log(curve.rate(score - 0.1) / curve.rate(score + 0.1)) / 0.2
    return Learnt(
        nominal_per_year=round(nominal, 4),
        realised_per_year=round(rate, 4),
        standard_error=round(error, 4),
        score_standard_error=round(float(error / max(rate, 1.0 / total) / max(slope, 0.1)), 4),
        limited_by_merging=nominal > curve.most_reachable,
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
