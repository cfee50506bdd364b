"""Single events as detectors are given them, read from both databases."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from detectors.sightings import FEEDS, Sightings, class_bits
from detectors.terrain import terrain_of
from schemas.substances import SubstanceClass, default_taxonomy
from schemas.vocabulary import Feed, Jurisdiction
from streams.profile import JurisdictionProfile
from streams.sightings import SightingReader
from tocsin.clocks import VirtualClock
from tocsin.database import SqlDatabase

KENT = Jurisdiction("kent-and-medway")
TODAY = date(2018, 1, 22)
Record = Callable[..., dict[str, object]]
FeedIn = Callable[..., None]


@pytest.fixture
def reader(profiles: dict[Jurisdiction, JurisdictionProfile]) -> SightingReader:
    profile = profiles[KENT]
    return SightingReader(profile, terrain_of(profile.geography), default_taxonomy())


@pytest.fixture
def recent(database: SqlDatabase, reader: SightingReader) -> Callable[[], Sightings]:
    def read() -> Sightings:
        with database.read() as connection:
            return reader.recent(connection, today=TODAY, days=28)

    return read


def test_an_event_keeps_its_finest_place_and_what_it_names(
    feed_in: FeedIn,
    record: Record,
    recent: Callable[[], Sightings],
    profiles: dict[Jurisdiction, JurisdictionProfile],
) -> None:
    terrain = terrain_of(profiles[KENT].geography)
    small = next(code for code, area in zip(terrain.fine, terrain.area_of, strict=True) if area == 3)
    feed_in(
        record("fine", areas={"event": small}),
        record("coarse"),
        record("nowhere", areas={"event": "unknown"}),
    )
    found = recent()
    assert sorted(zip(found.area.tolist(), found.fine.tolist(), strict=True)) == sorted(
        [(3, terrain.fine.index(small)), (terrain.areas.index("E07000114"), -1), (-1, -1)]
    )
    assert set(found.classes.tolist()) == {class_bits([SubstanceClass.OPIATE])}
    assert set(found.feed.tolist()) == {FEEDS.index(Feed.AMBULANCE_NALOXONE)}
    assert found.last_day == TODAY


def test_what_a_sample_was_sold_as_is_told_apart_from_what_it_held(
    feed_in: FeedIn, recent: Callable[[], Sightings]
) -> None:
    sample = {
        "feed": Feed.DRUG_CHECKING.value,
        "event_id": "pill",
        "jurisdiction": KENT,
        "source": {"organisation": "the-loop"},
        "occurred_at": "2018-01-21T10:00:00Z",
        "areas": {"event": "E07000114"},
        "form": "tablet",
        "sold_as": ["diazepam"],
        "detected": [{"substance": "metonitazene", "method": "gc-ms", "confidence": "confirmed"}],
        "service": "drug-checking",
    }
    feed_in(sample)
    found = recent()
    assert found.sold_as.tolist() == [class_bits([SubstanceClass.BENZODIAZEPINE])]
    assert found.classes.tolist() == [class_bits([SubstanceClass.NITAZENE])]


def test_prison_and_self_harm_and_coarse_dates_are_left_out(
    feed_in: FeedIn, record: Record, recent: Callable[[], Sightings]
) -> None:
    feed_in(
        record("prison", place_type="prison_or_custody"),
        record("self-harm", intent="self_harm"),
        record("some day", precision="week"),
        record("counted"),
    )
    assert len(recent()) == 1


def test_the_past_is_read_as_it_was_known(
    database: SqlDatabase, clock: VirtualClock, reader: SightingReader, feed_in: FeedIn, record: Record
) -> None:
    feed_in(record("a"), record("b"))
    before = clock.now()
    clock.move_to(before + timedelta(days=2))
    feed_in(record("a", status="retracted"), record("c"))
    with database.read() as connection:
        then, now = (
            reader.past(connection, first_day=date(2018, 1, 1), last_day=TODAY, as_of=moment)
            for moment in (before, clock.now())
        )
    assert then.known_day.tolist() == [21, 21]
    assert sorted(now.known_day.tolist()) == [21, 23]
    assert then.first_day == date(2018, 1, 1)
