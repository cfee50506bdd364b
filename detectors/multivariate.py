"""Unusual combinations of counts that nobody wrote a rule for: an isolation forest on feed x lag counts of an area.

A detection run asks :class:`Multivariate` at every look. It never asks anything of anybody: its signals are for the
record. A forest cannot say that what it found is *harm* (it isolates whatever is rare, a bank holiday too); its tail
rests on a thousand correlated area-days; an excess large enough to isolate an area is found earlier by the exact tests
of the counts themselves, which know how rare it is; and beyond the largest counts that it was trained on it sees no
difference between much and more, so that its score stops rising where theirs begin to matter. What it adds is a second
look at areas where several feeds are each a little high. More than that it must first earn in a benchmark.

HDBSCAN on the places of events is left out: with a few dozen events a month over a thousand small areas it finds the
towns, where people live, and not an excess over what is usual there; the space-time scan compares with that baseline
and has a p-value. Density clusters have neither.
"""

import math
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from scipy.stats import nbinom

from detectors.area_counts import plain_number
from detectors.budget import MULTIVARIATE
from detectors.contract import Look, Past
from detectors.episodes import Alarm
from detectors.multivariate_features import LAGS, Features, features_as_known, features_of, feeds_of
from detectors.multivariate_forest import Forest, forest_of
from detectors.novelty_words import day_words
from schemas.clock import start_of_day
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

FloatArray = NDArray[np.float64]

MODEL_VERSION = "multivariate-1"

TRAINING_DAYS = 364
GUARD_DAYS = 21
"""The last days teach nothing, so that a running outbreak does not become usual (as for the baseline)."""
MOST_ROWS = 1000
FEWEST_DAYS = 84
"""Twelve weeks of whole windows: with less there is no tail to read."""

LOWEST_MULTIVARIATE = 1.0
"""Below this chance alone isolates some area in more than one of ten looks."""

_FEWEST = 2
_DECIMALS = 3
_EVENTS = {
    Feed.SUSPECTED_DEATHS: ("suspected drug death", "suspected drug deaths"),
    Feed.AMBULANCE_NALOXONE: ("ambulance naloxone administration", "ambulance naloxone administrations"),
    Feed.ED_PRESENTATIONS: ("A&E presentation", "A&E presentations"),
    Feed.DRUG_CHECKING: ("drug-checking result", "drug-checking results"),
}


class Trained(BaseModel):
    """What is kept for a week: the training rows, from which the forest is fitted again where it is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    feeds: tuple[Feed, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    """One unusual area: which window stands out, and the feeds that make it so."""

    area: int
    score: float
    chance: float
    anomaly: float
    lag: int
    """Index into ``LAGS``."""
    feeds: tuple[int, ...]
    parts: FloatArray
    """How much of the anomaly goes when each feature is made usual."""


class Multivariate:
    """An isolation forest over the feeds and windows of each detection area."""

    name = "multivariate"
    family = MULTIVARIATE

    def learn(self, past: Past) -> JsonValue:
        """Return at most 1,000 rows of the past year, evenly spread over days and areas; None when it is too short."""
        feeds = feeds_of(past.baseline)
        if not feeds or not past.baseline.areas:
            return None
        rows = [past.baseline.series.index((feed, SubstanceClass.ANY)) for feed in feeds]
        last = past.sightings.n_days - 1 - GUARD_DAYS
        first = max(
            LAGS[-1] - 1,
            last - TRAINING_DAYS + 1,
            past.sightings.n_days - int(past.baseline.history_days[rows].min()) + LAGS[-1],
        )
        if last - first + 1 < FEWEST_DAYS:
            return None
        ends = np.arange(first, last + 1)
        seen = features_as_known(past.sightings, past.baseline, past.completeness, feeds, ends)
        kept = np.unique(
            np.linspace(0, seen.values.shape[0] - 1, min(MOST_ROWS, seen.values.shape[0])).round()
        )
        chosen = np.round(seen.values[kept.astype(np.int64)], _DECIMALS).tolist()
        return Trained(feeds=feeds, rows=chosen).model_dump(mode="json")

    def detect(self, look: Look) -> list[Signal]:
        """Return today's signals, strongest first: at most one for each area, all for the record.

        A signal's ``p_value`` is the share of the past year's area-days that were at least as unusual, by the tail of
        the training rows; its score is ``-log10`` of that times the number of areas.

        Raises
        ------
        ValueError
            If what was learnt is not this detector's, or the look's arrays are impossible.
        """
        floor = max(look.thresholds.lowest(self.family), LOWEST_MULTIVARIATE)
        return [self._signal(look, feeds, seen, item) for feeds, seen, item in self._tellings(look, floor)]

    def alarms(self, look: Look, day: int) -> list[Alarm]:
        """Return the same areas as calibration counts them; ``day`` is the index of the look's day."""
        return [
            Alarm(day, LAGS[item.lag], item.score, 1 << item.area, SubstanceClass.ANY, may_page=False)
            for _, _, item in self._tellings(look, LOWEST_MULTIVARIATE)
        ]

    def _tellings(self, look: Look, floor: float) -> list[tuple[tuple[Feed, ...], Features, _Standing]]:
        """Return the areas that reach the floor, strongest first, with the features of all areas."""
        learnt = look.learnt.get(self.name)
        if learnt is None or not math.isfinite(floor):
            return []
        try:
            trained = Trained.model_validate(learnt)
        except ValidationError as error:
            raise ValueError(
                f"learnt must be what {self.name} learnt: {error.error_count()} errors"
            ) from error
        if look.cube.areas != look.baseline.areas:
            raise ValueError("baseline must be of the same areas as the cube")
        known = {feed for feed, name in look.cube.series if name is SubstanceClass.ANY}
        if not set(trained.feeds) <= known:
            raise ValueError("learnt must be of feeds that the cube has a series of all events for")
        forest = forest_of(np.array(trained.rows))
        seen = features_of(look.cube, look.baseline, look.completeness, trained.feeds)
        found = _standing(forest, seen, floor)
        found.sort(key=lambda item: (-item.score, look.cube.areas[item.area]))
        return [(trained.feeds, seen, item) for item in found]

    def _signal(self, look: Look, feeds: tuple[Feed, ...], seen: Features, item: _Standing) -> Signal:
        reached = look.thresholds.disposition(self.family, item.score) or Tier.RECORD
        recurrence = look.thresholds.recurrence(self.family, item.score)
        days = LAGS[item.lag]
        code = look.cube.areas[item.area]
        evidence = tuple(
            FeedEvidence(
                feed=feeds[number],
                observed=int(seen.observed[item.area, number, item.lag]),
                expected=float(seen.expected[item.area, number, item.lag]),
            )
            for number in item.feeds
        )
        expected = sum(part.expected for part in evidence)
        most = max(item.parts.sum(), 1e-12)
        named = [f"{feed.value}:{lag}" for feed in feeds for lag in LAGS]
        strongest = sorted(range(len(named)), key=lambda index: (-item.parts[index], index))[:3]
        return Signal(
            jurisdiction=look.jurisdiction,
            detector=self.name,
            family=self.family,
            key=f"area:{code}",
            areas=(code,),
            window_start=look.today - timedelta(days=days - 1),
            window_end=look.today,
            feeds=evidence,
            substance_class=SubstanceClass.ANY,
            observed=sum(part.observed for part in evidence),
            expected=expected,
            interval=_interval(look, evidence),
            p_value=item.chance,
            recurrence_interval_days=recurrence.days,
            tier=Tier.RECORD,
            newest_evidence_at=start_of_day(look.today, look.zone),
            parameters={
                "score": round(item.score, 4),
                "anomaly": round(item.anomaly, 6),
                "window_days": days,
                "areas_compared": len(look.cube.areas),
                "held_from": reached.value if reached is not Tier.RECORD else "",
                "recurrence_extrapolated": recurrence.extrapolated,
                "recurrence_capped": recurrence.capped,
                **{
                    f"part_{place + 1}": f"{named[index]} {item.parts[index] / most:.0%}"
                    for place, index in enumerate(strongest)
                    if item.parts[index] > 0
                },
            },
            model_version=MODEL_VERSION,
            sentence=_sentence(look, code, evidence, days, item),
        )


def _standing(forest: Forest, seen: Features, floor: float) -> list[_Standing]:
    """Return the areas at or above the floor in which some feed is above usual."""
    anomaly = forest.anomalies(seen.values)
    chance = forest.chance(anomaly)
    areas = anomaly.size
    found = []
    for area in range(areas):
        score = -math.log10(float(chance[area])) - math.log10(areas)
        if score < floor:
            continue
        without = np.repeat(seen.values[area][None, :], seen.values.shape[1], axis=0)
        np.fill_diagonal(without, np.minimum(forest.median, seen.values[area]))
        parts = np.maximum(anomaly[area] - forest.anomalies(without), 0.0)
        # What stands out is something that there is more of: two events at least.
        told = (seen.observed[area] >= _FEWEST) & (seen.observed[area] > seen.expected[area])
        parts = np.where(told.ravel(), parts, 0.0)
        if not parts.any():
            continue
        shape = (-1, len(LAGS))
        lag = int(np.argmax(parts.reshape(shape).sum(axis=0)))
        feeds = tuple(int(number) for number in np.flatnonzero(parts.reshape(shape)[:, lag] > 0))
        found.append(_Standing(area, score, float(chance[area]), float(anomaly[area]), lag, feeds, parts))
    return found


def _interval(look: Look, evidence: tuple[FeedEvidence, ...]) -> tuple[float, float]:
    """Return the central 95 % of the sum: negative-binomial, with the feeds' dispersions weighed by what they expect."""
    rows = [look.baseline.series.index((part.feed, SubstanceClass.ANY)) for part in evidence]
    mean = sum(part.expected for part in evidence)
    variance = sum(
        part.expected * float(look.baseline.dispersion[row]) for part, row in zip(evidence, rows, strict=True)
    )
    size = mean**2 / max(variance - mean, 1e-9 * max(mean, 1e-9))
    low, high = (float(nbinom.ppf(share, size, size / (size + mean))) for share in (0.025, 0.975))
    return low, high


def _sentence(look: Look, code: str, evidence: tuple[FeedEvidence, ...], days: int, item: _Standing) -> str:
    place = next((name for area, name in look.names.items() if area == code), code)
    counts = [
        f"{part.observed} {_EVENTS[part.feed][part.observed != 1]} ({plain_number(part.expected)} would be usual)"
        for part in evidence
    ]
    when = f"in the {days} days to" if days > 1 else "on"
    return (
        f"{place}: together unusual, {' and '.join(counts)} {when} {day_words(look.today)}; "
        f"{_share(item.chance)} of days in one area were as unusual over the past year."
    )


def _share(chance: float) -> str:
    return f"about {chance:.1%}" if chance >= 0.001 else "fewer than 0.1%"  # noqa: PLR2004 (one decimal)
