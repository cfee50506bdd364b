"""What was never found before, is back after a gap, is found more often, or is not what it was sold as.

A detection run asks :class:`Novelty` at every look. It reads single events, never counts: drug-checking samples, with
the number tested as the denominator, and suspected deaths that name a substance. At most it asks for a review: a
sample has harmed nobody yet, and a watch-list class found once is the tripwires' (``detectors/tripwire_rules.py``),
which see it the moment it arrives. Ordinary supply is no news: every rule measures against the class's own share.

Known limits, on purpose. Records that become known more than four weeks after they happened teach the past and are
never told. Events do not say which samples are of one seizure (``novelty_history.Observed`` says what is done), nor
whether a class that a death names was found by a laboratory or suspected by whoever was there.
"""

from pydantic import JsonValue, ValidationError

from detectors.budget import NOVELTY
from detectors.contract import Look, Past
from detectors.episodes import Alarm
from detectors.novelty_history import WINDOW_DAYS, NoveltyPast, learn_past, observed_in
from detectors.novelty_rules import Finding, Question, findings, strongest, window_of
from detectors.novelty_words import sentence_for
from detectors.sightings import Sightings
from detectors.terrain import Terrain
from schemas.clock import start_of_day
from schemas.signals import FeedEvidence, Signal
from schemas.substances import WATCH_LIST, SubstanceClass
from schemas.vocabulary import Tier

MODEL_VERSION = "novelty-1"

LOWEST_NOVELTY = 0.0
"""Below this a rule finds as much by chance in every window."""


class Novelty:
    """New classes, returning classes, rising shares and mis-sold goods.

    Parameters
    ----------
    terrain : Terrain
        Whose ``areas`` the events refer to.
    watch_list : frozenset of SubstanceClass
        Classes of which the tripwires tell a first find.
    """

    name = "novelty"
    family = NOVELTY

    def __init__(self, terrain: Terrain, watch_list: frozenset[SubstanceClass] = WATCH_LIST) -> None:
        self.terrain = terrain
        self.watch_list = watch_list

    def learn(self, past: Past) -> JsonValue:
        """Return what both feeds had shown until four weeks ago, as JSON (a few kilobytes)."""
        self._refuse_others(past.sightings, past.cube.last_day.toordinal(), "past")
        return learn_past(past.sightings, self.terrain.areas).model_dump(mode="json")

    def detect(self, look: Look) -> list[Signal]:
        """Return today's signals, strongest first: one for each class and place, and for each mis-sold pair.

        Without events, or before anything was learnt, it finds nothing. ``newest_evidence_at`` and ``evidence`` are
        filled in by the caller, as for every detector of counts.

        Raises
        ------
        ValueError
            If the events are of other areas than the terrain or end on another day than the look, or if what was
            learnt is not this detector's.
        """
        floor = max(look.thresholds.lowest(self.family), LOWEST_NOVELTY)
        signals = (self._signal(look, question, item) for question, item in self._tellings(look, floor))
        return [signal for signal in signals if signal is not None]

    def alarms(self, look: Look, day: int) -> list[Alarm]:
        """Return the same findings as calibration counts them; ``day`` is the index of the look's day."""
        every = (1 << max(len(self.terrain.areas), 1)) - 1
        bits = {code: 1 << index for index, code in enumerate(self.terrain.areas)} | {
            self.terrain.root: every
        }
        return [
            Alarm(day, WINDOW_DAYS, item.score, bits[item.place], item.substance_class, may_page=False)
            for _, item in self._tellings(look, LOWEST_NOVELTY)
        ]

    def _tellings(self, look: Look, floor: float) -> list[tuple[Question, Finding]]:
        """Return the findings that stand and reach the floor, strongest first, each with what it was asked of."""
        if look.sightings is None or look.learnt.get(self.name) is None:
            return []
        self._refuse_others(look.sightings, look.today.toordinal(), "look")
        try:
            past = NoveltyPast.model_validate(look.learnt[self.name])
        except ValidationError as error:
            raise ValueError(
                f"learnt must be what {self.name} learnt: {error.error_count()} errors"
            ) from error
        questions = {item.feed: item for item in self._questions(look.sightings, past)}
        found = [item for question in questions.values() for item in findings(question)]
        standing = strongest(found, self.terrain.root)
        return [(questions[item.feed], item) for item in standing if item.score >= floor]

    def _questions(self, sightings: Sightings, past: NoveltyPast) -> list[Question]:
        first, _ = window_of(sightings.last_day)
        window_day = (first - sightings.first_day).days
        until_day = (past.until - sightings.first_day).days
        questions = []
        for feed, known in past.feeds.items():
            observed = observed_in(sightings, feed)
            questions.append(
                Question(
                    feed=feed,
                    past=known,
                    window=observed.where(observed.day >= window_day),
                    between=observed.where((observed.day >= until_day) & (observed.day < window_day)),
                    window_from=first,
                    terrain=self.terrain,
                    watch_list=self.watch_list,
                )
            )
        return questions

    def _signal(self, look: Look, question: Question, item: Finding) -> Signal | None:
        reached = look.thresholds.disposition(self.family, item.score)
        if reached is None:
            return None
        tier = Tier.REVIEW if reached is Tier.PAGE else reached
        recurrence = look.thresholds.recurrence(self.family, item.score)
        first, today = window_of(look.today)
        sentence = sentence_for(
            item, today, question.past.first_day, look.names, joined=question.is_joined(item)
        )
        return Signal(
            jurisdiction=look.jurisdiction,
            detector=self.name,
            family=self.family,
            key=item.key,
            areas=(item.place,),
            window_start=first,
            window_end=today,
            feeds=(FeedEvidence(feed=item.feed, observed=item.found, expected=item.chance.expected),),
            substance_class=item.substance_class,
            observed=item.found,
            expected=item.chance.expected,
            interval=item.chance.interval,
            p_value=item.chance.p_value,
            recurrence_interval_days=recurrence.days,
            tier=tier,
            newest_evidence_at=start_of_day(today, look.zone),
            parameters={
                "score": round(item.score, 4),
                "kind": item.kind.value,
                "tested": item.tested,
                "sold_as": item.sold.value if item.sold is not None else "",
                "before_found": item.before[0],
                "before_tested": item.before[1],
                "gap_tested": item.gap,
                "cells": item.cells,
                "declared": item.declared,
                "window_days": WINDOW_DAYS,
                "held_from": reached.value if tier is not reached else "",
                "recurrence_extrapolated": recurrence.extrapolated,
                "recurrence_capped": recurrence.capped,
            },
            model_version=MODEL_VERSION,
            sentence=sentence,
        )

    def _refuse_others(self, sightings: Sightings, last_day: int, what: str) -> None:
        if sightings.last_day.toordinal() != last_day:
            raise ValueError(f"sightings must end on the last day of the {what}'s cube")
        if sightings.area.size and int(sightings.area.max()) >= len(self.terrain.areas):
            raise ValueError(f"sightings must be of the terrain's {len(self.terrain.areas)} areas")
