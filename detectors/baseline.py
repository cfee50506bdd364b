"""What is usual: the expected count and its over-dispersion, by series, day and area, from a jurisdiction's own past.

A detection run fits a :class:`Baseline` every Monday from what was known at that Monday 00:00 and stores its JSON;
calibration does the same at the same cadence. Detectors only read it. It reads no clock and draws no random number:
the same counts give the same bytes.

The rate of a series on a day is *level* x *shape* (``detectors/level.py``, ``detectors/terms.py``), both from the
jurisdiction's total; an area's rate is its *share* of that (``detectors/shares.py``). A class leans on its feed: on
the feed's calendar, its geography and its dispersion, and moves away from them as far as its own counts prove.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.completeness import checked, first_useful_age, share_known
from detectors.history import CountCube, Series
from detectors.level import (
    dispersion_by_moments,
    level_posterior,
    local_mean,
    outbreak_weights,
    prior_dispersion,
)
from detectors.shares import area_shares, population_shares
from detectors.terms import calendar_terms, fit_shape
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]

MODEL_VERSION = "area-counts-1"
"""Changed whenever the same counts would give another baseline or score: thresholds belong to one version."""

DAYS_BEFORE_PAGING = 56
"""A feed with less than eight weeks of history opens no page: its level is not known well enough."""
DAYS_BEFORE_REVIEW = 14

_WEEK = 7
_SHARE_HALF_LIFE_WEEKS = 104.0
_EVENTS_FOR_OWN_SHAPE = 200
"""A class with fewer events keeps its feed's calendar: the penalty would leave little of its own."""
_PRIOR_EVENTS_A_DAY = 1.0 / 7.0
"""Level of a feed of which nothing is known: one event a week in the whole jurisdiction."""
_PRIOR_PLACED_EVENTS = 5.0
_DECIMALS = 12
_LARGEST_LOG = 5.0


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a deployment may change about the fit.

    Attributes
    ----------
    guard_days : int
        The last days that teach nothing, so that a running outbreak does not become usual. A feed whose records come
        late has its first useful age added; a short history gives up at most a quarter.
    most_training_days : int
        Older days are left out.
    """

    guard_days: int = 21
    most_training_days: int = 1092

    def __post_init__(self) -> None:
        if self.guard_days < 0:
            raise ValueError("guard_days must not be negative")
        if self.most_training_days < _WEEK:
            raise ValueError("most_training_days must be at least 7")


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A fitted baseline.

    Attributes
    ----------
    known_until : date
        The last day whose end it knew.
    areas, series
        As in the cube it was fitted from.
    history_days : ndarray of int32, shape (n_series,)
        Days since the series' feed gave its first record; 0 when it never did.
    level_shape, level_rate : ndarray of float64, shape (n_series,)
        Gamma posterior of the level, in events a day on an average day.
    half_life_weeks : ndarray of float64, shape (n_series,)
        Memory of the level.
    terms : ndarray of float64, shape (n_series, 12)
        Coefficients of the calendar on the log scale.
    scale : ndarray of float64, shape (n_series,)
        Log of the calendar's average over a year, taken off so that the level is an average day's.
    dispersion, dispersion_total : ndarray of float64, shape (n_series,)
        Variance over mean, at least 1, of area counts and of the jurisdiction's total.
    shares, share_shapes : ndarray of float64, shape (n_series, n_areas)
        Part of the total that falls in each area, and the Gamma shape of what is known about it.
    holidays : tuple of date
    model_version : str
    """

    known_until: date
    areas: tuple[AreaCode, ...]
    series: tuple[Series, ...]
    history_days: NDArray[np.int32]
    level_shape: FloatArray
    level_rate: FloatArray
    half_life_weeks: FloatArray
    terms: FloatArray
    scale: FloatArray
    dispersion: FloatArray
    dispersion_total: FloatArray
    shares: FloatArray
    share_shapes: FloatArray
    holidays: tuple[date, ...]
    model_version: str = MODEL_VERSION

    def expected_total(self, first_day: date, n_days: int) -> FloatArray:
        """Return the expected events of the whole jurisdiction, shape (n_series, n_days)."""
        calendar = calendar_terms(first_day, n_days, self.holidays)
        shape = np.exp(np.clip(self.terms @ calendar.T - self.scale[:, None], -_LARGEST_LOG, _LARGEST_LOG))
        total: FloatArray = shape * (self.level_shape / self.level_rate)[:, None]
        return total

    def expected(self, first_day: date, n_days: int) -> FloatArray:
        """Return the expected events of every day, shape (n_series, n_days, n_areas + 1); nowhere zero.

        These are the events of the day, whenever they become known: multiply by the completeness of its age to compare
        with what is known now.
        """
        total = self.expected_total(first_day, n_days)[:, :, None]
        return np.concatenate([total * self.shares[:, None, :], total], axis=2)

    def to_json(self) -> str:
        """Return it as JSON, the same bytes for the same baseline."""
        document: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            document[item.name] = value.tolist() if isinstance(value, np.ndarray) else value
        document["known_until"] = self.known_until.isoformat()
        document["holidays"] = [day.isoformat() for day in self.holidays]
        document["series"] = [[feed.value, name.value] for feed, name in self.series]
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read back what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not such a baseline.
        """
        try:
            document = json.loads(text)
            document["known_until"] = date.fromisoformat(document["known_until"])
            document["holidays"] = tuple(date.fromisoformat(day) for day in document["holidays"])
            document["areas"] = tuple(AreaCode(code) for code in document["areas"])
            document["series"] = tuple(
                (Feed(feed), SubstanceClass(name)) for feed, name in document["series"]
            )
            n_series, n_areas = len(document["series"]), len(document["areas"])
            for name, value in document.items():
                if isinstance(value, list):
                    dtype = np.int32 if name == "history_days" else np.float64
                    document[name] = np.array(value, dtype=dtype)
            for name in ("shares", "share_shapes"):
                document[name] = document[name].reshape(n_series, n_areas)
            return cls(**document)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError("text is not a stored baseline") from error


def fit_baseline(
    cube: CountCube,
    *,
    completeness: Mapping[Feed, FloatArray],
    populations: FloatArray,
    holidays: Collection[date] = (),
    settings: ModelSettings | None = None,
) -> Baseline:
    """Fit the baseline of a jurisdiction from what was known at the end of the cube's last day.

    Parameters
    ----------
    cube : CountCube
        The history. Days before a feed's first record are no history of that feed.
    completeness : mapping of Feed to ndarray, shape (n_ages,)
        Share of events known by the end of the civil day ``age`` days after they happened; a feed without one is
        complete at once.
    populations : ndarray of float64, shape (n_areas,)
        Residents; NaN or 0 where nobody has said.
    holidays : collection of date
        Bank holidays over the history and the weeks to come.
    settings : ModelSettings, optional

    Raises
    ------
    ValueError
        If an argument is negative, not a number or of the wrong shape; the message names it.
    """
    chosen = settings or ModelSettings()
    cube.refuse_negative()
    feeds = tuple(dict.fromkeys(feed for feed, _ in cube.series))
    laws = checked(completeness, feeds)
    people = population_shares(populations)
    if people.shape != (len(cube.areas),):
        raise ValueError("populations must hold one number for each area")
    parts: dict[str, FloatArray] = {}
    history_days = np.zeros(len(cube.series), dtype=np.int32)
    for feed in feeds:
        rows = np.array([index for index, series in enumerate(cube.series) if series[0] is feed])
        names = [cube.series[index][1] for index in rows]
        window = _training_window(cube, rows, laws[feed], chosen)
        history_days[rows] = window.history_days
        fitted = _fit_feed(cube, rows, names, window, people, holidays)
        for name, value in fitted.items():
            parts.setdefault(name, np.zeros((len(cube.series), *value.shape[1:])))[rows] = np.round(
                value, _DECIMALS
            )
    last = cube.last_day
    return Baseline(
        known_until=last,
        areas=cube.areas,
        series=cube.series,
        history_days=history_days,
        # A year on either side of now: what a chart looks back on and what the coming week may need.
        holidays=tuple(sorted(day for day in set(holidays) if abs((day - last).days) <= 400)),  # noqa: PLR2004
        **parts,  # type: ignore[arg-type]  # every part is an array of the field it is named after
    )


@dataclass(frozen=True, slots=True)
class _Window:
    """The days that teach a feed's baseline: from ``start`` up to, not including, ``end``."""

    start: int
    end: int
    history_days: int
    guard_weeks: float
    law: FloatArray


def _training_window(
    cube: CountCube, rows: NDArray[np.int_], law: FloatArray, settings: ModelSettings
) -> _Window:
    seen = np.flatnonzero(cube.counts[rows, :, -1].any(axis=0))
    if not seen.size:
        return _Window(cube.n_days, cube.n_days, 0, 0.0, law)
    first = int(seen[0])
    history_days = cube.n_days - first
    late = first_useful_age(law)
    guard = min(settings.guard_days + late, history_days // 4)
    end = cube.n_days - guard
    # The day of the first record is there because of that record: counting it would raise a sparse feed's level.
    start = max(min(first + 1, end), end - settings.most_training_days)
    return _Window(start, end, history_days, guard / _WEEK, law)


def _fit_feed(
    cube: CountCube,
    rows: NDArray[np.int_],
    names: list[SubstanceClass],
    window: _Window,
    people: FloatArray,
    holidays: Collection[date],
) -> dict[str, FloatArray]:
    """Fit every series of one feed: first the feed's own total, then each class leaning on it."""
    counts = cube.counts[rows, window.start : window.end]
    n_days = window.end - window.start
    ages = cube.n_days - 1 - np.arange(window.start, window.end)
    known = share_known(window.law, ages)
    total = counts[:, :, -1].astype(np.float64)
    whole = names.index(SubstanceClass.ANY) if SubstanceClass.ANY in names else None
    feed_total = total[whole] if whole is not None else total.sum(axis=0)
    weeks = _week_starts(n_days)
    calendar = calendar_terms(cube.first_day + timedelta(days=window.start), n_days, holidays)

    flat = np.broadcast_to(_by_week(known[None, :], weeks), (len(names), weeks.size))
    by_week = _by_week(total, weeks)
    trust = outbreak_weights(by_week, flat)
    feed_by_week = _by_week(feed_total[None, :], weeks)
    feed_trust = trust[whole] if whole is not None else outbreak_weights(feed_by_week, flat[:1])[0]
    feed_mean = local_mean(feed_by_week, flat[:1], feed_trust[None])
    spread = dispersion_by_moments(feed_by_week, feed_mean, feed_trust[None], prior_dispersion(1))
    per_day = np.repeat(np.arange(weeks.size), np.diff(np.append(weeks, n_days)))
    terms, scale = _shapes(
        total, feed_total, known, trust[:, per_day], feed_trust[per_day], calendar, float(spread[0]), whole
    )

    exposure = _by_week(np.exp(terms @ calendar.T - scale[:, None]) * known, weeks)
    mean = local_mean(by_week, exposure, trust)
    dispersion_total = dispersion_by_moments(by_week, mean, trust, np.repeat(spread, len(names)))
    feed_rate = (feed_total.sum() + 0.5) / (known.sum() + 0.5 / _PRIOR_EVENTS_A_DAY)
    prior_rate = np.full(len(names), feed_rate / len(names))
    if whole is not None:
        prior_rate[whole] = _PRIOR_EVENTS_A_DAY
    shape, rate, half_life = level_posterior(
        trust * by_week, trust * exposure, dispersion_total, prior_rate, window.guard_weeks
    )

    placed_counts = counts[:, :, :-1]
    by_area: FloatArray = (
        np.add.reduceat(placed_counts, weeks, axis=1) if weeks.size else placed_counts[:, :0]
    ).astype(np.float64)
    memory = 0.5 ** (np.arange(weeks.size)[::-1] / _SHARE_HALF_LIFE_WEEKS)
    placed = np.einsum("kw,kwa->ka", trust * memory, by_area)
    counted = (trust * memory * by_week).sum(axis=1)
    shares, share_shapes = _shares(placed, counted, whole, people)
    area_mean = mean[:, :, None] * shares[:, None, :]
    weight = np.broadcast_to(trust[:, :, None], area_mean.shape)
    area_prior = prior_dispersion(1)
    if whole is not None:
        area_prior = dispersion_by_moments(by_area[[whole]], area_mean[[whole]], weight[[whole]], area_prior)
    dispersion = dispersion_by_moments(by_area, area_mean, weight, np.repeat(area_prior, len(names)))
    return {
        "level_shape": shape,
        "level_rate": rate,
        "half_life_weeks": half_life,
        "terms": terms,
        "scale": scale,
        "dispersion": dispersion,
        "dispersion_total": dispersion_total,
        "shares": shares,
        "share_shapes": share_shapes,
    }


def _shapes(
    total: FloatArray,
    feed_total: FloatArray,
    known: FloatArray,
    trust: FloatArray,
    feed_trust: FloatArray,
    calendar: FloatArray,
    dispersion: float,
    whole: int | None,
) -> tuple[FloatArray, FloatArray]:
    """Return the calendar's coefficients of every series and the log of their yearly average."""
    feed_terms = fit_shape(feed_total, known, feed_trust, calendar, dispersion)
    terms = np.tile(feed_terms, (total.shape[0], 1))
    usual = known * np.exp(calendar @ feed_terms)
    for index in np.flatnonzero(total.sum(axis=1) >= _EVENTS_FOR_OWN_SHAPE):
        if index != whole:
            terms[index] += fit_shape(total[index], usual, trust[index], calendar, dispersion)
    # Any leap year will do: it only fixes what "an average day" means.
    year = calendar_terms(date(2024, 1, 1), 366, ())
    return terms, np.log(np.exp(terms @ year.T).mean(axis=1))


def _shares(
    placed: FloatArray, counted: FloatArray, whole: int | None, people: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each area's share of all events of a series, placed or not, and the Gamma shape of what is known."""
    feed_placed, feed_counted = (
        (placed[whole], counted[whole]) if whole is not None else (placed.sum(axis=0), counted.sum())
    )
    feed_part = (feed_placed.sum() + 1.0) / (feed_counted + 1.0)
    feed_shares, feed_shapes = area_shares(feed_placed[None, :], people)
    shares, shapes = area_shares(placed, feed_shares[0])
    part = (placed.sum(axis=1) + _PRIOR_PLACED_EVENTS * feed_part) / (counted + _PRIOR_PLACED_EVENTS)
    if whole is not None:
        shares[whole], shapes[whole] = feed_shares[0], feed_shapes[0]
    return shares * part[:, None], shapes


def _week_starts(n_days: int) -> NDArray[np.int_]:
    """Index of the first day of each block of seven days, counted back from the end (the oldest may be shorter)."""
    if not n_days:
        return np.zeros(0, dtype=np.int_)
    rest = n_days % _WEEK
    return np.concatenate([[0], np.arange(rest, n_days, _WEEK)]) if rest else np.arange(0, n_days, _WEEK)


def _by_week(values: FloatArray, weeks: NDArray[np.int_]) -> FloatArray:
    if not weeks.size:
        return np.zeros((values.shape[0], 0))
    summed: FloatArray = np.add.reduceat(values, weeks, axis=1)
    return summed
