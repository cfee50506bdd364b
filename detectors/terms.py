"""The calendar in a baseline: weekday, bank holiday, the working day after it, and season, as columns of a log rate.

Only ``detectors/baseline.py`` and ``detectors/shape.py`` call this. A series' *shape* is its rate relative to its own
average; how high that average stands just now is the *level* (``detectors/level.py``). Nothing here is fitted.

How far each kind of term is expected to stray from nothing is its *prior spread*: one standard deviation on the log
scale. The spread is where a series starts; a series whose own terms prove to be larger or smaller widens or narrows it
(``detectors/shape.py``), so a clinic that is closed at weekends is believed as readily as one that never changes.
"""

from collections.abc import Collection
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

YEAR = 365.25
"""Days in a season's year; a deployment or a simulated series may say another (``ModelSettings.year_days``)."""

WAVES = 6
"""The shortest wave lasts two months: what rises and falls faster than that is no season."""

HOLIDAY, AFTER, FIRST_WAVE = 7, 8, 9
N_TERMS = FIRST_WAVE + 2 * WAVES
"""Seven weekdays, bank holiday, working day after one, and the cosine and sine of one to six waves a year."""

GROUPS = np.array([0] * 7 + [1, 2] + [3] * 2 * WAVES)
"""Terms of one group share one spread."""

# Ambulance naloxone moves by a fifth between weekdays and by about a third between summer and winter. Wave k has the
# spread of the first over k ** 1.5: the prior of a periodic smoothing spline (Wahba 1990, Spline Models for
# Observational Data, section 2.1) that is as rough as a season with a sharp beginning.
PRIOR_SPREAD = np.array(
    [0.2] * 7 + [0.3, 0.2] + [0.25 / wave**1.5 for wave in range(1, WAVES + 1) for _ in (0, 1)]
)

_WEEKDAYS = 7
_FRIDAY = 4
_DAYS_FOR_ONE_WAVE, _DAYS_FOR_TWO_WAVES, _DAYS_FOR_ALL_WAVES = 364, 728, 1092
_LONGEST_CLOSURE = 10
"""Days: the next working day after Christmas is never further away than this."""


def calendar_terms(
    first_day: date, n_days: int, holidays: Collection[date], year_days: float = YEAR
) -> FloatArray:
    """Return the terms of ``n_days`` civil days, shape (n_days, 21).

    Examples
    --------
    >>> terms = calendar_terms(date(2024, 12, 25), 3, {date(2024, 12, 25), date(2024, 12, 26)})
    >>> terms[:, 7:9].tolist()
    [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    """
    ordinals = first_day.toordinal() + np.arange(n_days)
    terms = np.zeros((n_days, N_TERMS))
    # date.toordinal() counts from a Monday.
    terms[np.arange(n_days), (ordinals - 1) % _WEEKDAYS] = 1.0
    last = first_day + timedelta(days=n_days)
    earliest = first_day - timedelta(days=_LONGEST_CLOSURE)
    closed = {day for day in holidays if earliest <= day < last}
    for holiday in closed:
        _mark(terms, HOLIDAY, (holiday - first_day).days)
        _mark(terms, AFTER, (working_day_after(holiday, holidays) - first_day).days)
    turn = 2 * np.pi * ordinals[:, None] * np.arange(1, WAVES + 1) / year_days
    terms[:, FIRST_WAVE::2], terms[:, FIRST_WAVE + 1 :: 2] = np.cos(turn), np.sin(turn)
    return terms


def working_day_after(holiday: date, holidays: Collection[date]) -> date:
    """Return the first day from Monday to Friday after ``holiday`` that is no bank holiday itself."""
    day = holiday + timedelta(days=1)
    while day.weekday() > _FRIDAY or day in holidays:
        day += timedelta(days=1)
    return day


def active_terms(days: int) -> NDArray[np.bool_]:
    """Return which terms a history of ``days`` days may teach, shape (21,).

    One wave a year from 52 weeks on, two from 104, all six from 156: with fewer years the accidents of one year would
    be read as season. How large the later waves may grow is left to their spread.
    """
    active = np.ones(N_TERMS, dtype=bool)
    active[FIRST_WAVE : FIRST_WAVE + 2] = days >= _DAYS_FOR_ONE_WAVE
    active[FIRST_WAVE + 2 : FIRST_WAVE + 4] = days >= _DAYS_FOR_TWO_WAVES
    active[FIRST_WAVE + 4 :] = days >= _DAYS_FOR_ALL_WAVES
    return active


def _mark(terms: FloatArray, column: int, index: int) -> None:
    if 0 <= index < terms.shape[0]:
        terms[index, column] = 1.0
