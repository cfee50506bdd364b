"""The runs of the Kent benchmark: which histories, who looks at them, and what is kept of each.

One task is one history: it is drawn, every system looks at each of its counted days, and then at the days of each
outbreak that is put into it. Tasks run in spawned processes; each depends on its seed alone.
"""

import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np

from benchmarks.kent_county import (
    COUNTED_DAYS,
    GROUPS,
    MISS_DAYS,
    TRAINING_DAYS,
    County,
    Null,
    Planned,
    draw_null,
    planned,
    put_in,
)
from benchmarks.kent_ours import OURS, Reviewed, ours
from benchmarks.kent_permutation import Permutation
from benchmarks.kent_rules import EarsC2, Essence, EssenceByClass, Odmap
from benchmarks.kent_scores import relevant
from benchmarks.kent_systems import System, Telling, Weeks, play
from benchmarks.kent_tuning import stock_per_year
from benchmarks.kent_weekly import FarringtonWeekly
from detectors.budget import DAYS_A_YEAR, Budget
from detectors.observations import Observation
from detectors.tripwire_calibration import calibrate_tripwires
from detectors.tripwire_thresholds import TripwireThresholds
from streams.simulation.history import History
from streams.simulation.injections import Injected
from streams.simulation.observing import observations
from streams.simulation.timing import day_index

TUNING, TESTING, INJECTING = 1, 2, 3
"""First part of a seed, after the benchmark's own: nothing is tuned and tested on the same chance."""
_DEEPEST_A_HISTORY = 600
"""Tellings of a family that are kept of one history: the strongest."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run."""

    replicates: int
    tuning: int
    """Histories that thresholds are learnt from."""
    testing: int
    """Other histories: false alarms are counted in them, and outbreaks put into them."""
    counted_days: int = COUNTED_DAYS

    @property
    def tuning_years(self) -> float:
        """Years looked at in the tuning histories."""
        return self.tuning * self.counted_days / DAYS_A_YEAR

    @property
    def testing_years(self) -> float:
        """Years looked at in the other histories."""
        return self.testing * self.counted_days / DAYS_A_YEAR


FULL = Size(replicates=24, tuning=40, testing=20)


@dataclass(frozen=True, slots=True, eq=False)
class Quiet:
    """What the systems told in one history without an outbreak."""

    told: Mapping[str, Sequence[Telling]]
    stock: Mapping[str, tuple[float, float]]
    """False episodes and alarm days at stock settings."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the systems told of one outbreak."""

    plan: Planned
    truth: Injected
    told: Mapping[str, Sequence[Telling]]
    """Those of its place and time, each stronger than its family's before."""
    chance: Mapping[str, Sequence[Telling]]
    """The same of the history without the outbreak."""
    stock: Mapping[str, tuple[int | None, int | None]]
    """First day of a stock alarm of its place and time, and without the outbreak."""


@dataclass(frozen=True, slots=True)
class Task:
    """One history."""

    seed: tuple[int, ...]
    counted_days: int
    plans: tuple[Planned, ...]
    tripwires: TripwireThresholds


def tasks(seed: int, size: Size, tripwires: TripwireThresholds) -> tuple[list[Task], list[Task]]:
    """Return the histories to tune on, and the others with their outbreaks."""
    tuning = [Task((seed, TUNING, number), size.counted_days, (), tripwires) for number in range(size.tuning)]
    held: dict[int, list[Planned]] = defaultdict(list)
    for number, plan in enumerate(planned(size.replicates)):
        own = [index for index in range(size.testing) if index % GROUPS == plan.group] or [0]
        held[own[number % len(own)]].append(plan)
    testing = [
        Task((seed, TESTING, number), size.counted_days, tuple(held[number]), tripwires)
        for number in range(size.testing)
    ]
    return tuning, testing


def run_all(some: Sequence[Task], processes: int) -> Iterator[tuple[Quiet, list[Run]]]:
    """Run every task, in order; in this process if there is to be one only."""
    if processes == 1:
        yield from map(run_task, some)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=processes, mp_context=context) as pool:
        yield from pool.map(run_task, some)


def run_task(task: Task) -> tuple[Quiet, list[Run]]:
    """Draw one history, look at it, and at each of its outbreaks."""
    place = county()
    null = draw_null(place, task.seed, task.counted_days)
    systems = every_system(place, task.tripwires)
    weeks = Weeks()
    last = null.history.n_days - 1
    told = play(place, null.history, systems, weeks, first=TRAINING_DAYS, last=last, fit=True)
    years = task.counted_days / DAYS_A_YEAR
    quiet = Quiet(
        {name: _strongest(found) for name, found in told.items()},
        {name: stock_per_year([found], years) for name, found in told.items()},
    )
    return quiet, [_injected(place, null, systems, weeks, told, task, plan) for plan in task.plans]


@cache
def county() -> County:
    """Return the county, made once in each process."""
    return County()


def every_system(place: County, tripwires: TripwireThresholds) -> list[System]:
    """Return Tocsin's detectors and those it is compared with."""
    return [
        *ours(place, tripwires),
        Odmap(),
        Essence(),
        EssenceByClass(),
        EarsC2(),
        Permutation(place),
        FarringtonWeekly(),
    ]


def system_of(name: str) -> str:
    """Return whose table a detector's tellings go to: all of ours are one system."""
    return OURS if name in {one.name for one in ours(county(), TripwireThresholds())} else name


def learnt_tripwires(seed: int, size: Size, budget: Budget) -> TripwireThresholds:
    """Return tripwires calibrated on the tuning histories."""

    def each() -> Iterator[Iterable[Observation]]:
        for number in range(size.tuning):
            yield counted_observations(draw_null(county(), (seed, TUNING, number), size.counted_days).history)

    return calibrate_tripwires(
        each(), county().ground, years_each=size.counted_days / DAYS_A_YEAR, budget=budget
    )


def counted_observations(history: History) -> Iterator[Observation]:
    """Yield the observations of a history's counted days."""
    day = day_index(history.days, history.events.occurred)
    kept = history.events.take(day >= TRAINING_DAYS)
    part = History(history.parameters, history.places, history.days, history.levels, kept, history.label)
    return observations(part, county().root)


def _injected(
    place: County,
    null: Null,
    systems: Sequence[System],
    weeks: Weeks,
    quiet: Mapping[str, Sequence[Telling]],
    task: Task,
    plan: Planned,
) -> Run:
    injection = plan.injection
    seed = (*task.seed, INJECTING, plan.replicate, _number(plan), injection.people, injection.days)
    history, truth = put_in(place, null, plan, seed)
    first = min(truth.first_sample_day, truth.first_day)
    paging = [one for one in systems if not isinstance(one, Reviewed)]
    told = play(place, history, paging, weeks, first=first, last=truth.first_day + MISS_DAYS, fit=False)
    near = {name: relevant(found, truth) for name, found in told.items()}
    without = {name: relevant(found, truth) for name, found in quiet.items() if name in told}
    return Run(
        plan,
        truth,
        {name: _records(found) for name, found in near.items()},
        {name: _records(found) for name, found in without.items()},
        {name: (_first_stock(near[name]), _first_stock(without[name])) for name in near},
    )


def _number(plan: Planned) -> int:
    return sum(ord(letter) * (place + 1) for place, letter in enumerate(plan.scenario))


def _first_stock(tellings: Sequence[Telling]) -> int | None:
    return min((one.day for one in tellings if one.stock), default=None)


def _strongest(tellings: Sequence[Telling]) -> list[Telling]:
    """Return the strongest tellings of each family: the others can matter at no threshold that is looked at."""
    by_family: dict[str, list[Telling]] = defaultdict(list)
    for one in tellings:
        by_family[one.family].append(one)
    return [
        one._replace(fine=())
        for own in by_family.values()
        for one in sorted(own, key=lambda item: -item.score)[:_DEEPEST_A_HISTORY]
    ]


def _records(tellings: Sequence[Telling]) -> list[Telling]:
    """Return the tellings that are stronger than every earlier one of their family: the first page is among them."""
    best: dict[tuple[str, bool], float] = {}
    kept = []
    for one in sorted(tellings, key=lambda item: (item.day, -item.score)):
        if one.score > best.get((one.family, one.may_page), -np.inf):
            best[one.family, one.may_page] = one.score
            kept.append(one)
    return kept
