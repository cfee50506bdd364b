"""The messages of a history are valid, in order of becoming known, and say what the columns and counts say."""

import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date, datetime

import numpy as np
import pytest

from detectors.observations import Observation
from schemas.clock import civil_day
from schemas.events import (
    EVENT,
    DrugCheckingResult,
    EdPresentation,
    Event,
    Intent,
    NaloxoneAdministration,
    PlaceType,
    Response,
    SuspectedDeath,
    as_json,
    identity_of,
)
from schemas.geography import AreaCode, Geography
from schemas.substances import SubstanceClass, Taxonomy, default_taxonomy
from schemas.vocabulary import Feed, Stratum
from streams.simulation.counting import occurrences
from streams.simulation.history import History, draw_history
from streams.simulation.observing import observations
from streams.simulation.parameters import KENT_AND_MEDWAY
from streams.simulation.places import Places
from streams.simulation.records import SUBSTANCES, SimulatedRecord, records

ALL_SERIES = tuple((feed, one) for feed in Feed for one in SubstanceClass)
NO_PLACE = {"unknown", "no_fixed_abode", "outside"}


@pytest.fixture(scope="module")
def quarter(places: Places) -> History:
    return draw_history(KENT_AND_MEDWAY, places, date(2016, 1, 1), 180, np.random.default_rng(21))


@pytest.fixture(scope="module")
def messages(quarter: History) -> list[SimulatedRecord]:
    return list(records(quarter))


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return default_taxonomy()


def _known_area(event: Event) -> str | None:
    order = ("residence", "event") if isinstance(event, EdPresentation) else ("event", "residence")
    return next((code for name in order if (code := getattr(event.areas, name)) not in NO_PLACE), None)


def _classes(event: Event, taxonomy: Taxonomy) -> frozenset[SubstanceClass]:
    names = (
        [item.substance for item in event.detected]
        if isinstance(event, DrugCheckingResult)
        else list(event.suspected)
    )
    found = [taxonomy.classify(name) for name in names]
    assert all(found), names
    classes = frozenset(one.substance_class for one in found if one is not None)
    unnamed = SubstanceClass.UNKNOWN
    if isinstance(event, NaloxoneAdministration):
        unnamed = SubstanceClass.UNKNOWN_OPIOID
    return classes or frozenset({unnamed})


def _stratum(event: Event) -> Stratum:
    if event.place_type is PlaceType.PRISON_OR_CUSTODY:
        return Stratum.PRISON
    if event.intent is Intent.SELF_HARM:
        return Stratum.SELF_HARM
    return Stratum.SCHOOL if event.place_type is PlaceType.SCHOOL else Stratum.GENERAL


def test_every_message_passes_its_own_validation_as_json(messages: list[SimulatedRecord]) -> None:
    for record in messages:
        assert EVENT.validate_json(as_json(record.event)) == record.event


def test_records_come_in_the_order_in_which_they_become_known(messages: list[SimulatedRecord]) -> None:
    known = [record.known_at for record in messages]
    assert known == sorted(known)
    assert all(record.known_at > record.event.occurred_at for record in messages)


def test_no_two_records_have_one_identity(messages: list[SimulatedRecord]) -> None:
    found = [identity_of(record.event.source, record.event.event_id) for record in messages]
    assert len(set(found)) == len(found)


def test_the_same_history_gives_the_same_messages(quarter: History, messages: list[SimulatedRecord]) -> None:
    assert [as_json(record.event) for record in records(quarter)] == [
        as_json(record.event) for record in messages
    ]


def test_every_area_is_one_of_the_geography(messages: list[SimulatedRecord], kent: Geography) -> None:
    for record in messages:
        for code in (record.event.areas.event, record.event.areas.residence, record.event.areas.site):
            assert code in NO_PLACE or kent.get(code) is not None


def test_the_taxonomy_knows_every_name_as_the_class_it_stands_for(taxonomy: Taxonomy) -> None:
    for substance_class, names in SUBSTANCES.items():
        for name in names:
            known = taxonomy.classify(name)
            assert known is not None, name
            assert known.substance_class is substance_class, name


def test_one_person_has_one_subject_token_in_several_feeds(messages: list[SimulatedRecord]) -> None:
    feeds: dict[str, list[Feed]] = defaultdict(list)
    for record in messages:
        if record.event.subject is not None:
            feeds[record.event.subject].append(record.event.feed)
    in_two = [found for found in feeds.values() if len(set(found)) > 1]
    assert len(in_two) > 50
    assert any(len(found) > len(set(found)) for found in feeds.values()), "nobody calls twice"


def test_a_token_is_new_after_its_period(messages: list[SimulatedRecord]) -> None:
    moments: dict[str, list[datetime]] = defaultdict(list)
    for record in messages:
        for token in (record.event.subject, record.event.scene):
            if token is not None:
                moments[token].append(record.event.occurred_at)
    assert max((max(found) - min(found)).days for found in moments.values()) < 28


def test_deaths_are_suspected_and_never_confirmed_by_the_simulation(messages: list[SimulatedRecord]) -> None:
    deaths = [record.event for record in messages if isinstance(record.event, SuspectedDeath)]
    assert deaths
    assert not any(event.confirmed for event in deaths)


def test_counts_without_messages_equal_the_counts_of_the_messages(
    quarter: History, messages: list[SimulatedRecord], kent: Geography, taxonomy: Taxonomy
) -> None:
    expected: Counter[tuple[int, int, str | None, Feed, SubstanceClass]] = Counter()
    for record in messages:
        event = record.event
        day = (civil_day(event.occurred_at) - quarter.first_day).days
        if _stratum(event) is not Stratum.GENERAL or not 0 <= day < quarter.n_days:
            continue
        code = _known_area(event)
        area = None if code is None else kent.detection_area_of(AreaCode(code))
        known = (civil_day(record.known_at) - quarter.first_day).days
        for one in (*_classes(event, taxonomy), SubstanceClass.ANY):
            expected[day, known, area, event.feed, one] += 1
    counted = occurrences(quarter, kent.detection_areas(), ALL_SERIES)
    found: Counter[tuple[int, int, str | None, Feed, SubstanceClass]] = Counter()
    for day, known, area_index, series_index in zip(
        counted.day.tolist(),
        counted.known_day.tolist(),
        counted.area.tolist(),
        counted.series_index.tolist(),
        strict=True,
    ):
        where = counted.areas[area_index] if area_index >= 0 else None
        found[(day, known, where, *counted.series[series_index])] += 1
    assert found == expected
    assert any(area is None for _, _, area, _, _ in found), "everything was placed"


def test_series_that_are_not_asked_for_are_left_out(quarter: History, kent: Geography) -> None:
    series = ((Feed.AMBULANCE_NALOXONE, SubstanceClass.ANY),)
    counted = occurrences(quarter, kent.detection_areas(), series)
    whole = occurrences(quarter, kent.detection_areas(), ALL_SERIES)
    assert len(counted.day) == int((whole.series_index == ALL_SERIES.index(series[0])).sum())


def test_observations_without_messages_say_what_the_messages_say(
    quarter: History, messages: list[SimulatedRecord], kent: Geography, taxonomy: Taxonomy
) -> None:
    for record, seen in zip(messages, observations(quarter, kent.root), strict=True):
        event = record.event
        assert (seen.feed, seen.occurred_at, seen.known_at) == (
            event.feed,
            event.occurred_at,
            record.known_at,
        )
        code = _known_area(event)
        assert seen.area == (kent.root if code is None else kent.detection_area_of(AreaCode(code)))
        stated = event.areas.event if event.areas.event not in NO_PLACE else code
        assert seen.fine_area == (None if isinstance(event, DrugCheckingResult) else stated)
        assert seen.classes == _classes(event, taxonomy)
        assert seen.stratum is _stratum(event)
        assert (seen.scene is None, seen.subject is None) == (event.scene is None, event.subject is None)
        _same_details(event, seen)


def _same_details(event: Event, seen: Observation) -> None:
    if isinstance(event, NaloxoneAdministration):
        assert (seen.doses, seen.response) == (len(event.doses), event.response)
        assert seen.cardiac_arrest == event.cardiac_arrest
    else:
        assert (seen.doses, seen.response) == (0, Response.UNKNOWN)
    if isinstance(event, DrugCheckingResult):
        assert seen.detected == seen.classes
        assert (seen.batch is None) == (event.batch is None)
    else:
        assert not seen.detected


def test_the_simulator_loads_no_other_part_of_streams() -> None:
    program = (
        "import sys, streams.simulation.demo, streams.simulation.counting, streams.simulation.observing, "
        "streams.simulation.fitting\n"
        "print([m for m in sys.modules if m.startswith('streams.') and not m.startswith('streams.simulation')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
