"""The compiled kernels against plain NumPy and SciPy: the matrix fit, exact tails, and the joint law by counting."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

from detectors.farrington_baseline import fit_baseline, lost_to_weights, terms_of
from detectors.farrington_parity import fit_reference
from detectors.farrington_reference import count_tables, reference_lags, runs_of, seasonal_groups
from detectors.farrington_tails import upper_quantile, upper_tail
from detectors.farrington_windows import WEIGHTS, combined

FEW = settings(deadline=None, max_examples=40)
MEANS, PHIS = st.floats(1e-3, 2000), st.floats(1.0, 500)
DEVIATE = 2.5758293035489004


def _law(mean: float, phi: float) -> object:
    return nbinom(mean / (phi - 1), 1 / phi) if phi > 1 + 1e-9 else poisson(mean)


@FEW
@given(mean=MEANS, phi=PHIS, deviations=st.floats(-3, 12))
def test_tails_are_scipys(mean: float, phi: float, deviations: float) -> None:
    count = max(int(mean + deviations * np.sqrt(mean * phi)), 0)
    law = _law(mean, phi)
    tail, point = upper_tail(count, mean, phi)
    assert tail == pytest.approx(law.sf(count - 1), rel=1e-6, abs=1e-14)  # type: ignore[attr-defined]
    assert point == pytest.approx(law.pmf(count), rel=1e-6, abs=1e-300)  # type: ignore[attr-defined]


@FEW
@given(mean=MEANS, phi=PHIS)
def test_quantiles_are_the_least_counts_that_leave_so_little_above(mean: float, phi: float) -> None:
    law, count = _law(mean, phi), upper_quantile(0.005, DEVIATE, mean, phi)
    assert law.sf(count) <= 0.005 * (1 + 1e-9)  # type: ignore[attr-defined]
    assert count == 0 or law.sf(count - 1) > 0.005 * (1 - 1e-9)  # type: ignore[attr-defined]


def _matrix_fit(counts: NDArray[np.int64], groups: NDArray[np.int64]) -> tuple[float, float]:
    """Return expected and dispersion by full matrices and many more iterations than are needed."""
    n = counts.size
    design = np.column_stack([groups[:, None] == np.arange(10), np.arange(n) - n / 2]).astype(float)
    weights = np.ones(n)
    mean, phi, beta = counts + 0.1, 1.0, np.zeros(11)
    for attempt in range(2):
        mean = counts + 0.1
        for _ in range(60):
            response = np.log(mean) + (counts - mean) / mean
            root = np.sqrt(weights * mean)
            beta = np.linalg.lstsq(design * root[:, None], response * root, rcond=None)[0]
            mean = np.exp(design @ beta)
        phi = max(1.0, float((weights * (counts - mean) ** 2 / mean).sum()) / (n - 11))
        if attempt == 0:
            basis = np.linalg.qr(design * np.sqrt(mean)[:, None])[0]
            residual = 1.5 * (counts ** (2 / 3) * mean ** (-1 / 6) - np.sqrt(mean))
            residual /= np.sqrt(phi * (1 - (basis**2).sum(axis=1)))
            weights = np.where(residual > 2.58, np.maximum(residual, 1.0) ** -2.0, 1.0)
            weights *= n / weights.sum()
    return float(np.exp(beta[0] + beta[10] * (n + 26 - n / 2))), phi


@FEW
@given(seed=st.integers(0, 10_000))
def test_the_closed_form_fit_is_the_matrix_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lags = reference_lags(5, 3, 26)
    groups = seasonal_groups(lags, 3, 10)
    counts = rng.negative_binomial(rng.uniform(2, 30), rng.uniform(0.3, 0.9), lags.size)
    counts[100:102] += 40
    found = fit_reference(counts, runs_of(groups, 26), count_tables(), 2.58, True, True)
    assert found[2]
    assert found[:2] == pytest.approx(_matrix_fit(counts, groups), rel=1e-3)


@pytest.mark.parametrize("mean", [0.3, 4.0, 60.0])
@pytest.mark.parametrize("phi", [1.0, 1.5, 4.0])
def test_what_the_weights_take_is_added_up_over_all_counts(mean: float, phi: float) -> None:
    counts = np.arange(5000)
    law = _law(mean, phi).pmf(counts)  # type: ignore[attr-defined]
    residual = 1.5 * np.sqrt(mean / phi) * ((counts / mean) ** (2 / 3) - 1)
    weight = np.where(residual > 2.58, (2.58 / np.maximum(residual, 2.58)) ** 6, 1.0)
    first = ((1 - weight) * (counts - mean) * law).sum()
    second = ((1 - weight) * (counts - mean) ** 2 * law).sum()
    assert lost_to_weights(mean, phi, 2.58) == pytest.approx((first, second), rel=1e-5, abs=1e-12)


def test_the_season_and_the_slope_that_made_a_series_are_found_again() -> None:
    terms = terms_of(reference_lags(8, 3, 26))
    truth = np.array([4.0, 0.1, 0.3, -0.2, 0.1, 0.05])
    counts = np.random.default_rng(2).poisson(np.exp(terms @ truth))
    beta, inverse, phi, _ = fit_baseline(counts, terms, 2.58, 0.5, 0.25)
    assert (np.abs(beta - truth) < 4 * np.sqrt(np.diag(inverse))).all()
    assert phi == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("means", [(0.2, 0.3, 0.1), (1.5, 1.0, 2.0)])
@pytest.mark.parametrize("phi", [1.0, 2.0])
@pytest.mark.parametrize("counts", [(0, 0, 0), (2, 0, 0), (3, 2, 1), (1, 4, 0), (7, 1, 2)])
def test_the_joint_p_value_is_the_share_of_outcomes_that_surprise_as_much(
    means: tuple[float, float, float], phi: float, counts: tuple[int, int, int]
) -> None:
    def statistic(y: tuple[int, ...]) -> float:
        smallest = np.inf
        for window in range(3 if y[0] > means[0] else 1):
            mean = sum(means[: window + 1])
            tail, point = upper_tail(sum(y[: window + 1]), mean, phi)
            smallest = min(smallest, (tail - point / 2) / WEIGHTS[window])
        return smallest

    here = statistic(counts)
    exact = strict = 0.0
    for outcome in product(range(30), repeat=3):
        chance = float(np.prod([upper_tail(y, mean, phi)[1] for y, mean in zip(outcome, means, strict=True)]))
        other = statistic(outcome)
        exact += chance * (other <= here * (1 + 1e-9))
        strict += chance * (other < here * (1 - 1e-9))
    found = combined(*counts, np.array(means), np.full(3, phi), phi)
    assert found == pytest.approx(((exact + strict) / 2, exact), abs=2e-5)
