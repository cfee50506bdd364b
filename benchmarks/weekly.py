"""The 42 weekly scenarios: detection at one false-alarm rate, calibration, and sparse series (targets A1, A2, A3).

``python -m benchmarks weekly``: ``--runs`` is the number of replicates of each scenario for detection, on three seeds
(left out, 100); calibration takes ten times as many without a test outbreak, every seventh test week of each. Farrington
flexible is our parity mode, whose alarms and bounds are R's (``python -m benchmarks parity``).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Figure, spread
from benchmarks.weekly_scores import Score, oracle, score
from benchmarks.weekly_series import SETS, Weekly, weekly_series
from detectors.farrington import farrington_flexible

FALSE_ALARMS = 0.01
NOMINAL = 0.005
SPARSE = 1
_SEEDS, _SPARSE_SEEDS, _CHUNK = 3, 5, 25


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Detect on three seeds, calibrate on a fourth, and look at the sparse set on five."""
    replicates = 100 if runs is None else max(runs, 1)
    drawn = [weekly_series(np.random.default_rng([seed, k]), replicates) for k in range(_SEEDS)]
    ours = [score(_ours(series), series, FALSE_ALARMS) for series in drawn]
    theirs = [score(_farrington(series), series, FALSE_ALARMS) for series in drawn]
    best = [score(oracle(series), series, FALSE_ALARMS) for series in drawn]
    note = (
        f"{replicates} replicates of 42 scenarios on {_SEEDS} seeds ({seed}, 0) to ({seed}, {_SEEDS - 1}), median "
        f"(least to greatest); each detector at the one nominal p-value for all series that gives {FALSE_ALARMS:.0%} "
        "false alarms. The oracle knows the true mean and dispersion and looks at one week."
    )
    return [
        *_detection(ours, theirs, best),
        *_calibration(seed, replicates * 10),
        _sparse(seed, replicates),
    ], note


def _detection(ours: list[Score], theirs: list[Score], best: list[Score]) -> list[Figure]:
    def all_of(scores: list[Score], what: Callable[[Score], float], form: str = ".3f") -> str:
        return spread([what(one) for one in scores], form)

    def beside(what: Callable[[Score], float]) -> str:
        return f"Farrington flexible {all_of(theirs, what)}; oracle {all_of(best, what)}"

    gain = [one.found - other.found for one, other in zip(ours, theirs, strict=True)]
    gap = [one.found - other.found for one, other in zip(ours, best, strict=True)]
    worst = [one.worst_set for one in ours]
    f1, delay = [one.f1 for one in ours], [one.delay for one in ours]
    return [
        Figure(
            "pooled false alarms, at nominal p",
            f"{all_of(ours, lambda one: one.false_alarms, '.4f')} at {all_of(ours, lambda one: one.level, '.4f')}",
        ),
        Figure(
            "false alarms in the worst set",
            spread(worst, ".4f"),
            "<= .013",
            max(worst) <= 0.013,
            beside(lambda one: one.worst_set),
        ),
        Figure("outbreaks found", all_of(ours, lambda one: one.found), peer=beside(lambda one: one.found)),
        Figure("found more than Farrington flexible", spread(gain, "+.3f"), ">= +.025", min(gain) >= 0.025),
        Figure("found against the one-week oracle", spread(gap, "+.3f"), ">= -.010", min(gap) >= -0.010),
        Figure(
            "weekly sensitivity",
            all_of(ours, lambda one: one.sensitivity),
            peer=beside(lambda one: one.sensitivity),
        ),
        Figure("F1", spread(f1, ".3f"), ">= .48", min(f1) >= 0.48, beside(lambda one: one.f1)),
        Figure(
            "delay, weeks",
            spread(delay, ".2f"),
            "<= 1.35",
            max(delay) <= 1.35,
            beside(lambda one: one.delay),
        ),
    ]


def _calibration(seed: int, replicates: int) -> list[Figure]:
    """Return the realised rates of mid-p, exact p and parity mode at the nominal one, by set."""
    middle, exact, beside, weeks = _realised(seed, replicates, past_outbreaks=True)
    clean, clean_exact, clean_beside, _ = _realised(seed, replicates, past_outbreaks=False)
    lowest, highest = min(middle.min(), clean.min()), max(middle.max(), clean.max())
    return [
        Figure(
            f"realised at nominal {NOMINAL}, mid-p, sets 1-7, four past outbreaks in each history",
            _by_set(middle),
            ".004-.006 in each",
            bool(lowest >= 0.004 and highest <= 0.006),
            f"Farrington flexible {_by_set(beside)}",
        ),
        Figure("the same, histories without outbreaks", _by_set(clean), peer=_by_set(clean_beside)),
        Figure(
            "exact p-values, with and without past outbreaks",
            f"{_by_set(exact)}; {_by_set(clean_exact)}",
            "<= .006 in each",
            bool(max(exact.max(), clean_exact.max()) <= 0.006),
            f"{replicates:,} replicates a scenario, {weeks:,} weeks a set",
        ),
    ]


def _realised(
    seed: int, replicates: int, *, past_outbreaks: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    alarms = np.zeros((3, len(SETS)))
    weeks = np.zeros(len(SETS))
    rng = np.random.default_rng([seed, _SEEDS])
    for first in range(0, replicates, _CHUNK):
        some = min(_CHUNK, replicates - first)
        series = weekly_series(rng, some, past_outbreaks=past_outbreaks, test_outbreaks=False)
        columns = series.test_weeks[::7]
        found = farrington_flexible(series.counts, columns, mode="tocsin", alpha=NOMINAL)
        parity = farrington_flexible(series.counts, columns, alpha=NOMINAL)
        for which in range(len(SETS)):
            rows = series.scenario_set == which
            weeks[which] += rows.sum() * columns.size
            alarms[0, which] += (found.p_value[rows] <= NOMINAL).sum()
            alarms[1, which] += (found.p_exact[rows] <= NOMINAL).sum()
            alarms[2, which] += parity.alarm[rows].sum()
    middle, exact, beside = alarms / weeks
    return middle, exact, beside, int(weeks[0])


def _sparse(seed: int, replicates: int) -> Figure:
    ours, theirs, rates = [], [], []
    for k in range(_SPARSE_SEEDS):
        series = _of_set(weekly_series(np.random.default_rng([seed, 10 + k]), replicates), SPARSE)
        one = score(_ours(series), series, FALSE_ALARMS)
        ours.append(one.found)
        rates.append(one.false_alarms)
        theirs.append(score(_farrington(series), series, FALSE_ALARMS).found)
    return Figure(
        f"sparse set 2: outbreaks found at {max(rates):.4f} false alarms or fewer",
        spread(ours, ".3f"),
        ">= .40",
        min(ours) >= 0.40,
        f"Farrington flexible with its rule of 5 in 4 weeks {spread(theirs, '.3f')}",
    )


def _ours(series: Weekly) -> NDArray[np.float64]:
    return farrington_flexible(series.counts, series.test_weeks, mode="tocsin").p_value


def _farrington(series: Weekly) -> NDArray[np.float64]:
    found = farrington_flexible(series.counts, series.test_weeks, mode="parity")
    # Where R gives no bound there can be no alarm at any level.
    return np.where(np.isnan(found.upper), 1.0, found.p_value)


def _of_set(series: Weekly, which: int) -> Weekly:
    kept = series.scenario_set == which
    return replace(
        series,
        counts=series.counts[kept],
        mean=series.mean[kept],
        phi=series.phi[kept],
        scenario_set=series.scenario_set[kept],
        labelled=series.labelled[kept],
    )


def _by_set(rates: NDArray[np.float64]) -> str:
    return " ".join(f"{rate:.4f}" for rate in rates)
