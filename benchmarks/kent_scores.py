"""What is measured of each injected run of the Kent benchmark, and how runs are summed up.

A run is found on the first day on which a page tells of a place and a window that meet the outbreak's own. Delays count
from the day of the first casualty; a page on the samples that came before it counts as found on that day. Whether the
same history would have paged there and then without the outbreak is counted too: that much of every share is chance.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.kent_county import GROUPS, MISS_DAYS, SIZES, Planned
from benchmarks.kent_systems import Telling
from streams.simulation.injections import Injected

WITHIN_DAYS = (1, 3, 7, 14)
TARGET_DAYS = 7


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One system on one injected run."""

    plan: Planned
    delay: float
    """Days from the first casualty; ``MISS_DAYS`` when missed."""
    jaccard: float
    """Of the detection areas of the first page that found it; NaN when missed."""
    fine_jaccard: float
    """The same of small areas; NaN where the system names none."""
    event_type: str
    """What the system said it was when it was first found, if it did."""
    family: str
    """Whose page found it; empty when missed."""
    chance_delay: float
    """The delay if the outbreak had not been there: an unrelated page in the right place."""


def overlaps(telling: Telling, truth: Injected, areas: int) -> bool:
    """Whether a telling is of the outbreak's place and time."""
    begins = truth.first_sample_day
    start = telling.day - telling.window_days + 1
    return bool(telling.areas & areas) and telling.day >= begins and start <= truth.last_day


def relevant(tellings: Iterable[Telling], truth: Injected) -> list[Telling]:
    """Return the tellings that could find the outbreak in time, whatever their score."""
    areas = area_bits(truth)
    return [one for one in tellings if one.day <= truth.first_day + MISS_DAYS and overlaps(one, truth, areas)]


def outcome(plan: Planned, truth: Injected, pages: Iterable[Telling], chance: Iterable[Telling]) -> Outcome:
    """Return what one system made of one run.

    Parameters
    ----------
    plan : Planned
    truth : Injected
    pages : iterable of Telling
        Relevant ones that page.
    chance : iterable of Telling
        What pages in the same history without the outbreak.
    """
    first = min(pages, key=lambda one: (one.day, -one.score), default=None)
    without = min((one.day for one in relevant(chance, truth)), default=None)
    delay = _delay(None if first is None else first.day, truth)
    areas = area_bits(truth)
    return Outcome(
        plan=plan,
        delay=delay,
        jaccard=np.nan
        if first is None
        else (first.areas & areas).bit_count() / (first.areas | areas).bit_count(),
        fine_jaccard=_fine(first, truth),
        event_type="" if first is None else first.event_type,
        family="" if first is None else first.family,
        chance_delay=_delay(without, truth),
    )


def area_bits(truth: Injected) -> int:
    """Return the true detection areas as bits."""
    return sum(1 << area for area in truth.areas)


def _delay(day: int | None, truth: Injected) -> float:
    if day is None or day - truth.first_day > MISS_DAYS:
        return float(MISS_DAYS)
    return float(max(day - truth.first_day, 0))


def _fine(telling: Telling | None, truth: Injected) -> float:
    if telling is None or not telling.fine:
        return float("nan")
    named = set(telling.fine)
    return len(named & truth.fine) / len(named | truth.fine)


Chosen = Callable[[Outcome], bool]


def share_within(outcomes: Sequence[Outcome], days: float) -> float:
    """Return the share of runs found within so many days of the first casualty."""
    return float(np.mean([one.delay <= days for one in outcomes])) if outcomes else float("nan")


def chance_within(outcomes: Sequence[Outcome], days: float) -> float:
    """Return the share that an unrelated page would have found."""
    return float(np.mean([one.chance_delay <= days for one in outcomes])) if outcomes else float("nan")


def without_chance(outcomes: Sequence[Outcome], days: float = TARGET_DAYS) -> list[Outcome]:
    """Return the runs in which no unrelated page would have found the outbreak within so many days."""
    return [one for one in outcomes if one.chance_delay > days]


def smallest_found(outcomes: Sequence[Outcome], days: float = TARGET_DAYS, share: float = 0.5) -> float:
    """Return the size found within ``days`` in ``share`` of the runs, interpolated on its logarithm.

    The share is made never to fall with the size (pool adjacent violators, equal weights). Infinite where even the
    largest size is found less often; the smallest size where that is found as often already.
    """
    shares = [
        share_within([one for one in outcomes if one.plan.injection.people == size], days) for size in SIZES
    ]
    rising = _isotonic(shares)
    if rising[0] >= share:
        return float(SIZES[0])
    for index in range(1, len(SIZES)):
        low, high = rising[index - 1], rising[index]
        if high >= share:
            part = (share - low) / (high - low)
            return float(np.exp((1 - part) * np.log(SIZES[index - 1]) + part * np.log(SIZES[index])))
    return float("inf")


def size_at_share(outcomes: Sequence[Outcome], days: float, share: float) -> float:
    """Return the size that is found within ``days`` in ``share`` of the runs."""
    return smallest_found(outcomes, days, share)


def median_delay_at(outcomes: Sequence[Outcome], size: float) -> float:
    """Return the median delay at a size between those of the benchmark: interpolated on the logarithm of the size."""
    medians = [
        float(np.median([one.delay for one in outcomes if one.plan.injection.people == each]))
        for each in SIZES
    ]
    return float(np.interp(np.log(size), np.log(SIZES), medians))


def mean_delay_at(outcomes: Sequence[Outcome], size: float) -> float:
    """Return the mean delay, misses included, at a size: interpolated in the same way."""
    means = [
        float(np.mean([one.delay for one in outcomes if one.plan.injection.people == each])) for each in SIZES
    ]
    return float(np.interp(np.log(size), np.log(SIZES), means))


def by_group(outcomes: Sequence[Outcome]) -> list[list[Outcome]]:
    """Return the outcomes of each group of seeds."""
    return [[one for one in outcomes if one.plan.group == group] for group in range(GROUPS)]


def type_accuracy(outcomes: Sequence[Outcome], known: Mapping[str, str]) -> tuple[float, float]:
    """Return the share of found runs whose kind was named rightly, and the share whose kind was named at all.

    Parameters
    ----------
    outcomes : sequence of Outcome
    known : mapping of str to str
        For each event type that has a name, that name; runs of other types are left out.
    """
    told = [
        (one.event_type, known[one.plan.injection.event_type.name])
        for one in outcomes
        if one.delay < MISS_DAYS and one.plan.injection.event_type.name in known
    ]
    if not told:
        return float("nan"), float("nan")
    return float(np.mean([a == b for a, b in told])), float(np.mean([bool(a) for a, _ in told]))


def _isotonic(values: Sequence[float]) -> list[float]:
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (a, m), (b, n) = blocks[-2], blocks[-1]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return [value for value, count in blocks for _ in range(count)]
