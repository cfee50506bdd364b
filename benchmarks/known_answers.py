"""A7: published clusters found again, to the last county and the fifth decimal, and the published power.

Zone and log-likelihood ratio of every known answer in ``../shared/data``; then the power of Kulldorff's circular scan on
the north-east of the United States, 600 cases, alpha .05, against the figures that any exact implementation must give.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import known_data
from benchmarks.known_data import Places
from benchmarks.results import Figure
from detectors.scan import Scan, Statistic, space_time_scan
from detectors.scan_engine import study_of
from detectors.scan_replicates import multinomial_looks, seeds_of
from detectors.scan_statistics import CONDITIONAL
from detectors.scan_zones import Metric, neighbour_order

FloatArray = NDArray[np.float64]

CASES, ALPHA = 600, 0.05
NULL_LOOKS = 19_999
TRIALS = 4_000

POWER = (
    (1, "VTGrandIsle", 171.0, 0.993),
    (1, "PAAllegheny", 2.80, 0.912),
    (1, "NYNewYork", 2.71, 0.932),
    (4, "VTGrandIsle", 6.82, 0.967),
    (4, "PAAllegheny", 2.34, 0.918),
    (4, "NYNewYork", 1.79, 0.874),
)
"""Areas of the hot spot, its centre, relative risk, published power."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One cluster as published."""

    what: str
    areas: int | frozenset[str]
    observed: float
    llr: float


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Find every known answer again, then measure power; ``runs`` is the number of trials for each."""
    if not known_data.present():
        return [], f"{known_data.FOLDER.parent.name}/{known_data.FOLDER.name} is not beside the checkout."
    rng = np.random.default_rng(seed)
    figures = [*clusters(rng), fever(rng), *power(rng, runs or TRIALS)]
    return figures, (
        "Circles hold at most 50 % of the population. Power: critical value from "
        f"{NULL_LOOKS:,} null replicates, {runs or TRIALS:,} trials of each hot spot."
    )


def spatial(
    places: Places, statistic: Statistic, rng: np.random.Generator, *, metric: Metric = "planar"
) -> Scan:
    """Return the purely spatial scan of published data, circles up to half of the population."""
    return space_time_scan(
        places.cases[None],
        None if statistic == "binomial" else places.expected[None],
        places.coordinates,
        population=places.population,
        statistic=statistic,
        metric=metric,
        max_window=1,
        replicates=0,
        rng=rng,
    )


def compared(scan: Scan, places: Places, answers: Sequence[Answer]) -> list[Figure]:
    """Return a figure for each published cluster, in the order in which they were published."""
    if len(scan.clusters) < len(answers):
        return [Figure(answer.what, f"{len(scan.clusters)} clusters found", met=False) for answer in answers]
    figures = []
    for cluster, answer in zip(scan.clusters, answers, strict=False):
        names = frozenset(places.names[i] for i in cluster.areas)
        same = len(names) == answer.areas if isinstance(answer.areas, int) else names == answer.areas
        gap = abs(cluster.llr - answer.llr)
        figures.append(
            Figure(
                f"{answer.what}",
                f"{len(names)} areas, {cluster.observed:.3f} cases against {cluster.expected:.3f}, LLR {cluster.llr:.5f}",
                f"LLR {answer.llr:.5f} within 1e-5, the same zone",
                same and gap < 1e-5 and abs(cluster.observed - answer.observed) < 6e-4,
            )
        )
    return figures


def clusters(rng: np.random.Generator) -> list[Figure]:
    """Return a figure for every published cluster."""
    east, pennsylvania, new_york = known_data.north_east(), known_data.pennsylvania(), known_data.new_york()
    flat = Places(
        new_york.names,
        new_york.coordinates * (known_data.KM_PER_DEGREE_RATIO, 1.0),
        new_york.population,
        new_york.cases,
        new_york.expected,
    )
    two = frozenset({"PADelaware", "PAPhiladelphia"})
    return [
        *compared(
            spatial(east, "kulldorff", rng),
            east,
            [
                Answer("North-east, most likely", two, 2724, 45.13073),
                Answer("North-east, second", 29, 5981, 42.74928),
                Answer("North-east, third", 1, 643, 34.40857),
            ],
        ),
        *compared(
            spatial(pennsylvania, "kulldorff", rng),
            pennsylvania,
            [
                Answer(
                    "Pennsylvania, adjusted for strata",
                    frozenset({"delaware", "philadelphia"}),
                    1900,
                    17.66288,
                )
            ],
        ),
        *compared(
            spatial(pennsylvania, "binomial", rng),
            pennsylvania,
            [Answer("Pennsylvania, binomial", 7, 2359, 36.57051)],
        ),
        *compared(spatial(flat, "kulldorff", rng), flat, [Answer("New York, plane", 30, 108.7639, 13.27816)]),
        *compared(
            spatial(flat, "binomial", rng),
            flat,
            [Answer("New York, plane, binomial", 30, 108.7639, 13.28684)],
        ),
        *compared(
            spatial(new_york, "kulldorff", rng, metric="haversine"),
            new_york,
            [Answer("New York, great circles", 31, 108.7860, 12.90914)],
        ),
        *compared(
            spatial(new_york, "binomial", rng, metric="haversine"),
            new_york,
            [Answer("New York, great circles, binomial", 31, 108.7860, 12.91756)],
        ),
    ]


def fever(rng: np.random.Generator) -> Figure:
    """Return the p-value of the best space-time cluster of fever, which is no cluster."""
    places, counts = known_data.new_york_fever()
    scan = space_time_scan(
        counts,
        None,
        places,
        statistic="permutation",
        metric="haversine",
        max_radius=3.0,
        max_window=7,
        replicates=999,
        rng=rng,
    )
    best = scan.most_likely
    p_value = best.p_value if best else 1.0
    return Figure(
        "New York fever, space-time permutation, 3 km and 7 days",
        f"best p {p_value:.3f} of 999",
        "nothing significant at 5 %",
        p_value > 0.05,
    )


def power(rng: np.random.Generator, trials: int) -> list[Figure]:
    """Return the power at each published hot spot, and the false alarms beside it."""
    east = known_data.north_east()
    circles = neighbour_order(east.coordinates, population=east.population, max_population_fraction=0.5)
    everyone = neighbour_order(east.coordinates)
    share = east.population / east.population.sum()
    study = study_of(circles, CONDITIONAL, share[None, None])

    def maxima(risk: FloatArray, count: int) -> FloatArray:
        chance = share * risk
        looks = multinomial_looks(seeds_of(rng, count), CASES, (chance / chance.sum())[None], np.float32)
        return study.best_of(looks[:, None], np.full((count, 1), float(CASES))).score

    critical = float(np.quantile(maxima(np.ones(share.size), NULL_LOOKS), 1 - ALPHA))
    figures = []
    for areas, centre, risk, published in POWER:
        relative = np.ones(share.size)
        relative[everyone.zone(east.names.index(centre), areas)] = risk
        found = float((maxima(relative, trials) > critical).mean())
        figures.append(
            Figure(
                f"Power, {areas} {'county' if areas == 1 else 'counties'} at {centre}, relative risk {risk:g}",
                f"{found:.3f} (standard error {(found * (1 - found) / trials) ** 0.5:.3f})",
                f"{published:.3f} +- .025",
                abs(found - published) <= 0.025,
            )
        )
    fresh = maxima(np.ones(share.size), NULL_LOOKS)
    realised = float((fresh > critical).mean())
    what = "False alarms beside it, fresh null replicates"
    return [*figures, Figure(what, f"{realised:.4f}", f"{ALPHA} +- .006", abs(realised - ALPHA) <= 0.006)]
