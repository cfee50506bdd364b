"""The four tripwire rules: from observations to findings, each the strongest window of its anchor.

Called by ``detectors/tripwires.py`` only. Every rule looks at all of the observations it is given and says what they
amount to; which findings are news, and what they are called, is decided by the caller.

Three counts go into a tier. *Fresh* people (delivered live within 72 h of being harmed) can page. *Recent* ones
(known within four weeks) can ask for a review. Older ones are kept for the file.
"""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from detectors.clusters import MOST_COUNTED, different_scenes, shared_class, thinned
from detectors.observations import Observation, Seen, fewest_people, in_order, windows
from detectors.tripwire_thresholds import CONCURRENT, SCENE, SINGLE, WATCH_LIST, TripwireThresholds, tail
from schemas.clock import civil_day
from schemas.events import Response
from schemas.geography import AreaCode
from schemas.substances import OPIOID_CLASSES, SubstanceClass
from schemas.vocabulary import Delivery, Feed, Stratum, Tier

REVIEW_WITHIN = timedelta(days=28)
"""Clusters that become known later than this are for the file: nobody can act on them."""

NO_RESPONSE = "no_response"
MANY_DOSES = "many_doses"
BOTH = "no_response_many_doses"
FIRST = "watch_list_first"
AGAIN = "watch_list"
SINGLE_KINDS = (NO_RESPONSE, MANY_DOSES, BOTH, FIRST, AGAIN)

_MAY_BE_OPIOID = OPIOID_CLASSES | {SubstanceClass.UNKNOWN}
_MOST_SURPRISE = 1e-12


@dataclass(frozen=True)
class Setting:
    """What every rule is told beside the observations."""

    thresholds: TripwireThresholds
    adjacency: Mapping[AreaCode, frozenset[AreaCode]]
    now: datetime
    zone: ZoneInfo
    seen: Seen

    def around(self, area: AreaCode) -> frozenset[AreaCode]:
        """Return an area and those beside it."""
        return self.adjacency.get(area, frozenset()) | {area}

    def fresh(self, observations: Iterable[Observation]) -> list[Observation]:
        """Return those that may page."""
        within = timedelta(hours=self.thresholds.fresh_hours)
        return [item for item in observations if item.is_fresh(within)]

    def recent(self, observations: Iterable[Observation]) -> list[Observation]:
        """Return those that may ask for a review: for bulk loads, by their age today."""
        return [
            item
            for item in observations
            if (item.known_at if item.delivery is Delivery.LIVE else self.now) - item.occurred_at
            <= REVIEW_WITHIN
        ]


@dataclass(frozen=True)
class Finding:
    """What a rule found; the caller makes a signal of it."""

    family: str
    kind: str
    key: str
    """What identifies it besides the day: hashed before anybody sees it."""
    day: date
    members: tuple[Observation, ...]
    area: AreaCode
    """The area of its anchor."""
    zone: frozenset[AreaCode]
    """The areas in which it was looked for."""
    people: int
    """What is counted: people, or for concurrent tripwires scenes."""
    fresh: int
    """Of those, the ones that may page."""
    recent: int
    """Of those, the ones that may ask for a review."""
    score: float
    needed: int
    """From how many it pages; 0 for what never does."""
    tier: Tier
    substance_class: SubstanceClass
    hours: float


@dataclass(frozen=True)
class Count:
    """A window's members, and how many people they are: fresh, recent, and all."""

    members: tuple[Observation, ...]
    fresh: int
    recent: int
    people: int

    @property
    def rank(self) -> tuple[int, int, int]:
        """What makes one window stronger than another."""
        return (self.fresh, self.recent, self.people)


def _tier(count: Count, page: int, review: int) -> Tier:
    if count.fresh >= page:
        return Tier.PAGE
    return Tier.REVIEW if count.recent >= review else Tier.RECORD


def _count(setting: Setting, members: Sequence[Observation]) -> Count:
    return Count(
        tuple(members),
        fewest_people(setting.fresh(members)),
        fewest_people(setting.recent(members)),
        fewest_people(members),
    )


def scene_findings(setting: Setting, observations: Sequence[Observation]) -> list[Finding]:
    """Several people harmed at one scene within 6 h; without a scene token, within one small area."""
    groups: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for item in observations:
        if item.is_sample:
            continue
        if item.scene is not None:
            groups["scene", item.scene].append(item)
        elif item.fine_area is not None:
            groups["small_area", item.fine_area].append(item)
    findings = []
    for (kind, place), items in sorted(groups.items()):
        if len(items) > 1:
            findings += _at_one_place(setting, kind, place, in_order(items))
    return findings


def _at_one_place(setting: Setting, kind: str, place: str, items: Sequence[Observation]) -> list[Finding]:
    thresholds = setting.thresholds
    best: dict[date, Count] = {}
    by_day: dict[date, list[tuple[Observation, ...]]] = defaultdict(list)
    for run in windows(items, timedelta(hours=thresholds.scene_hours)):
        # A scene is one cluster, dated by its first event; a small area may have one on any day.
        anchor = items[0] if kind == "scene" else run[0]
        by_day[civil_day(anchor.occurred_at, setting.zone)].append(run)
    for day, run in ((day, run) for day, runs in by_day.items() for run in thinned(runs)):
        count = _count(setting, run[:MOST_COUNTED])
        if count.people > 1 and (day not in best or count.rank > best[day].rank):
            best[day] = count
    return [
        Finding(
            family=SCENE,
            kind=kind,
            key=f"{kind} {place}",
            day=day,
            members=count.members,
            area=count.members[0].area,
            zone=frozenset({count.members[0].area}),
            people=count.people,
            fresh=count.fresh,
            recent=count.recent,
            score=count.fresh or count.people,
            needed=thresholds.scene_page,
            tier=_tier(count, thresholds.scene_page, thresholds.scene_review),
            substance_class=shared_class(count.members),
            hours=thresholds.scene_hours,
        )
        for day, count in sorted(best.items())
    ]


def detections(
    setting: Setting, observations: Iterable[Observation]
) -> list[tuple[Observation, SubstanceClass]]:
    """Return the first record of each batch (or single sample, or death) with a watch-list class found, and the class.

    Of several classes in one record, one that was never found before counts: the news in a death with fentanyl and
    xylazine is the xylazine, once fentanyl is everywhere.
    """
    watch_list = setting.thresholds.watch_list
    found: dict[str, tuple[Observation, SubstanceClass]] = {}
    for item in in_order(observations):
        watched = item.detected & watch_list
        if watched:
            ordered = [one for one in SubstanceClass if one in watched]
            first = next((one for one in ordered if setting.seen.first_in(item, one)), ordered[0])
            found.setdefault(f"batch {item.batch}" if item.batch else item.identity, (item, first))
    return list(found.values())


def compatible(item: Observation, substance_class: SubstanceClass) -> bool:
    """Whether a casualty may have been harmed by this class, as far as its record says."""
    if item.is_sample:
        return False
    named = item.classes - {SubstanceClass.ANY}
    return not named or substance_class in named or bool(named & _MAY_BE_OPIOID)


def watch_list_findings(setting: Setting, observations: Sequence[Observation]) -> list[Finding]:
    """A watch-list class found by a laboratory, and people harmed near it: the densest 72 h that hold the detection."""
    thresholds = setting.thresholds
    span = timedelta(hours=thresholds.watch_list_hours)
    findings = []
    ordered = in_order(observations)
    for detection, substance_class in detections(setting, ordered):
        zone = setting.around(detection.area)
        near = [
            item
            for item in ordered
            if item.area in zone
            and item.identity != detection.identity
            and abs(item.occurred_at - detection.occurred_at) <= span
            and compatible(item, substance_class)
        ]
        best = densest(setting, near, detection.occurred_at)
        if best.people == 0:
            continue
        needed = thresholds.watch_list_needs(detection.area)
        if not setting.fresh([detection]):
            best = Count(best.members, 0, best.recent, best.people)
        if not setting.recent([detection]):
            best = Count(best.members, 0, 0, best.people)
        findings.append(
            Finding(
                family=WATCH_LIST,
                kind=substance_class.value,
                key=f"detection {detection.batch or detection.identity}",
                day=civil_day(detection.occurred_at, setting.zone),
                members=(detection, *best.members),
                area=detection.area,
                zone=zone,
                people=best.people,
                fresh=best.fresh,
                recent=best.recent,
                score=surprise(thresholds, detection.area, best.fresh or best.people),
                needed=needed,
                tier=_tier(best, needed, thresholds.watch_list_review),
                substance_class=substance_class,
                hours=thresholds.watch_list_hours,
            )
        )
    return findings


def densest(setting: Setting, near: Sequence[Observation], moment: datetime) -> Count:
    """Return the densest window of ``watch_list_hours`` that holds ``moment``, of observations within as much of it."""
    span = timedelta(hours=setting.thresholds.watch_list_hours)
    starts = [moment, *thinned([item.occurred_at for item in near if item.occurred_at < moment])]
    counts = [
        _count(setting, [item for item in near if start <= item.occurred_at <= start + span][:MOST_COUNTED])
        for start in starts
    ]
    return max(counts, key=lambda count: count.rank)


def surprise(thresholds: TripwireThresholds, area: AreaCode, people: int) -> float:
    """Return how unusual so many people near ``area`` are: minus log10 of the chance; the number itself if unlearnt."""
    zone = thresholds.level(area).zone
    if zone is None:
        return float(people)
    chance = max(tail(people, zone.mean, zone.dispersion), _MOST_SURPRISE)
    return -math.log10(chance)


def single_findings(setting: Setting, observations: Sequence[Observation]) -> list[Finding]:
    """One event that is a warning by itself: kept for the file, and a first watch-list detection for review."""
    thresholds = setting.thresholds
    findings = []
    for item, kind, watched in single_kinds(setting, observations):
        findings.append(
            Finding(
                family=SINGLE,
                kind=kind,
                key=f"single {item.batch or item.identity}",
                day=civil_day(item.occurred_at, setting.zone),
                members=(item,),
                area=item.area,
                zone=frozenset({item.area}),
                people=1,
                fresh=len(setting.fresh([item])),
                recent=len(setting.recent([item])),
                score=1.0,
                needed=0,
                tier=Tier.REVIEW if kind == FIRST else Tier.RECORD,
                substance_class=watched or shared_class([item]),
                hours=thresholds.concurrent_hours,
            )
        )
    return findings


def single_kinds(
    setting: Setting, observations: Iterable[Observation]
) -> list[tuple[Observation, str, SubstanceClass | None]]:
    """Return the single tripwires among the observations, each with its kind and the watch-list class found, if any."""
    items = list(observations)
    singles: list[tuple[Observation, str, SubstanceClass | None]] = []
    for item in items:
        if item.feed is not Feed.AMBULANCE_NALOXONE:
            continue
        # A heart that has stopped does not respond either.
        silent = item.response is Response.NONE and not item.cardiac_arrest
        many = item.doses >= setting.thresholds.many_doses
        if silent or many:
            singles.append((item, BOTH if silent and many else NO_RESPONSE if silent else MANY_DOSES, None))
    for item, found in detections(setting, items):
        singles.append((item, FIRST if setting.seen.first_in(item, found) else AGAIN, found))
    return singles


def concurrent_findings(setting: Setting, observations: Sequence[Observation]) -> list[Finding]:
    """Several single tripwires from different scenes within 24 h, in one area and those beside it."""
    thresholds = setting.thresholds
    span = timedelta(hours=thresholds.concurrent_hours)
    singles = in_order(item for item, _, _ in single_kinds(setting, observations))
    times = [item.occurred_at for item in singles]
    by_day: dict[tuple[AreaCode, date], list[int]] = defaultdict(list)
    for start, anchor in enumerate(singles):
        by_day[anchor.area, civil_day(anchor.occurred_at, setting.zone)].append(start)
    best: dict[tuple[AreaCode, date], tuple[Count, frozenset[AreaCode]]] = {}
    for key, start in ((key, start) for key, starts in by_day.items() for start in thinned(starts)):
        following = singles[start : bisect_right(times, times[start] + span)]
        for centre in sorted(setting.around(key[0])):
            zone = setting.around(centre)
            count = _scenes(setting, [item for item in following if item.area in zone][:MOST_COUNTED])
            if count.people > 1 and (key not in best or count.rank > best[key][0].rank):
                best[key] = (count, zone)
    # A window that lies within a stronger one says nothing new.
    kept = [
        (key, count, zone)
        for key, (count, zone) in sorted(best.items())
        if not any(set(count.members) < set(other.members) for other, _ in best.values())
    ]
    return [
        Finding(
            family=CONCURRENT,
            kind="concurrent",
            key=f"concurrent {area}",
            day=day,
            members=count.members,
            area=area,
            zone=zone,
            people=count.people,
            fresh=count.fresh,
            recent=count.recent,
            score=count.fresh or count.people,
            needed=thresholds.concurrent_page,
            tier=_tier(count, thresholds.concurrent_page, thresholds.concurrent_review),
            substance_class=shared_class(count.members),
            hours=thresholds.concurrent_hours,
        )
        for (area, day), count, zone in kept
    ]


def _scenes(setting: Setting, members: Sequence[Observation]) -> Count:
    one_place = timedelta(hours=setting.thresholds.scene_hours)
    return Count(
        tuple(members),
        different_scenes(setting.fresh(members), one_place),
        different_scenes(setting.recent(members), one_place),
        different_scenes(members, one_place),
    )


def in_stratum(observations: Iterable[Observation], stratum: Stratum) -> list[Observation]:
    """Return the observations of one population."""
    return [item for item in observations if item.stratum is stratum]
