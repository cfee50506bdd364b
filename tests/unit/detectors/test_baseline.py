"""The baseline: what it learns, what it refuses to learn, and what it says when it knows next to nothing."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from detectors.baseline import Baseline, ModelSettings, fit_baseline
from detectors.history import CountCube
from detectors.terms import FIRST_WAVE
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

from .conftest import County

NALOXONE_ANY = (Feed.AMBULANCE_NALOXONE, SubstanceClass.ANY)
ED_ANY = (Feed.ED_PRESENTATIONS, SubstanceClass.ANY)


def _fit(county: County, cube: CountCube, holidays: Collection[date] = ()) -> Baseline:
    return fit_baseline(
        cube, completeness=county.completeness, populations=county.populations, holidays=holidays
    )


def _total(baseline: Baseline, series: tuple[Feed, SubstanceClass], days: int = 7) -> float:
    expected = baseline.expected(baseline.known_until + timedelta(days=1), days)
    return float(expected[baseline.series.index(series), :, -1].mean())


def test_the_level_and_the_share_of_an_area_are_those_of_its_past(county: County) -> None:
    baseline = _fit(county, county.cube(1000, seed=5))
    year = baseline.expected(date(2024, 1, 1), 364)
    row = county.series.index(ED_ANY)
    assert year[row, :, -1].mean() == pytest.approx(3.0, rel=0.08)
    shares = year[row, :, :-1].sum(axis=0) / year[row, :, -1].sum()
    assert shares == pytest.approx(county.populations / county.populations.sum(), abs=0.03)


def test_weekends_and_summers_are_expected_when_they_were_seen(county: County) -> None:
    baseline = _fit(county, county.cube(1092, seed=2))
    row = county.series.index(ED_ANY)
    week = baseline.expected(date(2025, 1, 6), 7)[row, :, -1]
    assert week[5:].mean() / week[:5].mean() == pytest.approx(1.2 / 0.92, rel=0.12)
    summer, winter = (
        baseline.expected(day, 28)[row, :, -1].mean() for day in (date(2025, 7, 14), date(2025, 1, 6))
    )
    assert 1.1 < summer / winter < 1.7


def test_a_season_is_not_read_into_less_than_a_year(county: County) -> None:
    baseline = _fit(county, county.cube(300, seed=2))
    assert np.all(baseline.terms[:, FIRST_WAVE:] == 0)


def test_a_bank_holiday_is_expected_as_it_was_seen(county: County) -> None:
    holidays = {date(2022, 1, 3) + timedelta(days=40 * step) for step in range(30)}
    cube = county.cube(1092, seed=9)
    counts = cube.counts.copy()
    for holiday in holidays:
        index = (holiday - cube.first_day).days
        if 0 <= index < cube.n_days:
            counts[:, index] *= 2
    baseline = _fit(county, replace(cube, counts=counts), holidays=holidays)
    row = county.series.index(ED_ANY)
    day = max(holiday for holiday in holidays if holiday <= baseline.known_until)
    with_it = baseline.expected_total(day, 1)[row, 0]
    without = replace(baseline, holidays=()).expected_total(day, 1)[row, 0]
    assert with_it > 1.3 * without


def test_a_running_outbreak_does_not_become_usual(county: County) -> None:
    quiet = county.cube(700, seed=4)
    ill = county.with_cases(quiet, Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, 1, [3] * 20)
    assert _total(_fit(county, ill), NALOXONE_ANY) == pytest.approx(_total(_fit(county, quiet), NALOXONE_ANY))


def test_a_past_outbreak_is_weighed_down(county: County) -> None:
    quiet = county.cube(700, seed=4)
    counts = quiet.counts.copy()
    row = county.series.index(NALOXONE_ANY)
    counts[row, 500:514, [0, -1]] += 6
    usual, after = (
        _total(_fit(county, replace(quiet, counts=item)), NALOXONE_ANY) for item in (quiet.counts, counts)
    )
    # Taken at face value, 84 more cases in some 700 days would raise the level by about a tenth.
    assert after == pytest.approx(usual, rel=0.04)


def test_one_huge_day_moves_nothing_much(county: County) -> None:
    quiet = county.cube(400, seed=4)
    counts = quiet.counts.copy()
    row = county.series.index(NALOXONE_ANY)
    counts[row, 200, [0, -1]] += 1_000_000
    usual, after = (
        _total(_fit(county, replace(quiet, counts=item)), NALOXONE_ANY) for item in (quiet.counts, counts)
    )
    assert np.isfinite(after)
    assert after == pytest.approx(usual, rel=0.25)


def test_a_lasting_change_of_level_is_believed_within_months(county: County) -> None:
    low = county.cube(900, seed=6)
    counts = low.counts.copy()
    counts[:, -200:] *= 2
    before, after = (_total(_fit(county, replace(low, counts=item)), ED_ANY) for item in (low.counts, counts))
    assert after > 1.5 * before


def test_a_class_never_seen_is_expected_a_little_and_never_zero(county: County) -> None:
    cube = county.cube(700, seed=1)
    row = county.series.index((Feed.ED_PRESENTATIONS, SubstanceClass.NITAZENE))
    counts = cube.counts.copy()
    counts[row] = 0
    baseline = _fit(county, replace(cube, counts=counts))
    a_year = baseline.expected(date(2024, 1, 1), 366)[row].sum(axis=0)
    assert np.all(a_year > 0)
    assert a_year[-1] < 1


def test_a_feed_that_starts_in_the_middle_has_history_from_then_on(county: County) -> None:
    cube = county.cube(700, seed=8)
    counts = cube.counts.copy()
    rows = [index for index, series in enumerate(county.series) if series[0] is Feed.ED_PRESENTATIONS]
    counts[rows, :400] = 0
    baseline = _fit(county, replace(cube, counts=counts))
    whole = _fit(county, cube)
    assert baseline.history_days[rows].max() <= 300
    assert _total(baseline, ED_ANY) == pytest.approx(_total(whole, ED_ANY), rel=0.15)


@pytest.mark.parametrize("days", [1, 2, 3, 8, 20, 60])
def test_a_short_history_gives_a_finite_and_uncertain_level(county: County, days: int) -> None:
    short, long = _fit(county, county.cube(days, seed=1)), _fit(county, county.cube(700, seed=1))
    expected = short.expected(date(2022, 6, 1), 30)
    assert np.all(np.isfinite(expected))
    assert np.all(expected > 0)
    row = county.series.index(NALOXONE_ANY)
    assert short.level_shape[row] < long.level_shape[row]


@pytest.mark.parametrize("n_areas", [1, 10, 169])
def test_any_number_of_areas_will_do(county: County, n_areas: int) -> None:
    counts = np.random.default_rng(0).poisson(0.2, (len(county.series), 200, n_areas)).astype(np.int32)
    counts = np.concatenate([counts, counts.sum(axis=2, keepdims=True)], axis=2)
    areas = tuple(f"B{index:03d}" for index in range(n_areas))
    cube = CountCube(date(2023, 1, 2), areas, county.series, counts)  # type: ignore[arg-type]
    baseline = fit_baseline(cube, completeness={}, populations=np.full(n_areas, np.nan))
    assert baseline.shares.sum(axis=1) == pytest.approx(np.ones(len(county.series)), rel=0.05)


def test_it_is_the_same_after_json_and_the_same_bytes_each_time(county: County) -> None:
    first, second = (_fit(county, county.cube(450, seed=3)) for _ in range(2))
    assert first.to_json() == second.to_json()
    back = Baseline.from_json(first.to_json())
    assert back.to_json() == first.to_json()
    day = first.known_until
    assert np.array_equal(back.expected(day, 10), first.expected(day, 10))


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"known_until": 3}'])
def test_a_document_that_is_no_baseline_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a stored baseline"):
        Baseline.from_json(text)


@pytest.mark.parametrize("wrong", [[-1.0] + [1.0] * 4, [np.inf] + [1.0] * 4, [1.0]])
def test_impossible_populations_are_refused_by_name(county: County, wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="populations"):
        fit_baseline(county.cube(20), completeness={}, populations=np.array(wrong))


def test_impossible_settings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="guard_days"):
        ModelSettings(guard_days=-1)


def test_missing_populations_count_as_average(county: County) -> None:
    cube = county.empty_cube(30)
    some = np.array([100.0, 0.0, np.nan, 300.0, 200.0])
    shares = fit_baseline(cube, completeness={}, populations=some).shares[0]
    assert shares[1] == shares[2] == pytest.approx(shares.sum() / 5)
