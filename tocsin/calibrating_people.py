"""The fewest *people* who would be found: each seen by the ambulance and by A&E alike, through all detectors together.

``tocsin calibrate`` shows it beside what the counts of one feed would need. Where several feeds speak of the same people,
fewer are enough; how many is asked of the detectors themselves: one person more, until they page. Tripwires, which look
at who and where within hours, are not part of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from detectors.baseline import DAYS_BEFORE_REVIEW
from detectors.budget import Thresholds
from detectors.contract import Detector, Look, look_days
from detectors.sightings import FEEDS, Sightings, class_bits
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed, Tier
from streams.baselines import Fitted
from streams.profile import JurisdictionProfile
from tocsin.looking_back import counts_of

BOTH = (Feed.AMBULANCE_NALOXONE, Feed.ED_PRESENTATIONS)
"""Feeds that see the same people most often."""
MOST_PEOPLE = 40
"""Beyond this many people in one place nobody needs a detector."""


@dataclass(frozen=True)
class FewestPeople:
    """The fewest people in one area, each seen by both feeds, who would ask for a review, or page, today."""

    area: AreaCode
    name: str
    window: int
    """They are all harmed on the first of so many days."""
    page: int | None
    review: int | None


def fewest_people(
    profile: JurisdictionProfile,
    fitted: Fitted,
    detectors: Sequence[Detector],
    thresholds: Thresholds,
    today: date,
    *,
    windows: Sequence[int],
    substance_class: SubstanceClass = SubstanceClass.ANY,
    progress: Callable[[float], None] | None = None,
) -> list[FewestPeople]:
    """Return the fewest people in each detection area, by window; nothing where the feeds are too young or not there.

    Parameters
    ----------
    profile : JurisdictionProfile
    fitted : Fitted
        What this week is looked at with, with what the detectors learnt.
    detectors : sequence of Detector
    thresholds : Thresholds
    today : date
    windows : sequence of int
        Days.
    substance_class : SubstanceClass
        What the records name; ``any`` for records that name nothing.
    progress : callable, optional
        Told how many of the areas are done.
    """
    if any(feed not in profile.feeds for feed in BOTH) or _youngest(fitted) < DAYS_BEFORE_REVIEW:
        return []
    asked = [one for one in detectors if one.family in thresholds.families and one.name in fitted.learnt]
    names = {code: area.name for code, area in profile.geography.areas.items()}
    empty = Look(
        jurisdiction=profile.jurisdiction,
        cube=counts_of(
            _people(profile, fitted, today, 0, 0, 1, substance_class),
            profile.geography.detection_areas(),
            fitted.baseline.series,
        ),
        baseline=fitted.baseline,
        completeness=fitted.completeness,
        thresholds=thresholds,
        names=names,
        zone=profile.zone,
        learnt=fitted.learnt,
    )
    rows: list[FewestPeople] = []
    for place, area in enumerate(profile.geography.detection_areas()):
        for window in windows:
            found: dict[Tier, int] = {}
            for people in range(1, MOST_PEOPLE + 1):
                sightings = _people(profile, fitted, today, place, people, window, substance_class)
                cube = counts_of(sightings, empty.cube.areas, empty.cube.series)
                reached = _highest(asked, replace(empty, cube=cube, sightings=sightings), area)
                for tier in (Tier.REVIEW, Tier.PAGE):
                    if reached is not None and reached.rank >= tier.rank:
                        found.setdefault(tier, people)
                if Tier.PAGE in found:
                    break
            rows.append(
                FewestPeople(
                    area, names.get(area, area), window, found.get(Tier.PAGE), found.get(Tier.REVIEW)
                )
            )
        if progress is not None:
            progress(place + 1)
    return rows


def _youngest(fitted: Fitted) -> int:
    days = [
        int(fitted.baseline.history_days[row])
        for row, (feed, _) in enumerate(fitted.baseline.series)
        if feed in BOTH
    ]
    return min(days, default=0)


def _highest(detectors: Sequence[Detector], look: Look, area: AreaCode) -> Tier | None:
    """Return the highest tier of what the detectors say about an area."""
    tiers = [
        signal.tier for detector in detectors for signal in detector.detect(look) if area in signal.areas
    ]
    return max(tiers, key=lambda tier: tier.rank, default=None)


def _people(
    profile: JurisdictionProfile,
    fitted: Fitted,
    today: date,
    place: int,
    people: int,
    window: int,
    substance_class: SubstanceClass,
) -> Sightings:
    """Return so many people, seen by both feeds on the first day of a window, in an area and no finer place."""
    days = look_days(fitted.completeness)
    day = np.full(2 * people, days - window, dtype=np.int64)
    feed = np.repeat([FEEDS.index(one) for one in BOTH], people).astype(np.int64)
    bits = []
    for one in BOTH:
        unnamed = (
            SubstanceClass(profile.feeds[one].unnamed_class) if one in profile.feeds else substance_class
        )
        name = unnamed if substance_class is SubstanceClass.ANY else substance_class
        bits.append(class_bits([name]))
    nothing = np.zeros(2 * people, dtype=np.int64)
    return Sightings(
        first_day=today - timedelta(days=days - 1),
        n_days=days,
        day=day,
        known_day=day,
        feed=feed,
        classes=np.repeat(bits, people).astype(np.int64),
        sold_as=nothing,
        area=nothing + place,
        fine=nothing - 1,
    )
