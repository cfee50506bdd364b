"""The evidence of fusion, against sums over probabilities; the search over circles, against trying every one."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

from detectors.effects import N_FEEDS, N_GROUPS, N_STREAMS, PROFILES, overlaps, records_of_people
from detectors.fusion_kernels import ceiling, evidence, search_circles, shared_people
from schemas.vocabulary import Feed

FEEDS, NAMES, GENERIC = records_of_people()
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Place:
    """One zone and window."""

    counts: NDArray[np.int64]
    usual: FloatArray
    kappa: FloatArray
    part: FloatArray
    shared: FloatArray

    def llr(self, profile: int, m: float) -> float:
        """The formula of the kernels' docstring, record by record."""
        total = 0.0
        feeds = self.counts.reshape(N_FEEDS, N_GROUPS).sum(axis=1)
        for feed in range(N_FEEDS):
            also = sum(
                self.shared[earlier, feed] * max(feeds[earlier] - self.usual[earlier], 0.0)
                for earlier in range(feed)
            )
            new = FEEDS[profile, feed] - sum(
                FEEDS[profile, earlier] * self.shared[earlier, feed] for earlier in range(feed)
            )
            new = max(new, 0.15 * FEEDS[profile, feed])
            kappa = self.kappa[feed]
            total -= m * new * (math.log1p(kappa) / kappa if kappa > 1e-9 else 1.0)
            if GENERIC[profile]:
                for j in range(feeds[feed]):
                    d = self.usual[feed] + also + kappa * j
                    total += math.log(1 + m * new / d)
                continue
            for stream in range(feed * N_GROUPS, (feed + 1) * N_GROUPS):
                for i in range(self.counts[stream]):
                    j = (i + 0.5) * feeds[feed] / self.counts[stream] - 0.5
                    part = self.part[stream]
                    d = part * (self.usual[feed] + also) + kappa * (i + part * max(j - i, 0.0))
                    total += math.log(1 + m * new * NAMES[profile, stream] / d)
        return total

    def evidence(self) -> tuple[int, FloatArray, FloatArray]:
        """Ask the kernel, with equal priors."""
        by_profile, people = np.zeros(len(PROFILES)), np.zeros(len(PROFILES))
        size = int(self.counts.sum())
        scratch = np.zeros(4 * size + 1), np.zeros(2 * size + 1, dtype=np.int64)
        settled = (self.counts, self.usual, self.kappa, self.part, self.shared, FEEDS, NAMES, GENERIC)
        best = evidence(*settled, np.zeros(len(PROFILES)), *scratch, by_profile, people)
        return int(best), by_profile, people


@given(st.integers(2, 30), st.floats(0.01, 20), st.just(0.0) | st.floats(1e-3, 2.0))
def test_for_one_feed_it_is_the_likelihood_ratio_of_two_negative_binomials(
    count: int, mean: float, kappa: float
) -> None:
    """Variance over mean is 1 + kappa under both, so the size is mean / kappa; without kappa both are Poisson."""
    counts, usual, each = np.zeros(N_STREAMS, dtype=np.int64), np.zeros(N_FEEDS), np.zeros(N_FEEDS)
    feed = list(Feed).index(Feed.ED_PRESENTATIONS)
    counts[feed * N_GROUPS : feed * N_GROUPS + 2] = (1, count - 1)
    usual[feed], each[feed] = mean, kappa
    place = Place(counts, usual, each, np.full(N_STREAMS, 1.0 / N_GROUPS), np.zeros((N_FEEDS, N_FEEDS)))
    _, by_profile, people = place.evidence()
    row = [one.name for one in PROFILES].index("ed_only")
    more = mean + people[row]
    if kappa > 1e-6:
        size = 1.0 / kappa
        chance = 1.0 / (1.0 + kappa)
        ratio = nbinom.logpmf(count, more * size, chance) - nbinom.logpmf(count, mean * size, chance)
    else:
        ratio = poisson.logpmf(count, more) - poisson.logpmf(count, mean)
    assert by_profile[row] == pytest.approx(ratio, rel=1e-6, abs=1e-6)


@given(st.integers(0, 10_000))
@settings(max_examples=60)
def test_every_profile_gets_its_best_number_of_people_and_none_beats_the_ceiling(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shared = np.zeros((N_FEEDS, N_FEEDS))
    shared_people(overlaps(), 0.4 * overlaps(), float(rng.uniform()), shared)
    place = Place(
        counts=rng.poisson(rng.choice([0.05, 0.5, 2.0]), N_STREAMS).astype(np.int64),
        usual=rng.gamma(0.5, 2.0, N_FEEDS) + 1e-3,
        kappa=rng.choice([0.0, 0.2, 1.0], N_FEEDS),
        part=rng.dirichlet(np.ones(N_GROUPS), N_FEEDS).ravel(),
        shared=shared,
    )
    best, by_profile, people = place.evidence()
    highest = ceiling(place.counts, place.usual, place.kappa, place.part)
    for row in range(len(PROFILES)):
        tried = max(place.llr(row, float(m)) for m in np.geomspace(2.0, 1000.0, 100))
        assert by_profile[row] == pytest.approx(place.llr(row, float(people[row])), rel=1e-9, abs=1e-9)
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
    prior, level = np.log(np.full(len(PROFILES), 0.1)), np.log(np.arange(1, n_windows + 1) / n_windows)
    spread = np.array([0.1, 0.3, 0.5, 0.2])
    clumps, shift = rng.uniform(0.0, 0.4, (N_FEEDS, n_windows)), 0.03
    around, here = rng.uniform(0.2, 0.5, n_fine), 0.4 * overlaps()
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
        clumps,
        shift,
        overlaps(),
        here,
        around[centres],
        FEEDS,
        NAMES,
        GENERIC,
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
            cover = min(float(population[held].sum()) / around[centre], 1.0)
            clumped = clumps[:, window] + np.maximum(spread - clumps[:, window], 0.0) * cover
            doubt = total_error[:, window] + error[held].sum(axis=0) / part_of**2 + shift
            kappa = clumped + usual * doubt
            shared = np.zeros((N_FEEDS, N_FEEDS))
            shared_people(overlaps(), here, cover, shared)
            _, by_profile, _ = Place(counts, usual, kappa, part.ravel(), shared).evidence()
            best = max(
                best, float((by_profile + prior).max() + np.log(population[held].sum()) + level[window])
            )
        expected = best if best >= -2.0 else -np.inf
        assert found[row, 0] == pytest.approx(expected, abs=1e-9)
