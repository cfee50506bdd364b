"""The space-time scan as its callers see it: clusters worked out by hand, symmetries, chance, and refusals."""

from math import log
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors.scan import Scan, space_time_scan
from detectors.scan_engine import study_of
from detectors.scan_gumbel import Gumbel, rank_p_value
from detectors.scan_location import central_circle
from detectors.scan_statistics import POISSON
from detectors.scan_zones import Metric, neighbour_order

FloatArray = NDArray[np.float64]
SLOW = settings(deadline=None, max_examples=25)
LINE = [[0.0, 0.0], [1.0, 0.0], [3.0, 0.0], [20.0, 0.0], [22.0, 0.0]]
STATISTICS = ("poisson", "negative_binomial", "kulldorff", "permutation", "binomial")


def _scan(counts: Any, expected: Any = None, places: Any = LINE, **options: Any) -> Scan:  # noqa: ANN401 (tests hand in what is wrong, too)
    wanted: dict[str, Any] = {
        "max_window": 3,
        "replicates": 0,
        "max_population_fraction": 1.0,
        "rng": np.random.default_rng(1),
    }
    return space_time_scan(counts, expected, places, **(wanted | options))


def _random(seed: int, statistic: str, *, n_feeds: int | None = None) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Counts, expected, places and options for a statistic: 8 areas, 6 days, a cluster in two areas."""
    rng = np.random.default_rng(seed)
    shape = (6, 8) if n_feeds is None else (n_feeds, 6, 8)
    places = rng.normal(size=(8, 2))
    usual = rng.gamma(2.0, size=shape)
    counts = rng.poisson(usual)
    counts[..., -2:, neighbour_order(places).zone(3, 2)] += 3
    options: dict[str, Any] = {"statistic": statistic}
    if statistic == "negative_binomial":
        options["dispersion"] = 1.7
    if statistic == "binomial":
        options["population"] = np.full(8, 60)
    return counts, None if statistic in {"permutation", "binomial"} else usual, places, options


def _sets(scan: Scan) -> list[tuple[frozenset[int], int, float]]:
    return [(frozenset(c.areas.tolist()), c.start_day, round(c.llr, 8)) for c in scan.clusters]


def test_two_villages_with_three_times_the_usual_are_found_with_their_ratio() -> None:
    counts = [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [3, 3, 1, 1, 1], [3, 3, 1, 1, 1]]
    best = _scan(counts, np.ones((4, 5))).most_likely
    assert best is not None
    assert (best.areas.tolist(), best.start_day, best.days) == ([0, 1], 2, 2)
    assert (best.observed, best.expected) == (12.0, 4.0)
    assert best.llr == pytest.approx(12 * log(3) - 8)


def test_a_single_day_is_the_purely_spatial_scan_with_all_cases_given() -> None:
    best = _scan([[6, 6, 2, 3, 3]], np.full((1, 5), 7.0), statistic="kulldorff").most_likely
    assert best is not None
    # Twenty cases in all, so four are expected of each area.
    assert best.expected == pytest.approx(8.0)
    assert best.llr == pytest.approx(12 * log(12 / 8) + 8 * log(8 / 12))


def test_expected_cases_of_a_permutation_scan_are_the_products_of_its_margins() -> None:
    counts = [[2, 0, 2, 4, 0], [4, 0, 0, 0, 0]]
    best = _scan(counts, statistic="permutation", max_window=1).most_likely
    assert best is not None
    assert (best.areas.tolist(), best.observed) == ([0], 4.0)
    assert best.expected == pytest.approx(6 * 4 / 12)


def test_a_binomial_scan_compares_cases_with_people() -> None:
    best = _scan([[5, 5, 1, 1, 1]], statistic="binomial", population=[10, 10, 10, 10, 10]).most_likely
    assert best is not None
    inside, outside, null = (
        a * log(a / (a + b)) + b * log(b / (a + b)) for a, b in ((10, 10), (3, 27), (13, 37))
    )
    assert best.llr == pytest.approx(inside + outside - null)


def test_secondary_clusters_share_no_area_with_better_ones() -> None:
    scan = _scan([[9, 9, 0, 7, 7]], [[2.0, 2.0, 40.0, 2.0, 2.0]])
    found = [set(cluster.areas.tolist()) for cluster in scan.clusters]
    assert found[:2] == [{0, 1}, {3, 4}]
    assert scan.clusters[0].llr >= scan.clusters[1].llr
    assert sum(len(areas) for areas in found) == len(set().union(*found))


def test_of_equal_clusters_the_smallest_then_shortest_then_first_is_told() -> None:
    # Area 1 has nothing usual and nothing seen: with it or without it, the ratio is the same.
    usual = np.array([[2.0, 0.0, 40.0, 2.0, 40.0]])
    best = _scan([[6, 0, 0, 6, 0]], usual).most_likely
    assert best is not None
    assert best.areas.tolist() == [0]
    # Two days without anything usual or seen before the last one.
    still = np.vstack([np.zeros((2, 5)), usual])
    best = _scan(np.vstack([np.zeros((2, 5), dtype=int), [[6, 0, 0, 6, 0]]]), still).most_likely
    assert best is not None
    assert (best.areas.tolist(), best.days) == ([0], 1)


def test_feeds_speak_together_in_one_of_two_ways() -> None:
    counts = np.array([[[6, 1, 1, 1, 1]], [[8, 2, 2, 2, 2]]])
    usual = np.array([[[1.0] * 5], [[2.0] * 5]])
    apart, joint = (_scan(counts, usual, fusion=how).most_likely for how in ("separate", "common"))
    assert apart is not None
    assert joint is not None
    assert apart.llr == pytest.approx((6 * log(6) - 5) + (8 * log(4) - 6))
    assert joint.llr == pytest.approx(14 * log(14 / 3) - 11)
    assert apart.by_feed.tolist() == [[6.0, 1.0], [8.0, 2.0]]


def test_a_feed_below_its_usual_takes_nothing_away_from_the_others() -> None:
    counts = np.array([[[6, 1, 1, 1, 1]], [[0, 2, 2, 2, 2]]])
    usual = np.array([[[1.0] * 5], [[2.0] * 5]])
    best = _scan(counts, usual).most_likely
    assert best is not None
    assert best.llr == pytest.approx(6 * log(6) - 5)


@pytest.mark.parametrize("statistic", STATISTICS)
@SLOW
@given(seed=st.integers(0, 10_000), order=st.permutations(range(8)))
def test_renaming_the_areas_renames_the_clusters(statistic: str, seed: int, order: list[int]) -> None:
    counts, usual, places, options = _random(seed, statistic)
    here = _scan(counts, usual, places, **options)
    moved_usual = None if usual is None else usual[:, order]
    there = _scan(counts[:, order], moved_usual, places[order], **options)
    renamed = [(frozenset(order[i] for i in areas), *rest) for areas, *rest in _sets(there)]
    assert sorted(map(str, renamed)) == sorted(map(str, _sets(here)))


@SLOW
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([2.0, 10.0, 64.0]))
def test_only_the_proportions_of_what_is_expected_matter_to_kulldorff(seed: int, factor: float) -> None:
    counts, usual, places, options = _random(seed, "kulldorff")
    assert _sets(_scan(counts, usual, places, **options)) == _sets(
        _scan(counts, usual * factor, places, **options)
    )


@SLOW
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([2, 8, 1000]))
def test_poisson_ratios_grow_with_counts_and_expectation_alike(seed: int, factor: int) -> None:
    counts, usual, places, _ = _random(seed, "poisson")
    once = _scan(counts, usual, places).most_likely
    many = _scan(counts * factor, usual * factor, places).most_likely
    assert once is not None
    assert many is not None
    assert many.areas.tolist() == once.areas.tolist()
    assert many.llr == pytest.approx(factor * once.llr)


@SLOW
@given(seed=st.integers(0, 10_000), statistic=st.sampled_from(STATISTICS), east=st.floats(-50, 50))
def test_moving_the_whole_map_changes_nothing(seed: int, statistic: str, east: float) -> None:
    counts, usual, places, options = _random(seed, statistic)
    assert _sets(_scan(counts, usual, places, **options)) == _sets(
        _scan(counts, usual, places + east, **options)
    )


@pytest.mark.parametrize("statistic", STATISTICS)
def test_nothing_counted_is_no_cluster(statistic: str) -> None:
    counts, usual, places, options = _random(1, statistic)
    scan = _scan(counts * 0, usual, places, replicates=19, **options)
    assert scan.clusters == ()
    assert scan.most_likely is None


def test_one_area_alone_can_be_scanned() -> None:
    best = _scan([[1], [5]], [[1.0], [1.0]], [[3.0, 3.0]], max_population_fraction=0.5).most_likely
    assert best is not None
    assert (best.areas.tolist(), best.days) == ([0], 1)


@pytest.mark.parametrize(
    ("limits", "largest"), [({"max_neighbours": 0}, 1), ({"max_radius": 0.5}, 1), ({"max_neighbours": 99}, 5)]
)
def test_circles_are_as_wide_as_allowed_and_never_wider_than_the_map(
    limits: dict[str, Any], largest: int
) -> None:
    best = _scan([[9, 9, 9, 9, 9]], np.ones((1, 5)), **limits).most_likely
    assert best is not None
    assert best.areas.size == largest


def test_an_area_with_most_of_the_people_is_still_a_circle() -> None:
    best = _scan([[50, 1]], [[20.0, 1.0]], [[0.0, 0.0], [1.0, 0.0]], max_population_fraction=0.1).most_likely
    assert best is not None
    assert best.areas.tolist() == [0]


def test_huge_counts_do_not_overflow() -> None:
    counts = np.full((2, 5), 2**40, dtype=np.int64)
    counts[1, 0] = 2**41
    best = _scan(counts, np.full((2, 5), 2.0**40), replicates=19).most_likely
    assert best is not None
    assert best.areas.tolist() == [0]
    assert best.llr == pytest.approx(2.0**41 * log(2) - 2.0**40)
    assert best.p_value == pytest.approx(1 / 20)


def test_a_small_type_of_whole_numbers_does_not_overflow() -> None:
    best = _scan(np.full((3, 5), 120, dtype=np.int8), np.full((3, 5), 100.0)).most_likely
    assert best is not None
    assert best.observed == 3 * 5 * 120


def test_fractions_of_cases_are_counted_as_they_are() -> None:
    best = _scan(
        [[2.5, 2.5, 0.5, 0.5, 0.5]], np.ones((1, 5)), statistic="kulldorff", replicates=19
    ).most_likely
    assert best is not None
    assert best.observed == pytest.approx(5.0)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_same_seed_gives_the_same_chances_on_any_number_of_threads(statistic: str) -> None:
    counts, usual, places, options = _random(3, statistic, n_feeds=2)
    threads = numba.get_num_threads()
    scans = []
    for wanted in (1, threads, 1):
        numba.set_num_threads(wanted)
        scans.append(_scan(counts, usual, places, replicates=150, rng=np.random.default_rng(8), **options))
    numba.set_num_threads(threads)
    for other in scans[1:]:
        np.testing.assert_array_equal(scans[0].maxima, other.maxima)
    different = _scan(counts, usual, places, replicates=150, rng=np.random.default_rng(9), **options)
    assert (different.maxima != scans[0].maxima).any()


def test_p_values_of_quiet_days_are_evenly_spread() -> None:
    rng = np.random.default_rng(4)
    places, usual = rng.normal(size=(6, 2)), np.full((3, 6), 1.5)
    best = [_scan(rng.poisson(usual), usual, places, replicates=99, rng=rng).most_likely for _ in range(60)]
    exact = np.array([1.0 if one is None else one.p_value for one in best])
    smooth = np.array([1.0 if one is None else one.p_gumbel for one in best])
    # Of 60 draws a share of 30 % has a standard error of 6 %.
    assert 0.12 < (exact <= 0.3).mean() < 0.48
    assert np.abs(exact - smooth).mean() < 0.05


def test_an_outbreak_has_a_small_p_value_and_a_long_recurrence_interval() -> None:
    counts, usual, places, _ = _random(2, "poisson")
    counts = counts.copy()
    counts[-3:, 2] += 12
    best = _scan(counts, usual, places, replicates=199).most_likely
    assert best is not None
    assert best.p_value == pytest.approx(1 / 200)
    assert best.recurrence_days == pytest.approx(1 / best.p_gumbel)
    assert best.recurrence_days > 365


def test_without_replicates_there_are_no_p_values() -> None:
    best = _scan([[9, 1, 1, 1, 1]], np.ones((1, 5))).most_likely
    assert best is not None
    assert np.isnan(best.p_value)
    assert np.isnan(best.p_gumbel)
    assert np.isnan(best.recurrence_days)


def test_the_scale_free_prior_prefers_the_single_area_when_both_explain_it() -> None:
    counts, usual = [[8, 2, 1, 1, 1]], np.ones((1, 5))
    plain, with_prior = (_scan(counts, usual, penalised=how).most_likely for how in (False, True))
    assert plain is not None
    assert with_prior is not None
    assert with_prior.areas.tolist() == [0]
    assert with_prior.score == pytest.approx(with_prior.llr)
    wide = _scan([[5, 5, 5, 1, 1]], usual, penalised=True).most_likely
    assert wide is not None
    assert wide.score == pytest.approx(wide.llr - log(3))


def test_nothing_handed_in_is_changed() -> None:
    counts, usual, places, options = _random(5, "negative_binomial")
    before = counts.copy(), usual.copy(), places.copy()
    for array in (counts, usual, places):
        array.flags.writeable = False
    _scan(counts, usual, places, replicates=9, **options)
    for array, copy in zip((counts, usual, places), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_gumbel_law_gives_back_its_own_tail() -> None:
    law = Gumbel(5.0, 1.2)
    drawn = np.random.default_rng(1).gumbel(5.0, 1.2, size=200_000)
    fitted = Gumbel.fitted(drawn)
    assert fitted.location == pytest.approx(5.0, abs=0.02)
    assert fitted.scale == pytest.approx(1.2, abs=0.02)
    assert law.survival(9.0) == pytest.approx(float((drawn > 9.0).mean()), rel=0.1)
    assert rank_p_value(3.0, np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(3 / 5)


def test_the_central_circle_is_the_cluster_when_there_is_no_doubt() -> None:
    study = study_of(neighbour_order(LINE), POISSON, np.full((1, 2, 5), 3.0), penalised=True)
    look = np.full((1, 5, 2), 3.0).cumsum(axis=2)
    look[0, [3, 4]] += 40
    assert sorted(central_circle(study, look).tolist()) == [3, 4]


GOOD: dict[str, Any] = {"counts": np.ones((4, 5), dtype=int), "expected": np.ones((4, 5))}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"counts": np.ones((4, 6), dtype=int)}, r"counts has the shape \(4, 6\); wanted \(n_days, 5\)"),
        ({"counts": np.ones(5, dtype=int)}, r"counts has the shape \(5,\)"),
        ({"counts": np.zeros((0, 5), dtype=int)}, r"counts has the shape \(0, 5\)"),
        ({"counts": np.full((4, 5), np.nan)}, "counts holds NaN"),
        ({"counts": -np.ones((4, 5))}, "counts holds -1; wanted 0 or more"),
        ({"counts": np.full((4, 5), 1e17)}, r"counts reaches 1e\+17; wanted at most 2\*\*53"),
        ({"counts": np.array([["a"] * 5] * 4)}, "counts holds <U1; wanted numbers"),
        ({"counts": np.full((4, 5), 0.5), "statistic": "permutation", "expected": None}, "counts holds fractions"),
        ({"expected": np.ones((3, 5))}, r"expected has the shape \(3, 5\); wanted that of counts, \(4, 5\)"),
        ({"expected": np.full((4, 5), np.inf)}, "expected holds NaN or infinity"),
        ({"expected": np.zeros((4, 5))}, "expected is 0 in a cell that counts something"),
        ({"expected": None}, r"expected is None; wanted the shape \(4, 5\)"),
        ({"statistic": "permutation"}, "expected is given; the permutation scan"),
        ({"statistic": "binomial"}, "expected is given; the binomial scan"),
        ({"statistic": "binomial", "expected": None}, "population is None; the binomial scan"),
        ({"statistic": "binomial", "expected": None, "population": np.zeros(5)}, "population is below counts"),
        ({"statistic": "best"}, "statistic is 'best'; wanted one of poisson"),
        ({"statistic": "negative_binomial"}, "dispersion is None"),
        ({"statistic": "negative_binomial", "dispersion": 0.5}, "dispersion holds 0.5; wanted variance / mean"),
        ({"statistic": "negative_binomial", "dispersion": [2.0, 2.0]}, r"dispersion has the shape \(2,\)"),
        ({"dispersion": 2.0}, "dispersion is given; the poisson scan has none"),
        ({"population": [1.0, 2.0]}, r"population has the shape \(2,\); wanted \(5,\)"),
        ({"places": [[0.0, 1.0, 2.0]] * 5}, r"coordinates must have the shape \(n_areas, 2\), not \(5, 3\)"),
        ({"places": [[0.0, np.nan]] * 5}, "coordinates must be finite"),
        ({"metric": "manhattan"}, "metric must be 'planar' or 'haversine', not 'manhattan'"),
        ({"metric": "haversine", "places": [[0.0, 91.0]] * 5}, "coordinates must be longitude"),
        ({"max_window": 0}, "max_window is 0; wanted a whole number from 1"),
        ({"max_window": 2.5}, "max_window is 2.5; wanted a whole number from 1"),
        ({"replicates": 1}, "replicates is 1; wanted 0"),
        ({"max_neighbours": -1}, "max_neighbours must be 0 or more, not -1"),
        ({"max_radius": -2.0}, "max_radius must be 0 or more, not -2"),
        ({"max_population_fraction": 0.0}, "max_population_fraction must be above 0 and at most 1, not 0"),
        ({"fusion": "both"}, "fusion is 'both'; wanted 'separate' or 'common'"),
        ({"max_clusters": 0}, "max_clusters is 0"),
    ],
)  # fmt: skip
def test_what_will_not_do_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _scan(**(GOOD | change))


def test_a_nation_without_a_limit_on_neighbours_is_refused_before_memory_runs_out() -> None:
    with pytest.raises(ValueError, match="max_neighbours must be given for 20000 areas: at most 7499 fit"):
        neighbour_order(np.zeros((20_000, 2)))


@pytest.mark.parametrize("metric", ["planar", "haversine"])
def test_the_tree_and_all_pairs_give_the_same_neighbours(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = np.random.default_rng(6).uniform(-60, 60, size=(400, 2))
    whole = neighbour_order(places, metric=metric, max_neighbours=20)
    monkeypatch.setattr("detectors.scan_zones._FEW", 10)
    by_tree = neighbour_order(places, metric=metric, max_neighbours=20)
    np.testing.assert_array_equal(whole.order, by_tree.order)


def test_equal_distances_are_put_in_order_by_place() -> None:
    cross = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]
    assert neighbour_order(cross).order[0].tolist() == [0, 3, 4, 2, 1]


def test_areas_at_one_place_are_each_their_own_first_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detectors.scan_zones._FEW", 10)
    found = neighbour_order(np.zeros((60, 2)), max_neighbours=3)
    assert found.order[:, 0].tolist() == list(range(60))


def test_great_circles_are_measured_in_kilometres() -> None:
    places = [[0.0, 50.0], [0.0, 51.0], [1.0, 50.0]]
    near = neighbour_order(places, metric="haversine", max_radius=100.0)
    # A degree of latitude is 111 km, one of longitude at 50 degrees north 71 km.
    assert near.zone(0, int(near.sizes[0])).tolist() == [0, 2]
