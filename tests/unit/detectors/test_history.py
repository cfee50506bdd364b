"""Histories as known: a record counts from the day on which it became known, and only then."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.completeness import (
    completeness_as_known,
    first_useful_age,
    law_from_delays,
    lookback_days,
)
from schemas.vocabulary import Feed

from .conftest import County


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(seed=st.integers(0, 50), today=st.integers(0, 59))
def test_growing_day_by_day_is_the_same_as_counting_what_was_known(
    county: County, seed: int, today: int
) -> None:
    history = county.history(60, seed)
    growing = history.as_known()
    cube = [growing.advance_to(day) for day in range(today + 1)][-1]
    known = history.known_day <= today
    counts = np.zeros((len(history.series), 60, 6), dtype=np.int32)
    np.add.at(counts, (history.series_index[known], history.day[known], history.area[known]), 1)
    np.add.at(counts[:, :, 5], (history.series_index[known], history.day[known]), 1)
    assert np.array_equal(cube.counts, counts[:, : today + 1])
    assert np.array_equal(cube.counts, history.as_known().advance_to(today).counts)


def test_an_event_without_a_place_counts_in_the_whole_jurisdiction_only(county: County) -> None:
    history = county.history(30)
    nowhere = replace(history, area=np.full_like(history.area, -1))
    cube = nowhere.as_known().advance_to(29)
    assert cube.counts[:, :, :-1].sum() == 0
    assert cube.counts[:, :, -1].sum() == (history.known_day <= 29).sum()


def test_a_day_cannot_be_asked_for_again_backwards(county: County) -> None:
    growing = county.history(30).as_known()
    growing.advance_to(20)
    with pytest.raises(ValueError, match="today"):
        growing.advance_to(19)


@pytest.mark.parametrize(
    ("column", "value"), [("day", 30), ("known_day", -1), ("area", 5), ("series_index", 99)]
)
def test_rows_that_cannot_be_are_refused_by_name(county: County, column: str, value: int) -> None:
    history = county.history(30)
    wrong = getattr(history, column).copy()
    wrong[0] = value
    with pytest.raises(ValueError, match=column):
        replace(history, **{column: wrong})


def test_completeness_is_found_from_delays_although_the_slowest_are_still_to_come() -> None:
    rng = np.random.default_rng(0)
    truth = np.array([0.5, 0.7, 0.85, 0.95, 1.0])
    age = np.repeat(np.arange(300), 20)
    delay = np.searchsorted(truth, rng.random(age.size))
    seen = delay <= age
    prior = np.array([0.9, 0.95, 0.98, 0.99, 1.0])
    law = law_from_delays(delay[seen], age[seen], prior)
    assert law == pytest.approx(truth, abs=0.03)


def test_completeness_is_the_prior_until_something_is_seen(county: County) -> None:
    prior = np.array([0.3, 0.6, 1.0])
    none = np.zeros(0, dtype=np.int64)
    assert law_from_delays(none, none, prior) == pytest.approx(prior, abs=1e-6)
    laws = completeness_as_known(county.history(40), 0, dict.fromkeys(Feed, prior))
    assert laws[Feed.SUSPECTED_DEATHS] == pytest.approx(prior, abs=0.02)


def test_windows_reach_back_to_the_first_age_at_which_half_is_known() -> None:
    assert first_useful_age(np.array([0.1, 0.4, 0.6, 1.0])) == 2
    assert first_useful_age(np.array([0.1, 0.2])) == 1
    assert (
        lookback_days({Feed.DRUG_CHECKING: np.array([0.1, 0.6]), Feed.ED_PRESENTATIONS: np.array([1.0])})
        == 15
    )
