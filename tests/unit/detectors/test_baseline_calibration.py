"""On series that nobody fitted anything to, the predictive is as wide as it says."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.daily_series import FIRST_DAY, draw
from detectors.baseline import ModelSettings, fit_baseline
from detectors.history import CountCube
from detectors.scoring import mid_p
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FloatArray = NDArray[np.float64]

HOLIDAYS = frozenset(
    date(year, month, day)
    for year in range(2014, 2024)
    for month, day in ((1, 1), (5, 4), (8, 25), (12, 25), (12, 26))
)
DAYS, SERIES = 5 * 364, 160
WEEKS = range(DAYS - 343, DAYS - 7, 49)
LONGEST = 14


@cache
def _tails(length: int) -> FloatArray:
    """Return the mid-p of windows of ``length`` days in the week after each of seven fits, weekday by season by trend."""
    expected, error, dispersion, counts = _fitted()
    found = []
    for day in range(LONGEST - 1, expected.shape[2]):
        window = slice(day + 1 - length, day + 1)
        mean = np.maximum(expected[:, :, window].sum(axis=2), 1e-9)
        size = mean / np.maximum(dispersion - 1 + mean * error, 1e-12)
        seen = counts[:, :, window].sum(axis=2)
        p_value = np.where(seen > 0, mid_p(seen, mean, size), 1.0)
        found.append(p_value[mean > 0.05])
    return np.concatenate(found)


@cache
def _fitted() -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int_]]:
    counts = draw(np.random.default_rng(71), SERIES, DAYS, HOLIDAYS).counts
    feeds = tuple(Feed)
    back = LONGEST - 1
    parts: list[list[FloatArray]] = [[], [], []]
    for first in range(0, SERIES, len(feeds)):
        series = tuple((feed, SubstanceClass.ANY) for feed in feeds)
        rows = counts[first : first + len(feeds), :, None].astype(np.int32)
        for week in WEEKS:
            baseline = fit_baseline(
                CountCube(FIRST_DAY, (), series, rows[:, :week]),
                completeness={},
                populations=np.zeros(0),
                holidays=HOLIDAYS,
                settings=ModelSettings(most_training_days=DAYS),
            )
            parts[0].append(baseline.expected_total(FIRST_DAY + timedelta(days=week - back), back + 7))
            parts[1].append(1 / baseline.level_shape)
            parts[2].append(baseline.dispersion_total)
    shape = (SERIES // len(feeds), len(WEEKS), len(feeds))
    expected, error, dispersion = (
        np.array(part).reshape(*shape, -1).swapaxes(1, 2).reshape(SERIES, len(WEEKS), -1) for part in parts
    )
    seen = np.stack([counts[:, week - back : week + 7] for week in WEEKS], axis=1)
    return expected, error[:, :, 0], dispersion[:, :, 0], seen


LENGTHS = (1, 3, 7, 14)


def test_one_window_in_a_hundred_is_beyond_the_one_per_cent_point() -> None:
    beyond = [(_tails(length) < 0.01).mean() for length in LENGTHS]
    assert 0.01 / 1.3 < np.mean(beyond) < 0.01 * 1.3


@pytest.mark.parametrize("length", LENGTHS)
def test_no_length_of_window_is_much_wider_or_narrower_than_it_says(length: int) -> None:
    tails = _tails(length)
    assert tails.size > 5000
    # Overlapping windows of 160 series: chance alone moves this by a sixth.
    assert 0.01 / 1.6 < (tails < 0.01).mean() < 0.01 * 1.6


def test_the_lower_half_is_a_half() -> None:
    assert (_tails(7) < 0.5).mean() == pytest.approx(0.5, abs=0.05)
