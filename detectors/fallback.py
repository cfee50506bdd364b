"""The simplest valid detector: what a jurisdiction is looked at with when a better one fails.

A detection run calls :func:`plain_signals` when fitting or asking a detector ended in an error or took too long, and
tells operators. It needs nothing but the counts of the last weeks, and its thresholds are stated, not learnt: rare
under any level, because nobody calibrated it. It must never be the only thing that runs without anybody knowing.
"""

from collections.abc import Mapping
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
from scipy.stats import nbinom

from detectors.area_counts import sentence_for
from detectors.budget import MOST_EXTRAPOLATED_DAYS, PAGING_FEEDS
from detectors.history import CountCube
from detectors.zones import ZoneKind, Zones
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Jurisdiction, Tier

FALLBACK = "fallback"

WINDOWS = (1, 3)
"""Days, today included."""
BEFORE_DAYS = 28
"""The days before the window that say what is usual."""
FEWEST = 3
PAGE_P, REVIEW_P = 1e-5, 1e-4
"""A jurisdiction of 13 areas and three feeds is tested some 30,000 times a year: at most one false page in three years if
counts are as dispersed as is assumed. A spell without the usual detection is worth that."""

_PRIOR_EVENTS = 0.5
_DISPERSION = 1.5


def plain_signals(
    jurisdiction: Jurisdiction, cube: CountCube, zones: Zones, names: Mapping[AreaCode, str], zone: ZoneInfo
) -> list[Signal]:
    """Compare the last day and the last three with the four weeks before, in each area and in all together.

    The count of a window of w days is negative binomial with mean ``w (n + 1/2) / 28``, n the events of the 28 days
    before it; what these few days do not say about the mean makes the tail heavier (the predictive distribution of a
    Poisson count under a Gamma(1/2) prior: Jeffreys 1946), as does a dispersion of 1.5. Only all substances together;
    at most one signal for each area and feed.

    Parameters
    ----------
    cube : CountCube
        Its last day is today; with fewer days than the window and 28 before it, nothing is found.
    zones : Zones
        Only single areas and the whole jurisdiction are used.
    """
    found: list[Signal] = []
    for row, (feed, name) in enumerate(cube.series):
        if name is not SubstanceClass.ANY:
            continue
        for place in zones.zones:
            if place.kind is ZoneKind.AROUND:
                continue
            column = -1 if place.kind is ZoneKind.ALL else cube.areas.index(place.centre)
            counts = cube.counts[row, :, column].astype(np.int64)
            best = min((_test(counts, days) for days in WINDOWS), key=lambda one: one[0])
            p_value, days, observed, mean, size = best
            if p_value > REVIEW_P or observed < FEWEST:
                continue
            tier = Tier.PAGE if p_value <= PAGE_P and feed in PAGING_FEEDS else Tier.REVIEW
            share = size / (size + mean)
            sentence = sentence_for(place, feed, name, observed, mean, days, cube.last_day, names)
            found.append(
                Signal(
                    jurisdiction=jurisdiction,
                    detector=FALLBACK,
                    family=FALLBACK,
                    key=f"{feed}:{place.key}",
                    areas=place.codes,
                    window_start=cube.last_day - timedelta(days=days - 1),
                    window_end=cube.last_day,
                    feeds=(FeedEvidence(feed=feed, observed=observed, expected=mean),),
                    substance_class=name,
                    observed=observed,
                    expected=mean,
                    interval=(float(nbinom.ppf(0.025, size, share)), float(nbinom.ppf(0.975, size, share))),
                    p_value=p_value,
                    recurrence_interval_days=MOST_EXTRAPOLATED_DAYS,
                    tier=tier,
                    newest_evidence_at=start_of_day(cube.last_day, zone),
                    parameters={"window_days": days, "before_days": BEFORE_DAYS},
                    model_version="stated",
                    sentence=f"{sentence} Found by the simplest method: the usual detection failed.",
                )
            )
    return sorted(found, key=lambda one: (one.p_value, one.key))


def _test(
    counts: np.ndarray[tuple[int], np.dtype[np.int64]], days: int
) -> tuple[float, int, int, float, float]:
    """Return the tail probability, the window, the count, its mean and its size."""
    if counts.size < days + BEFORE_DAYS:
        return 1.0, days, 0, 0.0, 1.0
    observed = int(counts[-days:].sum())
    before = float(counts[-days - BEFORE_DAYS : -days].sum()) + _PRIOR_EVENTS
    mean = days * before / BEFORE_DAYS
    size = mean / ((_DISPERSION - 1.0) + mean / before)
    return float(nbinom.sf(observed - 1, size, size / (size + mean))), days, observed, mean, size
