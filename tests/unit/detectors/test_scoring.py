"""Scores: exact tails, nothing left out that matters, and the symmetries that any fair score has."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom

from detectors.baseline import Baseline
from detectors.history import CountCube
from detectors.scoring import _LEAST_DEVIATIONS, Scores, mid_p, score_day
from detectors.zones import Zones, zones_of
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

from .conftest import County

SAME_COUNTY = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25
)
INDICES = st.integers(min_value=0, max_value=10_000)


def _found(scores: Scores, zones: Zones) -> dict[tuple[int, frozenset[AreaCode]], tuple[int, int, float]]:
    return {
        (int(scores.series[i]), frozenset(zones.zones[scores.zone[i]].codes)): (
            int(scores.window_days[i]),
            int(scores.observed[i]),
            round(float(scores.score[i]), 6),
        )
        for i in range(len(scores))
    }


@given(observed=st.integers(1, 400), mean=st.floats(1e-4, 200), size=st.floats(1e-2, 1e5))
def test_the_mid_p_is_the_negative_binomial_tail(observed: int, mean: float, size: float) -> None:
    known = nbinom(size, size / (size + mean))
    expected = known.sf(observed) + known.pmf(observed) / 2
    value = mid_p(np.array([observed]), np.array([mean]), np.array([size]))[0]
    assert value == pytest.approx(expected, rel=1e-6, abs=1e-14)


def test_whatever_is_left_out_before_the_tail_is_computed_could_not_have_mattered() -> None:
    # Every dispersion from 1 to 20 and every squared relative error that a baseline can have.
    mean, error, excess, deviations = np.meshgrid(
        np.geomspace(1e-4, 1e4, 40), np.geomspace(1e-4, 8, 12), [1e-4, 0.3, 3, 19], np.linspace(0.05, 2, 20)
    )
    inverse = excess + mean * error
    spread = np.sqrt(mean * (1 + inverse))
    observed = np.maximum(np.ceil(mean + deviations * spread), 2)
    left_out = observed - mean < _LEAST_DEVIATIONS * spread
    assert left_out.any()
    assert not left_out.all()
    assert mid_p(observed[left_out], mean[left_out], (mean / inverse)[left_out]).min() > 0.01


@SAME_COUNTY
@given(seed=INDICES, order=st.permutations(range(5)))
def test_renaming_the_areas_renames_the_findings(county: County, seed: int, order: list[int]) -> None:
    cube = county.with_cases(
        county.cube(120, seed % 7), Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, seed % 5, [2, 3]
    )
    here = score_day(cube, county.fit(cube), county.zones, county.completeness)
    # Area k of the new county is area order[k] of the old one, with the old one's neighbours.
    columns = [*order, 5]
    new_name = {county.areas[old]: county.areas[new] for new, old in enumerate(order)}
    adjacent = {
        new_name[zone.centre]: [new_name[code] for code in zone.codes]
        for zone in county.zones.zones
        if zone.kind == "around"
    }
    moved = replace(
        county, populations=county.populations[order], zones=zones_of(county.areas, adjacent, AreaCode("X"))
    )
    other_cube = replace(cube, counts=cube.counts[:, :, columns])
    there = score_day(other_cube, moved.fit(other_cube), moved.zones, county.completeness)
    renamed = {
        (series, frozenset(new_name.get(code, code) for code in codes)): value
        for (series, codes), value in _found(here, county.zones).items()
    }
    found = _found(there, moved.zones)
    assert renamed.keys() == found.keys()
    for key, (window, observed, score) in renamed.items():
        assert found[key][:2] == (window, observed)
        assert found[key][2] == pytest.approx(score, abs=1e-4)


@SAME_COUNTY
@given(more=st.integers(1, 6), area=st.integers(0, 4))
def test_more_cases_never_score_less(county: County, more: int, area: int) -> None:
    cube = county.cube(200, seed=1)
    baseline = county.fit(cube)
    some, many = (
        county.with_cases(cube, Feed.SUSPECTED_DEATHS, SubstanceClass.OPIATE, area, [extra])
        for extra in (2, 2 + more)
    )
    scores = [
        score_day(item, baseline, county.zones, county.completeness).score.max() for item in (some, many)
    ]
    assert scores[1] > scores[0]


@SAME_COUNTY
@given(factor=st.sampled_from([2.0, 4.0, 10.0]))
def test_people_counted_in_other_units_change_nothing(county: County, factor: float) -> None:
    cube = county.cube(150, seed=2)
    scaled = replace(county, populations=county.populations * factor)
    assert scaled.fit(cube).to_json() == county.fit(cube).to_json()


def test_the_same_counts_where_more_is_usual_score_less(county: County) -> None:
    cube = county.with_cases(county.cube(300), Feed.AMBULANCE_NALOXONE, SubstanceClass.OPIATE, 0, [3, 3])
    baseline = county.fit(cube)
    busier = replace(baseline, level_shape=baseline.level_shape * 3, level_rate=baseline.level_rate)
    here, there = (
        score_day(cube, item, county.zones, county.completeness, floor=0.0) for item in (baseline, busier)
    )
    assert there.score.max() < here.score.max()


@pytest.mark.parametrize("days", [1, 5, 30])
def test_nothing_seen_scores_nothing(county: County, days: int) -> None:
    cube = county.empty_cube(days)
    assert len(score_day(cube, county.fit(county.empty_cube(60)), county.zones, county.completeness)) == 0


def test_a_single_event_is_never_an_alarm(county: County) -> None:
    baseline: Baseline = county.fit(county.empty_cube(400))
    cube: CountCube = county.with_cases(
        county.empty_cube(30), Feed.SUSPECTED_DEATHS, SubstanceClass.NITAZENE, 0, [1]
    )
    assert len(score_day(cube, baseline, county.zones, county.completeness, floor=0.0)) == 0


def test_what_is_known_late_is_not_expected_early(county: County) -> None:
    cube = county.with_cases(county.cube(300), Feed.DRUG_CHECKING, SubstanceClass.OPIATE, 0, [2, 0])
    baseline = county.fit(cube)
    slow = {feed: np.array([0.0, 0.6, 1.0]) for feed in Feed}
    quick = {feed: np.array([1.0]) for feed in Feed}
    slow_scores, quick_scores = (
        score_day(cube, baseline, county.zones, law, floor=0.0) for law in (slow, quick)
    )
    # With nothing usually known on the day itself the shortest window reaches back to yesterday.
    assert slow_scores.window_days.min() == 2
    assert quick_scores.window_days.min() == 1
    assert slow_scores.score.max() > quick_scores.score.max()
