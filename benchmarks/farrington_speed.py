"""Seconds of one Farrington flexible evaluation, ours and R's, on the same series in one run (target S1).

``python -m benchmarks farrington_speed``: ``--runs`` is the number of timings of ours, of which the median counts
(left out, 5). R judges one replicate of the 42 weekly scenarios once; ours judges ten replicates.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from benchmarks.peers import r_farrington
from benchmarks.results import Figure
from benchmarks.weekly_series import FIRST_TEST, N_WEEKS, weekly_series
from detectors.farrington import Farrington, farrington_flexible


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Time one core, both cores and R."""
    if not r_farrington.available():
        return [], "R with the package surveillance is not installed."
    few = weekly_series(np.random.default_rng(seed), 1)
    series = weekly_series(np.random.default_rng(seed + 1), 10)
    times = 5 if runs is None else max(runs, 1)
    evaluations = int(series.counts.shape[0] * series.test_weeks.size)

    def each(judge: Callable[[], Farrington]) -> float:
        judge()  # compiled outside the timing
        taken: list[float] = []
        for _ in range(times):
            before = perf_counter()
            judge()
            taken.append(perf_counter() - before)
        middle: float = median(taken)
        return middle / evaluations

    one = each(lambda: farrington_flexible(series.counts, series.test_weeks, parallel=False))
    both = each(lambda: farrington_flexible(series.counts, series.test_weeks))
    ours = each(lambda: farrington_flexible(series.counts, series.test_weeks, mode="tocsin"))
    with tempfile.TemporaryDirectory() as folder:
        theirs = r_farrington.run(few.counts, FIRST_TEST, N_WEEKS - 1, 0.005, Path(folder), "speed")
    peer = theirs.seconds / (few.counts.shape[0] * few.test_weeks.size)
    beside = f"R {1e3 * peer:.2f} ms"
    cores = os.cpu_count() or 1
    return (
        [
            Figure(
                "parity mode, one core",
                f"{1e6 * one:.2f} us, {peer / one:,.0f} times R",
                "700 times R",
                peer / one >= 700,
                beside,
            ),
            Figure(
                f"parity mode, {cores} cores",
                f"{1e6 * both:.2f} us, {peer / both:,.0f} times R",
                "1,000 times R",
                peer / both >= 1000,
                beside,
            ),
            Figure(
                f"tocsin mode, {cores} cores", f"{1e6 * ours:.1f} us, {peer / ours:,.0f} times R", peer=beside
            ),
        ],
        f"{evaluations:,} evaluations of ours, median of {times}; {few.counts.shape[0] * 49:,} of R. {theirs.versions}.",
    )
