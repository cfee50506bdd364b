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
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detectors.completeness import checked
from detectors.declared import Covariate, Declared, LevelShift
from detectors.feed_fit import LARGEST_LOG, SMALLEST_LOG, Asked, fit_feed, training_window
from detectors.history import CountCube, Series
from detectors.shares import population_shares
from detectors.terms import YEAR, calendar_terms
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]

MODEL_VERSION = "area-counts-2"
"""Changed whenever the same counts would give another baseline or score: thresholds belong to one version."""

DAYS_BEFORE_PAGING = 56
"""A feed with less than eight weeks of history opens no page: its level is not known well enough."""
DAYS_BEFORE_REVIEW = 14

_WEEK = 7
_DECIMALS = 12
_TREND_YEARS = 0.5
"""A trend is carried on for about half a year at most, whatever lies ahead."""
_LONGEST_TREND_DAYS = 1092


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
    year_days : float
        Days in a season's year: 365.25, unless the series come from a simulator with years of its own.
    """

    guard_days: int = 21
    most_training_days: int = 1092
    year_days: float = YEAR

    def __post_init__(self) -> None:
        if self.guard_days < 0:
            raise ValueError("guard_days must not be negative")
        if self.most_training_days < _WEEK:
            raise ValueError("most_training_days must be at least 7")
        if not 28 <= self.year_days <= 400:  # noqa: PLR2004
            raise ValueError(f"year_days must lie from 28 to 400, not {self.year_days}")


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
        Gamma posterior of the level, in events a day on an average day, for the week after ``known_until``. What is not
        known about season, weekday and trend in that week, and how far wrong this time of earlier years went, are in it:
        ``1 / level_shape`` is the squared relative error of what is expected then.
    half_life_weeks : ndarray of float64, shape (n_series,)
        Memory of the level.
    terms : ndarray of float64, shape (n_series, 21)
        Coefficients of the calendar on the log scale (``detectors/terms.py``).
    effects : ndarray of float64, shape (n_series, n_effects)
        Coefficients of what was declared: covariates, then level shifts.
    trend : ndarray of float64, shape (n_series,)
        Growth a year just now, on the log scale; 0 where a trend did not predict better than none.
    scale : ndarray of float64, shape (n_series,)
        Log of the calendar's average over a year, taken off so that the level is an average day's.
    dispersion, dispersion_total : ndarray of float64, shape (n_series,)
        Variance over mean, at least 1, of area counts and of the jurisdiction's total.
    shares, share_shapes : ndarray of float64, shape (n_series, n_areas)
        Part of the total that falls in each area, and the Gamma shape of what is known about it.
    holidays : tuple of date
    declared : Declared
    year_days : float
        Days in a season's year.
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
    effects: FloatArray
    trend: FloatArray
    scale: FloatArray
    dispersion: FloatArray
    dispersion_total: FloatArray
    shares: FloatArray
    share_shapes: FloatArray
    holidays: tuple[date, ...]
    declared: Declared = field(default_factory=Declared)
    year_days: float = YEAR
    model_version: str = MODEL_VERSION

    def expected_total(self, first_day: date, n_days: int) -> FloatArray:
        """Return the expected events of the whole jurisdiction, shape (n_series, n_days)."""
        calendar = calendar_terms(first_day, n_days, self.holidays, self.year_days)
        log = self.terms @ calendar.T - self.scale[:, None]
        if self.declared.names:
            log += self.effects @ self.declared.columns(first_day, n_days, self.known_until).T
        if self.trend.any():
            log += self.trend[:, None] * _damped((first_day - self.known_until).days + np.arange(n_days))
        shape = np.exp(np.clip(log, SMALLEST_LOG, LARGEST_LOG))
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
        document["declared"] = asdict(self.declared)
        document["series"] = [[feed.value, name.value] for feed, name in self.series]
        return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str)

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
            document["declared"] = _declared_from(document["declared"])
            n_series, n_areas = len(document["series"]), len(document["areas"])
            for name, value in document.items():
                if isinstance(value, list):
                    dtype = np.int32 if name == "history_days" else np.float64
                    document[name] = np.array(value, dtype=dtype)
            for name in ("shares", "share_shapes"):
                document[name] = document[name].reshape(n_series, n_areas)
            document["effects"] = document["effects"].reshape(n_series, document["declared"].names)
            return cls(**document)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError("text is not a stored baseline") from error


def _declared_from(document: dict[str, Any]) -> Declared:
    return Declared(
        shifts=tuple(
            LevelShift(Feed(one["feed"]), date.fromisoformat(one["on"])) for one in document["shifts"]
        ),
        covariates=tuple(
            Covariate(
                Feed(one["feed"]),
                one["name"],
                date.fromisoformat(one["first_day"]),
                tuple(one["values"]),
                one["spread"],
            )
            for one in document["covariates"]
        ),
    )


def _damped(days: NDArray[np.int_]) -> FloatArray:
    """Return the years that a trend acts over: as many as pass, but ever less of those to come.

    A slope that is carried on for ever overshoots (Gardner and McKenzie 1985, Management Science 31:1237).
    """
    ahead = _TREND_YEARS * -np.expm1(-np.maximum(days, 0) / (365.25 * _TREND_YEARS))
    years: FloatArray = np.where(days > 0, ahead, np.maximum(days, -_LONGEST_TREND_DAYS) / 365.25)
    return years


def fit_baseline(
    cube: CountCube,
    *,
    completeness: Mapping[Feed, FloatArray],
    populations: FloatArray,
    holidays: Collection[date] = (),
    settings: ModelSettings | None = None,
    declared: Declared | None = None,
    previous: Baseline | None = None,
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
    declared : Declared, optional
        Changed definitions and measured causes.
    previous : Baseline, optional
        Last week's. The fit begins where it ended, which saves time and changes nothing; one of other areas or series
        is not used.

    Raises
    ------
    ValueError
        If an argument is negative, not a number or of the wrong shape; the message names it.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> from schemas.geography import AreaCode
    >>> series = ((Feed.AMBULANCE_NALOXONE, SubstanceClass.ANY),)
    >>> counts = np.full((1, 364, 2), 3, dtype=np.int32)
    >>> cube = CountCube(date(2024, 1, 1), (AreaCode("E07000114"),), series, counts)
    >>> baseline = fit_baseline(cube, completeness={}, populations=np.array([140_600.0]))
    >>> float(baseline.expected_total(date(2024, 12, 30), 7).round().max())
    3.0
    """
    chosen = settings or ModelSettings()
    cube.refuse_negative()
    feeds = tuple(dict.fromkeys(feed for feed, _ in cube.series))
    laws = checked(completeness, feeds)
    people = population_shares(populations)
    if people.shape != (len(cube.areas),):
        raise ValueError(
            f"populations must have the shape ({len(cube.areas)},), one for each area, not {people.shape}"
        )
    asked = Asked(people, frozenset(holidays), declared or Declared(), chosen.year_days)
    last = cube.last_day
    parts: dict[str, FloatArray] = {}
    history_days = np.zeros(len(cube.series), dtype=np.int32)
    earlier = _earlier(previous, cube, asked.declared)
    for feed in feeds:
        rows = np.array([index for index, series in enumerate(cube.series) if series[0] is feed])
        window = training_window(
            cube,
            rows,
            laws[feed],
            guard_days=chosen.guard_days,
            most_training_days=chosen.most_training_days,
            shift=asked.declared.last_shift(feed, last),
        )
        history_days[rows] = window.history_days
        fitted = fit_feed(cube, rows, window, asked, None if earlier is None else earlier[rows])
        for name, value in fitted.items():
            parts.setdefault(name, np.zeros((len(cube.series), *value.shape[1:])))[rows] = np.round(
                value, _DECIMALS
            )
    return Baseline(
        known_until=last,
        areas=cube.areas,
        series=cube.series,
        history_days=history_days,
        # A year on either side of now: what a chart looks back on and what the coming week may need.
        holidays=tuple(sorted(day for day in asked.holidays if abs((day - last).days) <= 400)),  # noqa: PLR2004
        declared=asked.declared,
        year_days=chosen.year_days,
        **parts,  # type: ignore[arg-type]  # every part is an array of the field it is named after
    )


def _earlier(previous: Baseline | None, cube: CountCube, declared: Declared) -> FloatArray | None:
    """Return last week's coefficients: calendar, trend, declared effects."""
    if previous is None or previous.series != cube.series or previous.effects.shape[1] != declared.names:
        return None
    return np.hstack([previous.terms, previous.trend[:, None], previous.effects])
