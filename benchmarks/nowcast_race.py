"""Late records cost how many days? Our completeness-adjusted test against an oracle on the same made-up county.

Ambulance naloxone, A&E and deaths of Kent and Medway: volumes, season, weekdays, bank holidays, drift and delays are
those of ``streams/simulation/parameters.py``; an area's day is negative binomial (variance 1.5 times the mean) so that
its true mean exists and can be handed to the oracle. Both look every night at what is known by then, over the same zones
and windows, with the same handicaps (``detectors/scoring.py``); the oracle knows the true mean of every area and day, the
true dispersion and the true delay law, ours learns all of it every Monday from what it had seen.

Thresholds are set on null histories of their own, one for each, at the same false episodes a year; realised rates are
counted on other null histories, the same for both, into which the outbreaks are then put.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.kent_county import County
from detectors.baseline import Baseline, fit_baseline
from detectors.completeness import LONGEST_WINDOW, completeness_as_known, first_useful_age
from detectors.history import OccurrenceHistory
from detectors.scoring import FEWEST, mid_p, score_day
from detectors.zones import ZoneKind
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.history import draw_delays
from streams.simulation.parameters import KENT_AND_MEDWAY, FeedFigures
from streams.simulation.timing import Days, day_factors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FEEDS: dict[Feed, FeedFigures] = {
    Feed.AMBULANCE_NALOXONE: KENT_AND_MEDWAY.naloxone,
    Feed.ED_PRESENTATIONS: KENT_AND_MEDWAY.ed,
    Feed.SUSPECTED_DEATHS: KENT_AND_MEDWAY.deaths,
}
DISPERSION = 1.5
EPISODES_A_YEAR = 4.0
"""One false page a quarter."""
TRAINING_DAYS = 3 * 364
OUTBREAK_DAYS = 14
FOLLOWED_DAYS = 21
"""A miss counts so many days; as long as the baseline's guard, so that no outbreak teaches it."""
GAP_DAYS = 14
FIRST_DAY = date(2018, 1, 1)
"""A Monday."""
EXTRA: dict[Feed, float] = {
    Feed.AMBULANCE_NALOXONE: 1.0,
    Feed.ED_PRESENTATIONS: 0.5,
    Feed.SUSPECTED_DEATHS: 0.1,
}
"""Records in each feed for every extra ambulance patient: half are seen in A&E too, one in ten dies."""
_HANDICAP = {ZoneKind.AREA: 0.0, ZoneKind.AROUND: 0.25, ZoneKind.ALL: 0.5}
_HANDICAP_ANY = 0.25
"""As in ``detectors/scoring.py``."""

_LONGEST_DELAY = 4
_FLOOR = 1.0


@dataclass(frozen=True, eq=False)
class Truth:
    """One drawn history: its true means and its events, each with the day on which it became known."""

    mean: FloatArray
    """Shape (n_feeds, n_days, n_areas)."""
    day: IntArray
    known: IntArray
    area: IntArray
    feed: IntArray

    def with_cases(self, start: int, area: int, per_day: float, rng: np.random.Generator) -> "Truth":
        """Return it with an outbreak in one area."""
        parts = [(self.day, self.known, self.area, self.feed)]
        for row, (feed, figures) in enumerate(FEEDS.items()):
            cases = rng.poisson(per_day * EXTRA[feed], OUTBREAK_DAYS)
            day = start + np.repeat(np.arange(OUTBREAK_DAYS), cases)
            size = day.size
            parts.append((day, day + _days_late(figures, size, rng), np.full(size, area), np.full(size, row)))
        columns = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Truth(self.mean, *columns)

    def history(self, county: County) -> OccurrenceHistory:
        """Return it as ours is given it."""
        series = tuple((feed, SubstanceClass.ANY) for feed in FEEDS)
        columns = (item.astype(np.int32) for item in (self.day, self.known, self.area, self.feed))
        return OccurrenceHistory(FIRST_DAY, self.mean.shape[1], county.areas, series, *columns)


def draw(county: County, n_days: int, seed: Sequence[int]) -> Truth:
    """Draw one history without an outbreak."""
    rng = np.random.default_rng([*seed])
    days = Days(FIRST_DAY, n_days)
    # The shock of a single day is part of the dispersion here: a true mean is what the oracle can know.
    parameters = KENT_AND_MEDWAY.model_copy(update={"day_shock_sd": 0.0})
    factor = day_factors(parameters, days, rng)
    rates = np.array([parameters.area_rates.get(code, 1.0) for code in county.areas]) * county.populations
    shares = rates / rates.sum() * rng.gamma(25.0, 1 / 25.0, size=rates.size)
    shared = np.exp(rng.normal(0.0, parameters.level_log_sd))
    means, parts = [], []
    for row, figures in enumerate(FEEDS.values()):
        level = figures.per_year / 365.25 * shared * np.exp(rng.normal(0.0, figures.level_log_sd))
        mean = level * factor[:, None] * shares / shares.sum()
        counts = rng.negative_binomial(mean / (DISPERSION - 1.0), 1.0 / DISPERSION)
        day, area = (np.repeat(index, counts[np.nonzero(counts)]) for index in np.nonzero(counts))
        parts.append((day, day + _days_late(figures, day.size, rng), area, np.full(day.size, row)))
        means.append(mean)
    return Truth(np.stack(means), *(np.concatenate(column) for column in zip(*parts, strict=True)))


@cache
def true_law(feed: Feed) -> FloatArray:
    """Return the share known by the end of each day, from a million records."""
    late = _days_late(FEEDS[feed], 1_000_000, np.random.default_rng(0))
    law: FloatArray = np.bincount(late, minlength=_LONGEST_DELAY + 1).cumsum() / late.size
    return law


def _days_late(figures: FeedFigures, count: int, rng: np.random.Generator) -> IntArray:
    hours = np.array(KENT_AND_MEDWAY.hours_plain)
    hour = rng.choice(24, count, p=hours / hours.sum())
    minutes = 60 * hour + rng.integers(0, 60, count) + draw_delays(figures.delays, count, rng)
    late: IntArray = np.minimum(minutes // 1440, _LONGEST_DELAY)
    return late


def ours(county: County, truth: Truth, first: int, last: int) -> FloatArray:
    """Return our highest score of each night from ``first`` up to, not including, ``last``."""
    history = truth.history(county)
    learnt = history.as_known()
    priors = {feed: county.completeness[feed] for feed in FEEDS}
    highest: list[float] = []
    baseline: Baseline | None = None
    laws: dict[Feed, FloatArray] = {}
    for today in range(first, last):
        if baseline is None or today % 7 == 0:
            # On Monday, from what was known on Sunday night.
            laws = completeness_as_known(history, today - 1, priors)
            baseline = fit_baseline(
                learnt.advance_to(today - 1),
                completeness=laws,
                populations=county.populations,
                holidays=county.holidays,
                previous=baseline,
            )
        scores = score_day(learnt.advance_to(today), baseline, county.zones, laws, floor=_FLOOR)
        highest.append(float(scores.score.max()) if len(scores) else 0.0)
    return np.array(highest)


def oracle(county: County, truth: Truth, first: int, last: int) -> FloatArray:
    """Return the oracle's highest score of each night from ``first`` up to, not including, ``last``."""
    kinds = [zone.kind for zone in county.zones.zones]
    handicap = np.array([_HANDICAP[kind] for kind in kinds]) + _HANDICAP_ANY
    members = county.zones.members[:-1].copy()
    members[:, [kind is ZoneKind.ALL for kind in kinds]] = 1.0
    # Nothing older than the longest window is read.
    start = first - LONGEST_WINDOW - 2 * _LONGEST_DELAY
    nights = np.arange(first, last) - start
    best = np.zeros(nights.size)
    for row, feed in enumerate(FEEDS):
        law = true_law(feed)
        own = (truth.feed == row) & (truth.day >= start) & (truth.day < last)
        seen = np.zeros((last - start, _LONGEST_DELAY + 1, truth.mean.shape[2]))
        day = truth.day[own]
        np.add.at(seen, (day - start, truth.known[own] - day, truth.area[own]), 1)
        seen = seen.cumsum(axis=1)
        mean = truth.mean[row, start:last]
        shortest = first_useful_age(law) + 1
        reach = np.arange(LONGEST_WINDOW + shortest - 1)
        age = np.minimum(reach, _LONGEST_DELAY)
        back = nights[:, None] - reach
        counts = seen[back, age].cumsum(axis=1)[:, shortest - 1 :] @ members
        means = (mean[back] * law[age][:, None]).cumsum(axis=1)[:, shortest - 1 :] @ members
        worth = (counts >= FEWEST) & (counts > means)
        score = np.zeros(counts.shape)
        score[worth] = -np.log10(
            np.maximum(mid_p(counts[worth], means[worth], means[worth] / (DISPERSION - 1.0)), 1e-300)
        )
        best = np.maximum(best, (score - handicap).max(axis=(1, 2)))
    return best


def episodes(scores: FloatArray, threshold: float) -> int:
    """Count the alarms at or above a threshold, those at most 14 nights apart as one."""
    nights = np.flatnonzero(scores >= threshold)
    return int(nights.size > 0) + int(np.sum(np.diff(nights) > GAP_DAYS))


def threshold_for(histories: Sequence[FloatArray], per_year: float) -> float:
    """Return the lowest threshold from which on the histories together have at most so many episodes a year."""
    allowed = per_year * sum(item.size for item in histories) / 365.25
    candidates = np.unique(np.concatenate(histories))[::-1]
    lowest = float(candidates[0])
    for one in candidates:
        if sum(episodes(item, one) for item in histories) > allowed:
            break
        lowest = float(one)
    return lowest


def nights_to_alarm(scores: FloatArray, threshold: float) -> int:
    """Return how many nights after its first day an outbreak is found: 1 is the same night."""
    found = np.flatnonzero(scores >= threshold)
    return int(found[0]) + 1 if found.size else FOLLOWED_DAYS


def outbreaks(
    county: County, truth: Truth, per_day: float, count: int, seed: Sequence[int]
) -> Iterator[tuple[Truth, int]]:
    """Put outbreaks into a history one at a time; yield the history and the first day of each."""
    rng = np.random.default_rng([*seed])
    n_days = truth.mean.shape[1]
    for _ in range(count):
        start = int(rng.integers(TRAINING_DAYS, n_days - FOLLOWED_DAYS))
        area = int(rng.integers(len(county.areas)))
        # What lies after the last night that is looked at does not matter.
        kept = truth.day < start + FOLLOWED_DAYS
        part = replace(
            truth,
            **{name: getattr(truth, name)[kept] for name in ("day", "known", "area", "feed")},
        )
        yield part.with_cases(start, area, per_day, rng), start
