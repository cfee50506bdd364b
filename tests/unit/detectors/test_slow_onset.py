"""Slow onset: a drift that hides from everything else is found; seasons and short histories are left alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from detectors.budget import FamilyThresholds, Thresholds
from detectors.contract import Look, Past
from detectors.declared import Declared, LevelShift
from detectors.ears import ears
from detectors.history import CountCube
from detectors.sightings import COLUMNS, Sightings
from detectors.slow_onset import SLOW_ONSET, SlowOnset, slow_onset
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier

from .conftest import County

YEAR = 52
COUNTS = arrays(np.int64, st.tuples(st.integers(0, 3), st.integers(0, 220)), elements=st.integers(0, 40))
ARRAYS = ("statistic", "observed", "expected", "size", "p_value", "low", "high", "years")


def _weeks(
    n_series: int, n_weeks: int, mean: float, *, season: float = 0.0, monthly: float = 0.0, seed: int = 0
) -> NDArray[np.int64]:
    """Draw over-dispersed weeks; ``monthly`` is a growth that begins a year before the end."""
    week = np.arange(n_weeks)
    usual = mean * np.exp(season * np.cos(2 * np.pi * week / 52.18))
    usual = usual * (1 + monthly) ** np.maximum((week - (n_weeks - YEAR)) / 4.35, 0)
    rng = np.random.default_rng(seed)
    return rng.negative_binomial(usual / 0.4, 1 / 1.4, size=(n_series, n_weeks)).astype(np.int64)


def test_five_per_cent_a_month_for_a_year_is_found() -> None:
    counts = _weeks(300, 4 * YEAR, 12.0, season=0.3, monthly=0.05)
    found = slow_onset(counts, weeks=[4 * YEAR - 1])
    # Beside it the same threshold on series that do not grow: a review a year or less.
    quiet = slow_onset(_weeks(300, 4 * YEAR, 12.0, season=0.3, seed=1), weeks=[4 * YEAR - 1])
    assert np.mean(found.p_value < 0.001) > 0.6
    assert np.mean(quiet.p_value < 0.001) < 0.01
    assert np.median(found.statistic) == pytest.approx(1.67, abs=0.1)


def test_a_baseline_that_moves_along_does_not_see_that_drift() -> None:
    week = np.arange(4 * YEAR)
    steady = np.round(20 * 1.05 ** np.maximum((week - 3 * YEAR) / 4.35, 0) + (week % 3)).astype(np.int64)
    assert not ears(steady[None, :], "C2").alarm[0, -YEAR:].any()
    assert slow_onset(steady[None, :], weeks=[4 * YEAR - 1]).p_value[0, 0] < 1e-4


@pytest.mark.parametrize("n_weeks", [90, 130, 208, 260])
@pytest.mark.parametrize("season", [0.0, 0.2, 0.5])
def test_a_season_is_no_onset(season: float, n_weeks: int) -> None:
    counts = _weeks(400, n_weeks, 8.0, season=season, seed=n_weeks)
    found = slow_onset(counts, weeks=[n_weeks - 1])
    assert np.mean(found.p_value < 0.01) <= 0.03
    assert np.mean(found.p_value < 0.0005) == 0


def test_a_season_seen_in_two_frozen_years_is_taken_from_them() -> None:
    week = np.arange(5 * YEAR)
    counts = np.round(30 + 20 * np.cos(2 * np.pi * week / YEAR)).astype(np.int64)[None, :]
    found = slow_onset(counts)
    assert found.years[0, [115, 116, 168, 220]].tolist() == [0, 2, 3, 3]
    np.testing.assert_allclose(found.statistic[0, 116:], 1.0, atol=0.02)


def test_nothing_is_said_before_there_is_half_a_year_that_is_a_year_old() -> None:
    found = slow_onset(np.full((1, 100), 5))
    assert np.isnan(found.p_value[0, :77]).all()
    assert np.isfinite(found.p_value[0, 77:]).all()
    assert not found.observed[0, :77].any()


def test_the_last_year_teaches_nothing() -> None:
    counts = _weeks(2, 4 * YEAR, 10.0)
    louder = counts.copy()
    louder[:, -YEAR:-13] *= 5
    for name in ("expected", "size"):
        one, other = (getattr(slow_onset(item, weeks=[4 * YEAR - 1]), name) for item in (counts, louder))
        np.testing.assert_array_equal(one, other)


def test_weeks_before_a_feed_began_are_no_history() -> None:
    counts = _weeks(1, 150, 6.0)
    longer = np.concatenate([np.zeros((1, 110), dtype=np.int64), counts], axis=1)
    late = slow_onset(longer, weeks=[259], first_week=110)
    assert slow_onset(longer, weeks=[259]).statistic[0, 0] > 1.3 * late.statistic[0, 0]
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(late, name), getattr(slow_onset(counts, weeks=[149]), name))


def test_what_is_not_known_yet_is_not_expected_yet() -> None:
    counts = _weeks(1, 3 * YEAR, 10.0)
    known = np.ones(3 * YEAR)
    known[-1] = 0.35
    whole, part = slow_onset(counts, weeks=[155]), slow_onset(counts, weeks=[155], known=known)
    assert part.expected[0, 0] == pytest.approx(whole.expected[0, 0] * 12.35 / 13)
    assert part.p_value[0, 0] < whole.p_value[0, 0]
    np.testing.assert_array_equal(part.observed, whole.observed)


def test_a_first_event_after_years_of_none_is_not_called_a_certainty() -> None:
    counts = np.zeros((1, 4 * YEAR), dtype=np.int64)
    counts[0, -1] = 1
    found = slow_onset(counts, weeks=[4 * YEAR - 1])
    assert 0.02 < found.p_value[0, 0] < 0.5


@settings(max_examples=50)
@given(counts=COUNTS, data=st.data())
def test_series_do_not_know_of_each_other(counts: NDArray[np.int64], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(counts.shape[0])))
    before = counts.copy()
    whole, moved = slow_onset(counts), slow_onset(counts[order])
    for name in ARRAYS:
        assert getattr(whole, name).shape == counts.shape
        np.testing.assert_array_equal(getattr(moved, name), getattr(whole, name)[order])
    np.testing.assert_array_equal(before, counts)


@settings(max_examples=50)
@given(counts=COUNTS, cut=st.integers(1, 220))
def test_what_comes_later_changes_no_earlier_week(counts: NDArray[np.int64], cut: int) -> None:
    whole, part = slow_onset(counts), slow_onset(counts[:, :cut])
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[:, :cut])


@settings(max_examples=50)
@given(counts=COUNTS, more=st.integers(1, 30))
def test_more_cases_are_never_less_surprising(counts: NDArray[np.int64], more: int) -> None:
    raised = counts.copy()
    raised[:, -1:] += more
    last = [max(counts.shape[1] - 1, 0)] if counts.shape[1] else []
    some, many = (slow_onset(item, weeks=np.array(last, dtype=np.int64)) for item in (counts, raised))
    defined = np.isfinite(some.p_value)
    assert np.all(many.p_value[defined] <= some.p_value[defined])
    assert np.all(many.low[defined] <= many.expected[defined] + 1)
    assert np.all(many.high[defined] >= many.low[defined])
    assert np.all((some.p_value[defined] > 0) & (some.p_value[defined] <= 1))


def test_huge_counts_stay_finite() -> None:
    found = slow_onset(np.full((1, 200), 2**40))
    assert found.statistic[0, -1] == pytest.approx(1.0)
    assert np.isfinite(found.p_value[0, -1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"weekly_counts": [[1.5, 2.0]]}, "weekly_counts holds float64"),
        ({"weekly_counts": [[1, -2]]}, "weekly_counts runs from -2 to 1"),
        ({"weekly_counts": [1, 2]}, r"weekly_counts has the shape \(2,\); wanted \(n_series, n_weeks\)"),
        ({"weeks": [2]}, "weeks runs from 2 to 2; wanted 0 to 1"),
        ({"weeks": [0.5]}, "weeks holds float64"),
        ({"weeks": 1}, r"weeks has the shape \(\)"),
        ({"first_week": [0, 1]}, r"first_week has the shape \(2,\); wanted \(1,\)"),
        ({"first_week": -1}, "first_week runs from -1"),
        ({"known": 0.0}, "known runs from 0.0"),
        ({"known": np.nan}, "known runs from nan"),
        ({"known": [1.0, 1.0, 1.0]}, r"known has the shape \(3,\)"),
        ({"most_years": 1}, "most_years is 1; wanted a whole number from 2"),
        ({"level": 1.0}, "level is 1.0"),
    ],
)
def test_a_bad_argument_is_refused_by_name(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        slow_onset(**{"weekly_counts": [[1, 2]], **arguments})


# ---- the detector ----

DAYS = 4 * 364


def _thresholds(**scores: float) -> Thresholds:
    tiers = {Tier(name): score for name, score in scores.items()}
    return Thresholds(model_version="made-up", families={SLOW_ONSET: FamilyThresholds(scores=tiers)})


def _growing(county: County, feed: Feed, area: int) -> CountCube:
    """Return four years in which one feed doubles in one area during the last; unknown substances."""
    cube = county.cube(DAYS)
    counts = cube.counts.copy()
    rng = np.random.default_rng(4)
    more = rng.poisson(np.linspace(0, 1.0, 364))
    for name in (SubstanceClass.UNKNOWN, SubstanceClass.ANY):
        for column in (area, -1):
            counts[county.series.index((feed, name)), -364:, column] += more.astype(np.int32)
    return replace(cube, counts=counts)


@pytest.fixture
def past(county: County) -> Callable[[CountCube], Past]:
    baseline = county.fit(county.cube(400))

    def make(cube: CountCube) -> Past:
        nothing = {name: np.zeros(0, dtype=np.int64) for name in COLUMNS}
        sightings = Sightings(cube.first_day, cube.n_days, **nothing)
        return Past(cube, sightings, baseline, county.completeness)

    return make


def _look(county: County, past: Past, state: object, days_later: int = 1, **scores: float) -> Look:
    cube = replace(past.cube.recent(35), first_day=past.cube.last_day + timedelta(days=days_later - 34))
    look = replace(county.look(cube, past.baseline), thresholds=_thresholds(**scores))
    return replace(look, learnt={SLOW_ONSET: json.loads(json.dumps(state))})


def test_a_slow_rise_in_one_town_is_one_review_and_never_a_page(
    county: County, past: Callable[[CountCube], Past]
) -> None:
    known = past(_growing(county, Feed.AMBULANCE_NALOXONE, 2))
    detector = SlowOnset(county.zones)
    state = detector.learn(known)
    signals = detector.detect(_look(county, known, state, record=2.5, review=2.6, page=3.0))
    assert [(item.areas, item.substance_class) for item in signals] == [(("A2",), SubstanceClass.UNKNOWN)]
    signal = signals[0]
    assert signal.tier is Tier.REVIEW
    assert signal.parameters["held_from"] == "page"
    assert signal.window_end == known.cube.last_day
    assert (signal.window_end - signal.window_start).days == 90
    row = county.series.index((Feed.AMBULANCE_NALOXONE, SubstanceClass.UNKNOWN))
    assert signal.observed == known.cube.counts[row, -91:, 2].sum()
    assert signal.observed > signal.interval[1] > signal.expected
    assert signal.sentence.startswith(f"Town A2: {signal.observed} ambulance naloxone administrations")
    assert "in the 91 days to" in signal.sentence
    assert signal.sentence.endswith("judged by the same weeks of 3 earlier years: a slow rise.")


def test_it_is_told_all_week_under_one_identity_and_not_when_it_is_stale(
    county: County, past: Callable[[CountCube], Past]
) -> None:
    known = past(_growing(county, Feed.AMBULANCE_NALOXONE, 2))
    detector = SlowOnset(county.zones)
    state = detector.learn(known)
    looks = [detector.detect(_look(county, known, state, days, review=3.0)) for days in (1, 7, 13, 14, -1)]
    assert looks[0]
    assert looks[0] == looks[1] == looks[2]
    assert looks[3] == looks[4] == []


def test_what_grows_everywhere_is_told_once_for_the_whole_county(
    county: County, past: Callable[[CountCube], Past]
) -> None:
    cube = county.cube(DAYS)
    rows = [index for index, series in enumerate(cube.series) if series[0] is Feed.ED_PRESENTATIONS]
    counts = cube.counts.copy()
    counts[rows, -91:] = counts[rows, -91:] * 2
    known = past(replace(cube, counts=counts))
    detector = SlowOnset(county.zones)
    signals = detector.detect(_look(county, known, detector.learn(known), review=4.0))
    assert [(item.areas, item.substance_class, item.key) for item in signals] == [
        (("X",), SubstanceClass.ANY, "ed-presentations:any:all:X")
    ]


def test_a_quiet_county_has_no_slow_rise(county: County, past: Callable[[CountCube], Past]) -> None:
    detector = SlowOnset(county.zones)
    for seed in range(3):
        known = past(county.cube(DAYS, seed=20 + seed))
        assert detector.detect(_look(county, known, detector.learn(known), review=4.0)) == []


@pytest.mark.parametrize("days", [1, 6, 7, 100, 800])
def test_an_empty_history_gives_no_signal_and_no_crash(
    county: County, past: Callable[[CountCube], Past], days: int
) -> None:
    known = past(county.empty_cube(days))
    detector = SlowOnset(county.zones)
    state = detector.learn(known)
    assert state == {"until": known.cube.last_day.isoformat(), "rises": []}
    assert detector.detect(_look(county, known, state, review=0.0)) == []


def test_a_feed_that_began_last_year_is_not_a_rise(county: County, past: Callable[[CountCube], Past]) -> None:
    counts = county.cube(DAYS).counts.copy()
    counts[:, : DAYS - 200] = 0
    known = past(replace(county.cube(DAYS), counts=counts))
    assert SlowOnset(county.zones).learn(known) == {"until": known.cube.last_day.isoformat(), "rises": []}


def test_a_declared_new_definition_is_not_a_rise(county: County, past: Callable[[CountCube], Past]) -> None:
    cube = county.cube(DAYS)
    counts = cube.counts.copy()
    counts[:, DAYS - 200 :] *= 3
    known = past(replace(cube, counts=counts))
    changed = LevelShift(Feed.ED_PRESENTATIONS, known.cube.last_day - timedelta(days=199))
    declared = replace(known, baseline=replace(known.baseline, declared=Declared(shifts=(changed,))))
    detector = SlowOnset(county.zones)
    told = [
        {
            signal.feed_names[0]
            for signal in detector.detect(_look(county, item, detector.learn(item), review=4.0))
        }
        for item in (known, declared)
    ]
    assert Feed.ED_PRESENTATIONS in told[0]
    assert told[1] == told[0] - {Feed.ED_PRESENTATIONS}


def test_it_learns_the_same_from_the_same_past_and_changes_nothing(
    county: County, past: Callable[[CountCube], Past]
) -> None:
    cube = _growing(county, Feed.SUSPECTED_DEATHS, 0)
    before = cube.counts.copy()
    first, second = (SlowOnset(county.zones).learn(past(cube)) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    np.testing.assert_array_equal(before, cube.counts)


def test_a_look_without_anything_learnt_finds_nothing(
    county: County, past: Callable[[CountCube], Past]
) -> None:
    look = _look(
        county, past(county.cube(400)), {"until": date(2023, 2, 6).isoformat(), "rises": []}, review=0.0
    )
    assert SlowOnset(county.zones).detect(replace(look, learnt={})) == []


def test_a_past_of_other_areas_or_below_zero_is_refused(
    county: County, past: Callable[[CountCube], Past]
) -> None:
    cube = county.cube(400)
    other = replace(cube, areas=tuple(reversed(cube.areas)))
    with pytest.raises(ValueError, match="cube must be of the same areas"):
        SlowOnset(county.zones).learn(past(other))
    counts = cube.counts.copy()
    counts[0, 0, 0] = -1
    with pytest.raises(ValueError, match="counts must not be negative"):
        SlowOnset(county.zones).learn(past(replace(cube, counts=counts)))
