"""The Kent benchmark's figures, as rows of a table: ours, with the best comparator or all of them beside it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.kent_county import DURATIONS, SCENARIOS, SIZES
from benchmarks.kent_ours import OURS
from benchmarks.kent_runs import Size
from benchmarks.kent_scores import (
    WITHIN_DAYS,
    Outcome,
    by_group,
    chance_within,
    mean_delay_at,
    median_delay_at,
    share_within,
    size_at_share,
    smallest_found,
    type_accuracy,
    without_chance,
)
from benchmarks.results import Figure
from streams.simulation.event_records import BENZODIAZEPINE, CANNABINOID, OPIOID

if TYPE_CHECKING:
    from benchmarks.kent import Measured

SIZE_RATIO, DELAY_RATIO, RATE_FACTOR = 0.6, 0.5, 1.5
REFERENCE_SHARE, REFERENCE_DAYS = 0.3, 14
NOMINAL = 4.0
KNOWN_TYPES = {one.name: one.name for one in (OPIOID, BENZODIAZEPINE, CANNABINOID)}

Chosen = Callable[[Outcome], bool]


def figures_of(found: "Sequence[Measured]", size: Size) -> list[Figure]:
    """Return every row."""
    ours = next(one for one in found if one.name == OURS)
    others = [one for one in found if not one.name.startswith(OURS)]
    figures = _target(ours, others)
    for one in found:
        if one.name.startswith(OURS) and one is not ours:
            figures += [
                replace(row, what=f"{one.name}: {row.what}", met=None) for row in _target(one, others)
            ]
    figures += [_false_pages(one, size) for one in found]
    figures += [_found(one) for one in found]
    figures += [_stock(one) for one in others]
    for days in DURATIONS:
        figures.append(_smallest(f"over {days} days", ours, others, _lasting(days)))
    for name in SCENARIOS:
        figures.append(_smallest(f"{name}, 3 and 14 days", ours, others, _scenario(name)))
    figures += _what_ours_says(ours)
    return figures


def best_of(others: "Sequence[Measured]", chosen: Chosen = lambda _: True) -> "Measured":
    """Return the comparator that finds the smallest outbreaks; of several that find none, the one that finds most."""

    def rank(one: "Measured") -> tuple[float, float]:
        some = [item for item in one.outcomes if chosen(item)]
        return smallest_found(some), -share_within(some, 7)

    return min(others, key=rank)


def _lasting(days: int) -> Chosen:
    return lambda one: one.plan.injection.days == days


def _scenario(name: str) -> Chosen:
    return lambda one: one.plan.scenario == name and one.plan.injection.days <= 14


def _target(ours: "Measured", others: "Sequence[Measured]") -> list[Figure]:
    best = best_of(others)
    a, b = smallest_found(ours.outcomes), smallest_found(best.outcomes)
    ratio, bound = _ratio(a, b)
    groups = [
        _ratio(smallest_found(mine), smallest_found(theirs))[0]
        for mine, theirs in zip(by_group(ours.outcomes), by_group(best.outcomes), strict=True)
        if mine and theirs
    ]
    figures = [
        Figure(
            "A8: smallest size found within 7 days in half of all runs, people",
            f"{_people(a)}; ratio {bound}{ratio:.2f}; by group of seeds {_listed(groups, '.2f')}",
            f"ratio {SIZE_RATIO}",
            bool(ratio <= SIZE_RATIO),
            f"{best.name}: {_people(b)}",
        )
    ]
    clean, clean_best = without_chance(ours.outcomes), without_chance(best.outcomes)
    figures.append(
        Figure(
            "The same without the runs that an unrelated page would have found",
            f"{_people(smallest_found(clean))}; ratio {_stated(smallest_found(clean), smallest_found(clean_best))}",
            peer=f"{best.name}: {_people(smallest_found(clean_best))}",
        )
    )
    reference = size_at_share(best.outcomes, REFERENCE_DAYS, REFERENCE_SHARE)
    if not np.isfinite(reference):
        figures.append(
            Figure(
                "A8: median delay where the best comparator finds 30 % within 14 days",
                f"it never does; at {SIZES[-1]} people ours is {median_delay_at(ours.outcomes, SIZES[-1]):.1f} days",
                f"ratio {DELAY_RATIO}",
                None,
                best.name,
            )
        )
        return figures
    mine, theirs = (median_delay_at(one.outcomes, reference) for one in (ours, best))
    groups = [
        median_delay_at(one, reference) / max(median_delay_at(other, reference), 1e-9)
        for one, other in zip(by_group(ours.outcomes), by_group(best.outcomes), strict=True)
        if one and other
    ]
    figures.append(
        Figure(
            f"A8: median delay at {reference:.1f} people, where the best comparator finds 30 % within 14 days",
            f"{mine:.1f} days; ratio {mine / max(theirs, 1e-9):.2f}; by group of seeds {_listed(groups, '.2f')}; mean "
            f"{mean_delay_at(ours.outcomes, reference):.1f}",
            f"ratio {DELAY_RATIO}",
            bool(mine <= DELAY_RATIO * theirs),
            f"{best.name}: {theirs:.1f} days; mean {mean_delay_at(best.outcomes, reference):.1f}",
        )
    )
    return figures


def _false_pages(one: "Measured", size: Size) -> Figure:
    families = ", ".join(f"{name} {rate:.2f}" for name, rate in one.by_family.items())
    within = NOMINAL / RATE_FACTOR <= one.realised <= NOMINAL * RATE_FACTOR
    return Figure(
        f"{one.name}: false page episodes a year on {size.testing_years:.0f} other years",
        f"{one.realised:.2f} (tuned: {one.tuned.per_year:.2f}; each family alone: {families})",
        f"{NOMINAL:.0f} within a factor {RATE_FACTOR}" if one.name == OURS else "",
        within if one.name == OURS else None,
        "" if np.isnan(one.reviews_per_week) else f"false reviews a week {one.reviews_per_week:.2f}",
    )


def _found(one: "Measured") -> Figure:
    shares = ", ".join(f"{share_within(one.outcomes, days):.3f}" for days in WITHIN_DAYS)
    chance = ", ".join(f"{chance_within(one.outcomes, days):.3f}" for days in WITHIN_DAYS)
    jaccard = [item.jaccard for item in one.outcomes if np.isfinite(item.jaccard)]
    return Figure(
        f"{one.name}: found within 1, 3, 7, 14 days, all runs",
        f"{shares}; median {np.median([item.delay for item in one.outcomes]):.0f} days, Jaccard of districts "
        f"{np.mean(jaccard) if jaccard else float('nan'):.2f}",
        peer=f"by chance {chance}; {one.realised:.2f} false pages a year; within 7 by size {_by_size(one.outcomes)}",
    )


def _stock(one: "Measured") -> Figure:
    episodes, days = one.stock or (float("nan"), float("nan"))
    shares = ", ".join(f"{share_within(one.stock_outcomes, each):.3f}" for each in WITHIN_DAYS)
    chance = ", ".join(f"{chance_within(one.stock_outcomes, each):.3f}" for each in WITHIN_DAYS)
    return Figure(
        f"{one.name}, stock setting: found within 1, 3, 7, 14 days",
        shares,
        peer=f"by chance {chance}; {days:.0f} days a year with an alarm, {episodes:.1f} merged episodes",
    )


def _smallest(what: str, ours: "Measured", others: "Sequence[Measured]", chosen: Chosen) -> Figure:
    mine = [one for one in ours.outcomes if chosen(one)]
    best = best_of(others, chosen)
    theirs = [one for one in best.outcomes if chosen(one)]
    ratio = _stated(smallest_found(mine), smallest_found(theirs))
    spread = [_people(smallest_found(one)) for one in by_group(mine) if one]
    return Figure(
        f"Smallest size found within 7 days in half, {what}",
        f"{_people(smallest_found(mine))} ({', '.join(spread)}); ratio {ratio}; found {_by_size(mine)}",
        peer=f"{best.name}: {_people(smallest_found(theirs))}; found {_by_size(theirs)}",
    )


def _what_ours_says(ours: "Measured") -> list[Figure]:
    right, named = type_accuracy(ours.outcomes, KNOWN_TYPES)
    fine = [one.fine_jaccard for one in ours.outcomes if np.isfinite(one.fine_jaccard)]
    families = sorted({one.family for one in ours.outcomes if one.family})
    found = [one for one in ours.outcomes if one.family]
    shares = ", ".join(f"{name} {np.mean([one.family == name for one in found]):.2f}" for name in families)
    return [
        Figure("Tocsin: kind of event right when first found", f"{right:.2f} ({named:.2f} named a kind)"),
        Figure(
            "Tocsin: Jaccard of small areas, where named",
            f"{np.mean(fine) if fine else float('nan'):.2f} ({len(fine)} runs)",
        ),
        Figure("Tocsin: which family found it first", shares),
    ]


def _by_size(outcomes: Sequence[Outcome]) -> str:
    return " ".join(
        f"{size}: {share_within([one for one in outcomes if one.plan.injection.people == size], 7):.2f}"
        for size in SIZES
    )


def _ratio(ours: float, theirs: float) -> tuple[float, str]:
    """Return the ratio of two sizes; a size beyond the largest makes it a bound."""
    if np.isinf(ours):
        return float("inf") if np.isinf(theirs) else float(ours / theirs), ""
    return (ours / SIZES[-1], "at most ") if np.isinf(theirs) else (ours / theirs, "")


def _stated(ours: float, theirs: float) -> str:
    ratio, bound = _ratio(ours, theirs)
    if np.isinf(ours):
        return "none" if np.isinf(theirs) else f"more than {SIZES[-1] / theirs:.2f}"
    return f"{bound}{ratio:.2f}"


def _people(size: float) -> str:
    return f"more than {SIZES[-1]}" if np.isinf(size) else f"{size:.1f}"


def _listed(values: Sequence[float], form: str) -> str:
    return ", ".join(format(one, form) for one in values)
