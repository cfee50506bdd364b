"""Published data with published answers, read from beside the checkout where they are: ``../shared/data/known-answers``.

For the benchmarks of exactness and of space and time, and for the tests that skip without them. Never copied into the
project, never required.
"""

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "known-answers"

KM_PER_DEGREE_RATIO = 0.7826
"""What a degree of longitude is to one of latitude in the New York data, as their source projects them."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Areas with their people and cases; every array has one row for each area."""

    names: tuple[str, ...]
    coordinates: FloatArray
    population: FloatArray
    cases: FloatArray
    expected: FloatArray


def present() -> bool:
    """Whether the folder is there."""
    return FOLDER.is_dir()


def north_east() -> Places:
    """Return breast cancer in 245 counties of the north-east of the United States (Kulldorff 1997)."""
    rows = _rows("neast245.csv.gz")
    people, cases = _column(rows, "population"), _column(rows, "cases")
    return Places(
        tuple(row["id"] for row in rows), _points(rows), people, cases, people * cases.sum() / people.sum()
    )


def pennsylvania() -> Places:
    """Return lung cancer in 67 counties of Pennsylvania; expected counts by race, sex and age."""
    rows = _rows("pennLC.csv.gz")
    names = tuple(dict.fromkeys(row["county"] for row in rows))
    index = np.array([names.index(row["county"]) for row in rows])
    cases, people = _column(rows, "cases"), _column(rows, "population")
    totals: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0])
    strata = [(row["race"], row["gender"], row["age"]) for row in rows]
    for stratum, case, person in zip(strata, cases, people, strict=True):
        totals[stratum][0] += case
        totals[stratum][1] += person
    rate = np.array([totals[stratum][0] / totals[stratum][1] for stratum in strata])
    first = [int(np.flatnonzero(index == i)[0]) for i in range(len(names))]

    def by_county(values: FloatArray) -> FloatArray:
        summed: FloatArray = np.bincount(index, weights=values, minlength=len(names)).astype(np.float64)
        return summed

    return Places(names, _points(rows)[first], by_county(people), by_county(cases), by_county(people * rate))


def new_york() -> Places:
    """Return leukaemia in upstate New York: surrounded tracts merged into the one around them, fractions kept."""
    rows = _rows("NYleukemia.csv.gz")
    role = _column(rows, "role").astype(int)
    kept = np.flatnonzero(role >= 0)
    # A negative role names the row, counted from 1, of the tract around it.
    home = np.where(role < 0, -role - 1, np.arange(len(rows)))
    people, cases = (
        np.bincount(home, weights=_column(rows, name), minlength=len(rows))[kept].astype(np.float64)
        for name in ("population", "cases")
    )
    names = tuple(rows[i]["censustract.FIPS"] for i in kept)
    return Places(names, _points(rows)[kept], people, cases, people * cases.sum() / people.sum())


def new_york_fever() -> tuple[FloatArray, NDArray[np.int64]]:
    """Return longitude and latitude of the ZIP codes, and fever cases by day (1-24 November 2001) and ZIP code."""
    places, cases = _rows("satscan_NYCfever_geo.csv.gz"), _rows("satscan_NYCfever_cas.csv.gz")
    index = {row["zip"]: i for i, row in enumerate(places)}
    counts = np.zeros((24, len(places)), dtype=np.int64)
    for row in cases:
        counts[int(row["date"].rpartition("/")[2]) - 1, index[row["zip"]]] += int(row["cases"])
    return np.stack([_column(places, "long"), _column(places, "lat")], axis=1), counts


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(FOLDER / name, "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _column(rows: list[dict[str, str]], name: str) -> FloatArray:
    return np.array([float(row[name]) for row in rows])


def _points(rows: list[dict[str, str]]) -> FloatArray:
    return np.stack([_column(rows, "x"), _column(rows, "y")], axis=1)
