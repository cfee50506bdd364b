"""Which past weeks a week is compared with, in which seasonal group each lies, and functions of small counts.

For the Farrington kernels and their plain references in the tests. Arithmetic on week numbers only.
"""

import numpy as np
from numpy.typing import NDArray

YEAR = 52
"""Weeks in a year: series without dates repeat after 52."""

TABLED = 1024
"""Counts below it take logarithms and powers from a table."""


def reference_lags(b: int, w: int, past_weeks_not_included: int) -> NDArray[np.int64]:
    """Return how many weeks before the week under test each reference week lies, the oldest first.

    All weeks from w before the same week b years ago up to the last that is not left out: with Noufaily's settings lags
    263 to 27, 237 weeks.
    """
    return np.arange(b * YEAR + w, past_weeks_not_included, -1, dtype=np.int64)


def seasonal_groups(lags: NDArray[np.int64], w: int, n_periods: int) -> NDArray[np.int64]:
    """Return the seasonal group of each reference week.

    Group 0 is the 2w + 1 weeks around the same week of each year; the others share the rest of the year in order of
    time, each holding as many weeks (Noufaily et al. 2013, section 2.2; which weeks, by comparison with R).

    Raises
    ------
    ValueError
        If the rest of the year cannot be shared equally.

    Examples
    --------
    >>> seasonal_groups(reference_lags(5, 3, 26), 3, 10)[:14]
    array([0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2])
    """
    around = 2 * w + 1
    rest = YEAR - around
    if n_periods < 2 or rest < 1 or rest % (n_periods - 1):  # noqa: PLR2004 (two groups are the fewest)
        raise ValueError(
            f"n_periods is {n_periods} but must be at least 2 and divide the {rest} weeks outside the window "
            f"of w = {w} equally among n_periods - 1 groups"
        )
    position = (lags[0] - lags) % YEAR
    return np.where(position < around, 0, 1 + (position - around) // (rest // (n_periods - 1)))


def runs_of(groups: NDArray[np.int64], past_weeks_not_included: int) -> NDArray[np.int64]:
    """Return each run of weeks of one group as first index, length, group, and the weeks left out after the last."""
    starts = np.flatnonzero(np.diff(groups, prepend=-1))
    lengths = np.diff(starts, append=groups.size)
    left_out = np.full(starts.size, past_weeks_not_included)
    return np.column_stack([starts, lengths, groups[starts], left_out]).astype(np.int64)


def count_tables() -> NDArray[np.float64]:
    """Return y**(2/3), (y + .1) log(y + .1) - .1, y log y - y and y log(y / (y + .1)) + .1 for small y, by columns."""
    y = np.arange(TABLED, dtype=np.float64)
    safe = np.maximum(y, 1.0)
    return np.stack(
        [
            y ** (2.0 / 3.0),
            (y + 0.1) * np.log(y + 0.1) - 0.1,
            y * np.log(safe) - y,
            y * np.log(safe / (y + 0.1)) + 0.1,
        ],
        axis=1,
    )
