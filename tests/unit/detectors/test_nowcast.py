"""Nowcast: honest intervals of what is still to come, a delay law with its doubt, and nothing known before its time."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import nbinom

from detectors.completeness import fit_completeness
from detectors.delay_law import DelayLaw
from detectors.nowcast import _Coming, _nodes, nowcast

TRIANGLES = arrays(np.int64, st.tuples(st.integers(0, 30), st.integers(2, 6)), elements=st.integers(0, 20))


def _triangle(
    n_periods: int,
    mean: float,
    law: list[float],
    seed: int,
    *,
    alike: float = 0.0,
    dispersion: float = 2.0,
) -> NDArray[np.int64]:
    """Draw negative binomial periods; ``alike`` is the correlation of delays within one."""
    rng = np.random.default_rng(seed)
    totals = rng.negative_binomial(mean / (dispersion - 1), 1 / dispersion, size=n_periods)
    shares = np.array(law)
    own = (
        rng.dirichlet(shares * (1 / alike - 1), size=n_periods) if alike else np.tile(shares, (n_periods, 1))
    )
    return np.array(
        [rng.multinomial(total, share) for total, share in zip(totals, own, strict=True)], dtype=np.int64
    )


@pytest.mark.parametrize(
    ("mean", "alike", "seed"), [(40.0, 0.0, 1), (40.0, 0.03, 2), (3.0, 0.0, 3), (400.0, 0.01, 4)]
)
def test_nine_in_ten_intervals_hold_what_came(mean: float, alike: float, seed: int) -> None:
    triangle = _triangle(130, mean, [0.2, 0.3, 0.3, 0.15, 0.05], seed, alike=alike)
    final = triangle.sum(axis=1)
    held: list[bool] = []
    for as_of in range(40, 126, 2):
        found = nowcast(triangle, as_of=as_of, levels=[0.9])
        for age in range(3):
            period = as_of - age
            held.append(bool(found.lower[0, period] <= final[period] <= found.upper[0, period]))
    assert 0.85 <= np.mean(held) <= 0.95


@given(triangle=TRIANGLES, as_of=st.integers(-1, 40), data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_becomes_known_later_changes_nothing(
    triangle: NDArray[np.int64], as_of: int, data: st.DataObject
) -> None:
    later = np.add.outer(np.arange(triangle.shape[0]), np.arange(triangle.shape[1])) > as_of
    other = triangle.copy()
    other[later] = data.draw(st.integers(0, 50))
    before = triangle.copy()
    one, two = nowcast(triangle, as_of=as_of), nowcast(other, as_of=as_of)
    for name in ("observed", "expected", "lower", "upper", "completeness", "completeness_error"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(before, triangle)


@given(triangle=TRIANGLES, as_of=st.integers(-1, 40))
@settings(max_examples=60, deadline=None)
def test_the_shapes_hold_and_nothing_known_is_taken_back(triangle: NDArray[np.int64], as_of: int) -> None:
    found = nowcast(triangle, as_of=as_of, levels=[0.5, 0.9])
    shown = min(as_of + 1, triangle.shape[0])
    assert found.observed.shape == found.expected.shape == (shown,)
    assert found.lower.shape == found.upper.shape == (2, shown)
    assert np.all(found.lower >= found.observed)
    assert np.all(found.upper >= found.lower)
    assert np.all(found.upper[1] >= found.upper[0])
    assert np.all(found.expected >= found.observed)
    assert np.isfinite(found.expected).all()
    q = found.completeness
    assert np.all(np.diff(q) >= -1e-12)
    assert q[-1] == 1
    assert np.all((found.completeness_error >= 0) & (found.completeness_error <= 0.5))
    assert found.completeness_error[-1] == 0
    complete = as_of - np.arange(shown) >= triangle.shape[1] - 1
    np.testing.assert_array_equal(
        found.upper[:, complete], np.tile(triangle.sum(axis=1)[:shown][complete], (2, 1))
    )


@given(
    triangle=arrays(np.int64, st.tuples(st.integers(1, 25), st.just(4)), elements=st.integers(0, 9)),
    strength=st.floats(0.5, 60),
)
@settings(max_examples=60, deadline=None)
def test_without_forgetting_it_is_the_law_that_detection_uses(
    triangle: NDArray[np.int64], strength: float
) -> None:
    as_of = triangle.shape[0] - 1
    prior = np.array([0.4, 0.7, 0.9, 1.0])
    law = DelayLaw.fitted(triangle, as_of, prior=prior, strength=strength, half_lives=np.array([np.inf]))
    known = np.add.outer(np.arange(as_of + 1), np.arange(4)) <= as_of
    delays = np.where(known, triangle, 0).sum(axis=0)
    exposures = np.where(known, triangle.cumsum(axis=1), 0).sum(axis=0)
    detection = fit_completeness(delays, exposures, prior, strength)
    np.testing.assert_allclose(law.completeness, detection, atol=2e-6)


def test_a_feed_that_became_slower_is_believed_and_how_fast_it_forgets_is_its_own_choice() -> None:
    quick = _triangle(150, 30, [0.7, 0.2, 0.1], 5)
    slow = _triangle(40, 30, [0.3, 0.3, 0.4], 6)
    changed = DelayLaw.fitted(np.concatenate([quick, slow]), 189)
    steady = DelayLaw.fitted(np.concatenate([quick, quick[:40]]), 189)
    assert changed.half_life <= 13
    assert steady.half_life >= 104
    assert changed.completeness[0] == pytest.approx(0.3, abs=0.08)
    assert steady.completeness[0] == pytest.approx(0.7, abs=0.03)


def test_the_error_of_the_law_is_the_error_it_makes() -> None:
    true = np.cumsum([0.3, 0.4, 0.2, 0.1])
    fits = [DelayLaw.fitted(_triangle(30, 8, [0.3, 0.4, 0.2, 0.1], seed), 29) for seed in range(200)]
    for age in range(3):
        misses = np.array([fit.completeness[age] - true[age] for fit in fits])
        stated = np.sqrt(np.mean([fit.law_variance[age] for fit in fits]))
        assert 0.7 < np.sqrt(np.mean(misses**2)) / stated < 1.3


def test_reports_that_come_in_batches_widen_the_intervals() -> None:
    law = [0.4, 0.4, 0.2]
    alone = _triangle(200, 50, law, 8)
    batches = _triangle(200, 50, law, 8, alike=0.2)
    one, other = (DelayLaw.fitted(item, 199) for item in (alone, batches))
    assert one.correlation < 0.02
    assert 0.12 < other.correlation < 0.3
    widths = [
        float(
            np.mean(
                [
                    (f.upper - f.lower)[0, -1]
                    for f in (nowcast(item, as_of=t, levels=[0.9]) for t in range(150, 199, 3))
                ]
            )
        )
        for item in (alone, batches)
    ]
    assert widths[1] > widths[0]


def test_an_outbreak_is_foretold_from_its_first_reports() -> None:
    triangle = _triangle(80, 5, [0.5, 0.3, 0.2], 9)
    triangle[-1] = [30, 0, 0]
    found = nowcast(triangle)
    assert found.lower[1, -1] >= 30
    assert 40 < found.expected[-1] < 80


def test_a_silent_period_is_foretold_from_the_ones_before() -> None:
    triangle = np.tile([1, 4, 5], (60, 1))
    triangle[-1] = 0
    found = nowcast(triangle, levels=[0.9])
    assert 7 < found.expected[-1] < 10
    assert found.upper[0, -1] > 10


def test_weekends_are_not_taken_for_a_fall_when_their_shape_is_given() -> None:
    usual = np.where(np.arange(140) % 7 >= 5, 0.2, 1.0)
    rng = np.random.default_rng(3)
    triangle = np.array([rng.multinomial(rng.poisson(20 * share), [0.2, 0.8]) for share in usual])
    # The last day is a Sunday: 4 events are usual, not the mean of the week before.
    plain, shaped = (nowcast(triangle, as_of=139, usual=shape, levels=[0.9]) for shape in (1.0, usual))
    assert abs(shaped.expected[-1] - 4) < abs(plain.expected[-1] - 4)
    assert shaped.upper[0, -1] < plain.upper[0, -1]


@given(
    seen=st.integers(0, 30),
    size=st.floats(0.3, 50),
    mean=st.floats(0.1, 60),
    share=st.floats(0.02, 0.98),
    level=st.floats(0.2, 0.95),
)
@settings(max_examples=60, deadline=None)
def test_the_interval_is_the_nearest_to_its_level(
    seen: int, size: float, mean: float, share: float, level: float
) -> None:
    law = DelayLaw(np.array([share, 1.0]), np.zeros(2), np.full(2, 1e-12), np.inf, 0.0)
    with pytest.MonkeyPatch.context() as patch:
        # One kind of period only: the other is tested by the outbreak above.
        patch.setattr("detectors.nowcast._UNLIKE", 1e-300)
        coming = _Coming.of(np.array([seen]), np.array([size]), np.array([mean]), law, np.array([0]))
    low, high = (int(end[0, 0]) for end in coming.intervals([level]))
    rate = size / mean
    exact = nbinom(size + seen, (rate + share) / (rate + 1))
    assert float(coming.mean[0]) == pytest.approx(exact.mean(), rel=1e-4)
    inside = exact.cdf(high) - exact.cdf(low - 1)
    # By hand: the likeliest counts first, as many as come nearest.
    chance = np.sort(exact.pmf(np.arange(3000)))[::-1].cumsum()
    assert abs(inside - level) == pytest.approx(
        np.abs(chance - level).min(), abs=2e-3 if high < 200 else 0.02
    )


def test_the_shares_of_a_period_have_the_mean_and_the_spread_of_the_law() -> None:
    nodes = _nodes(np.array([0.3, 0.999]), np.array([0.01, 1e-8]))
    np.testing.assert_allclose(nodes.mean(axis=1), [0.3, 0.999], rtol=5e-3)
    assert nodes[0].var() == pytest.approx(0.01, rel=0.1)
    assert all(one <= other for one, other in pairwise(nodes[0]))


def test_no_history_gives_an_answer_and_no_alarm() -> None:
    for shape in [(0, 3), (1, 3), (5, 2)]:
        found = nowcast(np.zeros(shape, dtype=np.int64))
        assert found.expected.shape == (shape[0],)
        assert np.all(found.expected < 1)
        assert not found.lower.any()
    assert nowcast([[3, 1]], as_of=-1).observed.size == 0


def test_a_triangle_whose_last_row_is_long_past_is_complete() -> None:
    found = nowcast([[1, 2, 0], [0, 4, 1]], as_of=50)
    assert found.expected.tolist() == [3.0, 5.0]
    assert found.lower.tolist() == found.upper.tolist() == [[3, 5], [3, 5]]


def test_huge_counts_stay_finite() -> None:
    found = nowcast(np.full((30, 3), 10**9), levels=[0.9])
    assert found.expected[-1] == pytest.approx(3e9, rel=0.1)
    assert found.lower[0, -1] <= 3 * 10**9 <= found.upper[0, -1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"triangle": [[1.5, 2.0]]}, "triangle holds float64"),
        ({"triangle": [[np.nan, 2.0]]}, "triangle holds float64"),
        ({"triangle": [[1, -2]]}, "triangle runs from -2 to 1"),
        ({"triangle": [1, 2, 3]}, r"triangle has the shape \(3,\); wanted \(n_periods, n_delays\)"),
        ({"triangle": [[1], [2]]}, r"triangle has the shape \(2, 1\); wanted at least 2 delays"),
        ({"as_of": -2}, "as_of is -2"),
        ({"as_of": 1.0}, "as_of is 1.0"),
        ({"levels": [0.5, 1.0]}, "levels is 1.0"),
        ({"usual": 0.0}, "usual runs from 0.0"),
        ({"usual": [1.0, np.nan]}, "usual runs from nan"),
        ({"usual": [1.0, 2.0, 3.0]}, "usual has the shape"),
        ({"prior": [0.5, 0.9]}, "prior must rise from 0 to 1"),
        ({"prior": [0.5, np.nan]}, "prior must rise from 0 to 1"),
        ({"prior": [1.0]}, r"prior has the shape \(1,\); wanted \(2,\)"),
        ({"strength": 0.0}, "strength is 0.0"),
        ({"strength": np.nan}, "strength is nan"),
    ],
)
def test_a_bad_argument_is_refused_by_name(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        nowcast(**{"triangle": [[1, 2], [3, 0]], **arguments})
