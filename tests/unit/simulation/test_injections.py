"""Injected outbreaks have the stated size, place, days and feeds, and nothing else of the history changes."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.substances import SubstanceClass
from schemas.vocabulary import Feed
from streams.simulation.counting import counted_place
from streams.simulation.event_records import (
    BENZODIAZEPINE,
    CANNABINOID,
    DEPRESSANT,
    OPIOID,
    STIMULANT_DEATHS,
    EventType,
    varied,
)
from streams.simulation.history import CLASSES, FEEDS, History, draw_history
from streams.simulation.injections import Injection, Injector, Shape
from streams.simulation.parameters import KENT_AND_MEDWAY, SimulationParameters
from streams.simulation.places import Places
from streams.simulation.ranges import NALOXONE_A_YEAR, after_outage, draw_parameters, draw_troubles, troubled
from streams.simulation.timing import day_index

TYPES = (OPIOID, BENZODIAZEPINE, CANNABINOID, DEPRESSANT, STIMULANT_DEATHS)


@pytest.fixture(scope="session")
def injector(places: Places) -> Injector:
    return Injector(places)


def _added(before: History, after: History) -> History:
    """Return the injected records alone: those of people that nobody had heard of."""
    new = (after.events.person > before.events.person.max()) | (
        (after.events.feed == FEEDS.index(Feed.DRUG_CHECKING))
        & ~np.isin(after.events.occurred, before.events.occurred)
    )
    return History(
        after.parameters, after.places, after.days, after.levels, after.events.take(new), after.label
    )


@settings(max_examples=25, deadline=None)
@given(
    event_type=st.sampled_from(TYPES),
    shape=st.sampled_from(list(Shape)),
    people=st.sampled_from((3, 5, 20)),
    days=st.sampled_from((3, 14, 60)),
    seed=st.integers(0, 1000),
)
def test_an_outbreak_has_its_people_within_its_days_and_the_rest_stays(
    year: History,
    injector: Injector,
    event_type: EventType,
    shape: Shape,
    people: int,
    days: int,
    seed: int,
) -> None:
    after, truth = injector.inject(
        year, Injection(event_type, shape, people, days), 200, np.random.default_rng(seed)
    )
    added = _added(year, after)
    assert len(np.unique(added.events.person)) == people
    assert len(after.events.feed) == len(year.events.feed) + len(added.events.feed)
    assert 200 <= truth.first_day <= truth.last_day <= 200 + days
    assert (np.diff(after.events.known) >= 0).all()
    assert {int(item) for item in year.places.area_of[list(truth.fine)]} == truth.areas


@pytest.mark.parametrize(
    ("shape", "fewest", "most"),
    [(Shape.DISTRICT, 1, 1), (Shape.BORDER_TOWN, 2, 4), (Shape.COUNTY, 5, 13), (Shape.HOUSEHOLD, 1, 1)],
)
def test_each_shape_holds_as_many_districts_as_it_says(
    year: History, injector: Injector, shape: Shape, fewest: int, most: int
) -> None:
    for seed in range(10):
        _, truth = injector.inject(year, Injection(OPIOID, shape, 20, 3), 100, np.random.default_rng(seed))
        assert fewest <= len(truth.areas) <= most


def test_people_appear_in_feeds_as_often_as_stated(year: History, injector: Injector) -> None:
    after, _ = injector.inject(
        year, Injection(BENZODIAZEPINE, Shape.COUNTY, 2000, 60), 100, np.random.default_rng(1)
    )
    feeds = np.bincount(_added(year, after).events.feed, minlength=len(FEEDS)) / 2000
    assert feeds[FEEDS.index(Feed.AMBULANCE_NALOXONE)] == 0
    assert 0.9 < feeds[FEEDS.index(Feed.ED_PRESENTATIONS)] < 0.97
    assert 0.045 < feeds[FEEDS.index(Feed.SUSPECTED_DEATHS)] < 0.08


def test_residence_is_elsewhere_for_the_share_that_the_history_drew(
    year: History, injector: Injector
) -> None:
    after, truth = injector.inject(
        year, Injection(CANNABINOID, Shape.DISTRICT, 2000, 14), 100, np.random.default_rng(2)
    )
    added = _added(year, after)
    in_ed = added.events.take(added.events.feed == FEEDS.index(Feed.ED_PRESENTATIONS))
    counted = counted_place(in_ed)
    known = counted[counted >= 0]
    elsewhere = np.mean([int(area) not in truth.areas for area in year.places.area_of[known]])
    assert abs(elsewhere - year.levels.elsewhere) < 0.04


def test_most_of_a_household_live_where_they_are_harmed(year: History, injector: Injector) -> None:
    after, truth = injector.inject(
        year, Injection(CANNABINOID, Shape.HOUSEHOLD, 400, 14), 100, np.random.default_rng(4)
    )
    events = _added(year, after).events
    at_home = np.mean(np.isin(events.home, list(truth.fine)))
    assert 0.6 < at_home < 0.95
    assert len(np.unique(events.scene)) == 1


def test_samples_come_before_the_first_casualty_and_name_a_nitazene(
    year: History, injector: Injector
) -> None:
    injection = Injection(OPIOID, Shape.DISTRICT, 8, 14, samples_before=3)
    after, truth = injector.inject(year, injection, 100, np.random.default_rng(3))
    events = _added(year, after).events
    samples = events.take(events.feed == FEEDS.index(Feed.DRUG_CHECKING))
    assert len(samples.feed) == 3
    assert truth.first_day - 8 <= truth.first_sample_day <= truth.first_day
    assert {CLASSES[index].value for index in samples.first_class} == {"nitazene"}


def test_the_same_generator_gives_the_same_outbreak(year: History, injector: Injector) -> None:
    injection = Injection(OPIOID, Shape.BORDER_TOWN, 12, 14)
    drawn = [injector.inject(year, injection, 90, np.random.default_rng(seed))[0] for seed in (5, 5, 6)]
    assert np.array_equal(drawn[0].events.known, drawn[1].events.known)
    assert not np.array_equal(drawn[0].events.known, drawn[2].events.known)


def test_an_outbreak_outside_the_history_is_refused(year: History, injector: Injector) -> None:
    with pytest.raises(ValueError, match=r"start_day is 350; wanted 7 to 306"):
        injector.inject(year, Injection(OPIOID, Shape.COUNTY, 5, 60), 350, np.random.default_rng(1))


@pytest.mark.parametrize(("name", "value"), [("people", 0), ("days", 0), ("samples_before", -1)])
def test_an_outbreak_of_nobody_or_of_no_days_is_refused_by_name(name: str, value: int) -> None:
    stated = {"people": 3, "days": 3, "samples_before": 0, name: value}
    with pytest.raises(ValueError, match=f"^{name} is {value}"):
        Injection(OPIOID, Shape.DISTRICT, **stated)


def test_people_whom_no_feed_would_see_are_refused() -> None:
    with pytest.raises(ValueError, match="naloxone, ed or death of unseen"):
        EventType("unseen", naloxone=0.0, ed=0.0, death=0.0, named={SubstanceClass.OPIATE: 1.0})


def test_counties_differ_within_the_stated_ranges() -> None:
    drawn = [draw_parameters(np.random.default_rng(seed)) for seed in range(200)]
    volumes = np.array([item.naloxone.per_year for item in drawn])
    assert volumes.min() >= NALOXONE_A_YEAR[0]
    assert volumes.max() <= NALOXONE_A_YEAR[1]
    assert volumes.max() / volumes.min() > 4
    for item in drawn:
        assert SimulationParameters.model_validate_json(item.model_dump_json()) == item


def test_a_dead_feed_says_nothing_until_it_is_back(places: Places) -> None:
    history = draw_history(KENT_AND_MEDWAY, places, date(2016, 1, 1), 366, np.random.default_rng(7))
    for seed in range(12):
        troubles = draw_troubles(history.n_days, np.random.default_rng(seed), after=100)
        after = troubled(history, troubles, np.random.default_rng(1))
        known = day_index(history.days, after.events.known)
        dead = after.events.feed == FEEDS.index(troubles.dead)
        silent = (known >= troubles.dead_from) & (known <= troubles.dead_to)
        assert 100 <= troubles.dead_from <= troubles.dead_to < history.n_days
        assert not (dead & silent).any()
        assert (~dead & silent).any()


def test_what_a_dead_feed_held_back_is_lost_or_late(year: History) -> None:
    fates = set()
    for seed in range(12):
        troubles = draw_troubles(year.n_days, np.random.default_rng(seed), after=100)
        after = after_outage(year.events, year.days, troubles)
        lost = len(year.events.feed) - len(after.feed)
        assert (lost > 0) <= troubles.lost
        fates.add(troubles.lost)
    assert fates == {True, False}


def test_an_outbreaks_own_chances_lie_around_its_types() -> None:
    drawn = [varied(OPIOID, np.random.default_rng(seed)) for seed in range(300)]
    assert abs(float(np.median([item.naloxone for item in drawn])) - OPIOID.naloxone) < 0.05
    assert np.std([item.naloxone for item in drawn]) > 0.05
    assert all(abs(sum(item.named.values()) - 1) < 1e-9 for item in drawn)
    assert all(
        varied(BENZODIAZEPINE, np.random.default_rng(seed)).naloxone == BENZODIAZEPINE.naloxone == 0
        for seed in range(10)
    )
