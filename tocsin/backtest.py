"""``tocsin backtest``: a period played once and judged at several budgets, against labelled outbreaks if there are any.

1. Records come from files, taken in as they became known, or from the database (``backtest_records.py``).
2. Each day is looked at again by the service's own detectors, once, at the loosest thresholds (``backtest_play.py``).
3. Each budget says what it would have paged (``backtest_budgets.py``, ``backtest_scoring.py``).
4. The period is looked at again without each feed in turn: what it added.
5. One document holds all figures; the page (``backtest_page.py``) shows them and works nothing out itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import median
from typing import Any

from detectors.budget import AREA_COUNTS, SLOW_ONSET
from detectors.tripwire_thresholds import FAMILIES as TRIPWIRES
from schemas.disclosure import Classification
from schemas.geography import AreaCode
from schemas.vocabulary import Feed, Tier
from streams.detectors import detectors_of
from tocsin.backtest_budgets import AtBudget, at_budget, everything
from tocsin.backtest_labels import Label
from tocsin.backtest_play import Finding, Period, look_again, tripwires, weekly_counts
from tocsin.backtest_records import Records
from tocsin.backtest_scoring import AtTier, Detection, Episode, scored
from tocsin.explaining_counts import place_words
from tocsin.progress import progress

Json = dict[str, Any]

DEFAULT_BUDGETS = (2.0, 4.0, 8.0, 12.0)
_USUAL_BUDGET = 4.0
FEED_BY_FEED = frozenset({AREA_COUNTS, SLOW_ONSET})
"""Families that look at one feed at a time: without a feed they say the same of the others."""


@dataclass(frozen=True)
class Asked:
    """What a backtest was asked for, besides its records."""

    budgets: tuple[float, ...] = DEFAULT_BUDGETS
    labels: Sequence[Label] = ()
    leave_one_out: bool = True


@dataclass(frozen=True)
class _Judge:
    """What every judgement needs."""

    labels: tuple[Label, ...]
    root: AreaCode
    reference: AtBudget

    def pages(self, findings: Sequence[Finding], budget: AtBudget | None = None) -> AtTier:
        return scored(findings, budget or self.reference, Tier.PAGE, self.labels, self.root)


def backtest(records: Records, asked: Asked) -> Json:
    """Play a period and return every figure of its report as one document of plain values."""
    profile, period, learnt = records.profile, records.period, records.learnt
    budgets = [at_budget(learnt, pages) for pages in sorted(set(asked.budgets))]
    reference = next((one for one in budgets if one.pages_per_year == _USUAL_BUDGET), budgets[0])
    inside = tuple(one for one in asked.labels if one.start <= period.last and one.end >= period.first)
    judge = _Judge(inside, profile.geography.root, reference)
    loose = everything(learnt.counts, budgets)
    with progress("Looking again", period.days) as tell:
        findings = look_again(records.database, profile, detectors_of(profile), loose, period, progress=tell)
    with records.database.read() as connection:
        findings += tripwires(connection, profile, period)
        weekly = weekly_counts(connection, profile, period)
    at_budgets = [(budget, judge.pages(findings, budget)) for budget in budgets]
    reviews = scored(findings, reference, Tier.REVIEW, inside, profile.geography.root)
    names = {code: area.name for code, area in profile.geography.areas.items()}
    return {
        "classification": Classification.INTERNAL.value,
        "jurisdiction": profile.jurisdiction,
        "name": profile.name,
        "period": {
            "first": period.first.isoformat(),
            "last": period.last.isoformat(),
            "days": period.days,
            "years": round(period.years, 4),
        },
        "records": records.facts,
        "feeds": [feed.value for feed in weekly],
        "thresholds": _thresholds(records),
        "reference_budget": reference.pages_per_year,
        "budgets": [_at_budget(budget, found, period) for budget, found in at_budgets],
        "reviews": _rates(reviews, period),
        "labels": list(_labels(judge, at_budgets, reviews, names)),
        "labels_outside": [one.name for one in asked.labels if one not in inside],
        "pages": list(_pages(at_budgets, names)),
        "leave_one_out": list(_without_each(records, judge, findings, budgets, sorted(weekly)))
        if asked.leave_one_out
        else [],
        "weekly": {
            feed.value: [{"week_from": week.isoformat(), "count": count} for week, count in counts]
            for feed, counts in weekly.items()
        },
    }


def _thresholds(records: Records) -> Json:
    counts = records.learnt.counts
    return {
        "years": counts.years,
        "seed": counts.seed,
        "note": counts.note,
        "model_version": counts.model_version,
        "learnt": {
            name: {tier.value: one.model_dump() for tier, one in family.learnt.items()}
            for name, family in counts.families.items()
        },
        "tripwires": records.learnt.tripwires.note,
    }


def _rates(found: AtTier, period: Period) -> Json:
    """Return how many episodes there were, labelled and not, and how many a year the latter make."""
    unlabelled = len(found.unlabelled)
    delays = [one.delay_days for one in found.detections if one.delay_days is not None]
    return {
        "episodes": len(found.episodes),
        "labelled": len(found.episodes) - unlabelled,
        "unlabelled": unlabelled,
        "episodes_per_year": round(len(found.episodes) / period.years, 4),
        "unlabelled_per_year": round(unlabelled / period.years, 4),
        "standard_error": round(sqrt(max(unlabelled, 1)) / period.years, 4),
        "labels": len(found.detections),
        "labels_found": found.found,
        "median_delay_days": median(delays) if delays else None,
    }


def _at_budget(budget: AtBudget, found: AtTier, period: Period) -> Json:
    families = sorted({one.family for episode in found.episodes for one in episode.findings})
    return {
        "pages_per_year": budget.pages_per_year,
        "scores": {
            name: {tier.value: score for tier, score in scores.items()}
            for name, scores in budget.scores.items()
        },
        "allowed_by_family": {name: round(rate, 4) for name, rate in budget.allowed.items()},
        **_rates(found, period),
        "by_family": {
            name: sum(any(one.family == name for one in episode.findings) for episode in found.episodes)
            for name in families
        },
    }


def _labels(
    judge: _Judge,
    at_budgets: Sequence[tuple[AtBudget, AtTier]],
    reviews: AtTier,
    names: dict[AreaCode, str],
) -> Iterator[Json]:
    for number, label in enumerate(judge.labels):
        yield {
            "name": label.name,
            "start": label.start.isoformat(),
            "end": label.end.isoformat(),
            "areas": list(label.areas),
            "place": place_words(label.areas, names),
            "substance_class": label.substance_class.value,
            "pages": [
                {"budget": budget.pages_per_year, **_detection(found.detections[number])}
                for budget, found in at_budgets
            ],
            "review": _detection(reviews.detections[number]),
        }


def _detection(one: Detection) -> Json:
    return {
        "found": one.found.isoformat() if one.found else None,
        "delay_days": one.delay_days,
        "by": one.by,
    }


def _pages(at_budgets: Sequence[tuple[AtBudget, AtTier]], names: dict[AreaCode, str]) -> Iterator[Json]:
    """Yield every page of the largest budget, with the smallest budget that would have paged too."""
    largest = at_budgets[-1][1]
    for episode in largest.episodes:
        smallest = next(
            budget.pages_per_year
            for budget, found in at_budgets
            if any(_shares(episode, other) for other in found.episodes)
        )
        told = episode.strongest
        yield {
            "day": _first_day(episode, at_budgets, smallest).isoformat(),
            "from_budget": smallest,
            "place": place_words(told.areas, names),
            "areas": list(told.areas),
            "feeds": [feed.value for feed in episode.feeds],
            "families": sorted({one.family for one in episode.findings}),
            "substance_class": told.substance_class.value,
            "observed": told.observed,
            "expected": round(told.expected, 4),
            "sentence": told.sentence,
            "labels": list(episode.labels),
            "later_labels": list(episode.later_labels),
        }


def _shares(episode: Episode, other: Episode) -> bool:
    return not set(episode.findings).isdisjoint(other.findings)


def _first_day(episode: Episode, at_budgets: Sequence[tuple[AtBudget, AtTier]], budget: float) -> date:
    """Return the day on which the smallest budget that pages would have paged first."""
    found = next(found for known, found in at_budgets if known.pages_per_year == budget)
    return min(other.day for other in found.episodes if _shares(episode, other))


def _without_each(
    records: Records,
    judge: _Judge,
    findings: Sequence[Finding],
    budgets: Sequence[AtBudget],
    feeds: Sequence[Feed],
) -> Iterator[Json]:
    """Yield what the reference budget would have paged without each feed: thresholds stay as they are."""
    if len(feeds) < 2:  # noqa: PLR2004 (without the only feed there is nothing)
        return
    profile, period = records.profile, records.period
    whole = judge.pages(findings)
    together = [one for one in detectors_of(profile) if one.family not in FEED_BY_FEED]
    loose = everything(records.learnt.counts, budgets)
    for feed in feeds:
        # Who looks at one feed at a time says the same of the others; a tripwire that rests on the feed is taken away.
        kept = [
            one
            for one in findings
            if (one.family in FEED_BY_FEED or one.family in TRIPWIRES) and feed not in one.feeds
        ]
        if together:
            with progress(f"Without {feed.value}", period.days) as tell:
                kept += look_again(
                    records.database, profile, together, loose, period, without=feed, progress=tell
                )
        less = judge.pages(kept)
        yield {
            "feed": feed.value,
            "pages_with": len(whole.episodes),
            "pages_without": len(less.episodes),
            "unlabelled_with": len(whole.unlabelled),
            "unlabelled_without": len(less.unlabelled),
            "labels_found_with": whole.found,
            "labels_found_without": less.found,
            "only_with_it": [
                with_it.label.name
                for with_it, alone in zip(whole.detections, less.detections, strict=True)
                if with_it.found is not None and alone.found is None
            ],
            "days_earlier": [
                {"label": with_it.label.name, "days": alone.delay_days - with_it.delay_days}
                for with_it, alone in zip(whole.detections, less.detections, strict=True)
                if with_it.delay_days is not None and alone.delay_days is not None
            ],
        }
