"""How surprising recent counts are: every zone, window and series of one look, by exact negative-binomial tails.

``detectors/area_counts.py`` turns the result into signals and ``detectors/calibration.py`` learns thresholds from it;
both get the same numbers from the same code. Arithmetic only: no clock, no random number, nothing changed that was
handed in.

A window of nominal length w (1 to 14) always ends today and reaches back ``m + w - 1`` days, where m is the feed's
first useful age (``detectors/completeness.py``). Its expected count is the whole-day one times the completeness of
each day's age; today is never scaled by the clock, so a look during the day cannot exceed the one at its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import betainc

from detectors.baseline import Baseline
from detectors.completeness import LONGEST_WINDOW, checked, first_useful_age, share_known
from detectors.history import CountCube
from detectors.zones import ZoneKind, Zones
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int_]

FEWEST = 2
"""No alarm below two events."""

LOWEST_SCORE = 2.0
"""Scores below this (a mid-p above 1 %) are not looked at closely: with hundreds of tests a day they mean nothing."""

HIGHEST_SCORE = 300.0
"""The smallest probability that a double can hold is about 1e-308."""

# A tail probability of 1 % or less needs an excess of at least this many standard deviations, whatever the mean and
# the dispersion (tested over the whole range): everything else is left out before any tail is computed.
_LEAST_DEVIATIONS = 1.0

_COMPLETENESS_EVENTS = 50.0
"""How many events the completeness law is taken to rest on: its error is shared by every area of the feed."""

# A wider zone must be this much more surprising before it is preferred to the smaller zone inside it; and "any" than
# a class. Part of the score itself, so that calibration sees exactly what a detection run sees.
_HANDICAP = {ZoneKind.AREA: 0.0, ZoneKind.AROUND: 0.25, ZoneKind.ALL: 0.5}
_HANDICAP_ANY = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The best window of each (zone, series) that scores at least the floor, strongest first.

    Every array has the shape (n_candidates,).

    Attributes
    ----------
    series, zone : ndarray of int
        Indices into the cube's series and into the zones.
    window_days : ndarray of int
        Civil days, today included.
    observed : ndarray of int
    expected, size : ndarray of float64
        Mean and size of the negative binomial under no outbreak.
    p_value : ndarray of float64
        Mid-p of this one test.
    score : ndarray of float64
        ``-log10`` of the mid-p, less the handicap of wide zones and of ``any``: what thresholds are compared with.
    """

    series: IndexArray
    zone: IndexArray
    window_days: IndexArray
    observed: IndexArray
    expected: FloatArray
    size: FloatArray
    p_value: FloatArray
    score: FloatArray

    def __len__(self) -> int:
        return int(self.score.size)

    def take(self, kept: NDArray[np.bool_]) -> "Scores":
        """Return the candidates for which ``kept`` is true."""
        return Scores(*(getattr(self, item.name)[kept] for item in fields(self)))


def mid_p(observed: IndexArray, mean: FloatArray, size: FloatArray) -> FloatArray:
    """Return ``P(X > x) + P(X = x) / 2`` for a negative binomial count X.

    ``P(X >= x) = I_q(x, size)`` with ``q = mean / (mean + size)`` and I the regularised incomplete beta function
    (Abramowitz and Stegun 26.5.26). The mid-p keeps the level of tests on small counts near its nominal value
    (Lancaster 1961, J. Am. Statist. Ass. 56:223).
    """
    share = mean / (mean + size)
    value: FloatArray = 0.5 * (betainc(observed, size, share) + betainc(observed + 1.0, size, share))
    return value


def score_day(
    cube: CountCube,
    baseline: Baseline,
    zones: Zones,
    completeness: Mapping[Feed, FloatArray],
    *,
    floor: float = LOWEST_SCORE,
) -> Scores:
    """Score every zone, window and series of the cube's last day.

    The count of a window is negative binomial: variance ``phi m + m**2 (v_level + v_share + v_completeness)``, where
    phi is the dispersion and each v the squared relative error of an estimate, so that what is not known about the
    usual count makes its tail heavier (a Gamma-Poisson predictive; Noufaily et al. 2013 argue for the same).

    Parameters
    ----------
    cube : CountCube
        Its last day is today; only the last ``lookback_days(completeness)`` days are read.
    baseline : Baseline
        For the same areas and series.
    zones : Zones
    completeness : mapping of Feed to ndarray, shape (n_ages,)
    floor : float
        Scores below it are left out.

    Raises
    ------
    ValueError
        If the arguments do not belong together or hold impossible numbers; the message names the argument.
    """
    if baseline.areas != cube.areas or baseline.series != cube.series:
        raise ValueError("baseline must be of the same areas and series as the cube")
    if zones.areas != cube.areas:
        raise ValueError("zones must be of the same areas as the cube")
    laws = checked(completeness, tuple(dict.fromkeys(feed for feed, _ in cube.series)))
    useful = {feed: first_useful_age(law) for feed, law in laws.items()}
    recent = cube.recent(LONGEST_WINDOW + max(useful.values(), default=0))
    recent.refuse_negative()
    backwards = recent.counts[:, ::-1, :]
    n_days = recent.n_days
    # Most classes have nothing to say on most days.
    rows = np.flatnonzero(backwards[:, :, -1].sum(axis=1) >= FEWEST)
    if not rows.size:
        return _none()
    spans = np.array([useful[recent.series[row][0]] for row in rows])[:, None] + np.arange(
        1, LONGEST_WINDOW + 1
    )
    ends = np.minimum(spans, n_days) - 1

    windows = np.take_along_axis(backwards[rows].cumsum(axis=1), ends[:, :, None], axis=1)
    observed = _zone_sums(windows.reshape(-1, windows.shape[2]), zones).reshape(rows.size, LONGEST_WINDOW, -1)

    ages = np.arange(n_days)
    known = {feed: share_known(law, ages) for feed, law in laws.items()}
    share_seen = np.stack([known[recent.series[row][0]] for row in rows])
    daily = baseline.expected_total(recent.first_day, n_days)[rows, ::-1]
    seen = np.take_along_axis((daily * share_seen).cumsum(axis=1), ends, axis=1)
    doubt = np.sqrt(share_seen * (1.0 - share_seen) / (_COMPLETENESS_EVENTS + 1.0))
    law_error = (
        np.take_along_axis((daily * doubt).cumsum(axis=1), ends, axis=1) / np.maximum(seen, 1e-300)
    ) ** 2

    shares, share_error = _zone_shares(baseline, rows, zones)
    expected = seen[:, :, None] * shares[:, None, :]
    error = law_error[:, :, None] + (share_error + 1.0 / baseline.level_shape[rows, None])[:, None, :]
    whole = np.array([zone.kind is ZoneKind.ALL for zone in zones.zones])
    spread = np.where(whole, baseline.dispersion_total[rows, None], baseline.dispersion[rows, None])[
        :, None, :
    ]
    size_inverse = (spread - 1.0) + expected * error
    deviation = np.sqrt(expected * (1.0 + size_inverse))
    worth = (observed >= FEWEST) & (observed - expected >= _LEAST_DEVIATIONS * deviation)
    # With less than m + w days at hand the longer windows repeat the longest one.
    worth &= (spans <= np.maximum(n_days, spans[:, :1]))[:, :, None]
    row, window, zone = np.nonzero(worth)
    if not row.size:
        return _none()
    x, m = observed[row, window, zone], expected[row, window, zone]
    size = m / np.maximum(size_inverse[row, window, zone], 1e-12)
    p_value = mid_p(x, m, size)
    plain = np.minimum(-np.log10(np.maximum(p_value, 10.0**-HIGHEST_SCORE)), HIGHEST_SCORE)
    score = plain - _handicap(recent, zones)[rows[row], zone]
    kept = np.flatnonzero(score >= floor)
    # The best window of each (series, zone), the shortest of equals; then the strongest first, the smallest of equals.
    order = kept[np.lexsort((window[kept], -score[kept], zone[kept], row[kept]))]
    first = np.ones(order.size, dtype=bool)
    first[1:] = (row[order][1:] != row[order][:-1]) | (zone[order][1:] != zone[order][:-1])
    best = order[first]
    best = best[np.lexsort((zone[best], row[best], -score[best]))]
    return Scores(
        series=rows[row[best]],
        zone=zone[best],
        window_days=ends[row[best], window[best]] + 1,
        observed=x[best].astype(np.int_),
        expected=m[best],
        size=size[best],
        p_value=p_value[best],
        score=score[best],
    )


def _zone_sums(windows: NDArray[np.int_], zones: Zones) -> IndexArray:
    # A zone holds a handful of areas: a sparse product does a hundredth of the work of a dense one.
    summed: IndexArray = windows.astype(np.int_) @ csr_array(zones.members.astype(np.int_))
    return summed


def _zone_shares(baseline: Baseline, rows: IndexArray, zones: Zones) -> tuple[FloatArray, FloatArray]:
    """Return each zone's share of the total and its squared relative error, both of shape (n_rows, n_zones)."""
    members = csr_array(zones.members)
    ones = np.ones((rows.size, 1))
    part = np.hstack([baseline.shares[rows], ones])
    square = np.hstack([baseline.shares[rows] ** 2 / baseline.share_shapes[rows], 0.0 * ones])
    shares: FloatArray = part @ members
    error: FloatArray = (square @ members) / shares**2
    return shares, error


def _handicap(cube: CountCube, zones: Zones) -> FloatArray:
    by_zone = np.array([_HANDICAP[zone.kind] for zone in zones.zones])
    by_series = np.array([_HANDICAP_ANY if name is SubstanceClass.ANY else 0.0 for _, name in cube.series])
    total: FloatArray = by_series[:, None] + by_zone
    return total


def _none() -> Scores:
    index, number = np.zeros(0, dtype=np.int_), np.zeros(0)
    return Scores(index, index, index, index, number, number, number, number)
