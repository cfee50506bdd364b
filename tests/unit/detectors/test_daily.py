"""Single daily series: what is found, when it is news, and what is refused."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.daily_series import FIRST_DAY, draw
from detectors.baseline import ModelSettings, fit_baseline
from detectors.daily import daily_exceedance
from detectors.history import CountCube
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed


def _quiet(n_series: int = 3, days: int = 800, seed: int = 1, mean: float = 6.0) -> NDArray[np.int_]:
    return np.random.default_rng(seed).poisson(mean, (n_series, days))


def test_a_day_far_above_its_past_is_an_alarm_on_that_day() -> None:
    counts = _quiet()
    counts[1, -3] += 20
    found = daily_exceedance(counts, FIRST_DAY, evaluate=14)
    assert found.alarm[1, -3]
    assert found.window_days[1, -3] == 1
    assert found.observed[1, -3] == counts[1, -3]


def test_a_rise_too_small_for_any_day_is_found_by_a_longer_window() -> None:
    counts = _quiet()
    counts[0, -8:] = 11
    found = daily_exceedance(counts, FIRST_DAY, evaluate=14)
    first = int(found.alarm[0, -8:].argmax())
    assert found.alarm[0, -8:].any()
    assert found.window_days[0, -8 + first] > 1


def test_what_has_raised_an_alarm_is_not_found_again_in_the_windows_that_still_hold_it() -> None:
    counts = np.full((1, 800), 6)
    counts[0, -10] = 40
    found = daily_exceedance(counts, FIRST_DAY, evaluate=14)
    assert np.flatnonzero(found.alarm[0]).tolist() == [4]


def test_a_second_day_that_is_high_by_itself_is_an_alarm_again() -> None:
    counts = _quiet()
    counts[0, [-6, -5]] = 40
    found = daily_exceedance(counts, FIRST_DAY, evaluate=14)
    assert found.alarm[0, [-6, -5]].all()


def test_it_is_the_baseline_of_the_service_that_expects() -> None:
    counts = _quiet(n_series=2)
    counts[0, -1] += 30
    found = daily_exceedance(counts, FIRST_DAY, settings=ModelSettings())
    cube = CountCube(
        FIRST_DAY, (), ((Feed.ED_PRESENTATIONS, SubstanceClass.ANY),), counts[:1, :-1, None].astype(np.int32)
    )
    baseline = fit_baseline(cube, completeness={}, populations=np.zeros(0))
    usual = baseline.expected_total(FIRST_DAY + timedelta(days=799), 1)[0, 0]
    assert found.expected[0, -1] == pytest.approx(usual, rel=1e-6)


def test_the_future_changes_nothing() -> None:
    counts = _quiet(days=900)
    counts[:, 860:] += 25
    long = daily_exceedance(counts, FIRST_DAY, evaluate=70)
    short = daily_exceedance(counts[:, :865], FIRST_DAY, evaluate=35)
    assert long.p_value[:, :35] == pytest.approx(short.p_value)


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_the_series_changes_nothing(order: list[int]) -> None:
    counts = draw(np.random.default_rng(3), 6, 500, ()).counts
    plain, other = (daily_exceedance(item, FIRST_DAY, evaluate=10) for item in (counts, counts[order]))
    assert other.p_value == pytest.approx(plain.p_value[order])


def test_nothing_ever_counted_is_no_alarm_and_neither_is_a_single_event() -> None:
    counts = np.zeros((1, 700), dtype=np.int_)
    assert not daily_exceedance(counts, FIRST_DAY, evaluate=300).alarm.any()
    counts[0, -20] = 1
    assert not daily_exceedance(counts, FIRST_DAY, evaluate=300).alarm.any()


def test_closed_days_and_bank_holidays_of_a_five_day_service_are_no_alarms() -> None:
    rng = np.random.default_rng(5)
    days = 1400
    holidays = [FIRST_DAY + timedelta(days=day) for day in range(84, days + 30, 70)]
    shut = np.array(
        [
            (FIRST_DAY + timedelta(days=day)).weekday() > 4 or (day % 70 == 14 and day >= 84)
            for day in range(days)
        ]
    )
    after = np.roll(shut & (np.arange(days) % 7 < 5), 1)
    counts = rng.poisson(np.where(shut, 0.0, np.where(after, 75.0, 50.0)))[None]
    found = daily_exceedance(counts, FIRST_DAY, holidays, evaluate=343)
    assert found.alarm[0, shut[-343:]].sum() == 0
    assert found.alarm.mean() < 0.02


def test_on_nothing_but_chance_the_alarms_stay_within_the_nominal_level() -> None:
    counts = draw(np.random.default_rng(11), 40, 1092, ()).counts
    found = daily_exceedance(counts, FIRST_DAY, alpha=0.01, evaluate=98)
    assert 0.001 < found.alarm.mean() < 0.013


@pytest.mark.parametrize(
    ("counts", "more", "named"),
    [
        (np.zeros((2, 3, 4), dtype=int), {}, "counts"),
        (np.zeros(10), {}, "counts"),
        (np.full(10, -1), {}, "counts"),
        (np.full(10, 2**40), {}, "counts must lie from 0 to 10000000"),
        (np.zeros((0, 10), dtype=int), {}, "counts must hold at least one series"),
        (np.zeros(10, dtype=int), {"alpha": 0.0}, "alpha"),
        (np.zeros(10, dtype=int), {"evaluate": 10}, "evaluate"),
    ],
)
def test_impossible_arguments_are_refused_by_name(
    counts: NDArray[np.int_], more: dict[str, float], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        daily_exceedance(counts, date(2024, 1, 1), **more)  # type: ignore[arg-type]
