"""The smallest cluster that would be found: exactly what the scoring would say, count by count."""

import doctest
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import sensitivity
from detectors.baseline import Baseline
from detectors.completeness import LONGEST_WINDOW, lookback_days
from detectors.history import CountCube
from detectors.scoring import FEWEST, HIGHEST_SCORE, LOWEST_SCORE, score_day
from detectors.sensitivity import NO_COUNT, Expectations, expectations, scores_of, smallest_count
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

from .conftest import County

Fitted = tuple[County, CountCube, Baseline, Expectations]


@pytest.fixture
def fitted(county: County) -> Fitted:
    """The county with a baseline; one feed is late, so that its windows reach back further."""
    late = replace(
        county,
        completeness={**county.completeness, Feed.SUSPECTED_DEATHS: np.array([0.05, 0.2, 0.45, 0.8, 1.0])},
    )
    cube = late.cube(400)
    baseline = late.fit(cube)
    return late, cube, baseline, expectations(baseline, late.zones, late.completeness, cube.last_day)


def test_the_windows_expect_what_the_scoring_says(fitted: Fitted) -> None:
    county, cube, baseline, found = fitted
    scores = score_day(cube, baseline, county.zones, county.completeness, floor=0.0)
    assert len(scores) > 5
    for index in range(len(scores)):
        series, zone = int(scores.series[index]), int(scores.zone[index])
        window = int(np.flatnonzero(found.window_days[series] == scores.window_days[index])[0])
        assert found.expected[series, window, zone] == scores.expected[index]
        assert found.size[series, window, zone] == scores.size[index]


def test_the_best_of_all_windows_is_the_one_that_the_scoring_tells(fitted: Fitted) -> None:
    county, cube, baseline, found = fitted
    backwards = cube.recent(lookback_days(county.completeness)).counts[:, ::-1].cumsum(axis=1)
    observed = np.stack([backwards[row][days - 1] for row, days in enumerate(found.window_days)])
    in_zone = (observed @ county.zones.members).astype(np.int_)
    everything = scores_of(in_zone, found.expected, found.size, found.handicap[:, None, :])
    everything[in_zone < FEWEST] = -np.inf
    scores = score_day(cube, baseline, county.zones, county.completeness)
    told = {(int(s), int(z)): v for s, z, v in zip(scores.series, scores.zone, scores.score, strict=True)}
    assert told
    for (series, zone), score in told.items():
        assert everything[series, :, zone].max() == score


def test_one_event_less_is_not_enough_and_the_smallest_count_is(fitted: Fitted) -> None:
    county, cube, baseline, found = fitted
    today = cube.last_day
    days = lookback_days(county.completeness)
    for feed, name, area, window, score in (
        (Feed.AMBULANCE_NALOXONE, SubstanceClass.ANY, 3, 0, 4.2),
        (Feed.AMBULANCE_NALOXONE, SubstanceClass.NITAZENE, 0, 6, 3.3),
        (Feed.ED_PRESENTATIONS, SubstanceClass.OPIATE, 2, 13, 5.0),
        (Feed.SUSPECTED_DEATHS, SubstanceClass.ANY, 1, 2, 2.5),
    ):
        row = county.series.index((feed, name))
        smallest = int(
            smallest_count(
                found.expected[row, window, area],
                found.size[row, window, area],
                score,
                found.handicap[row, area],
            )
        )
        reached = []
        # The slow way round: one more event on the window's oldest day, until the service's own scoring is moved.
        for count in range(smallest + 3):
            counts = np.zeros((len(county.series), days, len(county.areas) + 1), dtype=np.int32)
            counts[row, days - found.window_days[row, window], [area, -1]] = count
            made = CountCube(today - timedelta(days=days - 1), county.areas, county.series, counts)
            scores = score_day(made, baseline, county.zones, county.completeness, floor=0.0)
            here = scores.take(
                (scores.series == row)
                & (scores.zone == area)
                & (scores.window_days == found.window_days[row, window])
            )
            reached.append(bool(len(here)) and float(here.score[0]) >= score)
        assert reached.index(True) == smallest
        assert reached[smallest:] == [True, True, True]


@settings(deadline=None)
@given(
    mean=st.floats(1e-5, 300),
    size=st.floats(1e-2, 1e6),
    score=st.floats(LOWEST_SCORE, 12),
    handicap=st.sampled_from([0.0, 0.25, 0.75]),
)
def test_the_inversion_equals_counting_up(mean: float, size: float, score: float, handicap: float) -> None:
    m, s = np.array([mean]), np.array([size])
    found = int(smallest_count(m, s, score, handicap)[0])

    def enough(count: int) -> bool:
        return bool(scores_of(np.array([count]), m, s, np.array([handicap]))[0] >= score)

    assert found >= FEWEST
    assert enough(found)
    assert found == FEWEST or not enough(found - 1)
    if found < 400:
        assert not any(enough(count) for count in range(FEWEST, found))


def test_a_higher_threshold_and_a_higher_level_need_more() -> None:
    mean = np.geomspace(0.01, 100, 50)
    size = np.full(50, 4.0)
    review, page = smallest_count(mean, size, 3.0), smallest_count(mean, size, 5.0)
    assert np.all(page > review)
    assert np.all(np.diff(page) >= 0)
    assert page[-1] > 5 * page[0]


def test_what_no_count_can_reach_is_said_to_be_so() -> None:
    one = np.array([1.0])
    assert smallest_count(one, one, np.inf)[0] == NO_COUNT
    assert smallest_count(one, one, HIGHEST_SCORE, 0.5)[0] == NO_COUNT
    # Below the floor of every look, the floor holds.
    assert smallest_count(one, one, 0.0)[0] == smallest_count(one, one, LOWEST_SCORE)[0]


@pytest.mark.parametrize(
    ("expected", "size", "score", "named"),
    [
        (0.0, 1.0, 3.0, "expected"),
        (-1.0, 1.0, 3.0, "expected"),
        (1.0, 0.0, 3.0, "size"),
        (1.0, 1.0, np.nan, "score"),
    ],
)
def test_a_bad_argument_is_named(expected: float, size: float, score: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        smallest_count(np.array([expected]), np.array([size]), score)


def test_a_place_with_no_history_expects_something_everywhere(county: County) -> None:
    cube = county.empty_cube(30)
    found = expectations(county.fit(cube), county.zones, county.completeness, cube.last_day)
    assert found.expected.shape == (len(county.series), LONGEST_WINDOW, len(county.zones.zones))
    assert np.all(found.expected > 0)
    assert np.all(smallest_count(found.expected, found.size, 4.0, found.handicap[:, None, :]) >= FEWEST)


def test_the_example_holds() -> None:
    assert doctest.testmod(sensitivity).failed == 0
