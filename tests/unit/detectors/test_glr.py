"""Likelihood-ratio charts: R's values, the definition itself, and what a rise that lasts must look like."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize_scalar
from scipy.stats import nbinom, poisson

from detectors.glr import glr, negative_binomial

GOLDEN = Path(__file__).parents[2] / "golden" / "glr.csv"
COUNTS = arrays(np.int64, st.tuples(st.integers(0, 3), st.integers(0, 20)), elements=st.integers(0, 60))
MEANS = st.floats(0.01, 50)
DISPERSIONS = st.one_of(st.none(), st.floats(1, 10))


def _golden() -> dict[tuple[str, ...], list[dict[str, str]]]:
    groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with GOLDEN.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            groups[tuple(row[column] for column in ("series", "alpha", "theta", "window"))].append(row)
    return groups


@pytest.mark.parametrize("setting", sorted(_golden()))
def test_every_value_equals_the_one_that_r_gives(setting: tuple[str, ...]) -> None:
    rows = _golden()[setting]
    _, alpha, theta, window = setting
    mean = np.array([[float(row["mu"]) for row in rows]])
    found = glr(
        [[int(row["count"]) for row in rows]],
        mean,
        dispersion=1 + float(alpha) * mean if float(alpha) else None,
        max_window=int(window) or len(rows),
        shift=float(theta) if theta else None,
    )
    value = np.array([float(row["value"]) for row in rows])
    np.testing.assert_allclose(found.statistic[0], value, rtol=1e-6, atol=1e-6)


def _by_definition(counts: np.ndarray, mean: float, dispersion: float | None, length: int) -> float:
    """The last day's statistic from the probabilities themselves, maximised numerically."""
    best = 0.0
    for days in range(1, min(length, counts.size) + 1):
        seen = counts[-days:]

        def gain(kappa: float, seen: np.ndarray = seen) -> float:
            if dispersion is None or dispersion == 1:
                law, usual = poisson(mean * np.exp(kappa)), poisson(mean)
            else:
                size = mean / (dispersion - 1)
                law = nbinom(size, size / (size + mean * np.exp(kappa)))
                usual = nbinom(size, size / (size + mean))
            return float(np.sum(law.logpmf(seen) - usual.logpmf(seen)))

        top = max(np.log(seen.max() / mean), 0.0) if seen.max() else 0.0
        if top > 0:
            found = minimize_scalar(
                lambda kappa: -gain(kappa), bounds=(0, top), method="bounded", options={"xatol": 1e-9}
            )
            best = max(best, gain(float(found.x)))
    return best


@settings(max_examples=40, deadline=None)
@given(
    counts=arrays(np.int64, st.integers(1, 8), elements=st.integers(0, 40)),
    mean=st.floats(0.1, 20),
    dispersion=st.one_of(st.none(), st.floats(1.05, 6)),
    length=st.integers(1, 10),
)
def test_the_statistic_is_the_likelihood_ratio(
    counts: np.ndarray, mean: float, dispersion: float | None, length: int
) -> None:
    found = glr(counts[None, :], mean, dispersion=dispersion, max_window=length)
    expected = _by_definition(counts, mean, dispersion, length)
    assert found.statistic[0, -1] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(counts=COUNTS, mean=MEANS, length=st.integers(1, 14), shift=st.one_of(st.none(), st.floats(0.05, 2)))
def test_without_overdispersion_the_negative_binomial_chart_is_the_poisson_one(
    counts: np.ndarray, mean: float, length: int, shift: float | None
) -> None:
    plain = glr(counts, mean, max_window=length, shift=shift)
    for nearly in (1.0, 1.0 + 1e-8):
        other = glr(counts, mean, dispersion=nearly, max_window=length, shift=shift)
        np.testing.assert_allclose(other.statistic, plain.statistic, rtol=1e-4, atol=1e-5)
    same = glr(counts, mean, dispersion=1.0, max_window=length, shift=shift)
    clear = plain.statistic > 1e-6
    np.testing.assert_allclose(same.kappa[clear], plain.kappa[clear], rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(counts=COUNTS, mean=MEANS, dispersion=st.floats(1, 10), shift=st.one_of(st.none(), st.floats(0.05, 2)))
def test_the_compiled_kernel_equals_its_python(
    counts: np.ndarray, mean: float, dispersion: float, shift: float | None
) -> None:
    means = np.full(counts.shape, mean)
    arguments = (
        counts.astype(float),
        means,
        (dispersion - 1) / means,
        14,
        np.nan if shift is None else shift,
    )
    for ours, theirs in zip(
        negative_binomial(*arguments),
        negative_binomial.py_func(*arguments),  # type: ignore[attr-defined]
        strict=True,
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@given(counts=COUNTS, mean=MEANS, dispersion=DISPERSIONS, data=st.data())
def test_series_do_not_know_of_each_other(
    counts: np.ndarray, mean: float, dispersion: float | None, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(counts.shape[0])))
    whole, moved = glr(counts, mean, dispersion=dispersion), glr(counts[order], mean, dispersion=dispersion)
    for column in ("statistic", "window", "kappa", "alarm"):
        np.testing.assert_array_equal(getattr(moved, column), getattr(whole, column)[order])


@given(counts=COUNTS, mean=MEANS, dispersion=DISPERSIONS, cut=st.integers(0, 20))
def test_what_comes_later_changes_no_earlier_day(
    counts: np.ndarray, mean: float, dispersion: float | None, cut: int
) -> None:
    before, whole = counts.copy(), glr(counts, mean, dispersion=dispersion)
    np.testing.assert_array_equal(
        glr(counts[:, :cut], mean, dispersion=dispersion).statistic, whole.statistic[:, :cut]
    )
    np.testing.assert_array_equal(before, counts)


@given(counts=COUNTS, mean=MEANS, dispersion=DISPERSIONS)
def test_a_rise_has_a_window_and_its_absence_has_none(
    counts: np.ndarray, mean: float, dispersion: float | None
) -> None:
    found = glr(counts, mean, dispersion=dispersion)
    risen = found.statistic > 0
    assert np.all(found.statistic >= 0)
    np.testing.assert_array_equal(risen, found.window > 0)
    np.testing.assert_array_equal(risen, found.kappa > 0)
    assert np.all(found.window <= 1 + np.arange(counts.shape[1]))
    np.testing.assert_array_equal(found.alarm, found.statistic >= 5)


@given(counts=COUNTS, mean=MEANS, day=st.integers(0, 19), more=st.integers(1, 50))
def test_one_more_case_never_makes_a_rise_less_likely(
    counts: np.ndarray, mean: float, day: int, more: int
) -> None:
    raised = counts.copy()
    raised[:, day : day + 1] += more
    for dispersion in (None, 2.5):
        fewer, most = (glr(item, mean, dispersion=dispersion).statistic for item in (counts, raised))
        assert np.all(most >= fewer - 1e-9 * (1 + fewer))


def test_a_month_at_half_as_much_again_is_seen_over_days_although_no_single_day_shows_it() -> None:
    counts = np.array([[8] * 20 + [12] * 10])
    daily = glr(counts, 8.0, max_window=1)
    windows = glr(counts, 8.0)
    assert not daily.alarm.any()
    assert windows.alarm[0, -1]
    assert windows.window[0, -1] == 10
    assert np.exp(windows.kappa[0, -1]) == pytest.approx(1.5)


def test_an_alarm_that_is_real_for_poisson_counts_is_chance_for_noisy_ones() -> None:
    counts = np.array([[4, 5, 3, 4, 10, 9, 8]])
    assert glr(counts, 4.0).alarm[0, -1]
    assert not glr(counts, 4.0, dispersion=4.0).alarm[0, -1]


def test_nothing_is_found_where_there_is_nothing() -> None:
    for shape in [(0, 0), (3, 0), (0, 9), (2, 30)]:
        for dispersion in (None, 2.0):
            found = glr(np.zeros(shape, dtype=np.int64), 0.5, dispersion=dispersion)
            assert found.statistic.shape == found.window.shape == found.kappa.shape == shape
            assert not found.alarm.any()
            assert not found.statistic.any()


def test_huge_counts_and_tiny_means_stay_finite() -> None:
    counts = np.array([[0, 2**52, 2**52]])
    for mean in (1e-100, 1.0, 2.0**52):
        for dispersion in (None, 1.0, 1e6):
            found = glr(counts, mean, dispersion=dispersion)
            assert np.isfinite(found.statistic).all()
            assert np.isfinite(found.kappa).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"counts": [[1.5, 2.0]]}, "counts holds float64"),
        ({"counts": [[1, -2]]}, "counts runs from -2 to 1"),
        ({"counts": [1, 2, 3]}, r"counts has the shape \(3,\)"),
        ({"expected": 0.0}, "expected runs from 0.0 to 0.0; wanted 1e-100"),
        ({"expected": [[1.0, np.nan]]}, "expected runs from nan"),
        ({"expected": [[1.0, np.inf]]}, "expected runs from 1.0 to inf"),
        ({"expected": [[1.0, 2.0, 3.0]]}, r"expected has the shape \(1, 3\); wanted \(1, 2\)"),
        ({"expected": [["a", "b"]]}, "expected holds"),
        ({"dispersion": 0.9}, "dispersion runs from 0.9 to 0.9; wanted 1"),
        ({"max_window": 0}, "max_window is 0; wanted a whole number from 1"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": np.nan}, "threshold is nan"),
        ({"shift": 0.0}, "shift is 0.0"),
        ({"shift": 800.0}, "shift is 800.0"),
        ({"shift": np.inf}, "shift is inf"),
    ],
)
def test_a_bad_argument_is_refused_by_name(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        glr(**{"counts": [[1, 2]], "expected": 1.0, **arguments})
