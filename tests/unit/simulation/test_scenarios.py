"""The demo's script holds what it says: two years, a quiet year, and two outbreaks that do not touch."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas.clock import civil_day, start_of_day
from schemas.events import (
    DrugCheckingResult,
    EdPresentation,
    NaloxoneAdministration,
    PlaceType,
    Response,
    SuspectedDeath,
    as_json,
)
from schemas.geography import AreaCode, Geography
from schemas.overlap import GAP_DAYS
from schemas.vocabulary import Feed
from streams.simulation.demo import DemoScript, demo_script
from streams.simulation.places import Places
from streams.simulation.records import SimulatedRecord
from streams.simulation.scenarios import nitazene_spike, thanet_household

THANET, CANTERBURY = "E07000114", "E07000106"


@pytest.fixture(scope="module")
def script(kent: Geography) -> DemoScript:
    return demo_script(5, kent)


def _area(record: SimulatedRecord, kent: Geography) -> str | None:
    return kent.detection_area_of(AreaCode(record.event.areas.event))


def test_nine_people_of_one_scene_in_thanet_reach_one_hospital_within_hours(
    places: Places, kent: Geography
) -> None:
    first = [
        record
        for record in thanet_household(places)
        if civil_day(record.event.occurred_at) == date(2018, 1, 22)
    ]
    assert len(first) == 9
    assert {type(record.event) for record in first} == {EdPresentation}
    assert len({record.event.scene for record in first}) == 1
    assert len({record.event.subject for record in first}) == 9
    assert {record.event.source.site for record in first} == {"qeqm"}
    assert {_area(record, kent) for record in first} == {THANET}
    moments = [record.event.occurred_at for record in first]
    assert max(moments) - min(moments) < timedelta(hours=6)
    assert all(
        timedelta(0) < record.known_at - record.event.occurred_at < timedelta(hours=3) for record in first
    )


def test_the_household_story_has_two_people_in_canterbury_one_death_and_no_naloxone(
    places: Places, kent: Geography
) -> None:
    later = [
        record
        for record in thanet_household(places)
        if civil_day(record.event.occurred_at) > date(2018, 1, 22)
    ]
    assert Counter(record.event.feed for record in later) == {
        Feed.ED_PRESENTATIONS: 2,
        Feed.SUSPECTED_DEATHS: 1,
    }
    assert {_area(record, kent) for record in later} == {CANTERBURY}
    assert len({record.event.subject for record in later}) == 2


def test_the_spike_is_of_the_stated_size_and_seen_in_all_four_feeds(places: Places, kent: Geography) -> None:
    spike = nitazene_spike(places)
    assert Counter(record.event.feed for record in spike) == {
        Feed.AMBULANCE_NALOXONE: 13,
        Feed.ED_PRESENTATIONS: 7,
        Feed.SUSPECTED_DEATHS: 2,
        Feed.DRUG_CHECKING: 2,
    }
    assert {_area(record, kent) for record in spike} == {THANET, CANTERBURY}
    assert len({record.event.subject for record in spike if record.event.subject}) == 16
    moments = [record.event.occurred_at for record in spike]
    assert max(moments) - min(moments) < timedelta(days=6)
    naloxone = [record.event for record in spike if isinstance(record.event, NaloxoneAdministration)]
    assert sum(len(event.doses) >= 3 for event in naloxone) >= 4
    assert sum(event.response is Response.NONE and not event.cardiac_arrest for event in naloxone) >= 3
    samples = [record.event for record in spike if isinstance(record.event, DrugCheckingResult)]
    assert all(event.sold_as == ("heroin",) for event in samples)
    assert all("metonitazene" in {item.substance for item in event.detected} for event in samples)


def test_the_two_outbreaks_are_further_apart_than_one_incident_reaches(places: Places) -> None:
    last = max(record.event.occurred_at for record in thanet_household(places))
    first = min(record.event.occurred_at for record in nitazene_spike(places))
    assert (civil_day(first) - civil_day(last)).days > GAP_DAYS


def test_bulk_and_live_records_meet_at_the_beginning_of_the_quiet_year(script: DemoScript) -> None:
    begins = start_of_day(script.quiet_from)
    assert (script.quiet_from, script.quiet_to) == (date(2017, 1, 1), date(2017, 12, 31))
    assert all(record.known_at < begins for record in script.backfill)
    assert all(begins <= record.known_at < script.ends_at for record in script.live)
    assert min(record.event.occurred_at for record in script.backfill) < datetime(2015, 1, 5, tzinfo=UTC)
    assert 4000 < len(script.backfill) < 7500
    identities = [record.event.event_id for record in (*script.backfill, *script.live)]
    assert len(set(identities)) == len(identities)


def test_live_records_come_in_order_and_hold_both_outbreaks_whole(script: DemoScript, places: Places) -> None:
    known = [record.known_at for record in script.live]
    assert known == sorted(known)
    scripted = {record.event.event_id for record in (*thanet_household(places), *nitazene_spike(places))}
    assert scripted <= {record.event.event_id for record in script.live}


def test_the_quiet_year_holds_nothing_scripted(script: DemoScript) -> None:
    quiet = [record for record in script.live if civil_day(record.event.occurred_at) <= script.quiet_to]
    assert len(quiet) > 1500
    assert all(record.event.event_id.startswith("demo-") for record in quiet)


def test_the_same_seed_gives_the_same_script(kent: Geography, script: DemoScript) -> None:
    again = demo_script(5, kent)
    assert [as_json(record.event) for record in again.live] == [
        as_json(record.event) for record in script.live
    ]
    assert [record.known_at for record in again.live] == [record.known_at for record in script.live]
    other = demo_script(6, kent)
    assert [record.event for record in other.backfill[:50]] != [
        record.event for record in script.backfill[:50]
    ]


def test_nobody_in_a_script_is_in_prison_or_at_school(places: Places) -> None:
    kept_apart = {PlaceType.PRISON_OR_CUSTODY, PlaceType.SCHOOL}
    assert not any(
        record.event.place_type in kept_apart
        for record in (*thanet_household(places), *nitazene_spike(places))
    )
    assert any(isinstance(record.event, SuspectedDeath) for record in nitazene_spike(places))
