"""When people are harmed: the season, the week, bank holidays, shocks that everybody shares, and the hour.

Days are civil days in Europe/London; a minute of the day is turned into UTC here and nowhere else in this package.
"""

from datetime import UTC, date, datetime, timedelta

import holidays
import numpy as np
import numpy.typing as npt

from schemas.clock import start_of_day
from streams.simulation.parameters import SimulationParameters

Floats = npt.NDArray[np.float64]
Minutes = npt.NDArray[np.int64]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTES_A_DAY = 1440
_PLAIN, _NIGHT_BEFORE, _NIGHT_AFTER = 0, 1, 2
_SATURDAY, _SUNDAY, _FRIDAY = 5, 6, 4


class Days:
    """The civil days of one history, each with its weekday, its place in the year and whether it is a holiday."""

    def __init__(self, first_day: date, n_days: int) -> None:
        self.first_day = first_day
        self.n_days = n_days
        days = [first_day + timedelta(days=number) for number in range(n_days + 1)]
        free = holidays.country_holidays("GB", subdiv="ENG", years=range(days[0].year, days[-1].year + 1))
        self.weekday = np.array([day.weekday() for day in days[:-1]], dtype=np.int64)
        self.day_of_year = np.array([day.timetuple().tm_yday for day in days[:-1]], dtype=np.float64)
        self.holiday = np.array([day in free for day in days[:-1]], dtype=bool)
        self._eve = np.array([day in free for day in days[1:]], dtype=bool)
        starts = [minutes_since_epoch(start_of_day(day)) for day in days]
        self.start = np.array(starts, dtype=np.int64)
        """The minute, since 1970 in UTC, at which each day begins; one entry more than there are days."""

    def shape_of_hours(self) -> npt.NDArray[np.int64]:
        """Return for each day which of the three hour profiles it follows."""
        shape = np.full(self.n_days, _PLAIN, dtype=np.int64)
        shape[(self.weekday == _FRIDAY) | self._eve] = _NIGHT_AFTER
        shape[(self.weekday == _SATURDAY) | (self.weekday == _SUNDAY) | self.holiday] = _NIGHT_BEFORE
        return shape


def minutes_since_epoch(moment: datetime) -> int:
    """Return a moment as whole minutes since 1970 in UTC."""
    return int((moment - EPOCH).total_seconds()) // 60


def moment_of(minutes: int) -> datetime:
    """Return the moment, in UTC, that is so many minutes after the beginning of 1970."""
    return EPOCH + timedelta(minutes=int(minutes))


def day_factors(parameters: SimulationParameters, days: Days, rng: np.random.Generator) -> Floats:
    """Draw what multiplies every feed on each day: season, weekday, holidays, steps, and the shared shocks.

    The shocks have a mean of 1: one is new every day, the other drifts (autoregressive, stationary from the start).
    """
    year = 2 * np.pi * (days.day_of_year - parameters.season_peak_day) / 365.25
    weekday = np.array(parameters.weekday)
    factor: Floats = 1 + parameters.season_amplitude * np.cos(year)
    factor = factor * (weekday / weekday.mean())[days.weekday]
    factor = factor * np.where(days.holiday, parameters.bank_holiday, 1.0)
    for day, step in parameters.steps:
        factor[day:] *= step
    daily = rng.standard_normal(days.n_days) * parameters.day_shock_sd
    keep = float(np.exp(-1 / parameters.drift_days))
    innovations = rng.standard_normal(days.n_days)
    drift = np.empty(days.n_days)
    level = float(innovations[0])
    for number in range(days.n_days):
        if number:
            level = keep * level + float(np.sqrt(1 - keep**2)) * float(innovations[number])
        drift[number] = level
    drift *= parameters.drift_sd
    shocks: Floats = np.exp(daily - parameters.day_shock_sd**2 / 2 + drift - parameters.drift_sd**2 / 2)
    return factor * shocks


def draw_minutes(
    parameters: SimulationParameters, days: Days, day: npt.NDArray[np.int64], rng: np.random.Generator
) -> Minutes:
    """Draw when, on its civil day, each happening falls: minutes since 1970 in UTC."""
    profiles = np.array([parameters.hours_plain, parameters.hours_night_before, parameters.hours_night_after])
    cumulative = np.cumsum(profiles / profiles.sum(axis=1, keepdims=True), axis=1)
    shape = days.shape_of_hours()[day]
    drawn = rng.random(len(day))
    hour = np.minimum((drawn[:, None] >= cumulative[shape]).sum(axis=1), 23)
    minute = hour * 60 + rng.integers(0, 60, len(day))
    # A day on which the clocks change has 23 or 25 hours; the profile is stretched, so that no minute leaves the day.
    length = (days.start[1:] - days.start[:-1])[day]
    within: Minutes = days.start[day] + minute * length // _MINUTES_A_DAY
    return within


def day_index(days: Days, minutes: Minutes) -> npt.NDArray[np.int32]:
    """Return for each moment the index of its civil day; -1 before the first and ``n_days`` or more after the last."""
    inside = np.searchsorted(days.start, minutes, side="right") - 1
    after = days.n_days + (minutes - days.start[-1]) // _MINUTES_A_DAY
    return np.where(minutes >= days.start[-1], after, inside).astype(np.int32)
