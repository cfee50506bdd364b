"""Parity mode against R's farringtonFlexible: every alarm, upper bound and expected count (target S2).

``python -m benchmarks parity``: ``--runs`` is the number of evaluations (left out: 200,000, half an hour of R). R's
answers are kept in a folder under the system's temporary one, by seed and chunk, and read again by the same command;
the figures say how many R worked out in this run.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers import r_farrington
from benchmarks.results import Figure
from benchmarks.weekly_series import FIRST_TEST, N_WEEKS, SCENARIOS, weekly_series
from detectors.farrington import farrington_flexible

ALPHA = 0.005
_CHUNK = len(SCENARIOS) * 2 * (N_WEEKS - FIRST_TEST)
FOLDER = Path(tempfile.gettempdir()) / "tocsin-benchmarks-r"


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Compare ``runs`` evaluations on the weekly scenarios, past and present outbreaks included."""
    if not r_farrington.available():
        return [], "R with the package surveillance is not installed."
    FOLDER.mkdir(exist_ok=True)
    chunks = -(-(200_000 if runs is None else runs) // _CHUNK)
    compared = fresh = alarms = differing = upper_differs = 0
    worst_mean = worst_dispersion = seconds = 0.0
    versions = ""
    for chunk in range(chunks):
        series = weekly_series(np.random.default_rng([seed, chunk]), 2)
        theirs = r_farrington.run(
            series.counts, FIRST_TEST, N_WEEKS - 1, ALPHA, FOLDER, f"parity-{seed}-{chunk}"
        )
        ours = farrington_flexible(series.counts, series.test_weeks, mode="parity", alpha=ALPHA)
        compared += ours.alarm.size
        fresh += ours.alarm.size if theirs.seconds else 0
        seconds += theirs.seconds
        versions = theirs.versions if theirs.seconds else versions
        alarms += int(theirs.alarm.sum())
        differing += int((ours.alarm != theirs.alarm).sum())
        upper_differs += int((~np.isclose(ours.upper, theirs.upper, rtol=0, atol=0, equal_nan=True)).sum())
        worst_mean = max(worst_mean, float(np.max(np.abs(ours.expected / theirs.expected - 1))))
        worst_dispersion = max(
            worst_dispersion, float(np.max(np.abs(ours.dispersion / theirs.dispersion - 1)))
        )
    beside = (
        f"{alarms:,} alarms of R; R worked out {fresh:,} of {compared:,} in this run, in {seconds:,.0f} s"
    )
    equal = 1 - upper_differs / compared
    return [
        Figure("alarms that differ", f"{differing} of {compared:,}", "0 of 200,000", differing == 0, beside),
        Figure("upper bounds equal", f"{equal:.3%} ({upper_differs} differ)", ">= 99.9 %", equal >= 0.999),
        Figure(
            "expected count, largest relative difference", f"{worst_mean:.1e}", "1e-3", worst_mean <= 1e-3
        ),
        Figure("dispersion, largest relative difference", f"{worst_dispersion:.1e}"),
    ], f"Weekly scenarios with outbreaks, alpha {ALPHA}. {versions or 'All of R read from an earlier run'}."
