"""How far each feed's recent counts in each area are above usual: one row of numbers for an area on a day.

For ``detectors/multivariate.py``: :func:`features_of` of a look, :func:`features_as_known` of the past, as it was seen
day by day. A feature is one feed over the last 1, 3, 7 or 14 days. Counts are compared on the scale on which Poisson
counts have a variance of about 1 whatever their mean, ``2 (sqrt(y + 3/8) - sqrt(m + 3/8))`` (Anscombe 1948, Biometrika
35:246), divided by the root of the dispersion. What is below usual counts as usual: silence is told by the watch over
feeds, which knows a quiet week from a broken one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import Baseline
from detectors.completeness import checked, share_known
from detectors.history import CountCube
from detectors.sightings import FEEDS, Sightings
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LAGS = (1, 3, 7, 14)
"""Days: today alone, a weekend, a week, and the longest window of the other detectors."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Rows of features with the counts they were made from.

    Attributes
    ----------
    observed, expected : ndarray of float64, shape (n_rows, n_feeds, n_lags)
        What was known, and what is usually known by then.
    values : ndarray of float64, shape (n_rows, n_feeds * n_lags)
        By feed, then lag; never below 0.
    """

    observed: FloatArray
    expected: FloatArray
    values: FloatArray


def feeds_of(baseline: Baseline) -> tuple[Feed, ...]:
    """Return the feeds that have a history and a series of all their events."""
    return tuple(
        feed
        for feed, days in (
            (series[0], baseline.history_days[row])
            for row, series in enumerate(baseline.series)
            if series[1] is SubstanceClass.ANY
        )
        if days > 0
    )


def features_of(
    cube: CountCube, baseline: Baseline, completeness: Mapping[Feed, FloatArray], feeds: tuple[Feed, ...]
) -> Features:
    """Return the features of every area on the cube's last day, one row for each area."""
    recent = cube.recent(LAGS[-1])
    recent.refuse_negative()
    laws = checked(completeness, feeds)
    days = recent.n_days
    observed, expected = (np.zeros((len(cube.areas), len(feeds), len(LAGS))) for _ in range(2))
    usual = baseline.expected(recent.first_day, days)
    for number, feed in enumerate(feeds):
        row = baseline.series.index((feed, SubstanceClass.ANY))
        seen = recent.counts[recent.series.index((feed, SubstanceClass.ANY)), ::-1, :-1].cumsum(axis=0)
        known = share_known(laws[feed], np.arange(days))[:, None]
        mean = (usual[row, ::-1, :-1] * known).cumsum(axis=0)
        for column, lag in enumerate(LAGS):
            observed[:, number, column] = seen[min(lag, days) - 1]
            expected[:, number, column] = mean[min(lag, days) - 1]
    return _valued(observed, expected, baseline, feeds)


def features_as_known(
    sightings: Sightings,
    baseline: Baseline,
    completeness: Mapping[Feed, FloatArray],
    feeds: tuple[Feed, ...],
    ends: IntArray,
) -> Features:
    """Return the features as they were seen at the end of past days: rows by day, then area.

    Parameters
    ----------
    sightings : Sightings
    baseline, completeness
        Today's: what has changed since is part of how the past varied.
    feeds : tuple of Feed
    ends : ndarray of int64, shape (n_ends,)
        Days of ``sightings``, each at least ``LAGS[-1] - 1``.
    """
    laws = checked(completeness, feeds)
    n_areas = len(baseline.areas)
    observed, expected = (np.zeros((ends.size, n_areas, len(feeds), len(LAGS))) for _ in range(2))
    usual = baseline.expected(sightings.first_day, sightings.n_days)
    for number, feed in enumerate(feeds):
        row = baseline.series.index((feed, SubstanceClass.ANY))
        own = (sightings.feed == FEEDS.index(feed)) & (sightings.area >= 0)
        day, known, area = sightings.day[own], sightings.known_day[own], sightings.area[own]
        seen = share_known(laws[feed], np.arange(LAGS[-1]))
        for column, lag in enumerate(LAGS):
            # An event is in the window of every day from when it became known until it is too old.
            inside = known < np.minimum(day + lag, sightings.n_days)
            change = np.zeros((sightings.n_days + lag + 1, n_areas))
            np.add.at(change, (known[inside], area[inside]), 1.0)
            np.add.at(change, (day[inside] + lag, area[inside]), -1.0)
            observed[:, :, number, column] = change.cumsum(axis=0)[ends]
            for age in range(lag):
                expected[:, :, number, column] += usual[row, ends - age, :-1] * seen[age]
    shape = (-1, len(feeds), len(LAGS))
    return _valued(observed.reshape(shape), expected.reshape(shape), baseline, feeds)


def _valued(
    observed: FloatArray, expected: FloatArray, baseline: Baseline, feeds: tuple[Feed, ...]
) -> Features:
    rows = [baseline.series.index((feed, SubstanceClass.ANY)) for feed in feeds]
    spread = np.sqrt(baseline.dispersion[rows])[None, :, None]
    excess = 2.0 * (np.sqrt(observed + 0.375) - np.sqrt(expected + 0.375)) / spread
    values: FloatArray = np.maximum(excess, 0.0).reshape(observed.shape[0], -1)
    return Features(observed, expected, values)
