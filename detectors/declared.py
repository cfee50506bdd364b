"""What people declare about a feed that its counts alone cannot say: a changed definition, or a cause that is measured.

A jurisdiction's settings declare level shifts (``level_shifts``); a covariate is for whoever fits a baseline with
:func:`detectors.baseline.fit_baseline`. They teach the baseline what to expect; they never silence an alarm themselves.

*Strata* need nothing here. Prison, school and self-harm events are counted apart, and whoever fits a baseline of such a
stratum fits it like any other: on its own past. Nothing is borrowed across strata, because a prison's weekdays and its
spice are not a town's. Detection runs look at the general stratum only; the others have routes of their own.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LevelShift:
    """From a day on a feed counts something else: a new case definition, another supplier, a service that was merged.

    The level begins anew on that day, from a prior worth half an event at the old level; weekday, season and shares are
    kept. Deaths "of drugs" against "of drugs and alcohol" differ five- to tenfold, so nothing else of the old level is.
    """

    feed: Feed
    on: date


@dataclass(frozen=True, slots=True)
class Covariate:
    """A measured cause of more or fewer events, such as the take-home naloxone supplied in each of the last weeks.

    Attributes
    ----------
    feed : Feed
        Whose counts it moves.
    name : str
        For the record.
    first_day : date
        Day of the first value. Before it the first value holds, after the last one the last: say a constant, not zero.
    values : tuple of float
        One for each day, in a unit in which a step of one is a large change.
    spread : float
        Prior standard deviation of its coefficient: log of the rate per unit.
    """

    feed: Feed
    name: str
    first_day: date
    values: tuple[float, ...]
    spread: float = 0.3

    def __post_init__(self) -> None:
        if not self.values or not np.all(np.isfinite(self.values)):
            raise ValueError(f"values of covariate {self.name} must be one or more finite numbers")
        if not 0 < self.spread <= 10:  # noqa: PLR2004 (a factor of e**10 is no prior at all)
            raise ValueError(
                f"spread of covariate {self.name} must lie above 0 and not above 10, not {self.spread}"
            )

    def over(self, first_day: date, n_days: int) -> FloatArray:
        """Return its values on ``n_days`` days, shape (n_days,).

        >>> Covariate(Feed.AMBULANCE_NALOXONE, "kits", date(2024, 1, 2), (1.0, 3.0)).over(date(2024, 1, 1), 4).tolist()
        [1.0, 1.0, 3.0, 3.0]
        """
        index = np.clip((first_day - self.first_day).days + np.arange(n_days), 0, len(self.values) - 1)
        return np.asarray(self.values, dtype=np.float64)[index]


@dataclass(frozen=True, slots=True)
class Declared:
    """Everything declared about the feeds of a jurisdiction."""

    shifts: tuple[LevelShift, ...] = ()
    covariates: tuple[Covariate, ...] = ()

    @property
    def names(self) -> int:
        """How many effects there are to fit: one for each covariate, then one for each shift."""
        return len(self.covariates) + len(self.shifts)

    def columns(self, first_day: date, n_days: int, now: date) -> FloatArray:
        """Return the effects' columns, shape (n_days, n_effects): zero now, so that the level is today's.

        A covariate's is its distance from its value on ``now``; a shift's is 1 before its day. A shift that lies after
        ``now`` has not happened: its column is zero.
        """
        found = np.zeros((n_days, self.names))
        for index, covariate in enumerate(self.covariates):
            found[:, index] = covariate.over(first_day, n_days) - covariate.over(now, 1)[0]
        for index, shift in enumerate(self.shifts, start=len(self.covariates)):
            if shift.on <= now:
                found[:, index] = first_day.toordinal() + np.arange(n_days) < shift.on.toordinal()
        return found

    def spreads(self, feed: Feed) -> FloatArray:
        """Return the prior spread of each effect on a feed, shape (n_effects,); 0 for effects on other feeds."""
        of_covariates = [item.spread * (item.feed is feed) for item in self.covariates]
        return np.array([*of_covariates, *(_SHIFT_SPREAD * (item.feed is feed) for item in self.shifts)])

    def last_shift(self, feed: Feed, now: date) -> date | None:
        """Return the latest day up to ``now`` on which the feed's level began anew."""
        return max((item.on for item in self.shifts if item.feed is feed and item.on <= now), default=None)


_SHIFT_SPREAD = 1.5
"""Log scale: a tenfold change is one and a half of these."""
