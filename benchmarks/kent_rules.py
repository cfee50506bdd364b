"""The daily rules that the Kent benchmark compares with: ODMAP's, ESSENCE's and EARS C2, written from their descriptions.

Each looks at every district and at the county, in every feed in which people are harmed, at the last three days as they
are known now: records come late, and whoever watches such a rule sees yesterday's count rise. Stock settings alarm as the
originals do; the tuned ones use the same statistics with thresholds learnt for each feed and level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from benchmarks.kent_systems import CASUALTY_FEEDS, Day, Rule, Telling
from detectors.ears import ears
from schemas.substances import OPIOID_CLASSES, SubstanceClass
from schemas.vocabulary import Feed

Floats = NDArray[np.float64]

LOOKS_BACK = 3
"""Days, today included, that are judged at each look: by the third nearly every record is known."""

ODMAP_DAYS = 365
ODMAP_DEVIATIONS = 2.0
BASELINE_DAYS, GUARD_DAYS = 28, 2
ESSENCE_R2 = 0.60
ESSENCE_P = 0.01
ESSENCE_SMOOTHING = (0.4, 0.9)
ESSENCE_LEAST_SD = 0.5
EARS_DAYS = 7
EARS_DEVIATIONS = 3.0902323
EARS_LEAST_SD = 0.2
"""So that cases after an empty week can be graded: one is 5 standard deviations, two are 10."""
_MOST = 300.0


@dataclass(frozen=True, slots=True)
class Stream:
    """What a rule counts together."""

    name: str
    feed: Feed
    classes: tuple[SubstanceClass, ...] = (SubstanceClass.ANY,)


WHOLE_FEEDS: tuple[Stream, ...] = tuple(Stream(feed.value, feed) for feed in CASUALTY_FEEDS)
_C = SubstanceClass
BY_CLASS: tuple[Stream, ...] = (
    *WHOLE_FEEDS,
    Stream("ed:opioid", Feed.ED_PRESENTATIONS, tuple(sorted(OPIOID_CLASSES))),
    Stream("ed:benzodiazepine", Feed.ED_PRESENTATIONS, (_C.NOVEL_BENZODIAZEPINE, _C.BENZODIAZEPINE)),
    Stream("ed:cannabinoid", Feed.ED_PRESENTATIONS, (_C.SYNTHETIC_CANNABINOID,)),
    Stream("ed:stimulant", Feed.ED_PRESENTATIONS, (_C.STIMULANT,)),
)
"""Syndromes as a health department would define them, beside the whole feeds."""


def stream_days(day: Day, days: int, streams: tuple[Stream, ...] = WHOLE_FEEDS) -> NDArray[np.int64]:
    """Return the counts of the last days, shape (n_streams, n_days, n_areas + 1)."""
    rows = [[day.cube.series.index((one.feed, name)) for name in one.classes] for one in streams]
    counts: NDArray[np.int64] = np.stack(
        [day.cube.counts[row, -days:].sum(axis=0, dtype=np.int64) for row in rows]
    )
    return counts


def tellings(
    day: Day,
    score: Floats,
    floor: float,
    stock: NDArray[np.bool_],
    observed: NDArray[np.int64],
    streams: tuple[Stream, ...] = WHOLE_FEEDS,
) -> list[Telling]:
    """Return what a rule tells: the best of the judged days of each feed and column.

    Parameters
    ----------
    day : Day
    score, stock, observed : ndarray, shape (n_lags, n_feeds, n_areas + 1)
        By age of the judged day: today first.
    floor : float
        Scores below it are left out.
    streams : tuple of Stream
        What the second axis counts.
    """
    best = np.where(observed > 0, score, -np.inf).argmax(axis=0)
    found = []
    last = score.shape[2] - 1
    top = np.take_along_axis(np.where(observed > 0, score, -np.inf), best[None], axis=0)[0]
    for feed, column in zip(*np.nonzero(top >= floor), strict=True):
        found.append(
            Telling(
                day=day.today,
                window_days=int(best[feed, column]) + 1,
                score=float(min(top[feed, column], _MOST)),
                family=f"{streams[feed].name}:{'county' if column == last else 'district'}",
                areas=(1 << last) - 1 if column == last else 1 << int(column),
                stock=bool(stock[:, feed, column].any()),
            )
        )
    return found


def odmap_scores(counts: NDArray[np.int64]) -> Floats:
    """Return standard deviations above the mean of the year before, for each judged day.

    ODMAP's spike alert is a count in 24 hours above a threshold that its users set, commonly mean + 2 SD. The smallest
    standard deviation that a year with any event can have stands in for a year with none.

    Parameters
    ----------
    counts : ndarray of int, shape (n_feeds, ODMAP_DAYS + LOOKS_BACK, n_columns)

    Returns
    -------
    ndarray of float64, shape (LOOKS_BACK, n_feeds, n_columns)
    """
    days = counts.shape[1]
    scores = []
    for lag in range(LOOKS_BACK):
        base = counts[:, days - 1 - lag - ODMAP_DAYS : days - 1 - lag]
        sd = np.maximum(base.std(axis=1, ddof=1), ODMAP_DAYS**-0.5)
        scores.append((counts[:, days - 1 - lag] - base.mean(axis=1)) / sd)
    return np.stack(scores)


def essence_p_values(counts: NDArray[np.int64], weekday: int) -> Floats:
    """Return ESSENCE's p-values for each judged day: regression where it explains the baseline, else EWMA.

    A baseline of 28 days that ends two days before the judged one. Regression on a trend and the days of the week if its
    adjusted R2 is at least .60 (Student's t of the prediction); otherwise exponentially weighted moving averages with
    weights 0.4 and 0.9, the smaller p of both (Burkom, Murphy and Shmueli 2007, Stat. Med. 26:4202; ESSENCE's
    documentation). Standard deviations below 0.5 are raised to it, so that an empty baseline can be judged.

    Parameters
    ----------
    counts : ndarray of int, shape (n_feeds, BASELINE_DAYS + GUARD_DAYS + LOOKS_BACK, n_columns)
        Its last day is today.
    weekday : int
        Of today, Monday is 0.

    Returns
    -------
    ndarray of float64, shape (LOOKS_BACK, n_feeds, n_columns)
    """
    days = counts.shape[1]
    found = []
    for lag in range(LOOKS_BACK):
        end = days - 1 - lag
        base = counts[:, end - GUARD_DAYS - BASELINE_DAYS : end - GUARD_DAYS].astype(np.float64)
        judged = counts[:, end].astype(np.float64)
        smooth = counts[:, end - GUARD_DAYS - BASELINE_DAYS : end + 1].astype(np.float64)
        by_regression, explains = _regression(base, judged, weekday - lag)
        found.append(np.where(explains, by_regression, _ewma(base, smooth)))
    return np.stack(found)


def _regression(base: Floats, judged: Floats, weekday: int) -> tuple[Floats, NDArray[np.bool_]]:
    age = np.arange(BASELINE_DAYS)
    of_week = (weekday - GUARD_DAYS - BASELINE_DAYS + age) % 7
    design = np.column_stack([np.ones(BASELINE_DAYS), age, *(of_week == one for one in range(1, 7))])
    now = np.array([1.0, BASELINE_DAYS + GUARD_DAYS, *(weekday % 7 == one for one in range(1, 7))])
    flat = base.transpose(1, 0, 2).reshape(BASELINE_DAYS, -1)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ flat
    free = BASELINE_DAYS - design.shape[1]
    mean_square = ((flat - design @ beta) ** 2).sum(axis=0) / free
    total = ((flat - flat.mean(axis=0)) ** 2).sum(axis=0) / (BASELINE_DAYS - 1)
    explained = 1 - mean_square / np.maximum(total, 1e-12)
    sd = np.maximum(np.sqrt(mean_square * (1 + now @ inverse @ now)), ESSENCE_LEAST_SD)
    p_value = stdtr(free, -(judged.ravel() - now @ beta) / sd)
    return p_value.reshape(judged.shape), ((explained >= ESSENCE_R2) & (total > 0)).reshape(judged.shape)


def _ewma(base: Floats, smooth: Floats) -> Floats:
    mean, sd = base.mean(axis=1), np.maximum(base.std(axis=1, ddof=1), ESSENCE_LEAST_SD)
    values = []
    for weight in ESSENCE_SMOOTHING:
        back = weight * (1 - weight) ** np.arange(smooth.shape[1])[::-1]
        level = (smooth * back[None, :, None]).sum(axis=1) + (1 - back.sum()) * mean
        values.append(stdtr(BASELINE_DAYS - 1, -(level - mean) / (sd * np.sqrt(weight / (2 - weight)))))
    least: Floats = np.minimum(*values)
    return least


class Odmap(Rule):
    """A count in a day above mean + k SD of the year before."""

    name = "ODMAP rule"

    def look(self, day: Day) -> list[Telling]:
        """Return every count above mean + 2 SD."""
        counts = stream_days(day, ODMAP_DAYS + LOOKS_BACK)
        score = odmap_scores(counts)
        return tellings(day, score, ODMAP_DEVIATIONS, score > ODMAP_DEVIATIONS, _judged(counts))


class Essence(Rule):
    """ESSENCE's switch between regression and EWMA."""

    name = "ESSENCE switch"
    streams = WHOLE_FEEDS

    def look(self, day: Day) -> list[Telling]:
        """Return every p-value below .01."""
        counts = stream_days(day, BASELINE_DAYS + GUARD_DAYS + LOOKS_BACK, self.streams)
        p_value = essence_p_values(counts, day.cube.last_day.weekday())
        score = -np.log10(np.maximum(p_value, 1e-300))
        stock = p_value < ESSENCE_P
        return tellings(day, score, -np.log10(ESSENCE_P), stock, _judged(counts), self.streams)


class EssenceByClass(Essence):
    """The same with A&E's presentations by class as well, as ESSENCE's users define syndromes."""

    name = "ESSENCE switch with syndromes"
    streams = BY_CLASS


class EarsC2(Rule):
    """EARS C2: three standard deviations above the mean of a week that ended two days before."""

    name = "EARS C2"

    def look(self, day: Day) -> list[Telling]:
        """Return every count above the stock threshold."""
        counts = stream_days(day, EARS_DAYS + GUARD_DAYS + LOOKS_BACK)
        n_feeds, n_days, n_columns = counts.shape
        series = counts.transpose(0, 2, 1).reshape(-1, n_days)
        statistic = ears(series, "C2", min_sigma=EARS_LEAST_SD).statistic
        score = statistic.reshape(n_feeds, n_columns, n_days).transpose(2, 0, 1)[::-1][:LOOKS_BACK]
        return tellings(day, score, EARS_DEVIATIONS, score > EARS_DEVIATIONS, _judged(counts))


def _judged(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the judged days, today first."""
    return counts[:, ::-1][:, :LOOKS_BACK].transpose(1, 0, 2)
