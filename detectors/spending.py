"""How far the families' shares may grow, because what several of them tell of one false cluster is one page.

Shares that add up are a bound. Fusion and the counts of areas are often wrong about the same chance cluster, and people
see one incident; so shares that add up to the budget spend less than it, and a budget that is not spent is a detector
deafer than people agreed to. Calibration therefore lets the shares of the scored families grow by one common factor,
until their pages, merged as incidents are, come to what the shares say together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from detectors.episodes import Alarm, episode_steps

MOST_GROWTH = 3.0
"""Families that are always wrong together would ask for as many times their share as there are of them."""
_BISECTIONS = 12

_KEPT_A_YEAR = 250
"""Of each family the strongest alarms are kept, many times more than any threshold of a page lets through."""


def loudest(alarms: Sequence[Alarm], years: float) -> tuple[Alarm, ...]:
    """Return the strongest alarms that may page, as many as any page threshold could let through, in their own order."""
    paging = [alarm for alarm in alarms if alarm.may_page]
    most = int(_KEPT_A_YEAR * years) + 1
    if len(paging) <= most:
        return tuple(paging)
    lowest = sorted((alarm.score for alarm in paging), reverse=True)[most - 1]
    return tuple(alarm for alarm in paging if alarm.score >= lowest)


def merged_pages(pages: Sequence[Mapping[str, tuple[Alarm, ...]]], scores: Mapping[str, float]) -> list[int]:
    """Return each history's page episodes over all families, at their page thresholds.

    Parameters
    ----------
    pages : sequence of mappings of family to alarms
        One mapping for each history.
    scores : mapping of family to float
        From which score each family pages; a family without one never does.
    """
    found = []
    for families in pages:
        over = [
            replace(alarm, score=alarm.score - scores[name])
            for name, alarms in families.items()
            if name in scores
            for alarm in alarms
            if alarm.score >= scores[name]
        ]
        appearing, merging = episode_steps(over)
        found.append(int(appearing.size - (merging >= 0).sum()))
    return found


def growth(
    pages: Sequence[Mapping[str, tuple[Alarm, ...]]],
    years: float,
    wanted: float,
    scores_at: Callable[[float], Mapping[str, float]],
) -> float:
    """Return the common factor, from 1 to 3, at which the merged pages come to ``wanted`` a year, by bisection.

    It is 1 where no two families ever tell of one cluster.

    Parameters
    ----------
    pages : sequence of mappings of family to alarms
    years : float
        Of all histories together.
    wanted : float
        Page episodes a year: the sum of the shares before they grow.
    scores_at : callable
        Takes a factor and returns each family's page threshold with its share grown by it.
    """

    def spent(factor: float) -> float:
        return sum(merged_pages(pages, scores_at(factor))) / years

    low, high = 1.0, MOST_GROWTH
    if not _any_merge(pages, scores_at(low)) or spent(low) >= wanted:
        return low
    if spent(high) <= wanted:
        return high
    for _ in range(_BISECTIONS):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if spent(middle) <= wanted else (low, middle)
    return low


def _any_merge(pages: Sequence[Mapping[str, tuple[Alarm, ...]]], scores: Mapping[str, float]) -> bool:
    """Whether families tell of the same clusters at all; if not, their shares add up and there is nothing to win."""
    apart = sum(sum(merged_pages(pages, {name: score})) for name, score in scores.items())
    return sum(merged_pages(pages, scores)) < apart
