"""Kent and Medway, four feeds: how small an outbreak each system finds, how soon, at one false page a quarter.

Everything is drawn by the one simulator of people (``streams/simulation``), with parameters drawn anew for each history.
Tocsin's page families run under their shares of one budget, grown until merged pages spend it; every comparator is tuned
on the same null histories to the same false page episodes a year, all its feeds together, and also reported at its stock
setting. Every detection rate has beside it the false pages a year on other histories, and the share that unrelated pages
would have found by chance.

The full size takes about 18 minutes on two quiet cores (measured: 19 s of processor time for a history of two counted
years, 0.3 s for an outbreak, all systems together); ``--runs 3`` a sixth of that, on one core.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.kent_county import MISS_DAYS, SCENARIOS, SIZES
from benchmarks.kent_ours import OURS, TRIPWIRE_SCORES
from benchmarks.kent_report import figures_of
from benchmarks.kent_runs import FULL, Quiet, Run, Size, learnt_tripwires, run_all, system_of, tasks
from benchmarks.kent_scores import Outcome, outcome
from benchmarks.kent_systems import Telling
from benchmarks.kent_tuning import (
    Thresholds,
    Tuned,
    passing,
    per_year,
    tuned_by_shares,
    tuned_jointly,
    tuned_to_whole,
)
from benchmarks.results import Figure
from detectors.budget import AREA_COUNTS, DAYS_A_YEAR, FUSION, NOVELTY, SLOW_ONSET, Budget
from detectors.tripwire_thresholds import CONCURRENT, SCENE, WATCH_LIST, TripwireThresholds
from schemas.vocabulary import Tier

SCORED = (AREA_COUNTS, FUSION)
"""Families whose threshold is a score; tripwires come with their tier."""
TRIPWIRES = (SCENE, WATCH_LIST, CONCURRENT)
_FIXED: Thresholds = dict.fromkeys(TRIPWIRES, TRIPWIRE_SCORES[Tier.PAGE])
OURS_ADDED = f"{OURS}, shares that only add up"
PROCESSES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One system's part of the benchmark."""

    name: str
    tuned: Tuned
    realised: float
    """False page episodes a year on histories that nothing was tuned on."""
    outcomes: Sequence[Outcome]
    by_family: Mapping[str, float]
    """False page episodes a year of each family alone, on the same other histories."""
    stock: tuple[float, float] | None = None
    """At the stock setting: false episodes a year, and alarm days a year."""
    stock_outcomes: Sequence[Outcome] = ()
    reviews_per_week: float = float("nan")


def measure(seed: int, runs: int | None) -> tuple[Sequence[Figure], str]:
    """Run everything and return the figures; ``runs`` replicates of each scenario, size and duration."""
    size = size_of(runs)
    found = measured(seed, size, PROCESSES if runs is None else 1)
    note = (
        f"{len(SCENARIOS)} scenarios x {len(SIZES)} sizes x 3 durations x {size.replicates} replicates in three groups "
        f"of seeds; thresholds from {size.tuning_years:.0f} null years, false pages over {size.testing_years:.0f} other "
        f"years, into which the outbreaks are put. A miss counts {MISS_DAYS} days. A page needs a casualty, for every "
        "system. Residence, overlap, delays, volumes, season, drift of one feed's definition and an outage are drawn for "
        "each history, and chances of appearing in feeds for each outbreak."
    )
    return figures_of(found, size), note


def size_of(runs: int | None) -> Size:
    """Return how much is run: as the targets ask, or in proportion to fewer replicates."""
    if runs is None:
        return FULL
    share = min(runs / FULL.replicates, 1.0)
    return Size(runs, max(round(FULL.tuning * share), 6), max(round(FULL.testing * share), 6))


def measured(seed: int, size: Size, processes: int) -> list[Measured]:
    """Run all systems on all histories; ours is the first."""
    budget = Budget()
    tripwires = learnt_tripwires(seed, size, budget)
    tuning, testing = tasks(seed, size, tripwires)
    results = list(run_all([*tuning, *testing], processes))
    quiet = [one for one, _ in results[: len(tuning)]]
    other = [one for one, _ in results[len(tuning) :]]
    runs = [one for _, some in results[len(tuning) :] for one in some]
    return summed_up(quiet, other, runs, size, spent_whole(budget, tripwires))


def spent_whole(budget: Budget, tripwires: TripwireThresholds) -> Budget:
    """Return the budget with the pages that tripwires leave unspent given to the scored families, by their shares.

    A tripwire moves in whole people and rarely spends its share; ``tocsin calibrate`` does the same.
    """
    pages = {
        SCENE: tripwires.base_rate(SCENE).per_year(tripwires.scene_page),
        CONCURRENT: tripwires.base_rate(CONCURRENT).per_year(tripwires.concurrent_page),
        WATCH_LIST: budget.episodes_per_year(WATCH_LIST, Tier.PAGE),
    }
    shares = {family: rate / budget.pages_per_year for family, rate in pages.items()}
    left, given = max(1.0 - sum(shares.values()), 0.0), sum(budget.page_shares[name] for name in SCORED)
    shares |= {name: left * budget.page_shares[name] / given for name in SCORED}
    return budget.model_copy(update={"page_shares": shares})


def summed_up(
    quiet: Sequence[Quiet], other: Sequence[Quiet], runs: Sequence[Run], size: Size, budget: Budget
) -> list[Measured]:
    """Tune every system on the first histories and measure it on the others.

    Parameters
    ----------
    quiet, other : sequence of Quiet
        Tuning histories, and those that false pages are counted in.
    runs : sequence of Run
    size : Size
    budget : Budget
        Whose page shares ours keeps.
    """
    members: dict[str, list[str]] = defaultdict(list)
    for name in quiet[0].told:
        members[system_of(name)].append(name)
    found = []
    for name, detectors in members.items():
        trained = [_joined(one.told, detectors) for one in quiet]
        if name == OURS:
            # As calibration does: merged pages are the budget (``detectors/spending.py``).
            whole = tuned_to_whole(
                trained, size.tuning_years, _page_shares(budget), _FIXED, budget.pages_per_year
            )
            found.append(
                replace(
                    _measured(name, whole, detectors, other, runs, size),
                    reviews_per_week=_reviews(trained, other, detectors, size, budget),
                )
            )
            added = our_thresholds(trained, size, budget)
            found.append(_measured(OURS_ADDED, added, detectors, other, runs, size))
            continue
        tuned = tuned_jointly(trained, size.tuning_years, budget.pages_per_year)
        found.append(
            replace(
                _measured(name, tuned, detectors, other, runs, size),
                stock=_stock(other, detectors),
                stock_outcomes=[_stock_outcome(one, detectors) for one in runs],
            )
        )
    return found


def _measured(
    name: str,
    tuned: Tuned,
    detectors: Sequence[str],
    other: Sequence[Quiet],
    runs: Sequence[Run],
    size: Size,
) -> Measured:
    """Try thresholds on the other histories and on every outbreak."""
    tested = [_joined(one.told, detectors) for one in other]
    return Measured(
        name=name,
        tuned=tuned,
        realised=per_year(tested, tuned.thresholds, size.testing_years),
        outcomes=[_outcome(one, detectors, tuned.thresholds) for one in runs],
        by_family={
            family: per_year(tested, {family: score}, size.testing_years)
            for family, score in tuned.thresholds.items()
        },
    )


def our_thresholds(histories: Sequence[Sequence[Telling]], size: Size, budget: Budget) -> Tuned:
    """Return page thresholds at which each family keeps its own share of the budget, whatever merges."""
    tuned = tuned_by_shares(histories, size.tuning_years, _page_shares(budget))
    thresholds = {**tuned.thresholds, **_FIXED}
    return Tuned(thresholds, per_year(histories, thresholds, size.tuning_years))


def _page_shares(budget: Budget) -> dict[str, float]:
    return {name: budget.episodes_per_year(name, Tier.PAGE) for name in SCORED}


def _reviews(
    trained: Sequence[Sequence[Telling]],
    other: Sequence[Quiet],
    detectors: Sequence[str],
    size: Size,
    budget: Budget,
) -> float:
    """Return our false reviews a week on the other histories, pages among them."""
    shares = {name: budget.episodes_per_year(name, Tier.REVIEW) for name in (*SCORED, NOVELTY, SLOW_ONSET)}
    tuned = tuned_by_shares(trained, size.tuning_years, shares, pages=False)
    thresholds = {**tuned.thresholds, **dict.fromkeys(TRIPWIRES, TRIPWIRE_SCORES[Tier.REVIEW])}
    tested = [_joined(one.told, detectors) for one in other]
    return per_year(tested, thresholds, size.testing_years, pages=False) / DAYS_A_YEAR * 7


def _joined(told: Mapping[str, Sequence[Telling]], names: Sequence[str]) -> list[Telling]:
    return [one for name in names for one in told.get(name, ())]


def _outcome(run: Run, names: Sequence[str], thresholds: Thresholds) -> Outcome:
    return outcome(
        run.plan,
        run.truth,
        passing(_joined(run.told, names), thresholds),
        passing(_joined(run.chance, names), thresholds),
    )


def _stock(other: Sequence[Quiet], names: Sequence[str]) -> tuple[float, float]:
    rates = np.array([one.stock[name] for one in other for name in names])
    return float(rates[:, 0].mean()), float(rates[:, 1].mean())


def _stock_outcome(run: Run, names: Sequence[str]) -> Outcome:
    days = [run.stock[name] for name in names]

    def delay(moments: list[int | None]) -> float:
        known = [one for one in moments if one is not None]
        if not known or min(known) - run.truth.first_day > MISS_DAYS:
            return float(MISS_DAYS)
        return float(max(min(known) - run.truth.first_day, 0))

    nothing = float("nan")
    return Outcome(
        run.plan,
        delay([one for one, _ in days]),
        nothing,
        nothing,
        "",
        "stock",
        delay([one for _, one in days]),
    )
