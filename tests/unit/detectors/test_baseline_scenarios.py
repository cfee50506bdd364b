"""The baseline where history is odd: none, nothing, one huge day, a feed that begins, stops or is defined anew."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.baseline import Baseline, ModelSettings, fit_baseline
from detectors.declared import Covariate, Declared, LevelShift
from detectors.history import CountCube
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

FEED = Feed.AMBULANCE_NALOXONE
SERIES = ((FEED, SubstanceClass.OPIATE), (FEED, SubstanceClass.ANY))
AREAS = (AreaCode("A0"), AreaCode("A1"), AreaCode("A2"))
PEOPLE = np.array([100.0, 200.0, 300.0])
FIRST_DAY = date(2021, 1, 4)

FEW = settings(max_examples=25, deadline=None)


def _cube(total: NDArray[np.integer]) -> CountCube:
    """Put every count in the areas by turns; half of them are opiates."""
    days = np.asarray(total, dtype=np.int64)
    whole = np.stack([(days + 2 - area) // 3 for area in range(3)], axis=1)
    counts = np.stack([whole // 2, whole])
    counts = np.concatenate([counts, counts.sum(axis=2, keepdims=True)], axis=2)
    return CountCube(FIRST_DAY, AREAS, SERIES, counts.astype(np.int32))


def _fit(
    total: NDArray[np.integer],
    *,
    declared: Declared | None = None,
    previous: Baseline | None = None,
    model: ModelSettings | None = None,
) -> Baseline:
    return fit_baseline(
        _cube(total),
        completeness={},
        populations=PEOPLE,
        declared=declared,
        previous=previous,
        settings=model,
    )


def _coming(baseline: Baseline, days: int = 7) -> float:
    """Return the mean of what is expected a day in the coming week, of every event of the feed."""
    return float(baseline.expected_total(baseline.known_until + timedelta(days=1), days)[1].mean())


def _poisson(mean: NDArray[np.float64] | float, days: int, seed: int = 1) -> NDArray[np.int_]:
    return np.random.default_rng(seed).poisson(mean, days)


def _is_sound(baseline: Baseline) -> bool:
    expected = baseline.expected(baseline.known_until - timedelta(days=20), 40)
    numbers = (
        expected,
        baseline.level_shape,
        baseline.level_rate,
        baseline.dispersion,
        baseline.dispersion_total,
    )
    back = Baseline.from_json(baseline.to_json())
    return (
        all(bool(np.all(np.isfinite(one)) and np.all(one > 0)) for one in numbers)
        and bool(np.all(baseline.dispersion_total >= 1))
        and back.to_json() == baseline.to_json()
    )


@FEW
@given(
    st.lists(
        st.tuples(st.integers(1, 120), st.sampled_from([0.0, 0.05, 1.0, 20.0, 3000.0])),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 10**6),
    st.integers(0, 2**31 - 1),
)
def test_whatever_the_history_the_baseline_is_finite_above_zero_and_survives_json(
    stretches: list[tuple[int, float]], huge: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    total = np.concatenate([rng.poisson(mean, days) for days, mean in stretches])
    total[rng.integers(total.size)] += huge
    assert _is_sound(_fit(total))


@FEW
@given(st.integers(1, 1500))
def test_all_zeros_expect_next_to_nothing_and_are_sure_of_little(days: int) -> None:
    baseline = _fit(np.zeros(days, dtype=np.int_))
    assert _is_sound(baseline)
    assert _coming(baseline) <= 0.5
    assert np.all(baseline.history_days == 0)
    assert np.all(baseline.level_shape <= 1)


@FEW
@given(st.integers(0, 699), st.sampled_from([100, 10_000, 1_000_000]))
def test_one_huge_day_anywhere_moves_the_coming_week_by_less_than_a_quarter(day: int, cases: int) -> None:
    total = _poisson(4.0, 700)
    before = _coming(_fit(total))
    total[day] += cases
    assert _coming(_fit(total)) == pytest.approx(before, rel=0.25)


@FEW
@given(st.integers(60, 900))
def test_a_feed_that_starts_in_the_middle_is_judged_from_its_start(start: int) -> None:
    total = _poisson(5.0, 1000, seed=start)
    total[:start] = 0
    baseline = _fit(total)
    assert baseline.history_days.max() <= 1000 - start
    assert _coming(baseline) == pytest.approx(5.0, rel=0.25)


@FEW
@given(st.integers(100, 600))
def test_a_feed_that_stops_is_expected_ever_less_and_never_nothing(days_silent: int) -> None:
    total = _poisson(5.0, 1000 + days_silent)
    total[1000:] = 0
    baseline = _fit(total)
    assert _is_sound(baseline)
    assert 0 < _coming(baseline) < 4.0


def test_a_feed_that_came_back_after_a_silence_is_expected_again() -> None:
    total = _poisson(5.0, 1092, seed=3)
    total[600:660] = 0
    assert _coming(_fit(total)) == pytest.approx(5.0, rel=0.2)


@pytest.mark.parametrize("factor", [0.2, 3.0, 8.0])
@pytest.mark.parametrize("days_since", [30, 120, 400])
def test_after_a_declared_shift_the_new_level_is_expected(factor: float, days_since: int) -> None:
    days = 1092
    at = days - days_since
    mean = np.where(np.arange(days) < at, 5.0, 5.0 * factor)
    shift = Declared(shifts=(LevelShift(FEED, FIRST_DAY + timedelta(days=at)),))
    total = _poisson(mean, days, seed=days_since)
    told, untold = _fit(total, declared=shift), _fit(total)
    assert _coming(told) == pytest.approx(5.0 * factor, rel=0.3)
    if days_since < 400:
        assert abs(np.log(_coming(told) / (5.0 * factor))) < abs(np.log(_coming(untold) / (5.0 * factor)))


@pytest.mark.parametrize("days_since", [0, 1, 3, 8])
def test_just_after_a_declared_shift_the_baseline_is_very_unsure(days_since: int) -> None:
    total = _poisson(5.0, 1000)
    last = FIRST_DAY + timedelta(days=999)
    told = _fit(total, declared=Declared(shifts=(LevelShift(FEED, last - timedelta(days=days_since)),)))
    assert _is_sound(told)
    assert told.level_shape[1] < 0.5 * _fit(total).level_shape[1]


def test_a_shift_that_lies_ahead_or_on_another_feed_changes_nothing() -> None:
    total = _poisson(5.0, 800)
    plain = _fit(total)
    ahead = LevelShift(FEED, FIRST_DAY + timedelta(days=900))
    elsewhere = LevelShift(Feed.SUSPECTED_DEATHS, FIRST_DAY + timedelta(days=300))
    for one in (ahead, elsewhere):
        told = _fit(total, declared=Declared(shifts=(one,)))
        assert told.level_shape == pytest.approx(plain.level_shape)
        assert _coming(told) == pytest.approx(_coming(plain))


def test_a_shift_keeps_the_weekdays_that_were_learnt_before_it() -> None:
    days = 1000
    weekend = np.where(np.arange(days) % 7 >= 5, 3.0, 1.0)
    mean = np.where(np.arange(days) < 970, 4.0, 16.0) * weekend
    told = _fit(
        _poisson(mean, days), declared=Declared(shifts=(LevelShift(FEED, FIRST_DAY + timedelta(days=970)),))
    )
    week = told.expected_total(date(2024, 1, 1), 7)[1]
    assert week[5:].mean() / week[:5].mean() == pytest.approx(3.0, rel=0.15)


def test_a_measured_cause_is_learnt_and_carried_into_the_coming_week() -> None:
    days = 1092
    kits = np.where(np.arange(days + 30) % 300 < 150, 0.0, 1.0)
    mean = 8.0 * np.exp(-0.5 * kits[:days])
    cause = Covariate(FEED, "take-home naloxone", FIRST_DAY, tuple(kits), spread=0.5)
    told = _fit(_poisson(mean, days), declared=Declared(covariates=(cause,)))
    assert told.effects[1, 0] == pytest.approx(-0.5, abs=0.1)
    now = kits[days : days + 7]
    assert _coming(told) == pytest.approx(float((8.0 * np.exp(-0.5 * now)).mean()), rel=0.12)


def test_a_baseline_with_declarations_is_the_same_after_json() -> None:
    declared = Declared(
        shifts=(LevelShift(FEED, FIRST_DAY + timedelta(days=300)),),
        covariates=(Covariate(FEED, "kits", FIRST_DAY, (0.0, 1.0, 0.5)),),
    )
    fitted = _fit(_poisson(5.0, 700), declared=declared)
    back = Baseline.from_json(fitted.to_json())
    assert back.declared == declared
    assert np.array_equal(back.expected(FIRST_DAY, 900), fitted.expected(FIRST_DAY, 900))


@pytest.mark.parametrize("growth", [-0.5, -0.2, 0.3, 0.6])
def test_a_steady_trend_is_carried_to_today_and_not_read_as_season(growth: float) -> None:
    days = 1092
    years = (np.arange(days) - days) / 365.25
    baseline = _fit(_poisson(30.0 * np.exp(growth * years), days, seed=5))
    assert _coming(baseline) == pytest.approx(30.0, rel=0.06)
    year = baseline.expected_total(baseline.known_until - timedelta(days=364), 364)[1]
    assert np.log(year[-28:].mean() / year[:28].mean()) == pytest.approx(growth * 336 / 365.25, abs=0.12)


def test_a_trend_is_damped_in_the_years_to_come() -> None:
    days = 1092
    baseline = _fit(_poisson(30.0 * np.exp(0.6 * np.arange(days) / 365.25), days))
    ahead = [_coming(replace(baseline, terms=0 * baseline.terms), at) for at in (7, 3650)]
    assert ahead[1] < 1.5 * ahead[0]


def test_a_level_series_is_seldom_given_a_trend_and_then_a_slight_one() -> None:
    trends = [_fit(_poisson(10.0, 1092, seed=seed)).trend[1] for seed in range(20)]
    assert sum(trend != 0 for trend in trends) <= 3
    assert np.abs(trends).max() < 0.1


def test_winter_influenza_becomes_usual_and_one_past_outbreak_does_not() -> None:
    days = 5 * 364
    peak = np.exp(-0.5 * ((np.arange(days) % 364 - 180) / 12.0) ** 2)
    every = _poisson(8.0 + 40.0 * peak, days, seed=6)
    once = _poisson(8.0 + 40.0 * peak * (np.arange(days) > 4 * 364), days, seed=6)
    model = ModelSettings(most_training_days=2000)
    at_peak = FIRST_DAY + timedelta(days=days + 180 - 14)
    expected = [_fit(one, model=model).expected_total(at_peak, 28)[1].mean() for one in (every, once)]
    assert expected[0] > 30
    assert expected[1] < 12


def test_last_weeks_baseline_saves_the_fit_nothing_but_time() -> None:
    rng = np.random.default_rng(9)
    days = 1092
    mean = 6.0 * np.exp(0.4 * np.cos(2 * np.pi * np.arange(days) / 365.25))
    total = rng.poisson(mean)
    last_week = _fit(total[:-7])
    cold, warm = _fit(total), _fit(total, previous=last_week)
    for name in (
        "terms",
        "scale",
        "trend",
        "level_shape",
        "level_rate",
        "dispersion",
        "dispersion_total",
        "shares",
    ):
        assert getattr(warm, name) == pytest.approx(getattr(cold, name), rel=1e-6, abs=1e-6), name


def test_a_previous_baseline_of_other_series_is_not_used() -> None:
    total = _poisson(5.0, 400)
    other = replace(_fit(total), series=tuple(reversed(SERIES)))
    assert _fit(total, previous=other).to_json() == _fit(total).to_json()


@pytest.mark.parametrize(
    "wrong", [{"values": ()}, {"values": (1.0, float("nan"))}, {"values": (1.0,), "spread": 0.0}]
)
def test_an_impossible_covariate_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="kits"):
        Covariate(FEED, "kits", FIRST_DAY, **wrong)  # type: ignore[arg-type]


def test_an_impossible_year_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="year_days"):
        ModelSettings(year_days=3.0)
