"""The looks of the scenarios: every detector asked for its signals, at the thresholds in force, each day at its end.

Unlike ``kent_ours.py``, which asks below every threshold, this asks the detectors as a detection run does: what comes
out are signals with their tier. What a record arrived as (a bulk load) is told to the tripwires and, as
``streams/evidence.py`` does, to pages that rest on counts.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import numpy as np
from pydantic import JsonValue

from benchmarks.kent_county import KENT, County
from benchmarks.kent_ours import EVENT_TYPES, TRIPWIRE_SCORES, bits
from benchmarks.kent_systems import Day, Rule, System, Telling
from benchmarks.scenarios_records import BACKFILLED
from detectors.area_counts import AreaCounts
from detectors.budget import AREA_COUNTS, FUSION, NOVELTY, SLOW_ONSET
from detectors.contract import RECENT_DAYS, Detector, Look, Past
from detectors.fusion import Fusion
from detectors.novelty import Novelty
from detectors.observations import Observation, Seen
from detectors.sightings import CLASS_BIT
from detectors.sightings import FEEDS as SIGHTED_FEEDS
from detectors.slow_onset import SlowOnset
from detectors.tripwire_rules import FIRST
from detectors.tripwire_thresholds import SINGLE
from detectors.tripwires import evaluate
from schemas.clock import start_of_day
from schemas.geography import AreaCode
from schemas.signals import Signal
from schemas.substances import WATCH_LIST, SubstanceClass
from schemas.vocabulary import Delivery, Feed, Tier
from streams.simulation.history import CLASSES, FEEDS, History
from tocsin.learnt import Learnt

FIRST_FIND = "first find"
TIERS = {score: tier for tier, score in TRIPWIRE_SCORES.items()}
"""A telling's score stands for its tier."""
_EVER = 10_000
_FEED_WORDS = {
    Feed.SUSPECTED_DEATHS: "deaths",
    Feed.AMBULANCE_NALOXONE: "naloxone",
    Feed.ED_PRESENTATIONS: "A&E",
    Feed.DRUG_CHECKING: "samples",
}


class Asked:
    """A detector of counts or of events, asked as a detection run asks it."""

    def __init__(self, county: County, detector: Detector, learnt: Learnt) -> None:
        self._county = county
        self._detector = detector
        self._thresholds = learnt.counts
        self.name = detector.name

    def learn(self, past: Past) -> object:
        """Return what the detector keeps for a week."""
        return self._detector.learn(past)

    def look(self, day: Day) -> list[Telling]:
        """Return today's signals."""
        look = Look(
            jurisdiction=KENT,
            cube=day.cube,
            baseline=day.week.baseline,
            completeness=day.week.completeness,
            thresholds=self._thresholds,
            sightings=day.known(RECENT_DAYS),
            learnt={self.name: cast(JsonValue, day.week.learnt[self.name])},
        )
        return [telling_of(self._county, day, one) for one in self._detector.detect(look)]


class Wires(Rule):
    """The tripwires, single ones too, with what laboratories had found before.

    Parameters
    ----------
    county : County
    learnt : Learnt
    old : sequence of Observation
        Everything that was known before: the context of old records, where a bulk load brings some.
    """

    name = "tripwires"

    def __init__(self, county: County, learnt: Learnt, old: Sequence[Observation] = ()) -> None:
        self._county = county
        self._thresholds = learnt.tripwires
        self._old = old

    def look(self, day: Day) -> list[Telling]:
        """Return the tripwires that today's records complete."""
        if not day.new:
            return []
        new = [delivered(item) for item in day.new]
        loaded = any(item.delivery is Delivery.BACKFILL for item in new)
        context = [delivered(item) for item in day.context]
        signals = evaluate(
            new,
            [*context, *(self._old if loaded else ())],
            thresholds=self._thresholds,
            adjacency=self._county.ground.adjacency,
            jurisdiction=KENT,
            now=start_of_day(day.cube.last_day + timedelta(days=1)),
            seen=self._seen(day, new),
        )
        return [telling_of(self._county, day, one) for one in signals]

    def _seen(self, day: Day, new: Sequence[Observation]) -> Seen:
        """Return what samples had shown; a find counts at the end of its day, so that it is not before itself."""
        wanted = {name for item in new for name in item.detected} & WATCH_LIST
        if not wanted:
            return Seen()
        known = day.known(_EVER)
        sample = known.feed == SIGHTED_FEEDS.index(Feed.DRUG_CHECKING)
        begins = known.first_day + timedelta(days=int(known.day[sample].min(initial=known.n_days - 1)))
        earliest: dict[tuple[AreaCode, SubstanceClass], datetime] = {}
        for name in wanted:
            rows = np.flatnonzero(sample & ((known.classes & CLASS_BIT[name]) != 0))
            for area, when in zip(known.area[rows].tolist(), known.day[rows].tolist(), strict=True):
                code = self._county.areas[area] if area >= 0 else self._county.root
                moment = start_of_day(known.first_day + timedelta(days=when + 1)) - timedelta(minutes=1)
                earliest[code, name] = min(earliest.get((code, name), moment), moment)
        return Seen(history_start=start_of_day(begins), earliest=earliest)


def delivered(item: Observation) -> Observation:
    """Return an observation with its delivery: of a bulk load of toxicology, what it names was found by a laboratory."""
    if item.batch is None or not item.batch.endswith(f"-{BACKFILLED}"):
        return item
    return replace(item, batch=None, delivery=Delivery.BACKFILL, detected=item.classes)


def systems_of(county: County, learnt: Learnt, old: Sequence[Observation] = ()) -> list[System]:
    """Return everything that looks at a day."""
    detectors: tuple[Detector, ...] = (
        AreaCounts(county.zones),
        Fusion(county.terrain),
        Novelty(county.terrain),
        SlowOnset(county.zones),
    )
    return [*(Asked(county, one, learnt) for one in detectors), Wires(county, learnt, old)]


def telling_of(county: County, day: Day, signal: Signal) -> Telling:
    """Return a signal as the benchmarks count it; its score stands for its tier."""
    return Telling(
        day=day.today,
        window_days=(day.cube.last_day - signal.window_start).days + 1,
        score=TRIPWIRE_SCORES[signal.tier],
        family=signal.family,
        areas=bits(county, signal.areas),
        substance_class=signal.substance_class,
        event_type=kind_of(signal),
        may_page=signal.tier is Tier.PAGE,
    )


def kind_of(signal: Signal) -> str:
    """Return in a word or two what a signal says that it is."""
    feed = signal.feeds[0].feed
    named = EVENT_TYPES.get(signal.substance_class, "")
    if signal.family == FUSION:
        return str(signal.parameters["event_type"]).replace("_", " ")
    if signal.family == SLOW_ONSET:
        return f"slow rise of {_FEED_WORDS[feed]}"
    if signal.family == NOVELTY:
        kind = str(signal.parameters["kind"]).replace("_", " ")
        return f"{FIRST_FIND} ({kind})" if "first" in kind else f"supply ({kind})"
    if signal.family == SINGLE:
        return FIRST_FIND if signal.parameters.get("kind") == FIRST else "single event"
    if signal.family == AREA_COUNTS and feed is Feed.AMBULANCE_NALOXONE and not named:
        return "opioid"
    return named or f"more {_FEED_WORDS[feed]}"


def live_enough(history: History, telling: Telling, share: float = 2 / 3) -> bool:
    """Whether at least ``share`` of the records of a telling's place and time came as news.

    The rule of ``streams/evidence.py``, asked of the deaths of the telling's class: a telling does not keep its feed.
    """
    events, days = history.events, history.days
    since = days.start[telling.day - telling.window_days + 1]
    until = days.start[telling.day + 1]
    place = history.places.area_of[np.maximum(events.event_place, 0)]
    inside = (events.occurred >= since) & (events.occurred < until) & (events.known < until)
    inside &= (events.feed == FEEDS.index(Feed.SUSPECTED_DEATHS)) & (
        (telling.areas >> place.astype(np.int64)) & 1 > 0
    )
    if telling.substance_class is not SubstanceClass.ANY and telling.family == AREA_COUNTS:
        named = CLASSES.index(telling.substance_class)
        inside &= (events.first_class == named) | (events.second_class == named)
    held = events.batch[inside] != BACKFILLED
    return held.size == 0 or bool(held.mean() >= share)
