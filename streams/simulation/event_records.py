"""Events of a stated kind, and the records that their people and samples leave in the feeds.

For whoever puts something into a simulated history: ``injections.py`` and the scenarios of the benchmarks. Records are
made as the simulator makes everybody else's, with the history's own delays, naming shares and tokens. Everything here is
stated, nothing is fitted. Never reads a clock, never changes what it is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.history import (
    CLASSES,
    FEEDS,
    GENERAL,
    IMPROVED,
    NO_RESPONSE,
    RESPONSE_UNKNOWN,
    EventColumns,
    History,
    Indices,
    draw_delays,
    feed_records,
)
from streams.simulation.people import UNKNOWN_HOME, People
from streams.simulation.timing import Minutes

_C = SubstanceClass
Flags = npt.NDArray[np.bool_]

DEAD_AT_ED = 0.3
"""Factor on the chance that somebody who dies is also seen in A&E."""


@dataclass(frozen=True)
class EventType:
    """In which feeds each person of an outbreak appears, and what the records say. All of it is our assumption.

    The three chances are independent, but somebody who died is seldom in A&E; a person whom no feed would see is drawn
    again, so that a size is a number of people whom somebody saw.
    """

    name: str
    naloxone: float
    ed: float
    death: float
    named: Mapping[SubstanceClass, float]
    """What a record that names a substance names; the share that names one is the feed's own."""
    no_response: float = 0.06
    three_doses: float = 0.055

    def __post_init__(self) -> None:
        if max(self.naloxone, self.ed, self.death) <= 0:
            raise ValueError(
                f"naloxone, ed or death of {self.name} must be above 0: no feed would see anybody"
            )


OPIOID = EventType(
    "opioid",
    naloxone=0.7,
    ed=0.5,
    death=0.15,
    named={_C.OPIATE: 0.6, _C.UNKNOWN_OPIOID: 0.25, _C.NITAZENE: 0.15},
    no_response=0.2,
    three_doses=0.35,
)
BENZODIAZEPINE = EventType(
    "benzodiazepine",
    naloxone=0.0,
    ed=0.9,
    death=0.06,
    named={_C.NOVEL_BENZODIAZEPINE: 0.45, _C.BENZODIAZEPINE: 0.45, _C.OPIATE: 0.1},
)
CANNABINOID = EventType(
    "cannabinoid", naloxone=0.0, ed=0.95, death=0.02, named={_C.SYNTHETIC_CANNABINOID: 0.9, _C.UNKNOWN: 0.1}
)
DEPRESSANT = EventType(
    "depressant",
    naloxone=0.25,
    ed=0.8,
    death=0.1,
    named={_C.OTHER_DEPRESSANT: 0.6, _C.DISSOCIATIVE: 0.25, _C.ALPHA2_SEDATIVE: 0.15},
    no_response=0.8,
    three_doses=0.3,
)
"""GHB and the like, given naloxone on suspicion and in vain: no detector has a profile of it."""
STIMULANT_DEATHS = EventType("stimulant_deaths", naloxone=0.02, ed=0.2, death=0.8, named={_C.STIMULANT: 1.0})
"""People found dead after a stimulant, with hardly anybody in A&E: no detector has a profile of it either."""


VARIED_LOG_ODDS_SD = 0.5
"""How far the chances of one outbreak lie from its type's, as a standard deviation of their log odds. Ours."""
VARIED_NAMES = 10.0
"""Records that the stated naming is worth when one outbreak's own is drawn (Dirichlet). Ours."""


def varied(event_type: EventType, rng: np.random.Generator) -> EventType:
    """Return one outbreak's own chances and names, drawn around its type's; what cannot happen still cannot."""

    def moved(chance: float) -> float:
        shift = float(rng.standard_normal()) * VARIED_LOG_ODDS_SD
        return 0.0 if chance <= 0 else 1 / (1 + (1 / chance - 1) * float(np.exp(-shift)))

    chances = {
        name: moved(getattr(event_type, name))
        for name in ("naloxone", "ed", "death", "no_response", "three_doses")
    }
    share = np.array(list(event_type.named.values()))
    drawn = rng.dirichlet(VARIED_NAMES * share / share.sum())
    named = dict(zip(event_type.named, drawn.tolist(), strict=True))
    return replace(event_type, named=named, **chances)  # type: ignore[arg-type]


def appearances(event_type: EventType, count: int, rng: np.random.Generator) -> Flags:
    """Draw who is seen by (naloxone, A&E, deaths), shape (count, 3); everybody by at least one."""
    seen = np.zeros((count, 3), dtype=bool)
    missing = np.arange(count)
    while missing.size:
        death = rng.random(missing.size) < event_type.death
        ed = rng.random(missing.size) < event_type.ed * np.where(death, DEAD_AT_ED, 1.0)
        naloxone = rng.random(missing.size) < event_type.naloxone
        seen[missing] = np.column_stack([naloxone, ed, death])
        missing = missing[~seen[missing].any(axis=1)]
    return seen


def casualty_records(
    history: History, people: People, event_type: EventType, seen: Flags, rng: np.random.Generator
) -> list[EventColumns]:
    """Return the records of harmed people in (naloxone, A&E, deaths), as ``seen`` says who is in which."""
    parameters = history.parameters
    rows = [np.flatnonzero(seen[:, feed]) for feed in range(3)]
    number = len(rows[0])
    none_responds = rng.random(number) < event_type.no_response
    unknown = ~none_responds & (rng.random(number) < parameters.response_unknown)
    naloxone = feed_records(
        parameters.naloxone,
        Feed.AMBULANCE_NALOXONE,
        people,
        rows[0],
        rng,
        doses=np.where(rng.random(number) < event_type.three_doses, 3, rng.integers(1, 3, number)),
        response=np.where(none_responds, NO_RESPONSE, np.where(unknown, RESPONSE_UNKNOWN, IMPROVED)),
        arrest=rng.random(number) < parameters.cardiac_arrest,
    )
    ed = feed_records(
        parameters.ed,
        Feed.ED_PRESENTATIONS,
        people,
        rows[1],
        rng,
        later=rng.integers(15, 120, len(rows[1])),
        event_stated=rng.random(len(rows[1])) < parameters.ed_event_area_known,
    )
    deaths = feed_records(
        parameters.deaths,
        Feed.SUSPECTED_DEATHS,
        people,
        rows[2],
        rng,
        later=rng.integers(0, 90, len(rows[2])),
    )
    return [_renamed(part, event_type, rng) for part in (naloxone, ed, deaths)]


def _renamed(part: EventColumns, event_type: EventType, rng: np.random.Generator) -> EventColumns:
    """Return records that name what this event's records name, where they name anything."""
    classes = [CLASSES.index(item) for item in event_type.named]
    share = np.array(list(event_type.named.values()))
    drawn = rng.choice(classes, len(part.feed), p=share / share.sum())
    second = np.where(part.second_class == drawn, -1, part.second_class)
    return replace(part, first_class=np.where(part.first_class >= 0, drawn, -1), second_class=second)


def sample_waits(history: History, count: int, rng: np.random.Generator) -> Minutes:
    """Draw how long each sample's result takes, in minutes."""
    return draw_delays(history.parameters.samples.delays, count, rng)


def sample_records(
    occurred: Minutes,
    known: Minutes,
    place: Indices,
    found: Sequence[SubstanceClass],
    sold_as: Sequence[SubstanceClass],
    rng: np.random.Generator,
) -> EventColumns:
    """Return tested samples, one of each place: nobody's harm, and each of a batch of its own."""
    count = len(occurred)
    none = np.zeros(count, dtype=np.int64)
    return EventColumns(
        feed=np.full(count, FEEDS.index(Feed.DRUG_CHECKING), dtype=np.int64),
        occurred=occurred,
        known=known,
        person=none - 1,
        scene=none - 1,
        event_place=place,
        event_stated=np.ones(count, dtype=bool),
        home=np.full(count, UNKNOWN_HOME, dtype=np.int64),
        first_class=np.array([CLASSES.index(one) for one in found], dtype=np.int64),
        second_class=none - 1,
        doses=none,
        response=np.full(count, RESPONSE_UNKNOWN, dtype=np.int64),
        arrest=np.zeros(count, dtype=bool),
        stratum=np.full(count, GENERAL, dtype=np.int64),
        batch=none - 1,
        sold_class=np.array([CLASSES.index(one) for one in sold_as], dtype=np.int64),
        scene_token=np.zeros(count, dtype=bool),
        subject_token=np.zeros(count, dtype=bool),
        variant=rng.integers(0, 1000, count),
    )


def joined(parts: Sequence[EventColumns]) -> EventColumns:
    """Return the rows of all parts, one part after the other."""
    return EventColumns(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in parts])
            for item in fields(EventColumns)
        }
    )


def with_records(history: History, parts: Sequence[EventColumns]) -> History:
    """Return the history with more records, in the order in which they become known."""
    events = joined([history.events, *parts])
    order = np.lexsort((events.variant, events.person, events.occurred, events.feed, events.known))
    return replace(history, events=events.take(order))
