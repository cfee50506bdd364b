"""What a budget would have paged, and how that compares with labelled outbreaks: figures, without a database or a page.

Pages are counted as the budget counts them: findings that overlap in area and class, at most 14 days apart, are one
episode (``schemas/overlap.py``). An episode is *labelled* if what it told on its first day, when the page went out,
shares a place, a class and a day with a labelled outbreak; one that only runs into an outbreak later is not. What is not
labelled is not proved false.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from detectors.tripwire_thresholds import FAMILIES as TRIPWIRES
from schemas.geography import AreaCode
from schemas.overlap import GAP_DAYS, areas_overlap, classes_overlap, days_overlap
from schemas.vocabulary import Feed, Tier
from tocsin.backtest_budgets import AtBudget
from tocsin.backtest_labels import Label
from tocsin.backtest_play import Finding


@dataclass(frozen=True)
class Episode:
    """Findings of one tier that are about the same thing."""

    findings: tuple[Finding, ...]
    """In the order of their days."""
    labels: tuple[str, ...]
    """The names of the outbreaks that the findings of its first day are about."""
    later_labels: tuple[str, ...] = ()
    """Those that it ran into afterwards."""

    @property
    def day(self) -> date:
        """When somebody would have been told first."""
        return self.findings[0].day

    @property
    def strongest(self) -> Finding:
        """The finding with the highest score; a tripwire comes first."""
        return max(self.findings, key=lambda one: float("inf") if one.score is None else one.score)

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The feeds that had a part in it."""
        return tuple(feed for feed in Feed if any(feed in one.feeds for one in self.findings))


@dataclass(frozen=True)
class Detection:
    """What became of one labelled outbreak."""

    label: Label
    found: date | None
    delay_days: int | None
    """From its first day to the day of the look that paged; None where it was missed."""
    by: str = ""
    """The detector that was first."""


@dataclass(frozen=True)
class AtTier:
    """What one budget, or the reviews, gave over the period."""

    episodes: tuple[Episode, ...]
    detections: tuple[Detection, ...]

    @property
    def unlabelled(self) -> tuple[Episode, ...]:
        """Episodes that no label speaks of."""
        return tuple(one for one in self.episodes if not one.labels)

    @property
    def found(self) -> int:
        """How many labelled outbreaks were found."""
        return sum(one.found is not None for one in self.detections)


def tier_at(finding: Finding, budget: AtBudget) -> Tier | None:
    """The tier of a finding at a budget: a tripwire's own, otherwise by its score."""
    if finding.family in TRIPWIRES:
        return finding.allowed if finding.allowed is not Tier.RECORD else None
    if finding.score is None:
        return None
    return budget.tier(finding.family, finding.score, finding.allowed)


def scored(
    findings: Sequence[Finding], budget: AtBudget, tier: Tier, labels: Sequence[Label], root: AreaCode
) -> AtTier:
    """Return the episodes of a tier or above it at a budget, and what became of each label."""
    kept = [
        one for one in findings if (reached := tier_at(one, budget)) is not None and reached.rank >= tier.rank
    ]
    return AtTier(tuple(_episodes(kept, labels, root)), tuple(_detections(kept, labels, root)))


def _detections(findings: Sequence[Finding], labels: Sequence[Label], root: AreaCode) -> Iterator[Detection]:
    for label in labels:
        about = [one for one in findings if label.is_about(one.areas, one.days, one.substance_class, root)]
        first = min(about, key=lambda one: (one.day, one.detector, one.key), default=None)
        if first is None:
            yield Detection(label, None, None)
        else:
            yield Detection(label, first.day, (first.day - label.start).days, first.detector)


def _episodes(findings: Sequence[Finding], labels: Sequence[Label], root: AreaCode) -> Iterator[Episode]:
    """Yield the episodes in the order of their first days: findings linked by overlap, directly or through others."""
    ordered = sorted(findings, key=lambda one: (one.day, one.detector, one.key))
    parent = list(range(len(ordered)))

    def top(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for later, one in enumerate(ordered):
        for earlier in range(later - 1, -1, -1):
            other = ordered[earlier]
            # A window may end before the look that told of it; none reaches further back than it is long.
            if (one.days[0] - other.day).days > GAP_DAYS:
                break
            if top(later) != top(earlier) and _same(one, other, root):
                parent[top(later)] = top(earlier)
    groups: dict[int, list[Finding]] = defaultdict(list)
    for index, one in enumerate(ordered):
        groups[top(index)].append(one)
    for members in sorted(groups.values(), key=lambda group: (group[0].day, group[0].detector, group[0].key)):
        first = _about([one for one in members if one.day == members[0].day], labels, root)
        since = [name for name in _about(members, labels, root) if name not in first]
        yield Episode(tuple(members), tuple(first), tuple(since))


def _about(findings: Sequence[Finding], labels: Sequence[Label], root: AreaCode) -> list[str]:
    return [
        label.name
        for label in labels
        if any(label.is_about(one.areas, one.days, one.substance_class, root) for one in findings)
    ]


def _same(one: Finding, other: Finding, root: AreaCode) -> bool:
    return (
        days_overlap(one.days, other.days)
        and classes_overlap(one.substance_class, other.substance_class)
        and areas_overlap(one.areas, other.areas, root)
    )
