"""A tripwire's finding as a Signal: what was expected, how rare it is, and the plain sentence that says so.

Called by ``detectors/tripwires.py``. The sentence and the fields are made from the same numbers, true ones: inside use.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from detectors.observations import Observation, people_by_feed
from detectors.tripwire_rules import (
    AGAIN,
    BOTH,
    FIRST,
    MANY_DOSES,
    NO_RESPONSE,
    Finding,
    Setting,
)
from detectors.tripwire_thresholds import (
    CONCURRENT,
    DAYS_A_YEAR,
    SCENE,
    SINGLE,
    WATCH_LIST,
    AreaLevels,
    interval,
)
from schemas.clock import civil_day
from schemas.geography import AreaCode
from schemas.signals import FeedEvidence, Signal
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Jurisdiction, Tier

MOST_EVIDENCE = 200
_HOURS_A_DAY = 24
_MONTH_DAYS = 60
_YEARS_DAYS = 730
_CENTURY_DAYS = 99 * DAYS_A_YEAR

_FEED_WORDS: Mapping[Feed, str] = {
    Feed.SUSPECTED_DEATHS: "suspected deaths",
    Feed.AMBULANCE_NALOXONE: "ambulance naloxone",
    Feed.ED_PRESENTATIONS: "A&E",
    Feed.DRUG_CHECKING: "drug checking",
}

_KIND_WORDS: Mapping[str, str] = {
    NO_RESPONSE: "a patient, not in cardiac arrest, did not respond to naloxone",
    MANY_DOSES: "a patient was given {doses} doses of naloxone",
    BOTH: "a patient, not in cardiac arrest, did not respond to {doses} doses of naloxone",
    FIRST: "a laboratory found {substance}, for the first time in the {reach}",
    AGAIN: "a laboratory found {substance}",
}


def class_words(substance_class: SubstanceClass) -> str:
    """Return a class as a person reads it within a sentence."""
    return substance_class.value.replace("_", " ").replace("alpha2", "alpha-2")


def signal_of(
    finding: Finding, setting: Setting, jurisdiction: Jurisdiction, names: Mapping[AreaCode, str]
) -> Signal:
    """Return the signal that a finding gives."""
    thresholds = setting.thresholds
    rate = thresholds.base_rate(f"{SINGLE}:{finding.kind}" if finding.family == SINGLE else finding.family)
    expected_by_feed = _expected(finding, setting)
    expected, dispersion = _expected_people(finding, setting, expected_by_feed)
    observed_by_feed = people_by_feed(finding.members)
    first = min(item.occurred_at for item in finding.members)
    recurrence = rate.recurrence_days(finding.score)
    return Signal(
        jurisdiction=jurisdiction,
        detector=finding.family,
        family=finding.family,
        key=f"{finding.family}:{hashlib.sha256(finding.key.encode()).hexdigest()[:32]}",
        areas=tuple(sorted({item.area for item in finding.members})),
        window_start=min(civil_day(first, setting.zone), finding.day),
        window_end=finding.day,
        feeds=tuple(
            FeedEvidence(feed=feed, observed=observed, expected=expected_by_feed.get(feed, 0.0))
            for feed, observed in observed_by_feed.items()
        ),
        substance_class=finding.substance_class,
        observed=finding.people,
        expected=expected,
        interval=interval(expected, dispersion),
        p_value=rate.p_value(finding.score, finding.hours / _HOURS_A_DAY),
        recurrence_interval_days=recurrence,
        tier=finding.tier,
        newest_evidence_at=max(item.occurred_at for item in finding.members),
        serious_outcome=any(item.is_death for item in finding.members),
        lab_confirmed=any(item.detected for item in finding.members),
        evidence=tuple(sorted({item.identity for item in finding.members}))[:MOST_EVIDENCE],
        parameters={
            "kind": finding.kind,
            "hours": finding.hours,
            "pages_from": finding.needed,
            "score": round(finding.score, 4),
            "null_years": rate.years,
        },
        model_version=thresholds.model_version,
        sentence=_sentence(finding, setting, names, expected, recurrence),
    )


def _expected(finding: Finding, setting: Setting) -> dict[Feed, float]:
    """Return the usual number of records of each feed in the finding's place and window."""
    thresholds = setting.thresholds
    days = finding.hours / _HOURS_A_DAY
    if finding.family == SCENE:
        level = thresholds.level(finding.area)
        return {feed: rate * days / level.small_areas for feed, rate in level.casualties_per_day.items()}
    if finding.family == SINGLE:
        return {feed: rate * days for feed, rate in thresholds.level(finding.area).singles_per_day.items()}
    zone = [thresholds.level(area) for area in sorted(finding.zone)]
    if finding.family == WATCH_LIST:
        sums = _sum(level.opioid_per_day for level in zone)
        found = _sum(level.singles_per_day for level in zone).get(Feed.DRUG_CHECKING, 0.0)
        sums[Feed.DRUG_CHECKING] = found
        return {feed: rate * days for feed, rate in sums.items()}
    return {feed: rate * days for feed, rate in _sum(level.singles_per_day for level in zone).items()}


def _expected_people(
    finding: Finding, setting: Setting, by_feed: Mapping[Feed, float]
) -> tuple[float, float]:
    """Return the usual count of what the finding counts, and its dispersion."""
    level: AreaLevels = setting.thresholds.level(finding.area)
    if finding.family == WATCH_LIST and level.zone is not None:
        return level.zone.mean, level.zone.dispersion
    casualties = {feed: rate for feed, rate in by_feed.items() if feed is not Feed.DRUG_CHECKING}
    if finding.family == WATCH_LIST:
        return sum(casualties.values()), 1.0
    return sum(by_feed.values()), 1.0


def _sum(parts: Iterable[Mapping[Feed, float]]) -> dict[Feed, float]:
    total: dict[Feed, float] = {}
    for part in parts:
        for feed, rate in part.items():
            total[feed] = total.get(feed, 0.0) + rate
    return total


def _sentence(
    finding: Finding,
    setting: Setting,
    names: Mapping[AreaCode, str],
    expected: float,
    recurrence: float,
) -> str:
    where = _listed([names.get(area, area) for area in sorted({item.area for item in finding.members})])
    here = names.get(finding.area, finding.area)
    hours = _figure(finding.hours)
    usual, joint = f"about {_figure(expected)} is usual", "; "
    rare = f"chance alone gives this {_once_in(recurrence)} in the whole jurisdiction"
    if setting.thresholds.years == 0:
        usual, rare, joint = (
            "what is usual here",
            "how often chance alone gives this has not been learnt yet",
            " and ",
        )
    feeds = _feeds(finding.members)
    if finding.family == SCENE:
        place = "at one scene" if finding.kind == "scene" else "within one small area (no scene was stated)"
        what = _had(finding.substance_class)
        text = (
            f"{finding.people} people were harmed {place} in {where} within {hours} hours{what} ({feeds}); "
            f"{usual}{joint}{rare}."
        )
    elif finding.family == WATCH_LIST:
        text = (
            f"A laboratory found {class_words(finding.substance_class)} in {here}, and {finding.people} "
            f"{'person was' if finding.people == 1 else 'people were'} harmed by an opioid or an unknown drug "
            f"there or in an adjacent area within {hours} hours ({feeds}); {usual}{joint}{rare}."
        )
    elif finding.family == CONCURRENT:
        text = (
            f"{finding.people} separate warnings in {where} within {hours} hours: non-response to naloxone, "
            f"{setting.thresholds.many_doses} doses or more, or a watch-list detection ({feeds}); {usual}{joint}{rare}."
        )
    else:
        item = finding.members[0]
        reach = setting.seen.first_in(item, finding.substance_class) or "area"
        what = _KIND_WORDS[finding.kind].format(
            doses=item.doses, substance=class_words(finding.substance_class), reach=reach
        )
        text = f"In {here}, {what}; {rare}."
    if late := _lateness(finding, setting):
        text = f"{text} {late}"
    return text


def _lateness(finding: Finding, setting: Setting) -> str:
    fresh = len(setting.fresh(finding.members))
    if fresh == len(finding.members) or finding.tier is Tier.PAGE:
        return ""
    if fresh == 0:
        return "All of it arrived late or in bulk, so it does not page."
    return "Part of it arrived late or in bulk and cannot page."


def _had(substance_class: SubstanceClass) -> str:
    if substance_class in (SubstanceClass.UNKNOWN, SubstanceClass.ANY):
        return ""
    return f", mostly {class_words(substance_class)}"


def _feeds(members: Sequence[Observation]) -> str:
    return ", ".join(f"{_FEED_WORDS[feed]} {count}" for feed, count in people_by_feed(members).items())


def _once_in(days: float) -> str:
    if days >= _CENTURY_DAYS:
        return "less than once in a century"
    if days >= _YEARS_DAYS:
        return f"about once in {_figure(days / DAYS_A_YEAR)} years"
    if days >= _MONTH_DAYS:
        return f"about once in {_figure(days / (DAYS_A_YEAR / 12))} months"
    return f"about once in {_figure(days)} days"


def _figure(value: float) -> str:
    """Return a number with two significant digits and no exponent."""
    if value == 0:
        return "0"
    if value >= 10:  # noqa: PLR2004 (two digits stand before the point)
        return f"{value:.0f}"
    return f"{float(f'{value:.2g}'):.10f}".rstrip("0").rstrip(".")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
