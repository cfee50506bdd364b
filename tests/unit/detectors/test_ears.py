"""EARS: R's values exactly, and no alarm from a series that has no week of history."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detectors.ears import Method, ears

GOLDEN = Path(__file__).parents[2] / "golden" / "ears.csv"
METHODS: tuple[Method, ...] = ("C1", "C2", "C3")
COUNTS = arrays(np.int64, st.tuples(st.integers(0, 4), st.integers(0, 40)), elements=st.integers(0, 1000))


def _golden() -> dict[tuple[str, ...], list[dict[str, str]]]:
    groups: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    with GOLDEN.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = ("series", "method", "alpha", "baseline_days", "min_sigma")
            groups[tuple(row[column] for column in key)].append(row)
    return groups


@pytest.mark.parametrize("setting", sorted(_golden()))
def test_every_value_equals_the_one_that_r_gives(setting: tuple[str, ...]) -> None:
    rows = _golden()[setting]
    _, method, alpha, baseline_days, min_sigma = setting
    found = ears(
        [[int(row["count"]) for row in rows]],
        cast(Method, method),
        alpha=float(alpha),
        baseline_days=int(baseline_days),
        min_sigma=float(min_sigma),
    )
    upper = np.array([float(row["upper"]) if row["upper"] not in {"", "NA"} else np.nan for row in rows])
    assert np.isfinite(upper).sum() > 10
    np.testing.assert_allclose(found.upper[0], upper, rtol=1e-8, atol=1e-8, equal_nan=True)
    assert found.alarm[0].tolist() == [row["alarm"] == "TRUE" for row in rows]


@pytest.mark.parametrize(("method", "first"), [("C1", 7), ("C2", 9), ("C3", 11)])
def test_a_new_feed_is_judged_as_soon_as_it_has_a_baseline_and_not_before(method: Method, first: int) -> None:
    counts = np.tile([1, 3], 8)[None, :]
    found = ears(counts, method)
    assert np.isnan(found.upper[0, :first]).all()
    assert np.isfinite(found.upper[0, first:]).all()
    short = ears(counts[:, :first] * 1000, method)
    assert not short.alarm.any()


@pytest.mark.parametrize("method", METHODS)
def test_no_history_and_no_series_give_no_alarm(method: Method) -> None:
    for shape in [(0, 0), (3, 0), (0, 20), (2, 5)]:
        found = ears(np.zeros(shape, dtype=np.int64), method)
        assert (
            found.alarm.shape == found.upper.shape == found.expected.shape == found.statistic.shape == shape
        )
        assert not found.alarm.any()


@pytest.mark.parametrize("method", METHODS)
def test_a_series_of_zeros_never_alarms(method: Method) -> None:
    assert not ears(np.zeros((2, 60), dtype=np.int64), method).alarm.any()


def test_the_start_of_an_outbreak_hides_the_rest_from_c1_and_not_from_c2() -> None:
    counts = np.array([[2, 3, 1, 2, 4, 2, 3, 1, 2, 3, 9, 10, 11]])
    assert ears(counts, "C1").alarm[0, -3:].tolist() == [True, False, False]
    assert ears(counts, "C2").alarm[0, -3:].tolist() == [True, True, True]


def test_c3_adds_up_what_no_single_day_shows() -> None:
    counts = np.array([[10, 12, 8, 11, 9, 10, 12, 8, 11, 9, 10, 14, 14, 14]])
    assert not ears(counts, "C2").alarm[0, -3:].any()
    assert ears(counts, "C3").alarm[0, -1]


@given(counts=COUNTS, method=st.sampled_from(METHODS), data=st.data())
def test_series_do_not_know_of_each_other(counts: np.ndarray, method: Method, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(counts.shape[0])))
    whole, moved = ears(counts, method), ears(counts[order], method)
    for column in ("expected", "upper", "statistic", "alarm"):
        np.testing.assert_array_equal(getattr(moved, column), getattr(whole, column)[order])


@given(counts=COUNTS, method=st.sampled_from(METHODS), cut=st.integers(0, 40))
def test_what_comes_later_changes_no_earlier_day(counts: np.ndarray, method: Method, cut: int) -> None:
    before, whole = counts.copy(), ears(counts, method)
    np.testing.assert_array_equal(ears(counts[:, :cut], method).upper, whole.upper[:, :cut])
    np.testing.assert_array_equal(before, counts)


@given(counts=COUNTS, method=st.sampled_from(METHODS))
def test_an_alarm_is_a_count_above_a_bound_that_exists(counts: np.ndarray, method: Method) -> None:
    found = ears(counts, method)
    assert found.alarm.dtype == np.bool_
    assert np.all(counts[found.alarm] > found.upper[found.alarm])
    assert np.all(found.upper[np.isfinite(found.upper)] >= 0)


@given(method=st.sampled_from(METHODS))
def test_huge_counts_do_not_overflow(method: Method) -> None:
    counts = np.full((1, 20), 2**52, dtype=np.uint64)
    counts[0, -1] -= np.uint64(1)
    found = ears(counts, method)
    assert np.all(found.expected[0, 12:] == 2.0**52)
    assert not found.alarm.any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"counts": [[1.5, 2.0]]}, "counts holds float64"),
        ({"counts": [[np.nan, 2.0]]}, "counts holds float64"),
        ({"counts": [[1, -2]]}, "counts runs from -2 to 1"),
        ({"counts": [1, 2, 3]}, r"counts has the shape \(3,\)"),
        ({"counts": [[2**53]]}, "counts runs from"),
        ({"counts": [["a"]]}, "counts holds"),
        ({"counts": [[True]]}, "counts holds bool"),
        ({"method": "C4"}, "method is 'C4'"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"alpha": np.nan}, "alpha is nan"),
        ({"baseline_days": 1}, "baseline_days is 1; wanted a whole number from 2"),
        ({"baseline_days": 7.0}, "baseline_days is 7.0"),
        ({"min_sigma": -1.0}, "min_sigma is -1.0"),
        ({"min_sigma": np.inf}, "min_sigma is inf"),
    ],
)
def test_a_bad_argument_is_refused_by_name(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ears(**{"counts": [[1, 2]], **arguments})
