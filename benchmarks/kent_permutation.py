"""Baltimore's rule, for the Kent benchmark: a space-time permutation scan of ambulance naloxone alone.

Written from its description (SaTScan's space-time permutation on naloxone: at least 3 cases, at most 7 days and 0.75
mile) and from Kulldorff et al. 2005, PLoS Med. 2:e59. The radius is widened to the nearest neighbour's distance around
a small area that has no other within 0.75 mile: Kent's small areas lie further apart than Baltimore's.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.kent_county import County
from benchmarks.kent_systems import Day, Rule, Telling
from detectors.sightings import FEEDS
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LEAST_CASES = 3
LONGEST_DAYS = 7
RADIUS_KM = 0.75 * 1.609344
STUDY_DAYS = 60
REPLICATES = 99
STOCK_RECURRENCE_DAYS = 365
"""SaTScan's users commonly act on a recurrence interval of a year."""
_EULER = 0.5772156649
_MOST = 15.0
_LEAST_SCALE = 0.5


class Permutation(Rule):
    """Clusters of naloxone in small circles over 1 to 7 days, given when and where cases are on the whole."""

    name = "Baltimore permutation scan"

    def __init__(self, county: County) -> None:
        self._area_of = county.terrain.area_of
        at = county.terrain.position_km
        distance = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
        nearest = np.where(distance > 0, distance, np.inf).min(axis=1)
        self.within: NDArray[np.bool_] = distance <= np.maximum(nearest, RADIUS_KM)[:, None] + 1e-9

    def look(self, day: Day) -> list[Telling]:
        """Return the most likely cluster, scored by its p-value (Gumbel on 99 replicates)."""
        events = day.known(STUDY_DAYS)
        kept = (events.feed == FEEDS.index(Feed.AMBULANCE_NALOXONE)) & (events.fine >= 0)
        place, age = events.fine[kept], events.n_days - 1 - events.day[kept]
        centres = np.unique(place)
        member = self.within[centres][:, place].T.astype(np.float64)
        best, where, window = _strongest(age[None, :], member)
        if best[0] <= 0:
            return []
        rng = np.random.default_rng([day.today, len(place)])
        others, _, _ = _strongest(rng.permuted(np.tile(age, (REPLICATES, 1)), axis=1), member)
        score = float(min(-np.log10(max(gumbel_tail(float(best[0]), others), 1e-15)), _MOST))
        circle = np.flatnonzero(self.within[centres[where[0]]])
        touched = np.unique(place[(member[:, where[0]] > 0) & (age < window[0])])
        return [
            Telling(
                day=day.today,
                window_days=int(window[0]),
                score=score,
                family="naloxone",
                areas=int(sum(1 << int(area) for area in np.unique(self._area_of[touched]))),
                substance_class=SubstanceClass.ANY,
                stock=score >= np.log10(STOCK_RECURRENCE_DAYS),
                fine=tuple(int(item) for item in circle),
            )
        ]


def _strongest(age: Indices, member: Floats) -> tuple[Floats, Indices, Indices]:
    """Return for each row of ages the largest log-likelihood ratio, its circle and its window.

    Parameters
    ----------
    age : ndarray of int, shape (n_rows, n_cases)
        Days before today.
    member : ndarray of float64, shape (n_cases, n_circles)

    Returns
    -------
    ratio, circle, window : ndarray, shape (n_rows,)
        The ratio is 0 where no circle and window holds enough cases.
    """
    total, held = age.shape[1], member.sum(axis=0)
    best = np.zeros(age.shape[0])
    circle, window = np.zeros(age.shape[0], dtype=np.int64), np.ones(age.shape[0], dtype=np.int64)
    for days in range(1, LONGEST_DAYS + 1):
        recent = (age < days).astype(np.float64)
        observed = recent @ member
        expected = recent.sum(axis=1)[:, None] * held / max(total, 1)
        ratio = np.where(observed >= LEAST_CASES, log_ratio(observed, expected, total), 0.0)
        here = ratio.argmax(axis=1) if ratio.size else np.zeros(age.shape[0], dtype=np.int64)
        value = ratio[np.arange(age.shape[0]), here] if ratio.size else best
        better = value > best
        best, circle, window = (
            np.where(better, value, best),
            np.where(better, here, circle),
            np.where(better, days, window),
        )
    return best, circle, window


def log_ratio(observed: Floats, expected: Floats, total: int) -> Floats:
    """Return the permutation model's log-likelihood ratio of each cylinder (Kulldorff et al. 2005, equation 3)."""
    outside, usual = total - observed, np.maximum(total - expected, 1e-12)
    inside = np.where(
        observed > 0, observed * np.log(np.maximum(observed, 1e-12) / np.maximum(expected, 1e-12)), 0
    )
    beyond = np.where(outside > 0, outside * np.log(np.maximum(outside, 1e-12) / usual), 0)
    ratio: Floats = np.where(observed > expected, inside + beyond, 0.0)
    return ratio


def gumbel_tail(value: float, maxima: Floats) -> float:
    """Return the chance of more than ``value`` under the Gumbel law with the moments of ``maxima`` (Abrams 2010)."""
    # Where most replicates hold no cluster at all, their moments say little: the ratio's own tail falls as exp(-x).
    scale = max(float(maxima.std(ddof=1)) * np.sqrt(6) / np.pi, _LEAST_SCALE)
    location = float(maxima.mean()) - _EULER * scale
    return float(-np.expm1(-np.exp(-(value - location) / scale)))
