"""The 42 weekly scenarios of Noufaily et al. (2013): seven parameter sets, with and without a trend, 0-2 harmonics.

For ``benchmarks.weekly``, ``benchmarks.parity`` and ``benchmarks.farrington_speed``. Never shipped, and no constant of
a detector may be fitted to it. Every draw comes from the generator that is passed in.

log mu_t = theta + [trend] beta t + sum over j = 1..m of g1 cos(2 pi j t / 52) + g2 sin(2 pi j t / 52), t = 1..624;
the count is negative binomial with variance phi mu (Poisson where phi is 1). Four outbreaks lie in weeks 313-575, one
in the last 49 weeks: Poisson(k sqrt(phi mu)) cases, at least two, each in the week of the start plus the whole part of
a LogNormal(0, 0.5). The weeks that hold at least one of an outbreak's cases are its labelled weeks; what
would fall after the last week is not seen.

Source: Noufaily et al. 2013, Statistics in Medicine 32:1206, section 3.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

N_WEEKS = 624
FIRST_PAST, FIRST_TEST = 312, 575
"""0-based columns where the past outbreaks may begin and where the 49 test weeks begin."""

SETS = (
    (0.1, 0.0025, 0.6, 0.6, 1.5),
    (-2.0, 0.005, 0.1, 0.3, 2.0),
    (1.5, 0.003, 0.2, -0.4, 1.0),
    (0.5, 0.002, 0.5, 0.5, 5.0),
    (2.5, 0.001, 1.0, 0.1, 3.0),
    (3.75, 0.001, 0.1, -0.1, 1.1),
    (5.0, 0.0001, 0.05, 0.01, 1.2),
)
"""theta, beta, g1, g2 and phi of each set."""

SCENARIOS = tuple(product(range(len(SETS)), (False, True), (0, 1, 2)))
"""Set, trend, harmonics."""

PAST_SIZES = (2, 3, 5, 10)
LEAST_SIZE = 2


@dataclass(frozen=True, slots=True, eq=False)
class Weekly:
    """Simulated series, one row each.

    Attributes
    ----------
    counts : ndarray of int64, shape (n_series, 624)
    mean : ndarray of float64, shape (n_series, 624)
        The true mean without outbreaks.
    phi : ndarray of float64, shape (n_series,)
    scenario_set : ndarray of int64, shape (n_series,)
        Which of the seven parameter sets, from 0.
    labelled : ndarray of bool, shape (n_series, 624)
        Weeks of the outbreak in the test period; none where none was asked for.
    """

    counts: NDArray[np.int64]
    mean: NDArray[np.float64]
    phi: NDArray[np.float64]
    scenario_set: NDArray[np.int64]
    labelled: NDArray[np.bool_]

    @property
    def test_weeks(self) -> NDArray[np.int64]:
        """Return the 0-based columns of the test period."""
        return np.arange(FIRST_TEST, N_WEEKS)


def weekly_series(
    rng: np.random.Generator, replicates: int, *, past_outbreaks: bool = True, test_outbreaks: bool = True
) -> Weekly:
    """Draw ``replicates`` series of each of the 42 scenarios, the scenarios in order.

    Replicate r has a test outbreak of size k = 1 + r modulo 10; without ``test_outbreaks`` the test weeks are null
    (the four past outbreaks are there all the same, unless ``past_outbreaks`` is false).
    """
    week = np.arange(1, N_WEEKS + 1)
    shape = (len(SCENARIOS) * replicates, N_WEEKS)
    counts, mean = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    labelled = np.zeros(shape, dtype=np.bool_)
    phi, scenario_set = np.zeros(shape[0]), np.zeros(shape[0], dtype=np.int64)
    for scenario, (which, trend, harmonics) in enumerate(SCENARIOS):
        theta, beta, g1, g2, dispersion = SETS[which]
        log_mean = theta + beta * week * trend
        for j in range(1, harmonics + 1):
            angle = 2 * np.pi * j * week / 52
            log_mean = log_mean + g1 * np.cos(angle) + g2 * np.sin(angle)
        rows = slice(scenario * replicates, (scenario + 1) * replicates)
        mean[rows], phi[rows], scenario_set[rows] = np.exp(log_mean), dispersion, which
        counts[rows] = _counts(rng, mean[rows], dispersion)
        for replicate, row in enumerate(range(rows.start, rows.stop)):
            sd = np.sqrt(dispersion * mean[row])
            for k in PAST_SIZES if past_outbreaks else ():
                _outbreak(rng, counts[row], sd, k, FIRST_PAST, FIRST_TEST)
            if test_outbreaks:
                labelled[row] = _outbreak(rng, counts[row], sd, 1 + replicate % 10, FIRST_TEST, N_WEEKS)
    return Weekly(counts, mean, phi, scenario_set, labelled)


def _counts(rng: np.random.Generator, mean: NDArray[np.float64], phi: float) -> NDArray[np.int64]:
    if phi == 1:
        return rng.poisson(mean)
    return rng.negative_binomial(mean / (phi - 1), 1 / phi)


def _outbreak(
    rng: np.random.Generator, counts: NDArray[np.int64], sd: NDArray[np.float64], k: int, low: int, high: int
) -> NDArray[np.bool_]:
    """Add one outbreak that starts in columns ``low`` to ``high - 1``, cut at ``high``; return where it shows."""
    start = int(rng.integers(low, high))
    seen = np.zeros(counts.size, dtype=np.int64)
    while not seen.any():
        size = int(rng.poisson(k * sd[start]))
        if size >= LEAST_SIZE:
            weeks = start + np.floor(rng.lognormal(0.0, 0.5, size)).astype(np.int64)
            seen = np.bincount(weeks[weeks < high], minlength=counts.size)
    counts += seen
    return seen > 0
