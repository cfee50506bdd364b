"""What ``tocsin calibrate`` does: learn thresholds for a jurisdiction, and say what they would find.

Kent and Medway as it comes is learnt from the simulator of people (``tocsin/calibration.py``); any other place from null
histories with the habits of its own records, as a replay does. Then *the smallest cluster that would be found*: how many
events each area, feed and window would need today, so that "nothing was found" says how much could have happened.
It reads the database and writes nothing to it.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, select

from detectors.area_counts import most_allowed
from detectors.budget import AREA_COUNTS, DAYS_A_YEAR, Budget, Thresholds
from detectors.sensitivity import NO_COUNT, expectations, smallest_count
from detectors.tripwire_thresholds import CONCURRENT, SCENE, WATCH_LIST, TripwireThresholds
from detectors.zones import ZoneKind
from schemas.clock import civil_day, monday_of
from schemas.geography import AreaCode
from schemas.substances import SubstanceClass
from schemas.tables.events import event_version
from schemas.vocabulary import Delivery, Feed, Stratum, Tier
from streams import baselines
from streams.detection import jurisdiction_zones
from streams.detectors import detectors_of
from streams.history import completeness
from streams.profile import JurisdictionProfile
from streams.simulation.fitting import CountedEvent
from streams.versions import known_at
from tocsin.calibrating_people import BOTH, FewestPeople
from tocsin.calibration import COUNTED_DAYS, KENT, Plan, calibrate_kent, kent_profile
from tocsin.learnt import Learnt, uncalibrated
from tocsin.looking_back import LookingBack
from tocsin.progress import progress
from tocsin.replay import FEWEST_TO_LEARN_FROM, learn_from, without_ordinary_supply

EVENT = event_version.c
WINDOWS = (1, 3, 7, 14)
"""Nominal lengths in days that the table shows."""
DEFAULT_YEARS = {True: 120, False: 200}
"""Simulated years, for Kent and Medway as it comes and for any other place."""
_GOLDEN = 0.6180339887498949


class NotEnoughRecordsError(ValueError):
    """A place has too few records to learn its habits from; the message says how many it takes."""


@dataclass(frozen=True)
class Wish:
    """What thresholds are wanted."""

    seed: int
    budget: Budget
    years: int | None = None
    """Simulated years; None for as many as are usual."""
    leave_out: tuple[tuple[date, date], ...] = ()
    """Periods, ends included, in which something real happened: they are no part of what is usual."""


@dataclass(frozen=True)
class Smallest:
    """The fewest events in one place, feed and window that would ask for a review, or page, today."""

    area: AreaCode
    name: str
    feed: Feed
    substance_class: SubstanceClass
    window: int
    days: int
    """Civil days that it reaches back, today included: more than its length for a feed that is late."""
    expected: float
    page: int | None
    """None where no count of this feed would page."""
    review: int | None


def is_simulated(profile: JurisdictionProfile) -> bool:
    """Whether the simulator of people knows this place."""
    if profile.jurisdiction != KENT:
        return False
    ours, built_in = profile.geography, kent_profile().geography
    return (ours.root, ours.detection_areas()) == (built_in.root, built_in.detection_areas())


def learn_thresholds(
    connection: Connection, profile: JurisdictionProfile, wish: Wish, now: datetime
) -> Learnt:
    """Simulate null histories for a jurisdiction and learn its thresholds.

    Raises
    ------
    NotEnoughRecordsError
        If the place is learnt from its own records, and there are too few.
    """
    simulated = is_simulated(profile)
    years = wish.years or DEFAULT_YEARS[simulated]
    if simulated:
        plan = Plan(seed=wish.seed)
        if wish.years is not None:
            histories = max(1, round(years * DAYS_A_YEAR / COUNTED_DAYS))
            more = round(histories * plan.tripwire_years / plan.count_histories)
            plan = Plan(count_histories=histories, tripwire_years=max(1, more), seed=wish.seed)
        with progress(f"Calibrating {profile.name}", 1.0) as tell:
            return calibrate_kent(plan, budget=wish.budget, progress=tell)
    counted = [
        one
        for one in counted_events(connection, profile, now)
        if not any(first <= one.day <= last for first, last in wish.leave_out)
    ]
    if len(counted) < FEWEST_TO_LEARN_FROM:
        raise NotEnoughRecordsError(
            f"{profile.name} has {len(counted)} records that could teach what is usual; it takes at least "
            f"{FEWEST_TO_LEARN_FROM}. Load some history with `tocsin load` first."
        )
    stated = uncalibrated(profile.jurisdiction)
    stated = stated.model_copy(update={"tripwires": without_ordinary_supply(stated.tripwires, counted)})
    return learn_from(
        counted,
        profile,
        stated,
        years=years,
        seed=wish.seed,
        told=f"the {len(counted):,} records of {profile.name} known by {now:%Y-%m-%d}",
        budget=wish.budget,
        masks=wish.leave_out,
    )


def counted_events(connection: Connection, profile: JurisdictionProfile, now: datetime) -> list[CountedEvent]:
    """Return the events of the general population as they stand, with when each became known first.

    A correction says nothing of how late a feed is (``streams.history.completeness`` has the same rule). What was loaded
    in bulk became known with the load, which says nothing either: its delays follow the feed's own law, evenly spread
    over it.
    """
    laws = completeness(connection, profile, as_of=now)
    root = profile.geography.root
    first = event_version.alias("first_version")
    rows = connection.execute(
        select(
            EVENT.feed,
            EVENT.day,
            first.c.known_at,
            EVENT.area,
            EVENT.detection_area,
            EVENT.classes,
            first.c.delivery,
        )
        .join_from(event_version, first, and_(first.c.identity == EVENT.identity, first.c.version == 1))
        .where(
            EVENT.jurisdiction == profile.jurisdiction,
            EVENT.grain == "day",
            EVENT.stratum == Stratum.GENERAL.value,
            known_at(now),
        )
        .order_by(EVENT.day, EVENT.identity)
    ).all()
    made = []
    for number, row in enumerate(rows):
        feed = Feed(row.feed)
        if row.delivery == Delivery.LIVE.value:
            known = max(civil_day(row.known_at, profile.zone), row.day)
        else:
            known = row.day + timedelta(days=_delay(laws[feed], number * _GOLDEN % 1.0))
        made.append(
            CountedEvent(
                day=row.day,
                known_day=known,
                area=None if row.detection_area == root else AreaCode(row.detection_area),
                feed=feed,
                classes=frozenset(SubstanceClass(name) for name in row.classes.split()),
                fine=AreaCode(row.area),
            )
        )
    return made


def _delay(law: NDArray[np.float64], share: float) -> int:
    return min(int(np.searchsorted(law, share, side="left")), law.size - 1)


def in_force(connection: Connection, profile: JurisdictionProfile, now: datetime) -> baselines.Fitted:
    """Return what the week of ``now`` is looked at with: as stored, or learnt again where that was not looked at yet."""
    detectors = detectors_of(profile)
    monday = monday_of(civil_day(now, profile.zone))
    fitted = baselines.kept(connection, profile.jurisdiction, monday)
    if fitted is not None and all(one.name in fitted.learnt for one in detectors):
        return fitted
    return LookingBack(profile, detectors).week(connection, monday)[0]


def smallest_clusters(
    profile: JurisdictionProfile,
    thresholds: Thresholds,
    fitted: baselines.Fitted,
    today: date,
    substance_class: SubstanceClass = SubstanceClass.ANY,
) -> list[Smallest]:
    """Return what each area, and the whole jurisdiction, would need today: by feed, and window of 1, 3, 7 and 14 days.

    It is what counts alone would need in one feed and one place; fewer people can be found where several feeds or a
    tripwire speak of them.
    """
    zones = jurisdiction_zones(profile)
    found = expectations(fitted.baseline, zones, fitted.completeness, today)
    family = thresholds.families.get(AREA_COUNTS)
    scores = family.scores if family is not None else {}
    names = {code: area.name for code, area in profile.geography.areas.items()}
    rows: list[Smallest] = []
    for place, zone in enumerate(zones.zones):
        if zone.kind is ZoneKind.AROUND:
            continue
        for feed in profile.feeds:
            row = fitted.baseline.series.index((feed, substance_class))
            allowed, _ = most_allowed(Tier.PAGE, feed, int(fitted.baseline.history_days[row]))
            fewest = {
                tier: smallest_count(
                    found.expected[row, :, place],
                    found.size[row, :, place],
                    scores.get(tier, math.inf) if tier.rank <= allowed.rank else math.inf,
                    found.handicap[row, place],
                )
                for tier in (Tier.PAGE, Tier.REVIEW)
            }
            rows += [
                Smallest(
                    area=zone.centre,
                    name=names.get(zone.centre, zone.centre),
                    feed=feed,
                    substance_class=substance_class,
                    window=window,
                    days=int(found.window_days[row, window - 1]),
                    expected=float(found.expected[row, window - 1, place]),
                    page=_count(fewest[Tier.PAGE][window - 1]),
                    review=_count(fewest[Tier.REVIEW][window - 1]),
                )
                for window in WINDOWS
            ]
    return rows


def _count(value: int) -> int | None:
    return None if value == NO_COUNT else int(value)


def realised_rows(learnt: Learnt, budget: Budget) -> Iterator[dict[str, Any]]:
    """Yield, for each family and tier, what was allowed beside what the null histories gave."""
    for name, family in learnt.counts.families.items():
        for tier in (Tier.PAGE, Tier.REVIEW):
            if tier in family.learnt:
                one = family.learnt[tier]
                yield {
                    "family": name,
                    "tier": tier.value,
                    "from": round(family.scores[tier], 4),
                    "unit": "score",
                    "nominal_per_year": one.nominal_per_year,
                    "realised_per_year": one.realised_per_year,
                    "standard_error": one.standard_error,
                    "limited_by_merging": one.limited_by_merging,
                }
    yield from _tripwire_rows(learnt.tripwires, budget)


def _tripwire_rows(tripwires: TripwireThresholds, budget: Budget) -> Iterator[dict[str, Any]]:
    """Yield the pages of each tripwire; the watch list's threshold differs by area, so it has no one rate."""
    if not tripwires.years:
        return
    for family, needed in (
        (SCENE, tripwires.scene_page),
        (CONCURRENT, tripwires.concurrent_page),
        (WATCH_LIST, tripwires.watch_list_page),
    ):
        rate = tripwires.base_rate(family)
        by_count = family != WATCH_LIST
        yield {
            "family": family,
            "tier": Tier.PAGE.value,
            "from": needed,
            "unit": "warnings" if family == CONCURRENT else "people",
            "nominal_per_year": round(budget.episodes_per_year(family, Tier.PAGE), 4),
            "realised_per_year": round(rate.per_year(needed), 4) if by_count else None,
            "standard_error": round(math.sqrt(rate.episodes(needed) + 0.5) / (rate.years + 1.0), 4)
            if by_count
            else None,
            "limited_by_merging": False,
        }


def as_json(rows: Sequence[Smallest]) -> list[dict[str, Any]]:
    """Return the smallest clusters as plain values."""
    return [
        {
            "area": one.area,
            "name": one.name,
            "feed": one.feed.value,
            "substance_class": one.substance_class.value,
            "window": one.window,
            "days": one.days,
            "expected": round(one.expected, 6),
            "smallest_page": one.page,
            "smallest_review": one.review,
        }
        for one in rows
    ]


def people_as_json(rows: Sequence[FewestPeople]) -> list[dict[str, Any]]:
    """Return the fewest people as plain values."""
    return [
        {
            "area": one.area,
            "name": one.name,
            "seen_by": [feed.value for feed in BOTH],
            "window": one.window,
            "smallest_page": one.page,
            "smallest_review": one.review,
        }
        for one in rows
    ]


def as_csv(rows: Sequence[Smallest]) -> str:
    """Return the smallest clusters as CSV; an empty cell where no count would do."""
    made = io.StringIO()
    content = as_json(rows)
    writer = csv.DictWriter(made, fieldnames=["classification", *content[0]], lineterminator="\n")
    writer.writeheader()
    for row in content:
        writer.writerow({"classification": "internal", **row})
    return made.getvalue()


def as_table(
    rows: Sequence[Smallest], people: Sequence[FewestPeople], feed_words: Mapping[Feed, str]
) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows for people: a line for each place and feed, pages and in brackets reviews."""
    areas = dict.fromkeys(one.area for one in rows)
    headings = ["area", "feed", *(f"{window} day{'s' * (window > 1)}" for window in WINDOWS)]
    lines: dict[tuple[AreaCode, str], list[str]] = {}
    together = f"people in both {' and '.join(feed_words[feed] for feed in BOTH)}"
    told = [(one, feed_words[one.feed]) for one in rows] + [(one, together) for one in people]
    for one, words in sorted(told, key=lambda item: list(areas).index(item[0].area)):
        line = lines.setdefault((one.area, words), [one.name, words])
        line.append(f"{_said(one.page)} ({_said(one.review)})")
    return headings, list(lines.values())


def _said(count: int | None) -> str:
    return "-" if count is None else str(count)
