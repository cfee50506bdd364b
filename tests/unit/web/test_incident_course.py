"""The curve of an incident counts events: those of its class, or, for a tripwire, those that may be the same drug."""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import insert

from alerts.reading import get_incident, signals_of
from schemas.signals import FeedEvidence
from schemas.tables.events import event_version
from schemas.vocabulary import Feed
from tests.unit.web.house import KENT, NOW, House
from tocsin.web.incident_course import Course, counts_by_area, course_of

TODAY = date(2018, 1, 29)


def happen(house: House, name: str, classes: str, **changes: object) -> None:
    """Store one event as intake would."""
    row: dict[str, object] = {
        "identity": name,
        "version": 1,
        "content_hash": name,
        "jurisdiction": KENT,
        "feed": Feed.AMBULANCE_NALOXONE.value,
        "organisation": "secamb",
        "status": "new",
        "delivery": "live",
        "occurred_at": NOW,
        "precision": "minute",
        "grain": "day",
        "day": TODAY,
        "area": "E07000114",
        "detection_area": "E07000114",
        "stratum": "general",
        "classes": classes,
        "known_at": NOW,
        "body": {},
        "retain_until": TODAY + timedelta(days=365),
    }
    with house.database.write() as connection:
        connection.execute(insert(event_version).values(**(row | changes)))


def course(house: House, incident_id: str) -> Course:
    with house.database.read() as connection:
        incident = get_incident(connection, incident_id)
        assert incident is not None
        signals = signals_of(connection, incident_id)
        root = house.services.desk.root_of(KENT)
        found = course_of(connection, incident, signals, Feed.AMBULANCE_NALOXONE, today=TODAY, root=root)
    assert found is not None
    return found


def on(found: Course, day: date) -> int:
    return next(item.count for item in found.days if item.day == day)


def of(observed: int, substance_class: str) -> dict[str, Any]:
    part = FeedEvidence(feed=Feed.AMBULANCE_NALOXONE, observed=observed, expected=0.4)
    return {"feeds": (part,), "observed": observed, "substance_class": substance_class}


def test_a_curve_counts_the_signals_class_where_that_is_what_the_signal_counted(house: House) -> None:
    happen(house, "a", "stimulant")
    happen(house, "b", "unknown")
    found = course(house, house.incident(**of(1, "stimulant")))
    assert (on(found, TODAY), found.may_be) == (1, False)


def test_a_curve_of_a_drug_that_a_laboratory_named_counts_whoever_may_have_taken_it(house: House) -> None:
    happen(house, "a", "unknown_opioid")
    happen(house, "b", "unknown")
    happen(house, "c", "stimulant")
    found = course(house, house.incident(**of(2, "nitazene")))
    assert (on(found, TODAY), found.may_be) == (2, True)


def test_an_event_behind_the_signal_is_in_its_curve_whatever_its_class(house: House) -> None:
    happen(house, "a" * 32, "stimulant")
    found = course(house, house.incident(**of(1, "nitazene"), evidence=("a" * 32,)))
    assert on(found, TODAY) == 1


def test_what_was_taken_back_replaced_or_happened_elsewhere_is_not_in_the_curve(house: House) -> None:
    happen(house, "a", "stimulant", status="retracted")
    happen(house, "b", "stimulant", superseded_at=NOW)
    happen(house, "c", "stimulant", detection_area="E07000106")
    happen(house, "d", "stimulant", stratum="prison")
    happen(house, "e", "stimulant", grain="week")
    found = course(house, house.incident(**of(1, "stimulant")))
    assert sum(item.count for item in found.days) == 0


def test_a_signal_of_the_whole_jurisdiction_counts_what_could_not_be_placed(house: House) -> None:
    root = house.services.desk.root_of(KENT)
    happen(house, "a", "stimulant", detection_area=root)
    happen(house, "b", "stimulant", detection_area="E07000106")
    found = course(house, house.incident(**of(2, "stimulant"), areas=(root,)))
    assert on(found, TODAY) == 2


def test_a_curve_shows_four_weeks_and_what_is_usual_in_the_signals_days_only(house: House) -> None:
    found = course(house, house.incident(**of(3, "stimulant")))
    assert (found.days[0].day, found.days[-1].day) == (TODAY - timedelta(days=27), TODAY)
    usual = {item.day: item.expected for item in found.days if item.in_window}
    assert usual == {date(2018, 1, 28): 0.2, TODAY: 0.2}
    assert all(item.expected is None for item in found.days if not item.in_window)


def test_the_map_counts_each_area_apart(house: House) -> None:
    happen(house, "a", "stimulant")
    happen(house, "b", "stimulant", detection_area="E07000106")
    happen(house, "c", "stimulant", detection_area="E07000106")
    incident_id = house.incident(**of(1, "stimulant"))
    with house.database.read() as connection:
        incident = get_incident(connection, incident_id)
        assert incident is not None
        counts = counts_by_area(connection, incident, signals_of(connection, incident_id))
    assert counts == {"E07000114": 1, "E07000106": 2}
