"""Kernels of the scan: each gives what a plain double loop over circles and windows gives, for every statistic."""

from math import inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from detectors import scan_engine
from detectors.scan_engine import Study, looks_of, study_of
from detectors.scan_statistics import (
    BINOMIAL,
    CONDITIONAL,
    NEGATIVE_BINOMIAL,
    POISSON,
    bound_factor,
    log_likelihood_ratio,
)
from detectors.scan_zones import neighbour_order

FloatArray = NDArray[np.float64]
SLOW = settings(deadline=None, max_examples=40)


def _xlogx(count: float, over: float) -> float:
    return 0.0 if count == 0 else count * log(count / over)


def _reference(kind: int, count: float, mean: float, second: float, total: float) -> float:
    """The formulas of the literature, as log-likelihoods of two hypotheses."""
    if count <= mean:
        return 0.0
    if kind == POISSON or (kind == NEGATIVE_BINOMIAL and second == 0):
        return _xlogx(count, mean) - count + mean
    if kind == NEGATIVE_BINOMIAL:
        size = mean**2 / second

        def likelihood(centre: float) -> float:
            return count * log(centre / (centre + size)) + size * log(size / (centre + size))

        return likelihood(count) - likelihood(mean)
    if kind == CONDITIONAL:
        return _xlogx(count, mean) + _xlogx(total - count, total - mean)
    people, rate = second, mean / second
    everyone = total / rate
    inside = _xlogx(count, people) + _xlogx(people - count, people)
    outside = _xlogx(total - count, everyone - people) + _xlogx(
        everyone - people - total + count, everyone - people
    )
    return inside + outside - _xlogx(total, everyone) - _xlogx(everyone - total, everyone)


def _world(
    kind: int, seed: int, *, n_feeds: int = 1, penalised: bool = False
) -> tuple[Study, FloatArray, FloatArray]:
    """A study of 9 areas and 4 windows, 70 looks at it, and their totals."""
    rng = np.random.default_rng(seed)
    n_looks, n_areas, n_windows = 70, 9, 4
    neighbours = neighbour_order(rng.normal(size=(n_areas, 2)), max_neighbours=int(rng.integers(0, 9)))
    mean = rng.gamma(0.7, size=(n_feeds, n_windows, n_areas))
    looks = rng.poisson(mean.transpose(0, 2, 1), size=(n_looks, n_feeds, n_areas, n_windows)).cumsum(axis=3)
    totals = np.ones((n_looks, n_feeds))
    second = np.zeros_like(mean)
    if kind == NEGATIVE_BINOMIAL:
        second = mean * rng.uniform(0.2, 3)
    if kind in {CONDITIONAL, BINOMIAL}:
        # As in a period with as much again outside the windows.
        older = rng.integers(1, 40, size=(n_looks, n_feeds))
        totals = looks[:, :, :, -1].sum(axis=2) + older
        if kind == BINOMIAL:
            totals[:] = totals.max(axis=0)
            second = np.ceil(mean * 20) + looks.max(axis=0)[:, :, :n_windows].transpose(0, 2, 1)
            mean = second / (2.0 * second.sum(axis=(1, 2), keepdims=True))
        else:
            mean = mean / (2.0 * mean.sum(axis=(1, 2), keepdims=True))
    return (
        study_of(neighbours, kind, mean, second, penalised=penalised),
        looks.astype(np.float64),
        totals * 1.0,
    )


def _by_loops(study: Study, look: FloatArray, totals: FloatArray) -> float:
    best = 0.0
    for centre in range(study.neighbours.n_areas):
        for size in range(1, study.neighbours.sizes[centre] + 1):
            areas = study.neighbours.zone(centre, size)
            zone = study.offsets[centre] + size - 1
            for window in range(study.mean.shape[2]):
                ratio = sum(
                    _reference(
                        study.kind,
                        float(look[feed, areas, window].sum()),
                        float(study.mean[feed, areas, window].sum() * totals[feed]),
                        float(study.second[feed, areas, window].sum()),
                        float(totals[feed]),
                    )
                    for feed in range(look.shape[0])
                )
                best = max(best, ratio - study.zone_penalty[zone] - study.window_penalty[window])
    return best


KINDS = pytest.mark.parametrize("kind", [POISSON, NEGATIVE_BINOMIAL, CONDITIONAL, BINOMIAL])


@KINDS
@pytest.mark.parametrize("n_feeds", [1, 3])
@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_best_of_a_look_is_that_of_plain_loops(
    kind: int, n_feeds: int, penalised: bool, dtype: type[np.floating]
) -> None:
    study, looks, totals = _world(kind, seed=n_feeds + 10 * kind, n_feeds=n_feeds, penalised=penalised)
    found = study.best_of(looks.astype(dtype), totals)
    expected = [_by_loops(study, look, total) for look, total in zip(looks, totals, strict=True)]
    np.testing.assert_allclose(found.score, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", [POISSON, NEGATIVE_BINOMIAL, CONDITIONAL])
def test_the_table_of_critical_counts_changes_no_result(kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(12):
        study, looks, totals = _world(kind, seed, penalised=bool(seed % 2))
        totals[:] = totals.max()
        with_table = study.best_of(looks, totals)
        monkeypatch.setattr(scan_engine, "_WORTH_A_TABLE", 10**9)
        without = study.best_of(looks, totals)
        monkeypatch.undo()
        np.testing.assert_array_equal(with_table.score, without.score)


def test_a_floor_hides_what_does_not_exceed_it_and_nothing_else() -> None:
    study, looks, totals = _world(POISSON, 3)
    plain = study.best_of(looks, totals)
    floor = float(np.median(plain.score))
    floored = study.best_of(looks, totals, floor=floor)
    over = plain.score > floor
    np.testing.assert_array_equal(floored.score, np.where(over, plain.score, floor))
    np.testing.assert_array_equal(floored.centre[over], plain.centre[over])
    assert (floored.centre[~over] == -1).all()


@KINDS
def test_the_place_of_the_best_gives_its_score(kind: int) -> None:
    study, looks, totals = _world(kind, 4, n_feeds=2)
    found = study.best_of(looks, totals)
    for look in range(0, 70, 7):
        if found.centre[look] < 0:
            continue
        areas = study.neighbours.zone(int(found.centre[look]), int(found.size[look]))
        window = found.days[look] - 1
        ratio = sum(
            _reference(
                kind,
                float(looks[look, feed, areas, window].sum()),
                float(study.mean[feed, areas, window].sum() * totals[look, feed]),
                float(study.second[feed, areas, window].sum()),
                float(totals[look, feed]),
            )
            for feed in range(2)
        )
        assert found.score[look] == pytest.approx(ratio, rel=1e-9)


@SLOW
@given(
    kind=st.sampled_from([POISSON, NEGATIVE_BINOMIAL, CONDITIONAL, BINOMIAL]),
    mean=st.floats(1e-4, 1e4),
    more=st.floats(1e-3, 1e4),
    spread=st.floats(1e-3, 1e4),
    rest=st.floats(1e-3, 1e5),
)
def test_no_ratio_exceeds_its_bound(kind: int, mean: float, more: float, spread: float, rest: float) -> None:
    count, total = mean + more, mean + more + rest
    second = count + spread if kind == BINOMIAL else spread
    if kind == BINOMIAL and total / (mean / second) - second < total - count:
        return
    ratio = log_likelihood_ratio(kind, count, mean, second, total)
    assert ratio == pytest.approx(_reference(kind, count, mean, second, total), rel=1e-6, abs=1e-6)
    assert ratio <= (count - mean) ** 2 * bound_factor(kind, mean, second, total) * (1 + 1e-6) + 1e-9


def test_counts_of_nothing_and_of_everything_do_not_break_a_formula() -> None:
    assert log_likelihood_ratio(POISSON, 0.0, 0.0, 0.0, 1.0) == 0.0
    assert log_likelihood_ratio(CONDITIONAL, 5.0, 2.0, 0.0, 5.0) == pytest.approx(5 * log(2.5))
    assert log_likelihood_ratio(BINOMIAL, 5.0, 2.0, 5.0, 8.0) < inf
    assert log_likelihood_ratio(POISSON, 1e15, 9e14, 0.0, 1.0) == pytest.approx(1e15 * log(10 / 9) - 1e14)


def test_a_negative_binomial_without_more_variance_is_poisson() -> None:
    plain = log_likelihood_ratio(POISSON, 9.0, 3.0, 0.0, 1.0)
    assert log_likelihood_ratio(NEGATIVE_BINOMIAL, 9.0, 3.0, 0.0, 1.0) == plain
    assert log_likelihood_ratio(NEGATIVE_BINOMIAL, 9.0, 3.0, 1e-6, 1.0) == pytest.approx(plain, rel=1e-5)
    assert log_likelihood_ratio(NEGATIVE_BINOMIAL, 9.0, 3.0, 3.0, 1.0) < plain


def test_looks_hold_the_counts_of_the_last_days() -> None:
    daily = np.array([[1, 0], [2, 5], [4, 0]])
    looks = looks_of(daily, 2)
    assert looks[:, 0].tolist() == [[[2, 3], [5, 5]], [[4, 6], [0, 5]]]
