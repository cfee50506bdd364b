"""The comparators of the Kent benchmark do what their descriptions say, by hand-worked examples."""

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.kent_permutation import gumbel_tail, log_ratio
from benchmarks.kent_rules import (
    BASELINE_DAYS,
    GUARD_DAYS,
    LOOKS_BACK,
    ODMAP_DAYS,
    essence_p_values,
    odmap_scores,
)

DAYS = BASELINE_DAYS + GUARD_DAYS + LOOKS_BACK


def _one_series(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    return np.asarray(values, dtype=np.int64)[None, :, None]


def test_odmap_counts_standard_deviations_above_the_year_before() -> None:
    year = np.tile((0, 2), (ODMAP_DAYS + LOOKS_BACK) // 2 + 1)[: ODMAP_DAYS + LOOKS_BACK]
    year[-1] = 5
    base = year[LOOKS_BACK - 1 : -1]
    wanted = (5 - base.mean()) / base.std(ddof=1)
    assert odmap_scores(_one_series(year))[0, 0, 0] == pytest.approx(wanted)


def test_odmap_fires_on_a_single_event_where_a_year_had_hardly_any() -> None:
    year = np.zeros(ODMAP_DAYS + LOOKS_BACK, dtype=np.int64)
    year[-1] = 1
    assert odmap_scores(_one_series(year))[0, 0, 0] > 2


def test_odmap_judges_yesterday_by_the_days_before_yesterday() -> None:
    year = np.zeros(ODMAP_DAYS + LOOKS_BACK, dtype=np.int64)
    year[-2] = 3
    scores = odmap_scores(_one_series(year))[:, 0, 0]
    assert scores.argmax() == 1
    assert scores[0] <= 0


def test_essence_sees_no_surprise_in_a_week_like_every_other() -> None:
    weekly = 10 + 5 * (np.arange(DAYS) % 7 == 3)
    p_values = essence_p_values(_one_series(weekly), weekday=2)
    assert (p_values > 0.3).all()


def test_essence_uses_regression_where_the_week_explains_the_days() -> None:
    weekly = 10 + 10 * (np.arange(DAYS) % 7 == (DAYS - 1) % 7)
    # The usual high day is no news; as much on another day is.
    high = essence_p_values(_one_series(weekly), weekday=0)[0, 0, 0]
    moved = weekly.copy()
    moved[-2] = 20
    other = essence_p_values(_one_series(moved), weekday=0)[1, 0, 0]
    assert high > 0.1
    assert other < 1e-6


def test_essence_falls_back_on_moving_averages_and_sees_a_jump() -> None:
    rng = np.random.default_rng(1)
    flat = rng.poisson(3, DAYS)
    flat[-1] = 12
    p_values = essence_p_values(_one_series(flat), weekday=4)
    assert p_values[0, 0, 0] < 0.001


def test_essence_judges_an_empty_baseline_without_dividing_by_nothing() -> None:
    counts = np.zeros(DAYS, dtype=np.int64)
    counts[-1] = 1
    p_values = essence_p_values(_one_series(counts), weekday=4)
    assert np.isfinite(p_values).all()
    assert p_values[0, 0, 0] < 0.05


def test_the_permutation_ratio_is_nothing_without_an_excess_and_grows_with_it() -> None:
    ratio = log_ratio(np.array([1.0, 2.0, 4.0, 8.0]), np.array([2.0, 2.0, 2.0, 2.0]), 100)
    assert ratio[0] == ratio[1] == 0
    assert 0 < ratio[2] < ratio[3]
    wanted = 4 * np.log(4 / 2) + 96 * np.log(96 / 98)
    assert ratio[2] == pytest.approx(wanted)


def test_the_gumbel_tail_is_about_right_for_maxima_of_many_exponentials() -> None:
    rng = np.random.default_rng(2)
    maxima = rng.exponential(size=(99, 200)).max(axis=1)
    value = float(np.log(200) - np.log(-np.log(0.99)))
    assert 0.003 < gumbel_tail(value, maxima) < 0.03
