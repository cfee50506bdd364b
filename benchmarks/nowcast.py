"""Nowcasts: whether 90 % intervals hold what came, and how many days late records cost.

``measure`` runs two parts. First every week of a real reporting triangle (salmonella Newport, Germany, from the shared
data) is foretold at every age from what was known then: all that the nowcast learns or chooses, it learns from before.
Then our completeness-adjusted test races an oracle that knows the true mean and delay law (``benchmarks/nowcast_race``).
"""

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import nowcast_race as race
from benchmarks.kent_county import County
from benchmarks.results import Figure
from detectors.nowcast import nowcast

TRIANGLE = (
    Path(__file__).resolve().parents[2] / "shared/data/known-answers/salm_newport_reporting_triangle.csv.gz"
)
LEVEL = 0.9
LEAST, MOST = 0.85, 0.95
GROUPS = 3
"""Sets of seeds: each with thresholds, null histories and outbreaks of its own."""
SIZES = (0.5, 1.0, 2.0)
"""Extra ambulance patients a day for a fortnight in one district; the feeds of the others follow."""
HISTORY_DAYS = 4 * 364
"""Looked at in each null history, after the days that teach it; every history draws levels and drift anew."""
CALIBRATED, TESTED = 4, 2
"""Null histories of each group: for the thresholds, and to count false episodes in and put outbreaks into."""
OUTBREAKS = 60
MOST_DAYS_BEHIND = 1.0


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Return the figures; ``runs`` outbreaks of each size and group (60)."""
    figures: list[Figure] = []
    note = (
        f"Race: {GROUPS} groups of seeds, each with {CALIBRATED * HISTORY_DAYS / 364:.0f} null years for the thresholds, "
        f"{TESTED * HISTORY_DAYS / 364:.0f} others to count false episodes and to put outbreaks into; a miss counts "
        f"{race.FOLLOWED_DAYS} days. Intervals hold the likeliest counts, to the probability nearest 90 %: where a "
        "single count is more likely than 95 % (late ages of a sparse series) no interval can hold less."
    )
    if TRIANGLE.exists():
        figures += coverage(*_read())
    else:
        note += " The triangle was left out: the shared data is not beside the checkout."
    figures += _race(seed, OUTBREAKS if runs is None else runs)
    return figures, note


def coverage(triangle: NDArray[np.int64], whole: int) -> list[Figure]:
    """Foretell every period whose truth is known (the first ``whole``) at every age, as known then."""
    n_periods, n_delays = triangle.shape
    final = triangle.sum(axis=1)
    held: list[list[bool]] = [[] for _ in range(n_delays - 1)]
    certain: list[list[bool]] = [[] for _ in range(n_delays - 1)]
    ratio: list[float] = []
    for as_of in range(n_periods):
        if as_of - (n_delays - 2) >= whole:
            break
        found = nowcast(triangle, as_of=as_of, levels=[LEVEL])
        for age in range(min(as_of + 1, n_delays - 1)):
            period = as_of - age
            if period < whole:
                low, high = int(found.lower[0, period]), int(found.upper[0, period])
                held[age].append(low <= final[period] <= high)
                certain[age].append(low == high)
        if as_of < whole:
            ratio.append(float(found.expected[as_of] - final[as_of]))
    pooled = float(np.mean([item for part in held for item in part]))
    open_ages = [age for age in range(n_delays - 1) if np.mean(certain[age]) < 0.5]
    early = float(np.mean([item for age in open_ages for item in held[age]]))
    figures = [
        Figure(
            f"Salmonella Newport, {whole} weeks: 90 % intervals hold the final count, all ages",
            f"{pooled:.1%}",
            "85 to 95 %",
            LEAST <= pooled <= MOST,
        ),
        Figure(
            f"the same at ages {open_ages[0]} to {open_ages[-1]}, where most intervals hold more than one count",
            f"{early:.1%}",
            "85 to 95 %",
            LEAST <= early <= MOST,
        ),
        Figure(
            "nowcast of the newest week less its final count, mean and root mean square",
            f"{np.mean(ratio):+.2f} and {np.sqrt(np.mean(np.square(ratio))):.2f} "
            f"(final counts: mean {final[:whole].mean():.2f})",
        ),
    ]
    for age in range(n_delays - 1):
        share = float(np.mean(held[age]))
        alone = float(np.mean(certain[age]))
        possible = age in open_ages
        figures.append(
            Figure(
                f"age {age} weeks",
                f"{share:.1%} held; {alone:.0%} of the intervals are one count",
                "85 to 95 %" if possible else "",
                LEAST <= share <= MOST if possible else None,
            )
        )
    return figures


def _race(seed: int, count: int) -> list[Figure]:
    county = County()
    systems = {"ours": race.ours, "oracle": race.oracle}
    realised: dict[str, list[float]] = {name: [] for name in systems}
    days: dict[tuple[str, float], list[list[int]]] = {(name, size): [] for name in systems for size in SIZES}
    first, last = race.TRAINING_DAYS, race.TRAINING_DAYS + HISTORY_DAYS
    for group in range(GROUPS):
        learning, nulls = (
            [race.draw(county, last, (seed, group, part, number)) for number in range(many)]
            for part, many in ((1, CALIBRATED), (2, TESTED))
        )
        limits: dict[str, float] = {}
        for name, system in systems.items():
            looked = [system(county, item, first, last) for item in learning]
            limits[name] = race.threshold_for(looked, race.EPISODES_A_YEAR)
            false = sum(race.episodes(system(county, item, first, last), limits[name]) for item in nulls)
            realised[name].append(false * 365.25 / (TESTED * HISTORY_DAYS))
        for size in SIZES:
            found: dict[str, list[int]] = {name: [] for name in systems}
            for number, null in enumerate(nulls):
                seeds = (seed, group, 3, number, round(10 * size))
                for truth, start in race.outbreaks(county, null, size, -(-count // TESTED), seeds):
                    for name, system in systems.items():
                        scores = system(county, truth, start, start + race.FOLLOWED_DAYS)
                        found[name].append(race.nights_to_alarm(scores, limits[name]))
            for name in systems:
                days[name, size].append(found[name])
    figures = [
        Figure(
            f"false episodes a year on the same null histories, {name} (nominal {race.EPISODES_A_YEAR:.0f})",
            f"{np.mean(rates):.1f} ({min(rates):.1f} to {max(rates):.1f} in {GROUPS} groups)",
        )
        for name, rates in realised.items()
    ]
    for size in SIZES:
        mine, theirs = (np.array(days[name, size], dtype=np.float64) for name in systems)
        behind = (mine - theirs).mean(axis=1)
        error = float(np.std(mine - theirs) / np.sqrt(mine.size))
        missed = [float(np.mean(item >= race.FOLLOWED_DAYS)) for item in (mine, theirs)]
        figures.append(
            Figure(
                f"{size:g} extra ambulance patients a day in one district: days to detection, ours behind the oracle",
                f"{np.mean(behind):+.2f} (+-{2 * error:.2f}; {behind.min():+.2f} to {behind.max():+.2f} in {GROUPS} "
                f"groups); ours {mine.mean():.1f}, missed {missed[0]:.0%}",
                f"at most {MOST_DAYS_BEHIND:g} day",
                bool(np.mean(behind) <= MOST_DAYS_BEHIND),
                f"oracle {theirs.mean():.1f}, missed {missed[1]:.0%}",
            )
        )
    return figures


def _read() -> tuple[NDArray[np.int64], int]:
    """Return the triangle, unknown cells 0, and how many of its weeks are known to the last delay."""
    with gzip.open(TRIANGLE, "rt", encoding="utf-8", newline="") as file:
        rows = [row[2:] for row in list(csv.reader(file))[1:]]
    counts = np.array([[0 if cell == "NA" else int(cell) for cell in row] for row in rows], dtype=np.int64)
    return counts, sum("NA" not in row for row in rows)
