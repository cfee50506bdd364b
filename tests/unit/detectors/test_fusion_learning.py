"""What fusion learns of pairs and clumps: nothing from chance, the truth from people who come again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.fine_circles import circles_of
from detectors.fine_shares import fine_shares
from detectors.fusion_learning import WINDOWS, FusionMemory, learn_memory
from detectors.fusion_pairs import clumping, pairs_by_lag, pairs_same_day
from detectors.sightings import CLASS_BIT, FEEDS, Sightings
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

from .fusion_town import FIRST_DAY, square

DAYS = 1200
TERRAIN = square()


def _sightings(feed: np.ndarray, fine: np.ndarray, day: np.ndarray) -> Sightings:
    one = np.ones(day.size, dtype=np.int64)
    area = TERRAIN.area_of[fine].astype(np.int64)
    bits = one * CLASS_BIT[SubstanceClass.UNKNOWN]
    return Sightings(FIRST_DAY, DAYS, day, day, feed, bits, 0 * one, area, fine)


def _chance(seed: int, number: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    feed = np.full(number, FEEDS.index(Feed.ED_PRESENTATIONS), dtype=np.int64)
    return feed, rng.integers(0, 100, number), rng.integers(0, DAYS, number)


@given(st.integers(0, 10_000))
def test_pairs_are_what_counting_one_by_one_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place, day = rng.integers(0, 4, 30), rng.integers(0, 20, 30)
    other_place, other_day = rng.integers(0, 5, 12), rng.integers(0, 20, 12)
    lags = np.arange(-2, 3)
    found = pairs_by_lag(place, day, other_place, other_day, 20, lags)
    for row, lag in enumerate(lags):
        near = (place[:, None] == other_place) & (other_day - day[:, None] == lag)
        by_place = sum(np.sum(place == p) * np.sum(other_place == p) for p in range(5))
        assert found[row] == pytest.approx(near.sum() - by_place * (20 - abs(lag)) / 400)


def test_chance_alone_gives_no_clumps_and_people_who_come_again_give_theirs() -> None:
    feed, fine, day = _chance(1)
    alone = learn_memory(_sightings(feed, fine, day), TERRAIN)
    rng = np.random.default_rng(2)
    again = rng.random(day.size) < 0.2
    later = np.minimum(day[again] + 3, DAYS - 1)
    twice = learn_memory(
        _sightings(np.append(feed, feed[again]), np.append(fine, fine[again]), np.append(day, later)), TERRAIN
    )
    row, week = FEEDS.index(Feed.ED_PRESENTATIONS), WINDOWS.index(7)
    assert alone.clumps[row, week] < 0.06
    # A fifth come again after three days: one record in six is a second one, 2 x 1/6 x (1 - 3/7) of a week's variance.
    assert twice.clumps[row, week] == pytest.approx(2 / 6 * 4 / 7, abs=0.06)
    assert np.all(np.diff(twice.clumps, axis=1) >= 0)


def test_people_seen_in_two_feeds_at_one_place_are_learnt() -> None:
    feed, fine, day = _chance(3, 1500)
    feed[:] = FEEDS.index(Feed.AMBULANCE_NALOXONE)
    as_well = np.random.default_rng(4).random(feed.size) < 0.4
    ed = np.full(int(as_well.sum()), FEEDS.index(Feed.ED_PRESENTATIONS))
    memory = learn_memory(
        _sightings(np.append(feed, ed), np.append(fine, fine[as_well]), np.append(day, day[as_well])), TERRAIN
    )
    assert memory.also_here[feed[0], ed[0]] == pytest.approx(0.4, abs=0.04)


def test_areas_whose_share_moves_are_told_from_areas_that_stay() -> None:
    feed, fine, day = _chance(5, 9000)
    steady = learn_memory(_sightings(feed, fine, day), TERRAIN).shift
    # In every second month half of what happens in the first area happens in the last one instead.
    moves = (TERRAIN.area_of[fine] == 0) & ((day // 28) % 2 == 0) & (np.arange(day.size) % 2 == 0)
    moved = learn_memory(_sightings(feed, np.where(moves, fine + 55, fine) % 100, day), TERRAIN).shift
    assert steady < 0.01
    assert moved > 0.015


def test_pairs_of_nothing_are_none() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert pairs_same_day(none, none, 10) == 0.0
    assert not pairs_by_lag(none, none, none, none, 10, np.arange(3)).any()
    assert clumping(0.0, np.zeros(27), np.array(WINDOWS)).tolist() == [0.0] * len(WINDOWS)


@given(st.lists(st.integers(0, 50), min_size=100, max_size=100), st.floats(0.01, 1e5))
def test_shares_are_whole_in_each_area_whatever_the_scale_of_the_population(
    counts: list[int], scale: float
) -> None:
    given_counts = np.array(counts, dtype=np.float64)
    shares, shapes = fine_shares(given_counts, TERRAIN.population, TERRAIN.area_of, 4)
    scaled, _ = fine_shares(given_counts, scale * TERRAIN.population, TERRAIN.area_of, 4)
    assert np.bincount(TERRAIN.area_of, weights=shares) == pytest.approx(1.0)
    assert shares == pytest.approx(scaled)
    assert shares.min() > 0
    assert shapes.min() > 0


def test_circles_begin_at_home_and_grow_to_the_stated_part_of_the_people() -> None:
    circles = circles_of(TERRAIN, largest_share=0.1)
    assert np.array_equal(circles.near[:, 0], np.arange(100))
    assert set(circles.size.tolist()) == {10}
    assert np.all(np.diff(circles.distance_km, axis=1) >= 0)
    with pytest.raises(ValueError, match="largest_share"):
        circles_of(TERRAIN, largest_share=0.0)


def test_before_anything_is_learnt_the_planning_figures_stand() -> None:
    memory = FusionMemory.from_json(None, TERRAIN)
    assert memory.groups.sum(axis=1) == pytest.approx(1.0)
    assert 0 < memory.clumps[1, 0] < memory.clumps[1, -1] < 0.2
    assert memory.shares == pytest.approx(0.04)
