"""Make the golden files of ``tests/unit/detectors/test_farrington.py``: ``python -m benchmarks.peers.golden_farrington``.

Series of many kinds (few cases, many, seasonal, growing, started or ended half-way, one huge week, all zero), judged by
R in the folder ``tests/golden``. Needs R; run again only when the settings of the R script change.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import r_farrington

FOLDER = Path(__file__).parents[2] / "tests" / "golden"
NAME, FIRST, LAST, ALPHA = "farrington", 280, 299, 0.005


def series(rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the golden series, one a row."""
    week = np.arange(LAST + 1)
    rows = [rng.poisson(mean, week.size) for mean in (0.02, 0.3, 3.0, 40.0, 1e5)]
    rows += [rng.negative_binomial(mean / 3.0, 0.25, week.size) for mean in (0.3, 3.0, 40.0)]
    rows += [rng.poisson(4.0 * np.exp(slope * (week - 150))) for slope in (-0.02, -0.005, 0.005, 0.02)]
    rows += [rng.poisson(5.0 * np.exp(np.cos(2 * np.pi * (week + shift) / 52))) for shift in (0, 20, 40)]
    rows += [
        rng.poisson(4.0 * (week > 200)),
        rng.poisson(4.0 * (week < 200)),
        rng.poisson(3.0 * (week % 52 > 30)),
    ]
    rows += [
        np.where(week == 120, 5000, rng.poisson(2.0, week.size)),
        np.zeros_like(week),
        np.full_like(week, 7),
    ]
    drawn = np.array(rows, dtype=np.int64)
    for row in drawn[:18:2]:
        start = int(rng.integers(FIRST, LAST - 1))
        row[start : start + 2] += 3 + int(3 * row.std())
    return drawn


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    r_farrington.run(series(np.random.default_rng(1996)), FIRST, LAST, ALPHA, FOLDER, NAME)
