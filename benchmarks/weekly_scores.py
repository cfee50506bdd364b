"""How a weekly detector is judged: false alarms, outbreaks found, weekly sensitivity and delay, at one level for all.

For ``benchmarks.weekly``; the measures are those of Noufaily et al. (2013) and of the comparisons that followed it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import nbinom

from benchmarks.weekly_series import FIRST_TEST, Weekly


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One detector on one draw of the series."""

    level: float
    """The nominal p-value at and below which a week was an alarm."""
    false_alarms: float
    worst_set: float
    found: float
    sensitivity: float
    f1: float
    delay: float


def score(p_value: NDArray[np.float64], series: Weekly, false_alarms: float) -> Score:
    """Judge p-values of the test weeks at the greatest level whose pooled false-alarm rate is not above the one given."""
    labelled: NDArray[np.bool_] = series.labelled[:, FIRST_TEST:]
    quiet: NDArray[np.bool_] = np.invert(labelled)
    null = np.sort(p_value[quiet])
    level = float(null[int(false_alarms * null.size)])
    alarm = p_value < level
    hit = alarm & labelled
    found = np.asarray(hit.any(axis=1))
    false = [
        float((alarm & quiet)[rows].sum() / quiet[rows].sum())
        for rows in (series.scenario_set == one for one in np.unique(series.scenario_set))
    ]
    sensitivity = hit.sum() / labelled.sum()
    predictive = hit.sum() / max(int(alarm.sum()), 1)
    delay = np.where(found, hit.argmax(axis=1) - labelled.argmax(axis=1), labelled.sum(axis=1))
    return Score(
        level=level,
        false_alarms=float((alarm & quiet).sum() / quiet.sum()),
        worst_set=max(false),
        found=float(found.mean()),
        sensitivity=float(sensitivity),
        f1=float(2 * sensitivity * predictive / max(sensitivity + predictive, 1e-12)),
        delay=float(delay.mean()),
    )


def oracle(series: Weekly) -> NDArray[np.float64]:
    """Return the mid-p of each test week under the true mean and dispersion: no one-week test knows more."""
    counts, mean = series.counts[:, FIRST_TEST:], series.mean[:, FIRST_TEST:]
    phi = np.maximum(series.phi, 1 + 1e-7)[:, None]
    law = nbinom(mean / (phi - 1), 1 / phi)
    value: NDArray[np.float64] = law.sf(counts) + 0.5 * law.pmf(counts)
    return value
