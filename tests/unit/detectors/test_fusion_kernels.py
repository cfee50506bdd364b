"""The evidence of fusion, against sums over probabilities; the search over circles, against trying every one."""

import itertools
import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import nbinom, poisson

from detectors.effects import N_FEEDS, N_GROUPS, N_STREAMS, PROFILES, overlaps, records_per_person
from detectors.fusion_kernels import ceiling, evidence, search_circles, seen_already

USUAL_PARTS = np.full((N_FEEDS, N_GROUPS), 1.0 / N_GROUPS)


def _llr(
    m: float,
    counts: np.ndarray,
    usual: np.ndarray,
    also: np.ndarray,
    kappa: np.ndarray,
    part: np.ndarray,
    q: np.ndarray,
) -> float:
    """The formula of the module's docstring, record by record."""
    total = 0.0
    for feed in range(N_FEEDS):
        streams = range(feed * N_GROUPS, (feed + 1) * N_GROUPS)
        of_feed = sum(counts[stream] for stream in streams)
        cost = math.log1p(kappa[feed]) / kappa[feed] if kappa[feed] > 1e-9 else 1.0
        for stream in streams:
            for i in range(counts[stream]):
                j = (i + 0.5) * of_feed / counts[stream] - 0.5
                d = part[stream] * (usual[feed] + also[feed]) + kappa[feed] * (
                    i + part[stream] * max(j - i, 0.0)
                )
                total += math.log((d + m * q[stream]) / d)
            total -= m * q[stream] * cost
    return total


def _evidence(
    counts: np.ndarray,
    usual: np.ndarray,
    also: np.ndarray,
    kappa: np.ndarray,
    part: np.ndarray,
    records: np.ndarray,
) -> tuple[int, np.ndarray, np.ndarray]:
    n = len(records)
    by_profile, people = np.zeros(n), np.zeros(n)
    size = int(counts.sum()) + 1
    best = evidence(
        counts,
        usual,
        also,
        kappa,
        part,
        records,
        np.zeros(n),
        np.zeros(size),
        np.zeros(size, dtype=np.int64),
        by_profile,
        people,
    )
    return int(best), by_profile, people


@given(st.integers(2, 30), st.floats(0.01, 20), st.floats(0.0, 2.0), st.floats(0.2, 1.0))
def test_for_one_feed_it_is_the_likelihood_ratio_of_two_negative_binomials(
    count: int, mean: float, kappa: float, q: float
) -> None:
    """Variance over mean is 1 + kappa under both, so the size is mean / kappa; without kappa both are Poisson."""
    part = np.zeros(N_STREAMS)
    part[::N_GROUPS] = 1.0
    counts = np.zeros(N_STREAMS, dtype=np.int64)
    counts[0] = count
    records = np.zeros((1, N_STREAMS))
    records[0, 0] = q
    usual, each = np.zeros(N_FEEDS), np.zeros(N_FEEDS)
    usual[0], each[0] = mean, kappa
    _, by_profile, people = _evidence(counts, usual, np.zeros(N_FEEDS), each, part, records)
    more = mean + people[0] * q
    if kappa > 1e-6:
        ratio = nbinom.logpmf(count, more / kappa, 1 / (1 + kappa)) - nbinom.logpmf(
            count, mean / kappa, 1 / (1 + kappa)
        )
    else:
        ratio = poisson.logpmf(count, more) - poisson.logpmf(count, mean)
    assert by_profile[0] == pytest.approx(ratio, rel=1e-6, abs=1e-6)


def _drawn(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.choice([0.05, 0.5, 2.0]), N_STREAMS).astype(np.int64)
    usual = rng.gamma(0.5, 2.0, N_FEEDS) + 1e-3
    kappa = rng.choice([0.0, 0.2, 1.0], N_FEEDS)
    part = rng.dirichlet(np.ones(N_GROUPS), N_FEEDS)
    also = np.zeros(N_FEEDS)
    seen_already(counts.reshape(N_FEEDS, N_GROUPS).sum(axis=1), usual, overlaps(), also)
    return counts, usual, also, kappa, part.ravel(), records_per_person(part)


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_every_profile_gets_its_best_number_of_people_and_none_beats_the_ceiling(seed: int) -> None:
    counts, usual, also, kappa, part, records = _drawn(seed)
    best, by_profile, people = _evidence(counts, usual, also, kappa, part, records)
    highest = ceiling(counts, usual, kappa, part)
    for row in range(len(PROFILES)):
        its_own = partial(_llr, counts=counts, usual=usual, also=also, kappa=kappa, part=part, q=records[row])
        tried = max(its_own(float(m)) for m in np.geomspace(2.0, 1000.0, 200))
        assert by_profile[row] == pytest.approx(its_own(float(people[row])), rel=1e-9, abs=1e-9)
        assert by_profile[row] >= tried - 1e-4
        assert by_profile[row] <= highest + 1e-9
    assert by_profile[best] == by_profile.max()


@pytest.mark.parametrize("seed", range(4))
def test_the_search_finds_what_trying_every_circle_and_window_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_fine, n_windows, n_events = 30, 5, 40
    place = rng.uniform(size=(n_fine, 2))
    apart = np.hypot(*(place[:, None] - place[None]).transpose(2, 0, 1))
    near = np.argsort(apart, axis=1).astype(np.int32)[:, :12].copy()
    size = rng.integers(3, 13, n_fine).astype(np.int32)
    population = rng.dirichlet(np.ones(n_fine))
    share = np.repeat(population[:, None], N_FEEDS, axis=1)
    error = share**2 * 0.1
    fine = np.sort(rng.choice(8, n_events) * 3)
    starts = np.searchsorted(fine, np.arange(n_fine + 1)).astype(np.int64)
    streams = rng.integers(0, N_STREAMS, n_events)
    windows = rng.integers(0, n_windows, n_events)
    total = rng.gamma(2.0, 1.0, (N_FEEDS, 1)) * np.arange(1, n_windows + 1)
    total_error = np.full((N_FEEDS, n_windows), 0.02)
    part = rng.dirichlet(np.ones(N_GROUPS), N_FEEDS)
    records = records_per_person(part)
    prior, level = np.log(np.full(len(PROFILES), 0.1)), np.log(np.arange(1, n_windows + 1) / n_windows)
    spread = np.array([0.1, 0.3, 0.5, 0.2])
    centres = np.unique(fine)
    found = np.full((centres.size, 5), -np.inf)
    search_circles(
        centres,
        near,
        size,
        population,
        share,
        error,
        starts,
        streams,
        windows,
        total,
        total_error,
        part.ravel(),
        spread,
        overlaps(),
        records,
        prior,
        level,
        -2.0,
        found,
    )
    for row, centre in enumerate(centres):
        best = -np.inf
        for rank, window in itertools.product(range(size[centre]), range(n_windows)):
            held = near[centre, : rank + 1]
            inside = np.isin(fine, held) & (windows <= window)
            counts = np.bincount(streams[inside], minlength=N_STREAMS).astype(np.int64)
            feeds = counts.reshape(N_FEEDS, N_GROUPS).sum(axis=1)
            # Only a circle that ends at an event and a window that begins with one are candidates.
            in_circle = np.isin(fine, held)
            if feeds.max() < 2 or not np.any(windows[in_circle] == window):
                continue
            if not np.any((fine == near[centre, rank]) & (windows <= window)):
                continue
            part_of = share[held].sum(axis=0)
            usual = total[:, window] * part_of
            kappa = spread + usual * (total_error[:, window] + error[held].sum(axis=0) / part_of**2)
            also = np.zeros(N_FEEDS)
            seen_already(feeds, usual, overlaps(), also)
            _, by_profile, _ = _evidence(counts, usual, also, kappa, part.ravel(), records)
            best = max(
                best, float((by_profile + prior).max() + np.log(population[held].sum()) + level[window])
            )
        expected = best if best >= -2.0 else -np.inf
        assert found[row, 0] == pytest.approx(expected, abs=1e-9)
