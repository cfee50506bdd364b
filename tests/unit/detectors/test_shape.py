"""The shape's regression: the maximum it claims to be, from wherever it begins, with spreads that learn."""

from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from detectors.shape import _newton, fit_shape
from detectors.terms import FIRST_WAVE, GROUPS, PRIOR_SPREAD, calendar_terms

FloatArray = NDArray[np.float64]
DAYS = 1200
TERMS = calendar_terms(date(2020, 1, 6), DAYS, {date(2020, 12, 25), date(2021, 12, 25), date(2022, 12, 26)})


def _counts(seed: int, level: float = 6.0) -> FloatArray:
    rng = np.random.default_rng(seed)
    mean = level * np.exp(0.4 * TERMS[:, FIRST_WAVE] - 0.5 * TERMS[:, 6] + 0.2 * TERMS[:, 2])
    return rng.poisson(mean).astype(np.float64)


def _problem(seed: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    counts = _counts(seed)
    trusted = rng.uniform(0.2, 1.0, DAYS)
    columns = np.hstack([np.ones((DAYS, 1)), TERMS])
    precision = np.append(1e-6, PRIOR_SPREAD**-2.0)
    return counts * trusted, trusted, columns, precision


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_newton_finds_what_a_general_optimiser_finds(seed: int) -> None:
    seen, trusted, columns, precision = _problem(seed)

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        eta = columns @ point
        mean = trusted * np.exp(eta)
        value = -(seen @ eta - mean.sum()) + 0.5 * (precision * point**2).sum()
        return float(value), -(columns.T @ (seen - mean)) + precision * point

    found, covariance = _newton(seen, trusted, columns, precision, np.zeros(columns.shape[1]))
    wanted = minimize(
        loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 5000}
    )
    assert loss(found)[0] <= wanted.fun + 1e-9 * abs(wanted.fun)
    assert np.abs(loss(found)[1]).max() < 1e-5
    mean = trusted * np.exp(columns @ found)
    assert covariance == pytest.approx(
        np.linalg.inv((columns.T * mean) @ columns + np.diag(precision)), rel=1e-4, abs=1e-8
    )


def test_the_compiled_loop_equals_its_python() -> None:
    seen, trusted, columns, precision = _problem(4)
    few = slice(0, 150)
    arguments = (seen[few], trusted[few], columns[few], precision, np.zeros(columns.shape[1]))
    compiled, plain = _newton(*arguments), _newton.py_func(*arguments)  # type: ignore[attr-defined]
    for one, other in zip(compiled, plain, strict=True):
        assert one == pytest.approx(other, rel=1e-8, abs=1e-12)


def test_where_it_begins_changes_nothing() -> None:
    counts, ones = _counts(5), np.ones(DAYS)
    rng = np.random.default_rng(0)
    cold = fit_shape(counts, ones, ones, TERMS, 1.5, spread=PRIOR_SPREAD, groups=GROUPS)
    for _ in range(3):
        start = rng.normal(0.0, 1.5, (TERMS.shape[1],))
        warm = fit_shape(counts, ones, ones, TERMS, 1.5, spread=PRIOR_SPREAD, groups=GROUPS, start=start)
        assert warm.terms == pytest.approx(cold.terms, abs=1e-7)
        assert warm.covariance == pytest.approx(cold.covariance, rel=1e-5, abs=1e-10)


def test_a_weekday_that_is_always_closed_is_believed() -> None:
    counts, ones = _counts(6, level=1.5), np.ones(DAYS)
    counts[TERMS[:, 6] > 0] = 0
    fitted = fit_shape(counts, ones, ones, TERMS, 1.0, spread=PRIOR_SPREAD, groups=GROUPS)
    sundays = np.exp(fitted.average + TERMS @ fitted.terms)[TERMS[:, 6] > 0]
    assert sundays.mean() < 0.05


def test_waves_that_a_series_does_not_need_are_shrunk_away() -> None:
    rng = np.random.default_rng(7)
    counts, ones = rng.poisson(20.0, DAYS).astype(np.float64), np.ones(DAYS)
    fitted = fit_shape(counts, ones, ones, TERMS, 1.0, spread=PRIOR_SPREAD, groups=GROUPS)
    assert np.abs(fitted.terms[FIRST_WAVE:]).max() < 0.03


def test_four_waves_are_found_where_there_are_four() -> None:
    rng = np.random.default_rng(8)
    days = 7 * 365
    terms = calendar_terms(date(2015, 1, 5), days, ())
    wanted = np.zeros(terms.shape[1])
    wanted[FIRST_WAVE : FIRST_WAVE + 8] = [0.5, -0.3, 0.2, 0.3, -0.2, 0.1, 0.15, 0.2]
    counts = rng.poisson(30 * np.exp(terms @ wanted)).astype(np.float64)
    fitted = fit_shape(counts, np.ones(days), np.ones(days), terms, 1.0, spread=PRIOR_SPREAD, groups=GROUPS)
    assert fitted.terms[FIRST_WAVE:] == pytest.approx(wanted[FIRST_WAVE:], abs=0.03)


def test_nothing_counted_gives_no_shape() -> None:
    ones = np.ones(DAYS)
    fitted = fit_shape(0 * ones, ones, ones, TERMS, 1.0, spread=PRIOR_SPREAD, groups=GROUPS)
    assert not fitted.terms.any()
