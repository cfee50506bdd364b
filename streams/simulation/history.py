"""One simulated history as columns: every record of the four feeds, drawn in NumPy before any message is made.

Called by the demo, by calibration and by tests: :func:`draw_history`. Same parameters, places, days and generator
state, same bytes out. Never makes an event message (``records.py`` does) and never reads a clock.
"""

from dataclasses import dataclass, fields
from datetime import date
from typing import Self

import numpy as np
import numpy.typing as npt

from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.parameters import Delay, FeedFigures, HarmProfile, SimulationParameters
from streams.simulation.people import PATTERNS, UNKNOWN_HOME, Levels, People, draw_levels, draw_people
from streams.simulation.places import Places
from streams.simulation.timing import Days, Floats, Minutes

FEEDS: tuple[Feed, ...] = tuple(Feed)
CLASSES: tuple[SubstanceClass, ...] = tuple(item for item in SubstanceClass if item is not SubstanceClass.ANY)
GENERAL, PRISON, SCHOOL, SELF_HARM = range(4)
"""Strata, in the order of :class:`schemas.vocabulary.Stratum`."""
IMPROVED, NO_RESPONSE, RESPONSE_UNKNOWN = range(3)

Indices = npt.NDArray[np.int64]
_C = SubstanceClass

NAMED_BY_PROFILE: dict[HarmProfile, dict[SubstanceClass, float]] = {
    HarmProfile.OPIOID: {_C.OPIATE: 0.72, _C.PHARMACEUTICAL_OPIOID: 0.18, _C.UNKNOWN_OPIOID: 0.10},
    HarmProfile.BENZODIAZEPINE: {_C.NOVEL_BENZODIAZEPINE: 0.55, _C.BENZODIAZEPINE: 0.45},
    HarmProfile.CANNABINOID: {_C.SYNTHETIC_CANNABINOID: 1.0},
    HarmProfile.STIMULANT: {_C.STIMULANT: 0.9, _C.DISSOCIATIVE: 0.1},
    HarmProfile.DEPRESSANT: {_C.OTHER_DEPRESSANT: 1.0},
}
"""What a record that names a substance names, by what harmed the person. Our assumption."""

SECOND_CLASS_SHARE = 0.12
"""Share of naming records that name a second class as well (polydrug use). Our assumption."""

_DAYTIME_HOURS = (9, 18)
_SAMPLE_WEEKDAY = np.array((1.0, 1.0, 1.1, 1.1, 1.3, 1.1, 0.4))
_WATCH = (_C.NITAZENE, _C.FENTANYL, _C.ORPHINE, _C.ALPHA2_SEDATIVE)


@dataclass(frozen=True, eq=False)
class EventColumns:
    """One row for each record, sorted by when it became known. Indices refer to FEEDS, CLASSES and the places."""

    feed: Indices
    occurred: Minutes
    """Minutes since 1970 in UTC."""
    known: Minutes
    person: Indices
    scene: Indices
    event_place: Indices
    """Fine area in which it happened."""
    event_stated: npt.NDArray[np.bool_]
    """Whether the record says so."""
    home: Indices
    """Fine area of residence, or one of the negative codes of ``people.py``."""
    first_class: Indices
    """Index into CLASSES of what it names; -1 when it names nothing."""
    second_class: Indices
    doses: Indices
    response: Indices
    arrest: npt.NDArray[np.bool_]
    stratum: Indices
    batch: Indices
    """Number of the batch that a sample belongs to; -1 for none."""
    sold_class: Indices
    """What a sample was sold as."""
    scene_token: npt.NDArray[np.bool_]
    subject_token: npt.NDArray[np.bool_]
    variant: Indices
    """A number of 0 to 999 by which harmless details of the message are chosen."""

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Self:
        """Return the chosen rows."""
        return type(self)(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})


@dataclass(frozen=True, eq=False)
class History:
    """A simulated history: the columns, and what is needed to make messages or counts of them."""

    parameters: SimulationParameters
    places: Places
    days: Days
    levels: Levels
    events: EventColumns
    label: str
    """Goes into every identifier and token, so that two histories never share one."""

    @property
    def first_day(self) -> date:
        """The first civil day on which something could happen."""
        return self.days.first_day

    @property
    def n_days(self) -> int:
        """How many civil days it covers. Records of the last days may become known later."""
        return self.days.n_days


def draw_history(
    parameters: SimulationParameters,
    places: Places,
    first_day: date,
    n_days: int,
    rng: np.random.Generator,
    *,
    label: str = "sim",
) -> History:
    """Draw one history in which nothing but chance happens.

    Parameters
    ----------
    parameters : SimulationParameters
        The figures; ``KENT_AND_MEDWAY`` has the defaults.
    places : Places
        The ground, from :func:`streams.simulation.places.places_from`.
    first_day, n_days
        Civil days in Europe/London.
    rng : numpy.random.Generator
        The only source of chance.
    label : str
        Part of every identifier: letters, digits and hyphens.
    """
    days = Days(first_day, n_days)
    levels = draw_levels(parameters, rng)
    people = draw_people(parameters, places, days, levels, rng)
    drawn = [
        _naloxone(parameters, people, rng),
        _ed(parameters, people, rng),
        _deaths(parameters, people, rng),
        _samples(parameters, places, days, levels, rng),
    ]
    joined = EventColumns(
        **{
            item.name: np.concatenate([getattr(part, item.name) for part in drawn])
            for item in fields(EventColumns)
        }
    )
    order = np.lexsort((joined.variant, joined.person, joined.occurred, joined.feed, joined.known))
    return History(parameters, places, days, levels, joined.take(order), label)


def _seen(people: People, column: int) -> Indices:
    return np.flatnonzero(np.array([item[column] for item in PATTERNS])[people.pattern])


def _naloxone(parameters: SimulationParameters, people: People, rng: np.random.Generator) -> EventColumns:
    rows = _seen(people, 0)
    count = len(rows)
    arrest = rng.random(count) < parameters.cardiac_arrest
    drawn = rng.random(count)
    none = np.where(arrest, drawn < 0.8, drawn < parameters.no_response)  # noqa: PLR2004 (few in arrest improve)
    response = np.where(none, NO_RESPONSE, IMPROVED)
    response = np.where(~none & (rng.random(count) < parameters.response_unknown), RESPONSE_UNKNOWN, response)
    many = rng.random(count) < np.where(none, parameters.three_doses_no_response, parameters.three_doses)
    doses = np.where(many, 3 + (rng.random(count) < 0.25), 1 + (rng.random(count) < 0.33))  # noqa: PLR2004 (shares)
    return feed_records(
        parameters.naloxone,
        Feed.AMBULANCE_NALOXONE,
        people,
        rows,
        rng,
        doses=doses,
        response=response,
        arrest=arrest,
    )


def _ed(parameters: SimulationParameters, people: People, rng: np.random.Generator) -> EventColumns:
    rows = _seen(people, 1)
    stated = rng.random(len(rows)) < parameters.ed_event_area_known
    only_here = ~np.array([item[0] or item[2] for item in PATTERNS])[people.pattern[rows]]
    self_harm = only_here & (rng.random(len(rows)) < parameters.self_harm_share)
    # Registration at the desk, after the journey.
    later = rng.integers(15, 120, len(rows))
    return feed_records(
        parameters.ed,
        Feed.ED_PRESENTATIONS,
        people,
        rows,
        rng,
        later=later,
        event_stated=stated,
        self_harm=self_harm,
    )


def _deaths(parameters: SimulationParameters, people: People, rng: np.random.Generator) -> EventColumns:
    rows = _seen(people, 2)
    return feed_records(
        parameters.deaths, Feed.SUSPECTED_DEATHS, people, rows, rng, later=rng.integers(0, 90, len(rows))
    )


def feed_records(  # noqa: PLR0913 (each feed states what it has and the others have not)
    figures: FeedFigures,
    feed: Feed,
    people: People,
    rows: Indices,
    rng: np.random.Generator,
    *,
    later: Indices | None = None,
    event_stated: npt.NDArray[np.bool_] | None = None,
    self_harm: npt.NDArray[np.bool_] | None = None,
    doses: Indices | None = None,
    response: Indices | None = None,
    arrest: npt.NDArray[np.bool_] | None = None,
) -> EventColumns:
    """Make the columns of one feed's records of people."""
    count = len(rows)
    none = np.zeros(count, dtype=np.int64)
    occurred = people.minute[rows] + (none if later is None else later)
    first, second = _named(people.profile[rows], figures.named_share, rng)
    stratum = np.where(people.school[rows], SCHOOL, GENERAL)
    stratum = np.where(none.astype(bool) if self_harm is None else self_harm, SELF_HARM, stratum)
    return EventColumns(
        feed=np.full(count, FEEDS.index(feed), dtype=np.int64),
        occurred=occurred,
        known=occurred + draw_delays(figures.delays, count, rng),
        person=people.person[rows],
        scene=people.scene[rows],
        event_place=people.place[rows],
        event_stated=np.ones(count, dtype=bool) if event_stated is None else event_stated,
        home=people.home[rows],
        first_class=first,
        second_class=second,
        doses=none if doses is None else doses.astype(np.int64),
        response=np.full(count, RESPONSE_UNKNOWN, dtype=np.int64) if response is None else response,
        arrest=none.astype(bool) if arrest is None else arrest,
        stratum=np.where(people.prison[rows], PRISON, stratum),
        batch=none - 1,
        sold_class=none - 1,
        scene_token=rng.random(count) < figures.scene_token_share,
        subject_token=rng.random(count) < figures.subject_token_share,
        variant=rng.integers(0, 1000, count),
    )


def _samples(
    parameters: SimulationParameters, places: Places, days: Days, levels: Levels, rng: np.random.Generator
) -> EventColumns:
    """Draw drug checking: people who were not harmed hand in samples, by day and mostly not on Sundays."""
    figures = parameters.samples
    batch_mean = 1 + 2.0 * figures.batch_share
    weekday = (_SAMPLE_WEEKDAY / _SAMPLE_WEEKDAY.mean())[days.weekday]
    handed_in = rng.poisson(levels.samples / 365.25 / batch_mean * weekday)
    day = np.repeat(np.arange(days.n_days), handed_in)
    minute = days.start[day] + rng.integers(_DAYTIME_HOURS[0] * 60, _DAYTIME_HOURS[1] * 60, len(day))
    place = rng.choice(len(places.fine), len(day), p=places.population / places.population.sum())
    watch = rng.random(len(day)) < figures.watch_list_share
    found = _pick([_CLASS_INDEX[item] for item in _WATCH], figures.watch_list_mix, len(day), rng)
    profile = rng.choice(len(figures.mix), len(day), p=np.array(figures.mix))
    ordinary = _class_of(profile, rng)
    first = np.where(watch, found, ordinary)
    mis_sold = rng.random(len(day)) < figures.misleading_share
    elsewhere = _class_of(rng.choice(len(figures.mix), len(day), p=np.array(figures.mix)), rng)
    sold = np.where(watch | mis_sold, elsewhere, ordinary)
    delay = draw_delays(figures.delays, len(day), rng)
    in_batch = rng.random(len(day)) < figures.batch_share
    size = np.where(in_batch, rng.integers(2, 5, len(day)), 1)
    parent = np.repeat(np.arange(len(day)), size)
    count = len(parent)
    return EventColumns(
        feed=np.full(count, FEEDS.index(Feed.DRUG_CHECKING), dtype=np.int64),
        occurred=minute[parent],
        known=(minute + delay)[parent],
        person=np.full(count, -1, dtype=np.int64),
        scene=np.full(count, -1, dtype=np.int64),
        event_place=place[parent],
        event_stated=np.ones(count, dtype=bool),
        home=np.full(count, UNKNOWN_HOME, dtype=np.int64),
        first_class=first[parent],
        second_class=np.full(count, -1, dtype=np.int64),
        doses=np.zeros(count, dtype=np.int64),
        response=np.full(count, RESPONSE_UNKNOWN, dtype=np.int64),
        arrest=np.zeros(count, dtype=bool),
        stratum=np.full(count, GENERAL, dtype=np.int64),
        batch=np.where(in_batch, np.arange(len(day)), -1)[parent],
        sold_class=sold[parent],
        scene_token=np.zeros(count, dtype=bool),
        subject_token=np.zeros(count, dtype=bool),
        variant=rng.integers(0, 1000, count),
    )


def draw_delays(delays: tuple[Delay, ...], count: int, rng: np.random.Generator) -> Minutes:
    """Draw how many minutes pass until each of ``count`` records is known."""
    way = rng.choice(len(delays), count, p=np.array([item.share for item in delays]))
    median = np.array([item.median_hours for item in delays])[way]
    spread = np.array([item.log_sd for item in delays])[way]
    least = np.array([item.least_hours for item in delays])[way]
    most = np.array([item.most_hours for item in delays])[way]
    hours = np.clip(median * np.exp(spread * rng.standard_normal(count)), least, most)
    minutes: Minutes = np.ceil(hours * 60).astype(np.int64)
    return minutes


_CLASS_INDEX = {item: number for number, item in enumerate(CLASSES)}


def _class_of(profile: Indices, rng: np.random.Generator) -> Indices:
    """Draw the class that a record of each profile names, if it names one."""
    table = np.zeros((len(HarmProfile), len(CLASSES)))
    for row, item in enumerate(HarmProfile):
        for its_class, share in NAMED_BY_PROFILE[item].items():
            table[row, _CLASS_INDEX[its_class]] = share
    cumulative = np.cumsum(table, axis=1)
    drawn = rng.random(len(profile))
    found: Indices = np.minimum((drawn[:, None] >= cumulative[profile]).sum(axis=1), len(CLASSES) - 1)
    return found


def _named(profile: Indices, share: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Draw the one or two classes that each record names; -1 for none."""
    count = len(profile)
    names = rng.random(count) < share
    first = np.where(names, _class_of(profile, rng), -1)
    second = _class_of(rng.integers(0, len(HarmProfile), count), rng)
    also = names & (rng.random(count) < SECOND_CLASS_SHARE) & (second != first)
    return first, np.where(also, second, -1)


def _pick(items: list[int], weights: tuple[float, ...], count: int, rng: np.random.Generator) -> Indices:
    share: Floats = np.array(weights)
    return np.array(items, dtype=np.int64)[rng.choice(len(items), count, p=share / share.sum())]
