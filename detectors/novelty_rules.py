"""The rules of novelty: from the last four weeks and the past to findings, each with its chance and its score.

Called by ``detectors/novelty.py`` only. Every rule asks the same thing of many cells (a class in a place; a class in
what is sold as another), and each finds as often by chance as its number of cells lets it. So each cell's score is
``-log10`` of its chance times the number of cells that its rule asked (Bonferroni within a rule, no correction between
the four rules nor over days: calibration sees the same scores and learns what they are worth).

*Firsts.* A class never found before in the whole jurisdiction, and a watch-list class for the first time in what is
sold as something that never held it, are news by declaration: their score is at least ``DECLARED``, whatever the
chance. A first in one area is news only as far as its chance says: what the county has every week is no news in a town.
What the tripwires tell (a watch-list class found once where it never was) is left to them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from detectors.novelty_chances import Chance, chance_of, gap_chance, widened
from detectors.novelty_history import (
    NAMED,
    PRIOR,
    WINDOW_DAYS,
    FeedPast,
    LastFind,
    Observed,
    Tally,
    by_area,
    by_sold,
    common_share,
    missold_share,
    tally,
)
from detectors.terrain import Terrain
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed

DECLARED = 3.0
"""What a declared first is worth: as much as a rule finds by chance in one of a thousand windows."""

DAYS_BEFORE_FIRST = 365
"""Nothing is a first without a year of history before the window (as for the tripwires)."""
DAYS_BEFORE_SHARE = 56
"""Two windows: before that there is no share to compare with."""

_FEWEST = 2
"""One find of what was found before is no shift."""


class Kind(StrEnum):
    """What is new about it."""

    FIRST = "first"
    RETURNED = "returned"
    SHARE = "share"
    SOLD_FIRST = "sold_first"
    SOLD_SHARE = "sold_share"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found in one cell."""

    kind: Kind
    feed: Feed
    substance_class: SubstanceClass
    place: AreaCode
    """A detection area, or the root."""
    sold: SubstanceClass | None
    found: int
    tested: int
    """Observations in the window that hold the class, and all of them (sold as ``sold`` if that is set)."""
    chance: Chance
    """Of the number in the window; for a return its ``p_value`` is that of the gap."""
    cells: int
    declared: bool
    before: tuple[int, int]
    """How many of how many held it before; for a return, up to the last find."""
    last: LastFind | None
    """For a return: the find before it."""
    gap: int
    """For a return: samples tested since that find and before the first in the window."""

    @property
    def score(self) -> float:
        """``-log10`` of the chance times the number of cells; at least :data:`DECLARED` for a declared first."""
        score = -math.log10(self.chance.p_value) - math.log10(self.cells)
        return max(score, DECLARED) if self.declared else score

    @property
    def key(self) -> str:
        """A name that stays the same from day to day."""
        what = f"sold:{self.sold}" if self.sold is not None else self.place
        return f"{self.feed}:{self.substance_class}:{what}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One comparison: what the window holds beside what the past leads to expect of it."""

    now: Tally
    before: Tally
    common: Mapping[SubstanceClass, float]
    weight: float
    """How many samples the common share is worth."""

    def chance(self, name: SubstanceClass, spread: float) -> Chance:
        """Return how unusual the finds of a class are."""
        found, tested = self.before.found.get(name, 0.0), self.before.tested
        share = self.common[name]
        alpha, beta = self.weight * share + found, self.weight * (1.0 - share) + max(tested - found, 0.0)
        trials = self.now.tested_ever
        return chance_of(self.now.found_ever[name], trials, *widened(alpha, beta, trials, spread))


@dataclass(frozen=True, slots=True)
class Question:
    """One feed's window beside its past."""

    feed: Feed
    past: FeedPast
    window: Observed
    between: Observed
    """What happened after the past was learnt and before the window."""
    window_from: date
    terrain: Terrain
    watch_list: frozenset[SubstanceClass]

    @property
    def history_days(self) -> int:
        """Days from the feed's first record to the window."""
        return (self.window_from - self.past.first_day).days

    def is_joined(self, finding: Finding) -> bool:
        """Return whether records that may be one seizure count as one among what a finding is about."""
        about = self.window.copies > 1
        if finding.sold is not None:
            about &= self.window.sold[:, NAMED.index(finding.sold)]
        if finding.place != self.terrain.root:
            about &= self.window.area == self.terrain.areas.index(finding.place)
        return bool(about.any())


def findings(question: Question) -> list[Finding]:
    """Return everything that the rules have to say, in no order."""
    if question.history_days < DAYS_BEFORE_SHARE or not len(question.window):
        return []
    found = [*_classes(question), *_returns(question)]
    if question.feed is Feed.DRUG_CHECKING:
        found += _sold(question)
    return found


def _classes(question: Question) -> Iterator[Finding]:
    """A class in the whole jurisdiction or in one area: more often than its share leads to expect, or never before."""
    past, root, areas = question.past, question.terrain.root, question.terrain.areas
    whole = past.whole.plus(tally(question.between.holds))
    even = dict.fromkeys(NAMED, PRIOR)
    yield from _of_place(
        question, root, Cell(tally(question.window.holds), whole, even, 1.0), cells=len(NAMED)
    )
    between, now = by_area(question.between, areas), by_area(question.window, areas)
    common = common_share(whole)
    for code, here in now.items():
        before = past.areas.get(code, Tally()).plus(between.get(code, Tally()))
        cell = Cell(here, before, common, past.area_weight)
        yield from _of_place(question, code, cell, cells=len(NAMED) * len(now))


def _of_place(question: Question, place: AreaCode, cell: Cell, cells: int) -> Iterator[Finding]:
    for name, found in cell.now.found_ever.items():
        ever = cell.before.found_ever.get(name, 0)
        if ever == 0 and (
            question.history_days < DAYS_BEFORE_FIRST or (name in question.watch_list and found < _FEWEST)
        ):
            continue
        if ever and found < _FEWEST:
            continue
        yield Finding(
            kind=Kind.SHARE if ever else Kind.FIRST,
            feed=question.feed,
            substance_class=name,
            place=place,
            sold=None,
            found=found,
            tested=cell.now.tested_ever,
            chance=cell.chance(name, question.past.spread),
            cells=cells,
            declared=not ever and place == question.terrain.root and name not in question.watch_list,
            before=(ever, cell.before.tested_ever),
            last=None,
            gap=0,
        )


def _sold(question: Question) -> Iterator[Finding]:
    """A class in what is sold as another: more often than before, or never before."""
    past = question.past
    between, now = by_sold(question.between), by_sold(question.window)
    before = {
        claim: past.sold.get(claim, Tally()).plus(between.get(claim, Tally()))
        for claim in NAMED
        if claim in past.sold or claim in between
    }
    common = missold_share(before)
    known = past.whole.plus(tally(question.between.holds)).found_ever
    cells = len(now) * (len(NAMED) - 1)
    for claim, here in now.items():
        cell = Cell(here, before.get(claim, Tally()), common, past.sold_weight)
        for name, found in here.found_ever.items():
            ever = cell.before.found_ever.get(name, 0)
            # A class that is itself new is told as that: it is new in everything.
            new = not known.get(name, 0)
            young = question.history_days < DAYS_BEFORE_FIRST
            if (ever or new or young) and (found < _FEWEST or (not ever and young)):
                continue
            yield Finding(
                kind=Kind.SOLD_SHARE if ever else Kind.SOLD_FIRST,
                feed=question.feed,
                substance_class=name,
                place=question.terrain.root,
                sold=claim,
                found=found,
                tested=here.tested_ever,
                chance=cell.chance(name, past.spread),
                cells=cells,
                declared=not ever and not new and name in question.watch_list,
                before=(ever, cell.before.tested_ever),
                last=None,
                gap=0,
            )


def _returns(question: Question) -> Iterator[Finding]:
    """A class found again after a gap too long for how often it used to be found."""
    past, window, between = question.past, question.window, question.between
    whole = past.whole.plus(tally(between.holds))
    cell = Cell(tally(window.holds), whole, dict.fromkeys(NAMED, PRIOR), 1.0)
    for name, found in cell.now.found_ever.items():
        last = past.last.get(name)
        column = NAMED.index(name)
        if last is None or between.holds[:, column].any():
            continue
        again = int(window.day[window.holds[:, column]].min())
        gap = last.since + len(between) + int((window.day < again).sum())
        usual = cell.chance(name, past.spread)
        yield Finding(
            kind=Kind.RETURNED,
            feed=question.feed,
            substance_class=name,
            place=question.terrain.root,
            sold=None,
            found=found,
            tested=cell.now.tested_ever,
            chance=Chance(usual.expected, usual.interval, gap_chance(last.found, last.tested, gap, PRIOR)),
            cells=len(NAMED),
            declared=False,
            before=(last.found_ever, last.tested_ever),
            last=last,
            gap=gap,
        )


def strongest(found: list[Finding], root: AreaCode) -> list[Finding]:
    """Return findings by strength, without those that a stronger one of the same class and place already tells.

    The root shares a place with every area. What a sample was sold as is news of its own, once for each pair.
    """
    ordered = sorted(found, key=lambda item: (-item.score, item.feed, item.key, item.kind))
    kept: list[Finding] = []
    for item in ordered:
        told = any(
            other.feed is item.feed
            and other.substance_class is item.substance_class
            and other.sold is item.sold
            and (other.place == item.place or root in (other.place, item.place))
            for other in kept
        )
        if not told:
            kept.append(item)
    return kept


def window_of(today: date) -> tuple[date, date]:
    """Return the first and the last day of the window of a look."""
    return today - timedelta(days=WINDOW_DAYS - 1), today
